"""The recognizers, in Presidio's frame: e-mail addresses, public IPs, passwords in URLs, secrets, private keys.

Presidio's stock recognizers are not used: its e-mail pattern runs at 0.1 MB/s on code, and its registry and tldextract
ask the network when they start. These are linear on any text (bounded patterns that start at a boundary), look at no
more context than a window holds (pii/windows.py), and leave what code has in plenty but is nobody's: versions, object
identifiers, ssh remotes, matrix products. docs/decisions/redaction.md says what is left and why.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import tldextract
from presidio_analyzer import (
    AnalyzerEngine,
    ContextAwareEnhancer,
    EntityRecognizer,
    LocalRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

from pii.secrets import compiled, formats, is_made_up

LANGUAGE = "en"  # Presidio asks for one; no recognizer here depends on it
FORMAT = "format"  # key of a result's metadata: what the recognizer calls the kind of value

# Scripts written without spaces between words (Han, Kana, Hangul, Thai, ...) delimit an address, as in StarCoder's.
_LETTER = "A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
_EMAIL = re.compile(
    rf"(?<![{_LETTER}_.%+-])"
    r"(?:(?<=\\)(?:[nrt]|u[0-9a-fA-F]{4}))?"  # an escape of the string literal it stands in
    rf"([{_LETTER}_%+][{_LETTER}_.%+-]{{0,63}})(?<![.-])@"
    rf"((?:[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?\.){{1,10}})"
    r"(xn--[A-Za-z0-9-]{1,59}|[A-Za-z]{2,63}|[\u0400-\u052f]{2,63})"
    rf"(?![{_LETTER}_-])(?!\.[{_LETTER}])"
)
_USER_OF_URL = re.compile(r"(?<!mailto)://[^\s/@]{0,100}\Z")
_PRIVATE_TLDS = frozenset({"corp", "home", "internal", "intranet", "lan", "local"})
_SERVICE_USERS = frozenset({"git", "hg", "svn"})  # who logs in to a remote, not a person
_ALGORITHM_DOMAINS = frozenset({"openssh.com", "libssh.org"})  # names of SSH's algorithms look like addresses

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w]|\.\w)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w.:])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?<=[0-9A-Fa-f])|(?<=::))(?!\w|:[\w:])", re.ASCII
)
# Version 1.2.3.4, section 1.2.3.4, ==1.2.3.4, Chrome/1.2.3.4, package-1.2.3.4
_VERSION_BEFORE = re.compile(
    r"(?:(?<![A-Za-z])(?i:v|ver|vers|version|versions|release|rev|build|jdk|jre|sections?|§|#h)"
    r"[\"'`\])_]{0,2}[ \t:=,(-]{0,3}[\"'(`]?|[=~^><]=[ \t]?|\b[A-Z][A-Za-z]{2,20}/|[A-Za-z]-)\Z"
)
_DECIMAL_BEFORE = re.compile(r"(?<![0-9.])[0-9]*(?:\.[0-9]+){1,2}[ ,-]\Z")  # path data of a drawing, a list of versions
_OBJECT_IDENTIFIER = re.compile(r"(?:2\.5\.(?:4|29)|1\.3\.(?:6|14|36|101|132))\.")
_HOST_WORDS = re.compile(
    r"(?<![a-z])(?i:ip(?:v[46]|s)?(?![a-z])|addr|host|server|dns|peer|proxy|client|inet|ssh|ping|gateway)"
    r"|Ip(?![a-z])|IP|Addr|Host|Server|Peer|Proxy|Client|Gateway"
)
_VERSION_WORDS = re.compile(r"version|release|upgrade|update|patch|section|deps", re.IGNORECASE)
# IANA's special-purpose registries, written out: Python's own lists differ between its patch releases.
_NOT_PUBLIC = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24
192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
224.0.0.0/3 2001::/23 2001:db8::/32 2002::/16 3fff::/20
"""
# StarCoder's fourteen, and the IPv6 addresses of Google, Cloudflare, Quad9 and OpenDNS.
_PUBLIC_DNS = """
8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 76.76.19.19 76.223.122.150 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220
8.26.56.26 8.20.247.20 94.140.14.14 94.140.15.15 2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111
2606:4700:4700::1001 2620:fe::fe 2620:fe::9 2620:119:35::35 2620:119:53::53
"""

_URL_PASSWORD = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,64}:([^\s:/@'\"<>]{4,128})@(?=[\w\[])"
)
# What a program, a shell or a regular expression puts there, and not a value.
_TEMPLATE = re.compile(
    r"^\$\w|\$[{(]|[{#]\{|\{\w*\}|%[sd(]|^%\w+%$|\*\*\*|\.\.\.|xxx|[()\[\]|\\]", re.ASCII | re.IGNORECASE
)
_PASSWORD_WORD = re.compile(
    r"(?:my|your|the|aws)?[_-]?(?:pass|passwd|password|passphrase|pwd|secret|token|user|username)"
    r"(?:[_-]?(?:access)?[_-]?key|[_-]?here)?",
    re.IGNORECASE,
)

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PEM_REACH = 32000  # less than windows.PEM_REACH
# Around the body, in a file and in string literals: white space, written-out newlines, quotes, commas.
_PEM_EDGE = re.compile(r"(?:\s|\\[nr]|[\"'`,])*")
_PEM_EDGE_BACKWARDS = re.compile(r"(?:\s|[nr]\\|[\"'`,])*")


class _Recognizer(LocalRecognizer):
    """What the recognizers share: `find` yields (start, end, score, format), `analyze` makes Presidio's results."""

    def __init__(self, entity: str) -> None:
        super().__init__(supported_entities=[entity], supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load."""

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        raise NotImplementedError

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        entity = self.supported_entities[0]
        if entity not in entities:
            return []
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
        }
        return [
            RecognizerResult(entity, start, end, score, recognition_metadata={**metadata, FORMAT: name})
            for start, end, score, name in self.find(text)
        ]


class EmailRecognizer(_Recognizer):
    """Addresses in a top-level domain that exists; examples, role and noreply addresses too, as StarCoder does."""

    def __init__(self) -> None:
        super().__init__("EMAIL")
        # suffix_list_urls=(): the list that tldextract ships, instead of a download.
        suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
        self.tlds = _PRIVATE_TLDS.union(suffix for suffix in suffixes if "." not in suffix)

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        for match in _EMAIL.finditer(text):
            local, labels, tld = match.groups()
            start, end = match.start(1), match.end()
            if tld[0].isupper() and labels.count(".") > 1 and not self._exists(tld):  # jane@mail.com.Then
                end -= len(tld) + 1
                labels, _, tld = labels[:-1].rpartition(".")
                labels += "."
            if (
                self._exists(tld)
                and local not in _SERVICE_USERS
                and labels + tld not in _ALGORITHM_DOMAINS
                and not re.match(r"[0-9]\.|[0-9]+\.[0-9]", labels)  # name@1.2.3-rc.dev: a package's version
                and not text.startswith("(", end)  # a@b.to(device): a product, then a call
                and not _USER_OF_URL.search(text, max(0, start - 110), start)
            ):
                yield start, end, 0.9, "email"

    def _exists(self, tld: str) -> bool:
        if tld not in (tld.lower(), tld.upper(), tld.capitalize()):
            return False  # A@B.mT is a matrix product, not Malta
        lowered = tld.lower()
        return lowered in self.tlds or (lowered.startswith("xn--") and _decoded(lowered) in self.tlds)


def _decoded(label: str) -> str:
    """An xn-- label in its own script; itself where it is not one."""
    try:
        return label.encode().decode("idna")
    except UnicodeError:
        return label


class IpAddressRecognizer(_Recognizer):
    """Public IPv4 and IPv6 addresses that are not a well-known DNS server, a version or an object identifier."""

    def __init__(self) -> None:
        super().__init__("IP_ADDRESS")
        networks = [ipaddress.ip_network(network) for network in _NOT_PUBLIC.split()]
        self.not_public = [(net.version, int(net.network_address), int(net.broadcast_address)) for net in networks]
        self.public_dns = {ipaddress.ip_address(address) for address in _PUBLIC_DNS.split()}

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        for match in _IPV4.finditer(text):
            start, end = match.span()
            if self._is_public(match[0]) and not _is_number(text, start, end):
                yield start, end, 0.8, "ipv4"
        for match in _IPV6.finditer(text):
            if self._is_public(match[0]):
                yield *match.span(), 0.9, "ipv6"

    def _is_public(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        version, number = parsed.version, int(parsed)
        return parsed not in self.public_dns and not any(
            version == v and first <= number <= last for v, first, last in self.not_public
        )


def _is_number(text: str, start: int, end: int) -> bool:
    """Whether four dotted numbers are something else than a host's address: a version, an object identifier, a decimal.

    StarCoder takes four single digits for a version, unless `dns` or `server` stands within 100 characters. Here it is
    three numbers below 32 (of random addresses, 0.7% are so), or a first number below 32 among words about versions,
    unless a word about hosts stands there. Only the same line counts.
    """
    value = text[start:end]
    if value.endswith(".0.0") or _OBJECT_IDENTIFIER.match(value):
        return True
    near = max(0, start - 40)
    if _VERSION_BEFORE.search(text, near, start) or _DECIMAL_BEFORE.search(text, near, start):
        return True
    numbers = [int(number) for number in value.split(".")]
    small = sum(number < 32 for number in numbers) >= 3
    if not small and numbers[0] >= 32:
        return False
    around = text[max(0, start - 100) : start].rpartition("\n")[2] + text[end : end + 100].partition("\n")[0]
    if text.startswith("://", start - 3) or _HOST_WORDS.search(around):
        return False
    return small or _VERSION_WORDS.search(around) is not None


class UrlPasswordRecognizer(_Recognizer):
    """The password of scheme://user:password@host, unless it is a template or the word password."""

    def __init__(self) -> None:
        super().__init__("PASSWORD")

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        for match in _URL_PASSWORD.finditer(text):
            if not _TEMPLATE.search(match[1]) and not _PASSWORD_WORD.fullmatch(match[1]):
                yield *match.span(1), 0.8, "url_password"


class SecretRecognizer(_Recognizer):
    """Keys in one of the formats of pii/secrets.py; score 1.0 where the format's own checksum agrees."""

    def __init__(self) -> None:
        super().__init__("KEY")
        self.formats = [(form, compiled(form)) for form in formats()]

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        found: set[tuple[int, int]] = set()
        for form, pattern in self.formats:
            if not any(anchor in text for anchor in form.anchors):
                continue
            group = "secret" if "secret" in pattern.groupindex else 0
            for match in pattern.finditer(text):
                span = match.span(group)
                if span not in found and not is_made_up(match[group]):
                    found.add(span)
                    yield *span, 1.0 if form.check and form.check(match[0]) else 0.95, form.name


class PrivateKeyRecognizer(_Recognizer):
    """The body of a PEM private key; its BEGIN and END lines stay."""

    def __init__(self) -> None:
        super().__init__("KEY")

    def find(self, text: str) -> Iterator[tuple[int, int, float, str]]:
        passed = 0  # walking the ENDs, each looking back no further than the last: linear whatever the text
        end = text.find("-----END ")
        while end >= 0:
            begin = text.rfind("-----BEGIN ", max(passed, end - _PEM_REACH), end)
            label = _PEM_BEGIN.match(text, begin) if begin >= 0 else None
            if label is not None:
                body = text[label.end() : end]
                if body.isascii() and "\0" not in body and re.search(r"[A-Za-z0-9+/]{40}", body):
                    before, after = _length(_PEM_EDGE, body), _length(_PEM_EDGE_BACKWARDS, body[::-1])
                    yield label.end() + before, end - after, 1.0, "private_key"
            passed = end
            end = text.find("-----END ", end + 1)


def _length(pattern: re.Pattern[str], text: str) -> int:
    """How many characters `pattern` matches at the start of `text`."""
    match = pattern.match(text)
    return match.end() if match else 0


class _NoContext(ContextAwareEnhancer):
    """Leaves the scores as they are: Presidio's default copies every result to look for lemmas nobody computed."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        return raw_results


def engine() -> AnalyzerEngine:
    """Presidio's analyzer with the recognizers above: no language model, no file or network access."""
    recognizers = [
        EmailRecognizer(),
        IpAddressRecognizer(),
        UrlPasswordRecognizer(),
        SecretRecognizer(),
        PrivateKeyRecognizer(),
    ]
    return AnalyzerEngine(
        RecognizerRegistry(recognizers, supported_languages=[LANGUAGE]),
        nlp_engine=NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "none"}]),
        supported_languages=[LANGUAGE],
        context_aware_enhancer=_NoContext(),
    )
