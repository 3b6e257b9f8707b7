"""Passwords and keys by the name they are assigned to, in any language and configuration format.

One pattern finds a name with a cue (`pass`, `token`, `secret`, ...) and what gives it a value: an operator, an element
or attribute of XML, a call, an option, a field of a query. Only then the name (pii/secret_names.py) and the value
(pii/secret_values.py) are judged. No language is known here, only a line: a quoted literal may be any value; what
stands bare must look like no expression, or stand where no expression can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.recognizers.base import FORMAT, Found, Recognizer
from pii.secret_names import kind_of
from pii.secret_values import Values

PASSWORD_FORMAT, KEY_FORMAT = "assigned_password", "assigned_key"
_ENTITIES = {PASSWORD_FORMAT: "PASSWORD", KEY_FORMAT: "KEY"}
_TELLING = ("passw", "passphrase", "pwd", "secret", "token", "storepass", "keypass")
_COMMON = (
    "pass",
    "key",
    "auth",
    "cred",
    "jwt",
    "senha",
    "kennwort",
    "session",
    "psk",
    "pw",
)  # count where a value follows

# Each in the three ways it is written: literals, so that the search for the first letter runs in C.
_CUE = "|".join(form for word in (*_TELLING, *_COMMON) for form in (word, word.capitalize(), word.upper()))
_FILL = "type|fill|send_?[kK]eys|setValue|set_value|val|set|(?:to|should)[ .]?(?:eq|equal|be|Be|Equal|StrictEqual)?"
_GIVEN = re.compile(
    rf"""(?:{_CUE})[A-Za-z0-9_.-]{{0,40}}+                  # the name from its cue on
    (?P<close>\\?["'`]|&quot;|\*\*)?                        # it stood in quotes, in bold type,
    (?:[\])}}]{{1,2}}["'`]?|\[[0-9]{{0,4}}\])?              # in brackets; char password[] =
    (?:[ \t]{{0,4}}[:?!]{{1,2}}[ \t]{{0,4}}[A-Za-z&'][\w.<>&?'\ |]{{0,30}}?  # has a type: password: String = "..."
        (?=[ \t]{{0,4}}=[ \t]{{0,4}}[bruf@&N]{{0,2}}["'`]))?
    (?:(?P<blank>[ \t]{{0,40}})
        (?P<operator>,[ \t]{{0,4}}\\?["']?(?:value|Value|VALUE)\\?["']?[ \t]{{0,3}}[:=]   # {{name: X, value: Y}}
        |(?:\)["'`]?)?\.(?:{_FILL})[ (]{{1,2}}                      # get("#password").type("...")
        |(?:,[ ])?:?with:?(?=[ ]["'`]|[ ]=>)(?:[ ]=>)?|to(?=[ ]["'`])       # fill in "Password" with "..."
        |(?:</[\w:-]{{1,30}}>\s{{0,60}}<[\w:-]{{1,30}}>|>\s{{0,60}}<[Vv]alue>)
        \s{{0,20}}       # <name>password</name> <value>...</value>
        |\r?\n[ \t]{{0,40}}(?:value|Value|defaultValue)(?:[ \t]?=|:)   # - name: DB_PASSWORD / value: ...
        |\|\|(?!=)|\?\?|or(?=[ ]["'])
        |=>|:=|\?=|\|\|=|[=!]==?|=~|:{{1,2}}=?|<-|->|=|,|>|\(
        |(?:value|Value|VALUE|content|defaultValue)[ \t]{{0,2}}=                      # name="password" value="..."
        |(?:is|IS|was|ist)(?=[:\ \t]):?)
    |[ \t]{{1,8}}(?=["'`\w$!\#%&*@^~+./-]))                  # or nothing between: --password ..., PASSWORD '...'
    (?P<after>[ \t]{{0,40}}(?:\*\*[ \t])?)""",
    re.VERBOSE,
)
_AFTER_BREAK = re.compile(r"\r?\n[ \t]{1,40}(?=[\"'`])")
_ENTRY = re.compile(  # a call that gives the value after the name, or takes it for the name's default
    r"(?:define|put\w*|set\w*|append|add\w*|param\w*|field|attribute|query|fill\w*|fill_in|type|getBy\w+|getenv|env|fetch|\w*environ\.get"
    r"|getProperty|getOrDefault|property|with\w*|entry|of|send_?keys|enter\w*|input\w*|variable|arg\w*|option|build_arg)"
    r"\(?[ \t]{0,2}[:\"'`b@#.\w\[=-]{0,24}\Z",
    re.IGNORECASE,
)
_USER_BEFORE = re.compile(
    r"(?:user(?:_?name|_?id)?|login|uid|e?mail|usr|account)[\"'`*)\]]{0,3}[ \t]{0,3}(?:=>|[:=,(/]|"
    r"[ \t][\"'`]|is\b)[^\n\0]{0,60}\Z",
    re.IGNORECASE,
)
_USER_AFTER = re.compile(
    r"[^\n\0]{0,20}?(?:user(?:_?name)?|login|uid)[\"'`*)\]]{0,3}[ \t]{0,3}(?:=>|[:=(/]|[ \t][\"'`])", re.IGNORECASE
)
_TOLD = re.compile(r"(?:with|default|and|initial|using|the|a|your)[ ](?:\w{2,12}[ ])?\Z", re.IGNORECASE)
_NO_STATE = re.compile(
    r"[a-z]+(?:ed|ing|able|ible|less|ly)|\w{1,3}|wrong|too|sent|set|kept|known|same|empty|weak|strong|blank",
    re.IGNORECASE,
)
_PROSE_USER = re.compile(  # User: bob, Password: x
    r"\b(?:user(?:[ _]?name)?|login|account|e?mail)[\"'`*]{0,3}"
    r"[ \t]{0,2}[:=][ \t*\"'`]{0,4}[^\s:=,;/|\"'`]{1,40}[\"'`*]{0,3}[ \t]{0,2}"
    r"(?:[,;/|&]|and|-)?[ \t*_]{0,4}\Z",
    re.IGNORECASE,
)
_ENCODER = re.compile(r"\{(?:noop|plain|PLAIN|NOOP)\}")
_NAME_HEAD = re.compile(r"[A-Za-z0-9_.$:-]{0,40}\Z")
_NAME = re.compile(r"[A-Za-z0-9_.$:-]*")
_QUOTED = re.compile(
    r"""(?:[bBuUrRfFLN@]{1,2}(?=["']))?
    (?:new[ ]String\(|String\(|Buffer\.from\(|base64\.b64decode\(|SecretString\(|to_secure_string\(|[\[({]
        |\(?ConvertTo-SecureString[ \t](?:-String[ \t])?|<<|Password\()?
    (?:(?P<escaped>\\["'])(?P<e>[^"'\\\n\0]{1,300})(?P=escaped)
    |&quot;(?P<x>[^"'&\n\0]{1,300})&quot;
    |"(?P<d>(?:[^"\\\n\0]|\\.){1,300}+)"
    |'(?P<s>(?:[^'\\\n\0]|\\.|''){1,300}+)'
    |qq?(?:\((?P<p>[^()\n\0]{1,300})\)|\{(?P<c>[^{}\n\0]{1,300})\})
    |`(?P<t>[^`\\\n\0]{1,300}+)`)""",
    re.VERBOSE,
)
_SCHEME = re.compile(
    r"base64:|(?:[Bb]earer|BEARER|[Bb]asic|[Tt]oken|JWT|[Aa]pi-?[Kk]ey|OAuth|SSWS|[Kk]ey)[ \t]{1,3}(?:token=)?\"?"
)
_BARE = re.compile(r"[^\s\"'`<>\0]{1,300}+")
_BARE_KEY = re.compile(r"(?:[A-Za-z0-9+/_.~-]{1,64}:)?[A-Za-z0-9+/_.~-]{1,600}+={0,2}")
_DELIMITER = re.compile(r"[;&,\\|)\]}]")
_SETTER = re.compile(
    r"(?:^|\.|_|->)"
    r"(?:set|with|plain|raw|check|verify|validate|hash|encode|encrypt|compare|match|change|reset|update|use)[A-Z_]?"
    r"|^(?:[\w.]*\.)?password(?:\.new|\.create|\.of)?$|^secret$",
    re.IGNORECASE,
)
_QUERY_BEFORE = re.compile(r"[?&;]\Z|\w=[^\s=]{1,60}[ \t;]\Z")  # ...?a=b&password= and host=a user=b password=
_OPTION_BEFORE = re.compile(r"(?:^|[ \t])ENV[ \t]\Z|machine \S+ login \S+ \Z|\blogin \S+ \Z|--\Z")
_OPTION_AFTER = re.compile(r"[,;.)]*(?:[ \t]*(?:\Z|[\n\r\\\"'`|;&>#<)\]]|-)|[ \t]+(?=[\"'$./\[{-]|\w+[.:/=@]))")
_LINE_START = re.compile(
    r"""(?:^|\n|\\n)[ \t]{0,40}
    (?:(?:[#][ ]?define|export|ENV|ARG|setx?|SET|env|global|local|readonly|declare[ ]-x|set[ ]-g?x|define)[ \t]+
    |[-*][ ](?:\*\*|__)?|[#]\ ?|//\ ?|;\ ?|\*\ ?|\$env:|"|'|-e[ ]|-D)?\Z""",
    re.VERBOSE,
)
_ENV_OPTION = re.compile(
    r"""(?:^|[ \t"'=\[])(?:-e|--env|--build-arg|-D|--set|--from-literal=?|export|ENV|env|docker\ run|&&|;|sudo|\\n)
    [ \t=]?["']?\Z""",
    re.VERBOSE,
)
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z|[ \t]#|[ \t]//|\\n|\\?[\"'`]|<)")
_EXPRESSION = re.compile(r"[()\[\]{}]|->|::|^[&*]\w|\+$|^\w+\.\w+|^self|^this|^new$|[,;({\[]\Z")


class AssignmentRecognizer(Recognizer):
    """PASSWORD and KEY, one pass for both; the entity is told by the result's format."""

    words = _TELLING
    assigned = _COMMON

    def __init__(self) -> None:
        super().__init__("PASSWORD")
        self.supported_entities = ["PASSWORD", "KEY"]
        self.values = Values()

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        results = super().analyze(text, ["PASSWORD"], nlp_artifacts)
        for result in results:
            result.entity_type = _ENTITIES[result.recognition_metadata[FORMAT]]
        return [result for result in results if result.entity_type in entities]

    def find(self, text: str) -> Iterator[Found]:
        position = 0
        while match := _GIVEN.search(text, position):
            hit = self._judge(text, match)
            position = max(match.end(), hit.end if hit else 0)
            if hit:
                yield hit

    def _judge(self, text: str, match: re.Match[str]) -> Found | None:
        head = _NAME_HEAD.search(text, max(0, match.start() - 40), match.start())
        start = head.start() if head else match.start()
        named = _NAME.match(text, start, match.end() if match["close"] is None else match.start("close"))
        name = named[0].rstrip(".:-") if named else ""
        kind = kind_of(name)
        if not kind or name.count("::"):
            return None
        operator = match["operator"] or " "
        if operator[0] == "," and len(operator) > 1:
            operator = "value:"
        literal = _QUOTED.match(text, match.end())
        if literal is None and (operator in ("=", ":", ":=", "=>") or (operator == "," and name[0] == "-")):
            broken = _AFTER_BREAK.match(text, match.end())
            literal = _QUOTED.match(text, broken.end()) if broken else None
        if literal is not None:
            return self._quoted(text, match, operator, start, name, kind, literal)
        if kind == "password":
            return self._bare_password(text, match, operator, start, name)
        return self._bare_key(text, match, operator, name, kind)

    def _quoted(
        self,
        text: str,
        match: re.Match[str],
        operator: str,
        start: int,
        name: str,
        kind: str,
        literal: re.Match[str],
    ) -> Found | None:
        group = next(name for name in ("e", "x", "d", "s", "p", "c", "t") if literal[name] is not None)
        before = text[max(0, start - 4) : start]
        if operator in (">", "->", "::") or (operator == " " and (match["close"] or ":").strip("*:")):
            return None
        if match["close"] and operator == ":" and re.search(r"\?[ \t]*[\"'`]\Z", before):
            return None  # ok ? 'pass' : 'fail'
        if operator in ("is", "was", "IS") and name.lower() in ("pass", "key", "token"):
            return None
        behind = text[max(0, start - 60) : start].rpartition("\n")[2]
        entry = _ENTRY.search(behind) is not None or before[-1:] == "{" or name.startswith("--")
        if operator == "," and not entry and (not match["close"] or match["close"][-1] == "`"):
            return None  # f(password, "x"), but {password, "x"} of Erlang
        if operator == "(" and not _SETTER.search(name):
            return None
        strict = (operator == "," and not entry) or (
            operator == " " and group != "s" and not self._tells(text, start, name)
        )
        if operator in ("||", "??", "or") and kind == "weak":
            return None
        begin, end = literal.span(group)
        trusted = operator != "," and self._beside_user(text, start, end)
        return self._verdict(text, begin, end, kind, name, strict=strict, trusted=trusted)

    def _tells(self, text: str, start: int, name: str) -> bool:
        """Whether nothing but a value is told after a name with a blank only: CREATE ROLE x PASSWORD 'y'."""
        before = text[max(0, start - 60) : start]
        if name == "wpa_passphrase":
            return False
        return name[0] in ":-" or _LINE_START.search(before) is not None or _TOLD.search(before) is not None

    def _beside_user(self, text: str, start: int, end: int) -> bool:
        """Whether the name or value of a user stands beside."""
        before = text[max(0, start - 120) : start].rpartition("\0")[2]
        return _USER_BEFORE.search(before) is not None or _USER_AFTER.match(text, end) is not None

    def _bare_key(self, text: str, match: re.Match[str], operator: str, name: str, kind: str) -> Found | None:
        begin = match.end()
        if operator in (",", "(", "==", "===", "!=", "!==", "=~", "->", "<-", "::", "||=", "||", "??", "or"):
            return None
        if operator == ">":  # <apiKey>x</apiKey>
            element = re.match(r"[A-Za-z0-9+/=_.~-]{16,600}(?=</)", text[begin : begin + 602])
            if match["close"] or match["blank"] or element is None:
                return None
            return self._verdict(text, begin, begin + element.end(), kind, name, bare=True)
        if match["close"] and operator not in (":", "value:"):
            return None
        scheme = _SCHEME.match(text, begin)
        if scheme:
            begin = scheme.end()
        elif operator in (":", ":=") and text.startswith("-", begin) and match["blank"] == match["after"] == "":
            begin += 1  # ${API_KEY:-x}
        value = _BARE_KEY.match(text, begin)
        if value is None or text[value.end() : value.end() + 1] in ("(", "[", ":", "$", "@", "%", "{"):
            return None
        return self._verdict(text, begin, begin + len(value[0].rstrip(".")), kind, name, bare=True)

    def _bare_password(self, text: str, match: re.Match[str], operator: str, start: int, name: str) -> Found | None:
        begin = match.end()
        value = _BARE.match(text, begin)
        if value is None or (match["close"] and operator not in (":", ">", "value:")):
            return None
        raw, before = value[0], text[max(0, start - 60) : start]
        if name.lower() in ("pass", "passes") and raw.isdigit():
            return None  # passed tests, counted
        spaced = bool(match["blank"] or match["after"])
        end = begin + len(raw.rstrip(",;.)")) if operator != ">" else value.end()
        trusted = operator in (":", "=", "is") and self._beside_user(text, start, end)
        if before.endswith("${") and operator in (":", ":="):  # ${DB_PASSWORD:-x}
            begin += raw.startswith("-")
            default = re.match(r"[^\s{}$\"'`]{1,100}(?=\})", text[begin : begin + 101])
            return self._verdict(text, begin, begin + default.end(), "password", name) if default else None
        if operator[0] == "<" or "<" in operator[1:]:  # <name>password</name> <value>x</value>
            known = raw.find("</") if "</" in raw else len(raw)
            return self._verdict(text, begin, begin + known, "password", name)
        if operator[0] in "\r\n":  # - name: DB_PASSWORD / value: x
            return self._verdict(text, begin, value.end(), "password", name)
        if operator == ">":  # <password>x</password>, name="password">x</property>
            opened = before.endswith("<") or bool(re.search(r"(?:name|key)=[\"'][\w.-]{0,40}\Z", before))
            if match["blank"] or not opened or not text.startswith("</", end):
                return None
            return self._verdict(text, begin, end, "password", name)
        if operator == " ":
            option = name.startswith("-") or _OPTION_BEFORE.search(before)
            if not option or raw[0] in "-[<$\\|&;=>" or not _OPTION_AFTER.match(text, end):
                return None
            return self._verdict(text, begin, end, "password", name)
        if operator in ("=", ":") and not spaced and (name.startswith("-") or _QUERY_BEFORE.search(before)):
            cut = _DELIMITER.search(raw)
            return self._verdict(text, begin, begin + (cut.start() if cut else len(raw)), "password", name)
        if operator == "value:":
            return self._verdict(text, begin, begin + len(raw.rstrip("},")), "password", name, strict=True)
        if operator in ("is", "was", "ist", "IS"):
            told = raw.rstrip(".,;:!?)*_")
            usual = re.search(r"(?:default|initial)[ ]\Z", before, re.IGNORECASE) and not _NO_STATE.fullmatch(told)
            ends = re.match(r"[.,;)]*[ \t]*(?:\n|\Z|\0|\()", text[begin + len(told) : begin + len(told) + 8])
            strict = not (usual and ends)
            return self._verdict(text, begin, begin + len(told), "password", name, strict=strict)
        if trusted and operator in ("=", ":") and (match["after"] or operator == "=") and _PROSE_USER.search(before):
            told = raw.rstrip(".,;:!?)*_|/")
            if not _EXPRESSION.search(told):
                return self._verdict(text, begin, begin + len(told), "password", name, trusted=True)
        if operator in ("=", ":", "?=", ":="):
            return self._of_line(text, match, operator, name, raw, before, spaced)
        return None

    def _of_line(
        self, text: str, match: re.Match[str], operator: str, name: str, raw: str, before: str, spaced: bool
    ) -> Found | None:
        """A bare password after = or : in a line that may be code as well as configuration."""
        begin = match.end()
        at_start = _LINE_START.search(before) is not None
        code = _EXPRESSION.search(raw) is not None
        if operator == "=" and not spaced and (at_start or _ENV_OPTION.search(before)):
            if code and not re.search(r"[!@#$%^&*]", raw.rstrip(",;")):
                return None
            environment = (
                name.isupper() or before.endswith(("-e ", "export ", "ENV ")) or before[-1:] in ("", "\n", " ")
            )
            return self._verdict(
                text,
                begin,
                begin + len(raw.rstrip(",;")),
                "password",
                name,
                strict=not environment,
                trusted=before.endswith(("-e ", "ENV ")),
            )
        if code or _LINE_END.match(text, begin + len(raw)) is None:
            return None
        if not at_start:  # Telnet password: 16f92501
            if operator != ":" or not match["after"] or not re.search(r"[0-9]", raw) or not re.search(r"[A-Za-z]", raw):
                return None
            return self._verdict(text, begin, begin + len(raw.rstrip(",;.")), "password", name, strict=True)
        yaml = operator == ":" and match["after"] and not match["blank"]
        return self._verdict(text, begin, begin + len(raw), "password", name, strict=not yaml)

    def _verdict(
        self,
        text: str,
        begin: int,
        end: int,
        kind: str,
        name: str,
        *,
        strict: bool = False,
        bare: bool = False,
        trusted: bool = False,
    ) -> Found | None:
        if kind == "password":
            encoder = _ENCODER.match(text, begin, end)
            begin = encoder.end() if encoder else begin
            value = text[begin:end]
            verdict = self.values.password(value, strict, "phrase" in name.lower())
            if not verdict and trusted:
                verdict = self.values.password(value, False, trusted=True)
            if not verdict or value.lower() == name.lower():
                return None
            left = "placeholder" if verdict == "placeholder" else ""
            return Found(begin, end, 0.7 if strict else 0.8, PASSWORD_FORMAT, left)
        value = text[begin:end]
        scheme = _SCHEME.match(value)
        if scheme:
            begin += scheme.end()
            value = value[scheme.end() :]
        if not self.values.key(value, weak=kind == "weak", bare=bare):
            return None
        return Found(begin, end, 0.6 if kind == "weak" else 0.8, KEY_FORMAT)
