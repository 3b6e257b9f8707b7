"""Passwords and keys by the name they are assigned to, in any language and configuration format.

One pattern finds a name with a cue (`pass`, `token`, `secret`, ...) and what gives it a value: an operator, an XML element or
attribute, a call, an option, a query's field. Only then the name (pii/secret_names.py) and the value (pii/secret_values.py)
are judged. No language is known here, only a line: a quoted literal may be any value; what stands bare must look like no
expression, or stand where no expression can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.recognizers.base import Found, Recognizer
from pii.secret_names import kind_of
from pii.secret_values import Values

PASSWORD_FORMAT, KEY_FORMAT = "assigned_password", "assigned_key"
_ENTITIES = {PASSWORD_FORMAT: "PASSWORD", KEY_FORMAT: "KEY"}
_TELLING = ("passw", "passphrase", "pwd", "secret", "token")
_COMMON = ("pass", "key", "auth", "cred", "jwt", "senha", "kennwort", "session")  # count where a value follows

# Each in the three ways it is written: literals, so that the search for the first letter runs in C.
_CUE = "|".join(form for word in (*_TELLING, *_COMMON) for form in (word, word.capitalize(), word.upper()))
_NAME_TAIL = r"[A-Za-z0-9_.-]{0,40}+"
# `password`: string = , password: &str = , password String = ; the literal must follow.
_TYPE = r"(?:[ \t]{0,4}[:?!]{1,2}[ \t]{0,4}[A-Za-z&'][\w.<>&?' |]{0,30}?(?=[ \t]{0,4}=[ \t]{0,4}[bruf@&N]{0,2}[\"'`]))?"
_NAMED = re.compile(
    rf"(?:{_CUE}){_NAME_TAIL}(?P<close>\\?[\"'`]|&quot;)?(?P<bracket>[\])}}]{{1,2}}|\[[0-9]{{0,4}}\])?{_TYPE}"
    r"(?:(?P<blank>[ \t]{0,40})(?P<operator>,[ \t]{0,4}\\?[\"']?(?:value|Value|VALUE)\\?[\"']?[ \t]{0,3}[:=]|=>|:=|\?=|\|\|=|[=!]==?|=~|:{1,2}=?|<-|->|=|,|>|\(|"
    r"(?:value|Value|VALUE|content|defaultValue)[ \t]{0,2}=|(?:is|IS|was|ist|AS|as|to)(?=[: \t]):?)|(?P<space>[ \t]{1,8})(?=[\"'\w$!#%&*@^~+./-]))"
    r"(?P<after>[ \t]{0,40})"
)
_NAME_HEAD = re.compile(r"[A-Za-z0-9_.$:-]{0,40}\Z")
_QUOTED = re.compile(
    r"(?:[bBuUrRfFLN@]{1,2}(?=[\"']))?(?:\(?ConvertTo-SecureString[ \t](?:-String[ \t])?|new String\(|String\(|Buffer\.from\(|\(|\[|\{|base64\.b64decode\(|SecretString\(|to_secure_string\()?"
    r"(?:(?P<escaped>\\[\"'])(?P<e>[^\"'\\\n\0]{1,300})(?P=escaped)"
    r"|&quot;(?P<x>[^\"'&\n\0]{1,300})&quot;"
    r"|\"(?P<d>(?:[^\"\\\n\0]|\\.){1,300}+)\"|'(?P<s>(?:[^'\\\n\0]|\\.|''){1,300}+)'|`(?P<t>[^`\\\n\0]{1,300}+)`)"
)
_SCHEME = re.compile(
    r"base64:|(?:Bearer|bearer|BEARER|Basic|basic|Token|token|JWT|Api-Key|ApiKey|apikey|OAuth|SSWS|key|Key)[ \t]{1,3}(?:token=)?\"?"
)
_BARE = re.compile(r"[^\s\"'`<>\0]{1,300}+")
_DELIMITERS = re.compile(r"[;&,\\|)\]}]")
_SETTER = re.compile(
    r"(?:set|with|add|use|create|make|plain|new|encode|Hash|hash|hashpw|make|For|for|is|check|verify|authenticate)?$"
)
_QUERY_BEFORE = re.compile(r"[?&;]\Z")
_PAIR_BEFORE = re.compile(r"\w=[^\s=]{1,60}[ \t;]\Z")
_LINE_START = re.compile(
    r"(?:^|\n|\\n)[ \t]{0,40}(?:(?:export|ENV|ARG|set|setx|SET|env|global|local|readonly|declare -x|set -x|set -gx|define)[ \t]+|- |# ?|// ?|; ?|\* ?|\$env:|\"|'|-e |-D)?\Z"
)
_ENV_OPTION = re.compile(
    r"(?:^|[ \t\"'=\[])(?:-e|--env|--build-arg|-D|--set|--from-literal=?|export|ENV|env|docker run|&&|;|sudo|\\n)[ \t=]?[\"']?\Z"
)
_END = re.compile(r"[ \t]*(?:\r?\n|\Z|[ \t]#|[ \t]//|\\n|\\?[\"'`]|<)")
_AFTER_COMMA_STRICT = {",", "("}


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
            result.entity_type = _ENTITIES[result.recognition_metadata["format"]]
        return [result for result in results if result.entity_type in entities]

    def find(self, text: str) -> Iterator[Found]:
        position = 0
        while match := _NAMED.search(text, position):
            hit = self._judge(text, match)
            position = max(match.end(), hit.end if hit else 0)
            if hit:
                yield hit

    def _judge(self, text: str, match: re.Match[str]) -> Found | None:
        head = _NAME_HEAD.search(text, max(0, match.start() - 40), match.start())
        start = head.start() if head else match.start()
        name_end = match.end() if match["close"] is None else match.start("close")
        name = re.match(r"[A-Za-z0-9_.$:-]*", text[start:name_end])[0].rstrip(".:-")  # type: ignore[index]
        kind = kind_of(name)
        if not kind:
            return None
        value = _QUOTED.match(text, match.end())
        if value is not None:
            return self._quoted(text, match, start, name, kind, value)
        return self._bare(text, match, start, name, kind)

    def _quoted(
        self, text: str, match: re.Match[str], start: int, name: str, kind: str, found: re.Match[str]
    ) -> Found | None:
        group = next(name for name in ("e", "x", "d", "s", "t") if found[name] is not None)
        begin, end = found.span(group)
        operator = match["operator"] or " "
        if match["operator"] is None and match["close"]:
            return None  # "password" "x"
        if match["close"] and operator == ":" and re.search(r"\?[ \t]*[\"'`]\Z", text[max(0, start - 4) : start]):
            return None  # ok ? 'pass' : 'fail'
        if operator in (">", "to", "as", "AS", "->", "::"):
            return None
        if operator in ("is", "was", "IS") and name.lower() in ("pass", "key", "token"):
            return None
        if len(operator) > 6 and operator[0] == ",":
            operator = ":"
        erlang = text[start - 1 : start] == "{"  # {password, "x"}
        if operator == "," and not erlang and (not match["close"] or match["close"][-1] == "`"):
            return None  # f(password, "x")
        if operator == "(" and not re.search(
            r"(?:^|\.|_)(?:set|with|plain|raw)|^[Pp]assword$|^secret$", name, re.IGNORECASE
        ):
            return None
        strict = operator in (",", "(", " ", "is", "was", "to", "as", "AS", "IS")
        if operator == " " and group == "s" and name.lower() == "password":  # CREATE ROLE x PASSWORD 'y'
            strict = False
        return self._verdict(text, begin, end, kind, name, strict=strict, bare=False)

    def _bare(self, text: str, match: re.Match[str], start: int, name: str, kind: str) -> Found | None:
        operator, begin = match["operator"] or " ", match.end()
        if operator in (",", "(", "==", "===", "!=", "!==", "=~", "->", "<-", "::", "||=", "as", "AS", "to"):
            return None
        pair = len(operator) > 6 and operator[0] == ","  # {name: DB_PASSWORD, value: x}
        if match["close"] and operator not in (":", ">") and not pair:
            return None
        before = text[max(0, start - 60) : start]
        spaced = bool(match["blank"] or match["after"])
        value = _BARE.match(text, begin)
        if value is None:
            return None
        raw = value[0]
        if operator == ">":  # <password>x</password>
            opened = (
                before.endswith("<") if not match["close"] else re.search(r"(?:name|key)=[\"'][\w.-]{0,40}\Z", before)
            )
            if match["blank"] or not opened or not text.startswith("</", value.end()):
                return None
            return self._verdict(text, begin, value.end(), kind, name, strict=False, bare=False)
        if kind != "password":
            scheme = _SCHEME.match(text, begin)
            if scheme:
                begin = scheme.end()
                value = _BARE.match(text, begin)
                if value is None:
                    return None
            cut = re.match(r"[A-Za-z0-9+/=_.~-]+(?::[A-Za-z0-9+/=_.~-]+)?", text[begin : value.end()])
            if cut is None:
                return None
            stop = begin + cut.end()
            if text[stop : stop + 1] in ("(", "[", ":", "$", "@", "%", "{"):
                return None
            return self._verdict(text, begin, stop - (text[stop - 1] == "."), kind, name, strict=False, bare=True)
        option = name.startswith("-") and not spaced
        query = _QUERY_BEFORE.search(before) is not None or _PAIR_BEFORE.search(before) is not None
        if operator == " ":
            dashed = name.startswith("--") or re.search(
                r"(?:^|[ \t])ENV[ \t]\Z|machine \S+ login \S+ \Z|\blogin \S+ \Z|--\Z", before
            )
            if not dashed or raw[0] in "-[<$\\|&;=>":
                return None
            return self._verdict(text, begin, begin + len(raw.rstrip(",;.)")), kind, name, strict=False, bare=False)
        if (option or query) and operator in ("=", ":") and not spaced:
            cut = _DELIMITERS.search(raw)
            stop = begin + (cut.start() if cut else len(raw))
            return self._verdict(text, begin, stop, kind, name, strict=False, bare=False)
        if pair:
            return self._verdict(text, begin, begin + len(raw.rstrip("},")), kind, name, strict=True, bare=False)
        if operator in ("is", "was", "ist", "IS"):
            return self._verdict(text, begin, begin + len(raw.rstrip(".,;:!?)")), kind, name, strict=True, bare=False)
        if operator not in ("=", ":", "?=", ":="):
            return None
        at_start = _LINE_START.search(before) is not None
        ended = _END.match(text, begin + len(raw)) is not None
        code = (
            raw[-1] in ",;({["
            or re.search(r"[()\[\]{}]|->|::|^[&*]\w|\+$|^\w+\.\w+|^self|^this|^new$", raw) is not None
        )
        if operator == "=" and not spaced and (at_start or _ENV_OPTION.search(before)):
            if code and not re.search(r"[!@#$%^&*]", raw.rstrip(",;")):
                return None
            strict = not (
                name.upper() == name
                or before.endswith(("-e ", "export ", "ENV "))
                or before == ""
                or before[-1] in "\n "
            )
            return self._verdict(text, begin, begin + len(raw.rstrip(",;")), kind, name, strict=strict, bare=False)
        if not ended or code:
            return None
        if not at_start:  # Telnet password: 16f92501
            if operator != ":" or not match["after"] or not re.search(r"[0-9]", raw) or not re.search(r"[A-Za-z]", raw):
                return None
            return self._verdict(text, begin, begin + len(raw.rstrip(".,;")), kind, name, strict=True, bare=False)
        strict = not (operator == ":" and match["after"] and not match["blank"])
        return self._verdict(text, begin, begin + len(raw), kind, name, strict=strict, bare=False)

    def _verdict(
        self, text: str, begin: int, end: int, kind: str, name: str, *, strict: bool, bare: bool
    ) -> Found | None:
        value = text[begin:end]
        if kind == "password":
            verdict = self.values.password(value, strict, "phrase" in name.lower())
            if not verdict or value.lower() == name.lower():
                return None
            return Found(
                begin, end, 0.7 if strict else 0.8, PASSWORD_FORMAT, "placeholder" if verdict == "placeholder" else ""
            )
        scheme = _SCHEME.match(value)
        if scheme:
            begin += scheme.end()
            value = value[scheme.end() :]
        if not self.values.key(value, weak=kind == "weak", bare=bare):
            return None
        return Found(begin, end, 0.6 if kind == "weak" else 0.8, KEY_FORMAT)
