"""The well-known secret formats, one row each: what it is called, how it is spotted, what it looks like.

`anchors` are literals that every value of the format holds: the scan for windows (pii/windows.py) looks for them, and
a pattern is tried only where one occurs. Patterns are bounded, so that no text makes them slow, and ASCII. A group
named `secret` marks the part that is redacted; without one it is the whole match. Written from the vendors' own
descriptions of their tokens and, since the rules of gitleaks (https://github.com/gitleaks/gitleaks, MIT License,
Copyright 2019 Zachary Rice) know more of them, from those: their patterns, bounded, without the surroundings that they
ask for. Keys for a service's test mode count as keys. The formats' own checks stand in pii/secret_checks.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pii.secret_checks import (
    BASE62,
    crc32_base36,
    crc32_base62,
    is_discord_token,
    is_json_web_token,
    is_macaroon,
    is_onepassword_token,
)

__all__ = ["BASE62", "Format", "compiled", "crc32_base62", "formats", "is_made_up"]

_HEX = "0123456789abcdef"
_DIGITS = "123456789"


class Format(NamedTuple):
    name: str
    anchors: tuple[str, ...]
    pattern: str
    check: Callable[[str], bool] | None = None  # the format's own checksum: the score is 1.0 where it agrees
    reach: int = 0  # how many characters of a match may stand before its anchor
    strict: bool = False  # without agreement it is none: the pattern alone says too little


def is_made_up(value: str) -> bool:
    """Whether a value is a placeholder: it says so, or has too few different characters to be random."""
    says_so = re.search(r"example|xxxx|your[_-]|0000000|1234567890", value, re.IGNORECASE)
    return says_so is not None or len(set(value)) < 8


def formats() -> tuple[Format, ...]:
    """The table; the first format that matches a span names it."""
    return (
        # clouds
        Format("aws_access_key_id", ("AKIA", "ASIA", "ABIA", "ACCA"), r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}"),
        Format(
            "aws_secret_access_key",
            ("secret_access_key", "SECRET_ACCESS_KEY", "ecretAccessKey", "aws_secret_key", "AWS_SECRET_KEY"),
            r"(?:secret_access_key|SECRET_ACCESS_KEY|(?:aws|AWS)?[sS]ecretAccessKey|aws_secret_key|AWS_SECRET_KEY)"
            r"[\"' \t]{0,3}(?:=>|[:=,])[\"' \t]{0,4}(?P<secret>[A-Za-z0-9/+]{40})(?![/+=])",
            reach=6,
        ),
        Format("aws_bedrock_key", ("ABSK",), r"ABSK[A-Za-z0-9+/]{100,270}={0,2}"),
        Format(
            "aws_bedrock_short_lived_key",
            ("bedrock-api-key-YmVk",),
            r"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]{0,2000}",
        ),
        Format("aws_marketplace_key", ("amzn.mws.",), r"amzn\.mws\.[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
        Format("google_api_key", ("AIza",), r"AIza[A-Za-z0-9_-]{35}"),
        Format("google_oauth_secret", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
        Format("google_oauth_token", ("ya29.",), r"ya29\.[A-Za-z0-9_-]{30,1000}"),
        Format("azure_storage_key", ("AccountKey=",), r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
        Format("azure_shared_access_key", ("AccessKey=",), r"SharedAccessKey=(?P<secret>[A-Za-z0-9+/]{43}=)", reach=8),
        Format("azure_client_secret", ("Q~",), r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}", reach=4),
        Format("alibaba_access_key_id", ("LTAI",), r"LTAI[A-Za-z0-9]{20}"),
        Format("tencent_secret_id", ("AKID",), r"AKID[A-Za-z0-9]{32}"),
        Format("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[a-f0-9]{64}"),
        Format("heroku_token", ("HRKU-AA",), r"HRKU-AA[A-Za-z0-9_-]{58}"),
        Format(
            "fly_token",
            ("fo1_", "fm1a_", "fm1r_", "fm2_"),
            r"(?:fo1_[A-Za-z0-9_-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,800}={0,3})",
        ),
        Format("yandex_key", ("AQVN",), r"AQVN[A-Za-z0-9_-]{35,38}"),
        Format("clickhouse_key", ("4b1d",), r"4b1d[A-Za-z0-9]{38}"),
        Format("aiven_password", ("AVNS_",), r"AVNS_[A-Za-z0-9_-]{16,40}"),
        Format("cloudflare_origin_key", ("v1.0-",), r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
        Format("databricks_token", ("dapi",), r"dapi[a-f0-9]{32}(?:-[0-9])?"),
        Format("planetscale_token", ("pscale_",), r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,64}"),
        Format("supabase_token", ("sbp_", "sb_secret_"), r"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{31})"),
        # code hosting, packages, builds
        Format(
            "github_token",
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
            r"gh[pousr]_[A-Za-z0-9]{36}",
            crc32_base62,
        ),
        Format("github_fine_grained_token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
        Format(
            "gitlab_token",
            (
                "glpat-",
                "gldt-",
                "glrt-",
                "glrtr-",
                "glcbt-",
                "glptt-",
                "glft-",
                "glimt-",
                "glagent-",
                "gloas-",
                "glsoat-",
                "glffct-",
            ),
            r"gl(?:pat|dt|rtr?|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_-]{20,300}"
            r"(?:\.[a-z0-9]{2}\.?[a-z0-9]{7,9})?",
            crc32_base36,
        ),
        Format("gitlab_registration_token", ("GR1348941",), r"GR1348941[A-Za-z0-9_-]{20}"),
        Format("gitlab_session", ("_gitlab_session=",), r"_gitlab_session=(?P<secret>[0-9a-z]{32})"),
        Format("gitea_action_token", ("gitea_",), r"gitea_[a-f0-9]{40}"),
        Format("azure_devops_token", ("AZDO",), r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", reach=76),
        Format("bitbucket_token", ("ATBB",), r"ATBB[A-Za-z0-9]{32}"),
        Format("atlassian_token", ("ATATT3xFfGF0", "ATCTT3xFfGF0"), r"AT[AC]TT3xFfGF0[A-Za-z0-9=_-]{60,250}"),
        Format("npm_token", ("npm_",), r"npm_[A-Za-z0-9]{36}", crc32_base62),
        Format("pypi_token", ("pypi-AgE",), r"pypi-AgE[A-Za-z0-9_-]{50,1000}", is_macaroon),
        Format("rubygems_key", ("rubygems_",), r"rubygems_[a-f0-9]{48}"),
        Format("nuget_key", ("oy2",), r"oy2[a-z0-9]{43}"),
        Format("crates_token", ("cio",), r"cio[A-Za-z0-9]{32}"),
        Format("clojars_token", ("CLOJARS_",), r"CLOJARS_[a-z0-9]{60}"),
        Format("docker_token", ("dckr_pat_", "dckr_oat_"), r"dckr_[po]at_[A-Za-z0-9_-]{27,32}"),
        Format("artifactory_key", ("AKCp",), r"AKCp[A-Za-z0-9]{69}"),
        Format("artifactory_reference_token", ("cmVmd",), r"cmVmd[A-Za-z0-9]{59}"),
        Format("sourcegraph_token", ("sgp_",), r"sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}"),
        Format("packagist_token", ("packagist_",), r"packagist_(?:uut|ort|out|acs|acu)_[a-f0-9]{60,70}"),
        Format("sonar_token", ("squ_", "sqp_", "sqa_"), r"sq[upa]_[a-f0-9]{40}"),
        Format("circleci_token", ("CCIPAT_", "CCIPRJ_"), r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}"),
        Format("buildkite_token", ("bkua_",), r"bkua_[a-z0-9]{40}"),
        Format("octopus_key", ("API-",), r"API-(?=[A-Z]{0,25}[0-9])[A-Z0-9]{26}"),
        Format("openshift_token", ("sha256~",), r"sha256~[A-Za-z0-9_-]{43}"),
        Format("prefect_token", ("pnu_", "pnb_"), r"pn[ub]_[A-Za-z0-9]{36}"),
        Format("scalingo_token", ("tk-us-",), r"tk-us-[A-Za-z0-9_-]{48}"),
        Format("readme_token", ("rdme_",), r"rdme_[a-z0-9]{70}"),
        Format(
            "tailscale_key", ("tskey-",), r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,40}"
        ),
        Format("netlify_token", ("nfp_",), r"nfp_[A-Za-z0-9]{36,40}"),
        Format("render_key", ("rnd_",), r"rnd_[A-Za-z0-9]{28,32}"),
        Format(
            "onepassword_secret_key",
            ("A3-",),
            r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
        ),
        Format("terraform_token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}", reach=14),
        Format("vault_token", ("hvs.", "hvb."), r"hv[sb]\.[A-Za-z0-9_-]{90,300}"),
        Format("pulumi_token", ("pul-",), r"pul-[a-f0-9]{40}"),
        Format(
            "doppler_token",
            ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."),
            r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        ),
        Format("onepassword_token", ("ops_eyJ",), r"ops_eyJ[A-Za-z0-9+/]{250,2000}={0,3}", is_onepassword_token),
        Format("age_secret_key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
        # models
        Format("openai_key", ("T3BlbkFJ",), r"sk-[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100}", reach=104),
        Format("anthropic_key", ("sk-ant-",), r"sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{80,120}"),
        Format("openrouter_key", ("sk-or-v1-",), r"sk-or-v1-[a-f0-9]{64}"),
        Format("nvidia_key", ("nvapi-",), r"nvapi-[A-Za-z0-9_-]{60,70}"),
        Format("pinecone_key", ("pcsk_",), r"pcsk_[A-Za-z0-9]{5,8}_[A-Za-z0-9]{60,70}"),
        Format("langfuse_key", ("sk-lf-",), r"sk-lf-[a-f0-9-]{36}"),
        Format("tavily_key", ("tvly-",), r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}"),
        Format("cerebras_key", ("csk-",), r"csk-[a-z0-9]{48}"),
        Format("huggingface_token", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z]{34}"),
        Format("replicate_token", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
        Format("groq_key", ("gsk_",), r"gsk_[A-Za-z0-9]{52}"),
        Format("perplexity_key", ("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
        Format("xai_key", ("xai-",), r"xai-[A-Za-z0-9]{80}"),
        Format("langsmith_key", ("lsv2_",), r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
        # money and shops
        Format(
            "stripe_key",
            ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_prod_", "rk_prod_"),
            r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,247}",
        ),
        Format("stripe_webhook_secret", ("whsec_",), r"whsec_[A-Za-z0-9]{32,64}"),
        Format("square_token", ("sq0atp-", "sq0csp-"), r"sq0(?:atp-[A-Za-z0-9_-]{22}|csp-[A-Za-z0-9_-]{43})"),
        Format("shopify_token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
        Format("flutterwave_key", ("FLWSECK",), r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,32}(?:-X)?"),
        Format(
            "plaid_token",
            ("access-sandbox-", "access-development-", "access-production-"),
            r"access-(?:sandbox|development|production)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
        ),
        Format("shippo_token", ("shippo_",), r"shippo_(?:live|test)_[a-fA-F0-9]{40}"),
        Format("duffel_token", ("duffel_",), r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}"),
        Format(
            "paypal_braintree_token",
            ("access_token$",),
            r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        ),
        Format("razorpay_key", ("rzp_live_",), r"rzp_live_[A-Za-z0-9]{14}"),
        # messages and mail
        Format(
            "slack_token",
            ("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxe-", "xoxe.", "xapp-"),
            r"(?:xox[bparsoe]-(?:[0-9]{1,20}-){1,4}[A-Za-z0-9-]{20,160}|xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{100,220}"
            r"|xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-f0-9]{40,80})",
        ),
        Format(
            "slack_webhook",
            ("hooks.slack.com/",),
            r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9]{8,14}/[A-Za-z0-9]{8,20}/"
            r"[A-Za-z0-9/]{20,60})",
        ),
        Format(
            "discord_webhook",
            ("/api/webhooks/",),
            r"(?:discord|discordapp)\.com/api/webhooks/(?P<secret>[0-9]{17,20}/[A-Za-z0-9_-]{60,72})",
            reach=16,
        ),
        Format(
            "teams_webhook",
            (".webhook.office.com/",),
            r"[a-z0-9]{1,40}\.webhook\.office\.com/webhookb2/(?P<secret>[a-f0-9-]{36}@[a-f0-9-]{36}/[A-Za-z]{5,30}/"
            r"[a-f0-9]{32}/[a-f0-9-]{36})",
            reach=41,
        ),
        Format("telegram_bot_token", (":AA",), r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}", reach=10),
        Format("twilio_key", tuple(f"SK{digit}" for digit in _HEX), r"SK[0-9a-f]{32}"),
        Format("sendgrid_key", ("SG.",), r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
        Format("mailchimp_key", tuple(f"-us{digit}" for digit in _DIGITS), r"[0-9a-f]{32}-us[1-9][0-9]?", reach=32),
        Format("mailgun_key", tuple(f"key-{digit}" for digit in _HEX), r"key-[0-9a-f]{32}"),
        Format("brevo_key", ("xkeysib-",), r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
        Format(
            "facebook_token", ("EAAC", "EAAM", "EAAG", "EAAB"), r"EAA[BCGM](?=[A-Za-z]{0,60}[0-9])[A-Za-z0-9]{80,300}"
        ),
        Format(
            "discord_bot_token",
            ("oken", "OKEN", "Bot ", "ot.run", "login("),
            r"(?:oken|OKEN|Bot |ot\.run|login\()[^\n\0]{0,40}?(?<![A-Za-z0-9_-])"
            r"(?P<secret>[MNO][A-Za-z0-9]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})",
            is_discord_token,
            strict=True,
        ),
        Format("typeform_token", ("tfp_",), r"tfp_[A-Za-z0-9_.=-]{59}"),
        Format(
            "hubspot_token", ("pat-na", "pat-eu"), r"pat-(?:na|eu)[0-9]-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
        ),
        # other services
        Format("dropbox_token", ("sl.",), r"sl\.(?:u\.)?[A-Za-z0-9_-]{130,1200}"),
        Format("notion_token", ("ntn_", "secret_"), r"(?:ntn_[A-Za-z0-9]{46}|secret_[A-Za-z0-9]{43})"),
        Format("linear_key", ("lin_api_",), r"lin_api_[A-Za-z0-9]{40}"),
        Format("figma_token", ("figd_",), r"figd_[A-Za-z0-9_-]{40,50}"),
        Format("postman_key", ("PMAK-",), r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
        Format(
            "newrelic_key",
            ("NRAK-", "NRII-", "NRJS-", "NRRA-"),
            r"(?:NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_-]{32}|NRJS-[a-f0-9]{19}|NRRA-[a-f0-9]{42})",
        ),
        Format(
            "grafana_token",
            ("glsa_", "glc_", "eyJrIjoi"),
            r"(?:glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,3}|eyJrIjoi[A-Za-z0-9]{70,400}={0,3})",
        ),
        Format("sentry_token", ("sntryu_", "sntrys_"), r"sntry(?:u_[a-f0-9]{64}|s_eyJ[A-Za-z0-9+/=_]{80,600})"),
        Format("dynatrace_token", ("dt0c01.",), r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
        Format("easypost_key", ("EZAK", "EZTK"), r"EZ[AT]K[A-Za-z0-9]{54}"),
        Format("adobe_client_secret", ("p8e-",), r"p8e-[A-Za-z0-9_-]{32}"),
        Format("contentful_token", ("CFPAT-",), r"CFPAT-[A-Za-z0-9_-]{43}"),
        Format("frameio_token", ("fio-u-",), r"fio-u-[A-Za-z0-9_=-]{64}"),
        Format("intra42_secret", ("s-s4t2",), r"s-s4t2(?:ud|af)-[a-f0-9]{64}"),
        Format("maxmind_key", ("_mmk",), r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", reach=36),
        Format("posthog_personal_key", ("phx_",), r"phx_[A-Za-z0-9]{40,50}"),
        Format("settlemint_token", ("sm_aat_", "sm_pat_", "sm_sat_"), r"sm_[aps]at_[A-Za-z0-9]{16}"),
        Format("wakatime_key", ("waka_",), r"waka_[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
        Format("mapbox_secret_token", ("sk.eyJ",), r"sk\.eyJ[A-Za-z0-9_-]{40,300}\.[A-Za-z0-9_-]{20,30}"),
        # anything signed
        Format(
            "json_web_token",
            ("eyJ",),
            r"eyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,2500}\.[A-Za-z0-9_-]{20,700}",
            is_json_web_token,
        ),
        Format(
            "json_web_token_base64",
            ("ZXlK",),
            r"ZXlK(?:aGJH|aGNI|aGRX|aU5q|amNt|bGJt|cmFX|dWlP|MGVY|NW5J|JoYkd)[A-Za-z0-9+/_-]{40,3000}={0,2}",
        ),
        Format(
            "private_key_base64",  # a whole PEM file in base 64: kubeconfig's client-key-data
            ("LS0tLS1CRUdJTi",),
            r"LS0tLS1CRUdJTi(?:BSU0EgUFJJVkFURSBLRVk|BFQyBQUklWQVRFIEtFW|BQUklWQVRFIEtFW|BPUEVOU1NIIFBSSVZBVEUgS0VZ"
            r"|BFTkNSWVBURUQgUFJJVkFURSBLRVk|BEU0EgUFJJVkFURSBLRVk)[A-Za-z0-9+/]{40,12000}={0,2}",
        ),
    )


def compiled(form: Format) -> re.Pattern[str]:
    """The format's pattern, refused inside a longer word (or the same alphabet going on after it).

    A strict format's starts with a cue, which may end a longer word.
    """
    if form.strict:
        return re.compile(rf"(?:{form.pattern})(?![A-Za-z0-9_])", re.ASCII)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{form.pattern})(?![A-Za-z0-9_])", re.ASCII)
