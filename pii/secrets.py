"""The well-known secret formats, one row each: what it is called, how it is spotted, what it looks like.

`anchors` are literals that every value of the format holds: the scan for windows (pii/windows.py) looks for them, and
a pattern is tried only where one occurs. Patterns are bounded, so that no text makes them slow, and ASCII. A group
named `secret` marks the part that is redacted; without one it is the whole match. Written from the vendors' own
descriptions of their tokens; keys for a service's test mode count as keys.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_DIGITS = "123456789"


class Format(NamedTuple):
    name: str
    anchors: tuple[str, ...]
    pattern: str
    check: Callable[[str], bool] | None = None  # the format's own checksum: the score is 1.0 where it agrees


def crc32_base62(token: str) -> bool:
    """Whether the last six characters are the CRC-32 of the 30 before them, in base 62 (GitHub's and npm's rule)."""
    body = token.rpartition("_")[2]
    number, digits = zlib.crc32(body[:-6].encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits == body[-6:]


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
        ),
        Format("aws_bedrock_key", ("ABSK",), r"ABSK[A-Za-z0-9+/]{100,270}={0,2}"),
        Format("google_api_key", ("AIza",), r"AIza[A-Za-z0-9_-]{35}"),
        Format("google_oauth_secret", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
        Format("google_oauth_token", ("ya29.",), r"ya29\.[A-Za-z0-9_-]{30,1000}"),
        Format("azure_storage_key", ("AccountKey=",), r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
        Format("azure_shared_access_key", ("AccessKey=",), r"SharedAccessKey=(?P<secret>[A-Za-z0-9+/]{43}=)"),
        Format("azure_client_secret", ("Q~",), r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
        Format("alibaba_access_key_id", ("LTAI",), r"LTAI[A-Za-z0-9]{20}"),
        Format("tencent_secret_id", ("AKID",), r"AKID[A-Za-z0-9]{32}"),
        Format("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[a-f0-9]{64}"),
        Format("heroku_token", ("HRKU-AA",), r"HRKU-AA[A-Za-z0-9_-]{58}"),
        Format("fly_token", ("fm2_",), r"fm2_[A-Za-z0-9+/]{100,500}={0,3}"),
        Format("cloudflare_origin_key", ("v1.0-",), r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
        Format("databricks_token", ("dapi",), r"dapi[a-f0-9]{32}(?:-[0-9])?"),
        Format("planetscale_token", ("pscale_",), r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,64}"),
        Format("supabase_token", ("sbp_",), r"sbp_[a-f0-9]{40}"),
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
            ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-"),
            r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas)-[A-Za-z0-9_-]{20,300}(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?",
        ),
        Format("bitbucket_token", ("ATBB",), r"ATBB[A-Za-z0-9]{32}"),
        Format("atlassian_token", ("ATATT3xFfGF0", "ATCTT3xFfGF0"), r"AT[AC]TT3xFfGF0[A-Za-z0-9=_-]{60,250}"),
        Format("npm_token", ("npm_",), r"npm_[A-Za-z0-9]{36}", crc32_base62),
        Format("pypi_token", ("pypi-AgE",), r"pypi-AgE[A-Za-z0-9_-]{50,1000}"),
        Format("rubygems_key", ("rubygems_",), r"rubygems_[a-f0-9]{48}"),
        Format("nuget_key", ("oy2",), r"oy2[a-z0-9]{43}"),
        Format("crates_token", ("cio",), r"cio[A-Za-z0-9]{32}"),
        Format("clojars_token", ("CLOJARS_",), r"CLOJARS_[a-z0-9]{60}"),
        Format("docker_token", ("dckr_pat_", "dckr_oat_"), r"dckr_[po]at_[A-Za-z0-9_-]{27,32}"),
        Format("artifactory_key", ("AKCp",), r"AKCp[A-Za-z0-9]{69}"),
        Format("sourcegraph_token", ("sgp_",), r"sgp_(?:[a-f0-9]{16}_)?[a-f0-9]{40}"),
        Format("terraform_token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}"),
        Format("vault_token", ("hvs.", "hvb."), r"hv[sb]\.[A-Za-z0-9_-]{90,300}"),
        Format("pulumi_token", ("pul-",), r"pul-[a-f0-9]{40}"),
        Format(
            "doppler_token", ("dp.pt.", "dp.st.", "dp.ct."), r"dp\.[psc]t\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"
        ),
        Format("onepassword_token", ("ops_eyJ",), r"ops_eyJ[A-Za-z0-9+/]{250,2000}={0,3}"),
        Format("age_secret_key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
        # models
        Format("openai_key", ("T3BlbkFJ",), r"sk-[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100}"),
        Format("anthropic_key", ("sk-ant-",), r"sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{80,120}"),
        Format("huggingface_token", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z]{34}"),
        Format("replicate_token", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
        Format("groq_key", ("gsk_",), r"gsk_[A-Za-z0-9]{52}"),
        Format("perplexity_key", ("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
        Format("xai_key", ("xai-",), r"xai-[A-Za-z0-9]{80}"),
        Format("langsmith_key", ("lsv2_",), r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
        # money and shops
        Format(
            "stripe_key",
            ("sk_live_", "rk_live_", "sk_test_", "rk_test_"),
            r"[sr]k_(?:live|test)_[A-Za-z0-9]{24,247}",
        ),
        Format("stripe_webhook_secret", ("whsec_",), r"whsec_[A-Za-z0-9]{32,64}"),
        Format("square_token", ("sq0atp-", "sq0csp-"), r"sq0(?:atp-[A-Za-z0-9_-]{22}|csp-[A-Za-z0-9_-]{43})"),
        Format("shopify_token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
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
        ),
        Format(
            "teams_webhook",
            (".webhook.office.com/",),
            r"\.webhook\.office\.com/webhookb2/(?P<secret>[a-f0-9-]{36}@[a-f0-9-]{36}/[A-Za-z]{5,30}/"
            r"[a-f0-9]{32}/[a-f0-9-]{36})",
        ),
        Format("telegram_bot_token", (":AA",), r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
        Format("twilio_key", tuple(f"SK{digit}" for digit in _HEX), r"SK[0-9a-f]{32}"),
        Format("sendgrid_key", ("SG.",), r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
        Format("mailchimp_key", tuple(f"-us{digit}" for digit in _DIGITS), r"[0-9a-f]{32}-us[1-9][0-9]?"),
        Format("mailgun_key", tuple(f"key-{digit}" for digit in _HEX), r"key-[0-9a-f]{32}"),
        Format("brevo_key", ("xkeysib-",), r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
        Format("facebook_token", ("EAACEdEose0cBA",), r"EAACEdEose0cBA[A-Za-z0-9]{20,300}"),
        # other services
        Format("dropbox_token", ("sl.",), r"sl\.(?:u\.)?[A-Za-z0-9_-]{130,1200}"),
        Format("notion_token", ("ntn_", "secret_"), r"(?:ntn_[A-Za-z0-9]{46}|secret_[A-Za-z0-9]{43})"),
        Format("linear_key", ("lin_api_",), r"lin_api_[A-Za-z0-9]{40}"),
        Format("figma_token", ("figd_",), r"figd_[A-Za-z0-9_-]{40,50}"),
        Format("postman_key", ("PMAK-",), r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
        Format("newrelic_key", ("NRAK-",), r"NRAK-[A-Z0-9]{27}"),
        Format("grafana_token", ("glsa_",), r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
        Format("sentry_token", ("sntryu_", "sntrys_"), r"sntry(?:u_[a-f0-9]{64}|s_eyJ[A-Za-z0-9+/=_]{80,600})"),
        Format("dynatrace_token", ("dt0c01.",), r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
        Format("easypost_key", ("EZAK", "EZTK"), r"EZ[AT]K[A-Za-z0-9]{54}"),
        Format("mapbox_secret_token", ("sk.eyJ",), r"sk\.eyJ[A-Za-z0-9_-]{40,300}\.[A-Za-z0-9_-]{20,30}"),
        # anything signed
        Format(
            "json_web_token",
            ("eyJ",),
            r"eyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,2500}\.[A-Za-z0-9_-]{20,700}",
        ),
    )


def compiled(form: Format) -> re.Pattern[str]:
    """The format's pattern, refused inside a longer word (or the same alphabet going on after it)."""
    return re.compile(rf"(?<![A-Za-z0-9])(?:{form.pattern})(?![A-Za-z0-9_])", re.ASCII)
