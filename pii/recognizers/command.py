"""Credentials that stand where no name is: options of commands, arguments of calls, SQL, lines of .pgpass.

Each form says by itself where the password stands; the value is judged as an assigned one is. An Authorization
header's value is found here too where the header's name stands elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.recognizers.anchored import matches
from pii.recognizers.base import FORMAT, Found, Recognizer
from pii.secret_checks import decoded
from pii.secret_values import Values

_TEXT = r"""[bru]?(?:"[^"\n]{0,120}"|'[^'\n]{0,120}')"""
_LITERAL = r"""[bru]?(?:"(?P<d>[^"\\\n\0]{1,128})"|'(?P<s>[^'\\\n\0]{1,128})')"""
_ARGUMENT = r"""(?:"(?P<d>[^"\\\n\0]{1,128})"|'(?P<s>[^'\\\n\0]{1,128})'|(?P<b>[^\s"'`<>|;&()\0]{1,128}))"""
_USER = r"""(?:"[^"\n]{0,80}"|'[^'\n]{0,80}'|[\w.$@-]{1,80})"""
_COMMA = r"[ \t]{0,2},[ \t]{0,2}"
_BEARER = re.compile(r"\b(?:[Bb]earer|BEARER)[ \t]{1,3}(?P<value>[A-Za-z0-9+/=_.~-]{16,2000}+)(?![\w({\[])")
_BASIC = re.compile(r"\b[Bb]asic[ \t]{1,2}(?P<value>[A-Za-z0-9+/_-]{8,400}+={0,2})(?![\w({\[=])")
_HEADERS = ("earer ", "EARER ", "asic ")
_ENTITIES = {"bearer_token": "KEY", "basic_credentials": "KEY"}  # of the formats; the others are passwords


class Form(NamedTuple):
    """A verbose pattern with groups d, s or b for the value; every match holds one of the anchors."""

    name: str
    anchors: tuple[str, ...]
    pattern: str
    reach: int = 0  # how many characters of a match may stand before its anchor
    strict: bool = False  # only what no word is


def forms() -> tuple[Form, ...]:
    """The table."""
    return (
        Form("sshpass", ("sshpass",), rf"\bsshpass[ \t]{{1,4}}-p[ \t]{{0,4}}{_ARGUMENT}"),
        Form(
            "mysql_option",
            ("mysql", "mariadb"),
            rf"\b(?:mysql|mariadb)(?:-?dump|-?admin|import|check|show)?\b[^\n|;]{{0,200}}?[ \t]-p{_ARGUMENT}",
        ),
        Form(
            "http_user",
            ("curl ", "http ", "https ", "wget "),
            r"""\b(?:curl|https?|wget)\b[^\n]{0,300}?[ \t](?:-u|--user|--proxy-user|-U|-a|--auth)[ \t=]{0,3}
            (?:"[^"\s:]{0,64}:(?P<d>[^"\s]{1,128})"|'[^'\s:]{0,64}:(?P<s>[^'\s]{1,128})'
            |[^\s"':]{0,64}:(?P<b>[^\s"'`|;&)\\]{1,128}))""",
        ),
        Form(
            "user_and_password_option",
            (" -p ", " -a ", " -w "),
            rf"""[ \t](?:-u|-U|-D|--username|--user|-l|-h|login)[ \t]{{1,3}}{_USER}[ \t]{{1,3}}
            (?:-p|-w|-a)[ \t]{{1,3}}{_ARGUMENT}""",
            reach=100,
            strict=True,
        ),
        Form("redis_directive", ("requirepass", "masterauth"), rf"\b(?:requirepass|masterauth)[ \t]{{1,8}}{_ARGUMENT}"),
        Form("redis_option", ("redis-cli",), rf"\bredis-cli\b[^\n|;]{{0,120}}?[ \t]-a[ \t]{{1,3}}{_ARGUMENT}"),
        Form(
            "htpasswd",
            ("htpasswd",),
            rf"""\bhtpasswd[ \t]{{1,4}}-[A-Za-z]{{0,6}}b[A-Za-z]{{0,6}}[ \t]{{1,4}}(?:[^\s-]\S{{0,120}}[ \t]{{1,4}})?
            (?:-[a-zA-Z]+[ \t]{{1,4}}[^\s-]\S{{0,120}}[ \t]{{1,4}})?{_USER}[ \t]{{1,4}}{_ARGUMENT}[ \t]{{0,8}}
            (?:\\?[\n"'`>|;&)]|\Z)""",
        ),
        Form(
            "chpasswd",
            ("chpasswd",),
            r"""\becho[ \t]{1,4}(?:-[en]{1,2}[ \t]{1,4})?["']?[\w.-]{1,40}:(?P<b>[^\s"'`|:\\]{1,128})
            (?:\\n)?["']?[ \t]{0,4}\|[^\n]{0,40}chpasswd""",
            reach=240,
        ),
        Form(
            "openssl_pass",
            ("pass:",),
            r"""-(?:pass|passin|passout|srcstorepass|deststorepass)[ \t]{1,3}["']?pass:(?P<b>[^\s"'`\\;|&]{1,128})""",
            reach=24,
        ),
        Form("net_user", ("net user",), rf"\bnet[ ]user[ \t]{{1,4}}(?!/){_USER}[ \t]{{1,4}}{_ARGUMENT}[ \t]{{1,4}}/"),
        Form("windows_option", ("/p:",), rf"[ \t]/u:{_USER}[ \t][^\n]{{0,60}}?/p:{_ARGUMENT}", reach=160),
        Form(
            "docker_login",
            ("r login ", "n login ", "h login ", "y login "),
            rf"""\b(?:docker|podman|buildah|az[ ]acr|helm[ ]registry)[ \t]{{1,4}}login\b
            [^\n|;]{{0,160}}?[ \t](?:-p|--password)[ \t=]{{1,3}}{_ARGUMENT}""",
            reach=20,
        ),
        Form(
            "sql_identified_by",
            ("IDENTIFIED", "identified", "Identified"),
            r"""(?i:\bidentified(?:[ \t]{1,4}with[ \t]{1,4}["'\w]{1,40})?[ \t]{1,4}by(?:[ \t]{1,4}password)?)[ \t]{1,4}
            (?:"(?P<d>[^"\\\n\0]{1,128})"|'(?P<s>[^'\\\n\0]{1,128})'|(?P<b>[A-Za-z0-9_$#!@]{4,64})(?=[ \t]{0,2};))""",
        ),
        Form(
            "pgpass",
            (":5432:", ":*:", ":5433:", ":6432:"),
            r"""(?:^|(?<=[\n"'`\ ]))(?:[\w.-]{1,80}|\*):(?:[0-9]{2,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:
            (?P<b>[^\s:"'`\\]{1,128})(?=["'`\\]|[ \t]{0,4}(?:\n|\r|\Z|>))""",
            reach=82,
        ),
        Form(
            "credentials_call",
            (
                "onnect(",
                "PDO(",
                "mysqli(",
                "Auth(",
                "auth(",
                "Credential",
                "PasswordAuth",
                "AuthenticationToken(",
                "getConnection(",
                "ftp_login(",
            ),
            rf"""(?:\bmysqli?(?:_p?connect|_real_connect)?|\bPDO|\bgetConnection|HTTP(?:Basic|Digest|Proxy)Auth
            |[bB]asic_?[aA]uth|SetBasicAuth|NetworkCredential|UsernamePasswordCredentials|PasswordAuthentication
            |UsernamePasswordAuthenticationToken|\bftp_login|\bmysql\.connect)
            \((?:[^()"'\n]{{0,60}}{_COMMA})?(?:{_TEXT}{_COMMA})?{_TEXT}{_COMMA}{_LITERAL}(?:\.toCharArray\(\))?
            [ \t]{{0,2}}[,)]""",
            reach=48,
        ),
        Form(
            "http_user_line",  # of a command over several lines
            ("-u ", "--user ", "--proxy-user "),
            r"""(?:^|(?<=\n))[ \t]{1,20}(?:-u|--user|--proxy-user)[ \t]["']?(?!www|[0-9])[\w.@-]{1,64}:
            (?P<b>[^\s"'`$\\]{1,128})["']?
            [ \t]{0,3}(?:\\|\n|\Z)""",
            reach=22,
        ),
        Form(
            "tool_option",
            ("mongo", "ldap", "cqlsh", "sqlcmd", "argocd", "rabbitmqadmin", "influx", "zip -", "rar x -", "useradd -"),
            rf"""\b(?:mongo
            (?:sh|dump|restore|import|export)?|ldap[a-z]{{3,12}}|cqlsh|sqlcmd|argocd|rabbitmqadmin|influx
            |(?:un)?zip|useradd)\b
            [^\n|;]{{0,200}}?[ \t](?:-p|-w|-P|-password)[ \t]{{1,3}}{_ARGUMENT}""",
            reach=2,
        ),
        Form(
            "archive_option",
            ("7z ", "rar ", "7za "),
            r"""\b(?:7za?|rar|unrar)[ ][axle][ ][^\n|;]{0,80}?[ \t]?-p(?P<b>[^\s"'`$-][^\s"'`]{0,60})""",
            reach=2,
        ),
        Form(
            "sudo_input",
            ("sudo -S", "passwd --stdin"),
            rf"""\becho[ \t]{{1,3}}(?:-n[ ])?{_ARGUMENT}[ \t]{{0,3}}\|[ \t]{{0,3}}(?:sudo[ ]-S
            |(?:sudo[ ])?passwd[ ]--stdin)""",
            reach=150,
        ),
        Form(
            "wifi",
            ("wpa_passphrase ", "iFi.begin("),
            rf"""(?:\bwpa_passphrase[ \t]{{1,3}}{_USER}[ \t]{{1,3}}|\bWiFi\.begin\([ ]?{_TEXT}{_COMMA}){_ARGUMENT}""",
            reach=2,
        ),
        Form(
            "rabbitmq",
            ("rabbitmqctl ",),
            rf"""\brabbitmqctl[ \t](?:[^\n]{{0,40}}[ \t])?(?:add_user|change_password|authenticate_user)
            [ \t]{{1,3}}{_USER}[ \t]{{1,3}}{_ARGUMENT}""",
        ),
        Form(
            "sqlplus",
            ("sqlplus ", "racle:thin:"),
            r"""(?:\bsqlplus[ ](?:-[A-Za-z][ ])*["']?|racle:thin:)[\w$]{1,40}/(?:"?)(?P<b>[^\s"'`@/$&]{1,60})
            (?=["'@`\s]|\Z)""",
        ),
        Form(
            "smb_user",
            ("smb", "rpcclient", "cifs"),
            r"""\b(?:smb[a-z]{0,10}|rpcclient)\b[^\n]{0,120}?[ \t](?:-U|--user)[ \t=]?["']?[\w.\\-]{1,60}%
            (?P<b>[^\s"'`$%]{1,100})""",
        ),
        Form(
            "net_use",
            ("net use",),
            rf"""\bnet[ ]use[ \t][^\n]{{0,100}}?\\\\\S{{1,80}}[ \t]{{1,3}}{_ARGUMENT}[ \t]{{1,3}}/user:""",
        ),
        Form(
            "net_use_user",
            ("/user:", "/USER:"),
            r"""/(?:user|USER):\S{1,60}[ \t]{1,3}(?P<b>[^\s"'`/$%-][^\s"'`]{0,60})""",
        ),
        Form(
            "redis_auth",
            ("AUTH ",),
            r"""(?:redis|[0-9]{4}|\A|\n)[^\n]{0,30}?(?:>[ ]|[ ]|(?<=\n))AUTH[ ](?:default[ ])?["']?
            (?P<b>[A-Za-z0-9_!@#%^*+.-]{3,80})(?=["'`\s]|\Z)""",
            reach=60,
            strict=True,
        ),
        Form("ftp_command", ("PASS ",), r"""["'`]PASS[ ](?P<b>[^\s\\"'`:{}%$]{1,64})\\r\\n""", reach=1),
        Form(
            "secure_string",
            ("SecureString",),
            rf"""ConvertTo-SecureString[ \t]{{1,3}}(?:-String[ \t]{{1,3}})?{_LITERAL}""",
            reach=10,
        ),
        Form(
            "asserted",
            ("assword()", "assword)", 'assword"'),
            rf"""\bassert_?(?:[eE]quals?|Same|That|_eq)!?\([ ]?{_LITERAL}
            {_COMMA}[\w.$>()\[\"'-]{{0,60}}assword["\]()]{{1,3}}""",
            reach=200,
        ),
        Form(
            "hashed_literal",
            ("crypt.", "assword(", "asswordSync(", "assword."),
            rf"""(?:\bb?crypt\.(?:hash|compare|hashpw|GenerateFromPassword)(?:Sync)?\(|\b
            (?:hash|compare|verify|make|encrypt)_?[pP]assword(?:Sync)?\(|\bPassword\.(?:create|hash|verify)\()
            (?:\[\]byte\()?{_LITERAL}""",
            reach=9,
        ),
        Form(
            "auth_pair",
            ("auth",),
            r"""\bauth["']?[ ]{0,2}[:=,][ ]{0,2}(?:"[\w.@-]{1,40}:(?P<d>[^"\s:${}]{1,64})"|'[\w.@-]{1,40}:
            (?P<s>[^'\s:${}]{1,64})')""",
        ),
        Form(
            "told_pair",  # login with `alice` / `wonderland`; default credentials: admin/admin
            (
                "redential",
                "ogin with",
                "og in ",
                "ogin as",
                "sername/",
                "ser/",
                "sername and",
                "fault login",
                "ign in ",
                "ogged in",
                "ogin is",
                "ogin:",
            ),
            r"""(?:(?:\b[cC]redentials?\b|[dD]efault[ ][lL]og[ ]?in|[uU]ser(?:name)?[ ]?(?:/|and|&)[ ]?[pP]ass(?:word)?)
            (?:[ ](?:with|as|is|are|for|using|the|default|to|user|of|login|which|in)){0,4}
            [ ]{0,2}[:=-]?[ ]{0,2}[(]?[`"'*]{0,2}
            [A-Za-z][\w.@-]{1,40}(?:[`"'*]{0,2}[ ]?/[ ]?[`"'*]{0,2}|:(?=\w))
            (?P<b>[^\s`"'*/|<>)(,;:&]{0,63}[^\s`"'*/|<>)(,;:&.])
            |(?:[lL]og(?:ged)?[ ]?in|[sS]ign(?:ed)?[ ]in)(?:[ ]
            (?:with|as|using|the|credentials|user|is)){1,3}[ ]{0,2}:?[ ]{0,2}[(]?
            (?:(?P<q>[`"'*])[A-Za-z][\w.@-]{1,40}(?P=q)[ ]{0,2}(?:[/:]|and)[ ]{0,2}(?P=q)
            (?P<d>[^\s`"'*/|<>)(,;]{1,64})(?P=q)
            |(?:admin|root|test|guest|user|demo|[a-z]{3,10}(?=[ ]/))[ ]?[/:][ ]?
            (?P<s>[^\s`"'*/|<>)(,;:&]{0,63}[^\s`"'*/|<>)(,;:&.])))
            (?=[`"'*)\s,;]|[.](?:\s|\Z)|\Z)""",
            reach=24,
        ),
        Form(
            "account_call",
            (
                "reateUser(",
                "reate_user(",
                "reate_superuser(",
                "ddUser(",
                "dd_user(",
                "ignIn(",
                "ign_in(",
                "redentials(",
                ".basic(",
                "oginAs(",
                "ogin_as(",
                "oginUser(",
                "ogin_user(",
                "ithBasicAuth(",
                "ithCredentials(",
                "auth(",
                "oLogin(",
                "onnect(",
            ),
            rf"""(?:\b
            (?:create_?[uU]ser|create_superuser|add_?[uU]ser|sign_?[iI]n|check_?[cC]redentials|login_?[aA]s|login_?[uU]ser|with_?[bB]asic_?[aA]uth
            |with_?[cC]redentials|\w{{0,24}}Credentials|auth|do_?[lL]ogin|connect\({_TEXT},[ ]?{_TEXT},[ ]?
            (?=["'])|createUser|CreateUser)\(?|\bCredentials\.basic\()
            [ ]{{0,2}}(?:(?<=["'],)|(?<=["'],[ ])|{_TEXT}{_COMMA})(?:"[^"@\n]{{1,40}}@[^"\n]{{1,60}}"
            {_COMMA}|'[^'@\n]{{1,40}}@[^'\n]{{1,60}}'{_COMMA})?{_LITERAL}[ ]{{0,2}}[,)]""",
            reach=24,
        ),
        Form(
            "login_call",
            ("ogin(", "ogIn(", "og_in(", "uthenticate(", "auth=(", "auth = (", "auth: [", "auth' => [", "uthorize("),
            rf"""(?:\b(?:[lL]og_?[iI]n|authenticate|authorize)\([ \t]{{0,2}}
            |\bauth['"]?[ \t]{{0,2}}(?:=|=>|:)[ \t]{{0,2}}[\[(])
            (?:\w{{1,20}}{_COMMA})?{_TEXT}{_COMMA}{_LITERAL}[ \t]{{0,2}}[,)\]]""",
            reach=16,
        ),
    )


class CommandRecognizer(Recognizer):
    """PASSWORD of commands, calls and SQL; KEY of HTTP's Authorization headers."""

    def __init__(self) -> None:
        super().__init__("PASSWORD")
        self.supported_entities = ["PASSWORD", "KEY"]
        self.values = Values()
        self.forms = [(form, re.compile(form.pattern, re.VERBOSE)) for form in forms()]
        self.anchors = tuple(dict.fromkeys([*(anchor for form, _ in self.forms for anchor in form.anchors), *_HEADERS]))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        results = super().analyze(text, ["PASSWORD"], nlp_artifacts)
        for result in results:
            result.entity_type = _ENTITIES.get(result.recognition_metadata[FORMAT], "PASSWORD")
        return [result for result in results if result.entity_type in entities]

    def find(self, text: str) -> Iterator[Found]:
        for form, pattern in self.forms:
            for match in matches(text, pattern, form.anchors, form.reach):
                hit = self._password(form, match)
                if hit is not None:
                    yield hit
        for match in matches(text, _BEARER, ("earer ", "EARER "), 1):
            value = match["value"].rstrip(".")
            if self.values.key(value, weak=False, bare=True):
                yield Found(match.start("value"), match.start("value") + len(value), 0.9, "bearer_token")
        for match in matches(text, _BASIC, ("asic ",), 1):
            credentials = decoded(match["value"])
            if b":" in credentials and credentials.isascii() and credentials.decode("ascii").isprintable():
                yield Found(*match.span("value"), 0.9, "basic_credentials")

    def _password(self, form: Form, match: re.Match[str]) -> Found | None:
        groups = match.groupdict()
        group = next(name for name in ("d", "s", "b") if groups.get(name) is not None)
        if groups[group][0] in "-/":
            return None
        verdict = self.values.password(groups[group], form.strict)
        left = "placeholder" if verdict == "placeholder" else ""
        return Found(*match.span(group), 0.8, form.name, left) if verdict else None
