"""Credentials that stand where no name is: options of commands, arguments of calls, statements of SQL, lines of .pgpass.

Each form says by itself where the password stands; the value is judged as an assigned one is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.recognizers.base import FORMAT, Found, Recognizer
from pii.secret_values import Values

_QUOTED = r"(?:\"(?P<d>[^\"\\\n\0]{1,128})\"|'(?P<s>[^'\\\n\0]{1,128})'"
_ARGUMENT = _QUOTED + r"|(?P<b>[^\s\"'`<>|;&()\0]{1,128}))"  # of a command: may stand bare
_LITERAL = _QUOTED + r")"
_USER = r"(?:\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'|[\w.$@-]{1,80})"
_USER_LITERAL = r"[bru]?(?:\"[^\"\n]{0,80}\"|'[^'\n]{0,80}')"


class Form(NamedTuple):
    """A pattern with one group of d, s or b that holds the value; every match holds one of the literals."""

    name: str
    anchors: tuple[str, ...]
    pattern: str
    strict: bool = False


def forms() -> tuple[Form, ...]:
    """The table."""
    return (
        Form("sshpass", ("sshpass",), rf"\bsshpass[ \t]{{1,4}}-p[ \t]{{0,4}}{_ARGUMENT}"),
        Form(
            "mysql_option",
            ("mysql", "mariadb"),
            rf"\b(?:mysql|mariadb)(?:dump|admin|import|check|show|-dump|-admin)?\b[^\n|;]{{0,200}}?[ \t]-p{_ARGUMENT}",
        ),
        Form(
            "http_user",
            ("curl", "http ", "https ", "wget"),
            r"\b(?:curl|https?|wget)\b[^\n]{0,300}?[ \t](?:-u|--user|--proxy-user|-U|-a|--auth)[ \t=]{1,3}"
            r"(?:\"[^\"\s:]{0,64}:(?P<d>[^\"\s]{1,128})\"|'[^'\s:]{0,64}:(?P<s>[^'\s]{1,128})'|[^\s\"':]{0,64}:(?P<b>[^\s\"'`|;&)\\]{1,128}))",
        ),
        Form(
            "user_and_password_option",
            (" -p ", " -a ", " -w "),
            rf"[ \t](?:-u|-U|-D|--username|--user|-l|-h|login)[ \t]{{1,3}}{_USER}[ \t]{{1,3}}(?:-p|-w|-a)[ \t]{{1,3}}{_ARGUMENT}",
            strict=True,
        ),
        Form("redis_directive", ("requirepass", "masterauth"), rf"\b(?:requirepass|masterauth)[ \t]{{1,8}}{_ARGUMENT}"),
        Form("redis_option", ("redis-cli",), rf"\bredis-cli\b[^\n|;]{{0,120}}?[ \t]-a[ \t]{{1,3}}{_ARGUMENT}"),
        Form(
            "htpasswd",
            ("htpasswd",),
            rf"\bhtpasswd[ \t]+-[A-Za-z]{{0,6}}b[A-Za-z]{{0,6}}[ \t]+(?:-[A-Za-z]+[ \t]+)?(?:[^\s-]\S{{0,120}}[ \t]+)?{_USER}[ \t]+{_ARGUMENT}[ \t]*(?:\\?[\n\"'`>|;&)]|\Z)",
        ),
        Form(
            "chpasswd",
            ("chpasswd",),
            r"\becho[ \t]+(?:-[en]+[ \t]+)?[\"']?[\w.-]{1,40}:(?P<b>[^\s\"'`|:\\]{1,128})(?:\\n)?[\"']?[ \t]*\|[^\n]{0,40}chpasswd",
        ),
        Form(
            "openssl_pass",
            ("pass:",),
            r"-(?:pass|passin|passout|srcstorepass|deststorepass)[ \t]{1,3}[\"']?pass:(?P<b>[^\s\"'`\\;|&]{1,128})",
        ),
        Form("net_user", ("net user",), rf"\bnet user[ \t]+(?!/){_USER}[ \t]+{_ARGUMENT}[ \t]+/"),
        Form("windows_option", ("/p:",), rf"[ \t]/u:{_USER}[ \t][^\n]{{0,60}}?/p:{_ARGUMENT}"),
        Form(
            "docker_login",
            ("login",),
            rf"\b(?:docker|podman|helm registry|az acr|buildah)[ \t]+login\b[^\n|;]{{0,160}}?[ \t](?:-p|--password)[ \t=]{{1,3}}{_ARGUMENT}",
        ),
        Form(
            "sql_identified_by",
            ("IDENTIFIED", "identified"),
            rf"(?i:\bidentified(?:[ \t]{{1,4}}with[ \t]{{1,4}}[\"'\w]{{1,40}})?[ \t]{{1,4}}by(?:[ \t]{{1,4}}password)?)[ \t]{{1,4}}{_QUOTED}|(?P<b>[A-Za-z0-9_$#!@]{{4,64}})(?=[ \t]{{0,2}};))",
        ),
        Form(
            "pgpass",
            (":5432:", ":*:", ":5433:", ":6432:"),
            r"(?:^|(?<=[\n\"'` ]))(?:[\w.-]{1,80}|\*):(?:[0-9]{2,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:(?P<b>[^\s:\"'`\\]{1,128})(?=[\"'`\\]|[ \t]*(?:\n|\r|\Z|>))",
        ),
        Form(
            "credentials_call",
            (
                "onnect",
                "PDO(",
                "mysqli(",
                "Auth(",
                "auth(",
                "Credential",
                "PasswordAuth",
                "AuthenticationToken",
                "Connection(",
            ),
            r"(?:\bmysqli?(?:_p?connect|_real_connect)?|\bPDO|\bgetConnection|HTTP(?:Basic|Digest|Proxy)Auth|[bB]asic_?[aA]uth|SetBasicAuth|NetworkCredential"
            r"|UsernamePasswordCredentials|PasswordAuthentication|UsernamePasswordAuthenticationToken|\bftp_login|\bmysql\.connect)"
            rf"\((?:[^()\"'\n]{{0,60}},[ \t]{{0,2}})?(?:[bru]?(?:\"[^\"\n]{{0,120}}\"|'[^'\n]{{0,120}}')[ \t]{{0,2}},[ \t]{{0,2}})?{_USER_LITERAL}[ \t]{{0,2}},[ \t]{{0,2}}[bru]?{_LITERAL}(?:\.toCharArray\(\))?[ \t]{{0,2}}[,)]",
        ),
        Form(
            "login_call",
            ("ogin(", "uthenticate(", "auth=(", "auth = (", "auth: [", "auth' => [", "uthorize("),
            rf"(?:\b(?:log_?in|[lL]og_?[iI]n|authenticate|authorize)\([ \t]{{0,2}}|\bauth['\"]?[ \t]{{0,2}}(?:=|=>|:)[ \t]{{0,2}}[\[(])(?:\w{{1,20}},[ \t]{{0,2}})?{_USER_LITERAL}[ \t]{{0,2}},[ \t]{{0,2}}[bru]?{_LITERAL}[ \t]{{0,2}}[,)\]]",
        ),
    )


_BEARER = re.compile(r"\b(?:Bearer|bearer|BEARER)[ \t]{1,3}(?P<value>[A-Za-z0-9+/=_.~-]{16,2000}+)(?![\w({\[])")
_BASIC = re.compile(r"\b(?:Basic|basic)[ \t]{1,2}(?P<value>[A-Za-z0-9+/_-]{8,400}+={0,2})(?![\w({\[=])")
_ENTITIES = {"bearer_token": "KEY", "basic_credentials": "KEY"}


class CommandRecognizer(Recognizer):
    """PASSWORD of commands, calls and SQL; KEY of HTTP's Authorization headers without their name."""

    def __init__(self) -> None:
        super().__init__("PASSWORD")
        self.supported_entities = ["PASSWORD", "KEY"]
        self.values = Values()
        self.forms = [(form, re.compile(form.pattern)) for form in forms()]
        rest = ("earer ", "EARER ", "Basic ", "basic ")
        self.anchors = tuple(dict.fromkeys([*(anchor for form, _ in self.forms for anchor in form.anchors), *rest]))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        results = super().analyze(text, ["PASSWORD"], nlp_artifacts)
        for result in results:
            result.entity_type = _ENTITIES.get(result.recognition_metadata[FORMAT], "PASSWORD")
        return [result for result in results if result.entity_type in entities]

    def find(self, text: str) -> Iterator[Found]:
        for form, pattern in self.forms:
            if any(anchor in text for anchor in form.anchors):
                for match in pattern.finditer(text):
                    group = next(name for name in ("d", "s", "b") if match.groupdict().get(name) is not None)
                    value = match[group]
                    verdict = self.values.password(value, form.strict) if value[0] not in "-/" else ""
                    if verdict:
                        yield Found(
                            *match.span(group), 0.8, form.name, "placeholder" if verdict == "placeholder" else ""
                        )
        for match in _BEARER.finditer(text):
            if self.values.key(match["value"].rstrip("."), weak=False, bare=True):
                yield Found(
                    match.start("value"), match.start("value") + len(match["value"].rstrip(".")), 0.9, "bearer_token"
                )
        for match in _BASIC.finditer(text):
            if _is_user_and_password(match["value"]):
                yield Found(*match.span("value"), 0.9, "basic_credentials")


def _is_user_and_password(value: str) -> bool:
    """Whether `value` is user:password in base 64."""
    try:
        decoded = base64.b64decode(
            value + "=" * (-len(value) % 4), altchars=b"-_" if "-" in value or "_" in value else None, validate=True
        )
    except ValueError:
        return False
    return b":" in decoded and decoded.isascii() and decoded.decode("ascii").isprintable()
