"""IP addresses of hosts and networks, told from what looks like them: versions, object identifiers, netmasks, decimals.

Every address is found; those that lead to nobody say why they stay. IPv6 needs `::` or eight groups, and a digit, so
that neither a time, a MAC address, a fingerprint nor a name such as `std::dec` is taken for one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from pii.addresses import kind_of
from pii.recognizers.base import Found, Recognizer

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w]|\.\w)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w.:])(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}|::(?:[0-9A-Fa-f]{1,4}:){0,5}[0-9A-Fa-f]{1,4})"
    r"(?:(?<=[0-9A-Fa-f])|(?<=::))(?!\w|:[\w:]|\.[0-9])",
    re.ASCII,
)
# Version 1.2.3.4, section 1.2.3.4, ==1.2.3.4, Chrome/1.2.3.4, package-1.2.3.4
_VERSION_BEFORE = re.compile(
    r"(?:(?<![A-Za-z])(?i:v|ver|vers|version|versions|release|rev|build|jdk|jre|sections?|§|#h)"
    r"[\"'`\])_]{0,2}[ \t:=,(-]{0,3}[\"'(`]?|[=~^><]=[ \t]?|\b[A-Z][A-Za-z]{2,20}/|[A-Za-z]-)\Z"
)
_DECIMAL_BEFORE = re.compile(r"(?<![0-9.])[0-9]*(?:\.[0-9]+){1,2}[ ,-]\Z")  # path data of a drawing, a list of versions
_OBJECT_IDENTIFIER = re.compile(r"(?:2\.5\.(?:4|29)|1\.3\.(?:6|14|36|101|132)|2\.16\.840|1\.2\.840)\.")
_HOST_WORDS = re.compile(
    r"(?<![a-z])(?i:ip(?:v[46]|s)?(?![a-z])|addr|host|server|dns|peer|prox(?:y|ies)|client|inet|ssh|ping|gateway|forwarded|remote|subnet"
    r"|network|cidr|listen|upstream|resolver|allow|deny|bind|target|port(?![a-z])|A[ \t]{1,8}\Z)"
    r"|Ip(?![a-z])|(?<![A-Z])IP|Addr|Host|Server|Peer|Proxy|Client|Gateway|Network|Remote"
)
_VERSION_WORDS = re.compile(r"version|release|upgrade|update|patch|section|deps", re.IGNORECASE)
_SLICE_BEFORE = re.compile(r"[\w)\]]\[[^\[\]\n]{0,20}\Z")  # items[1::2]
_BRACKETS_BEFORE, _PORT_AFTER = re.compile(r"[/\"'@ ]\[\Z"), re.compile(r"\](?::[0-9]|/)")  # http://[::2]:8080
_PORT, _QUOTES = re.compile(r":[0-9]{2,5}(?![\w.:])"), ('"', "'", "`")
_MASK = re.compile(r"/(?:[89]|[12][0-9]|3[0-2])(?![\w./])")  # of a network
_TOLD = ("127.", "192.168.", "192.0.2.", "169.254.", "8.8.8.8", "8.8.4.4")  # no version starts so


class IpAddressRecognizer(Recognizer):
    """IPv4 and IPv6 addresses; private, documentation and public name server addresses say that they stay."""

    def __init__(self) -> None:
        super().__init__("IP_ADDRESS")

    def find(self, text: str) -> Iterator[Found]:
        for match in _IPV4.finditer(text):
            start, end = match.span()
            if not _is_number(text, start, end):
                yield Found(start, end, 0.8, "ipv4", kind_of(ipaddress.IPv4Address(match[0])))
        for match in _IPV6.finditer(text):
            value = match[0]
            if ("::" not in value and value.count(":") != 7) or _is_code(text, value, match.start()):
                continue
            try:
                address = ipaddress.IPv6Address(value)
            except ValueError:
                continue
            yield Found(*match.span(), 0.9, "ipv6", kind_of(address))


def _is_code(text: str, value: str, start: int) -> bool:
    """Whether a well-formed IPv6 address is a name with `::`, a slice or a row of hexadecimal bytes instead."""
    groups = [group for group in value.split(":") if group]
    if not any(character.isdigit() for character in value):
        return True
    if "::" not in value:
        return all(len(group) <= 2 for group in groups)
    if _BRACKETS_BEFORE.search(text, max(0, start - 3), start) and _PORT_AFTER.match(text, start + len(value)):
        return False
    if value == "::1":
        return _SLICE_BEFORE.search(text, max(0, start - 30), start) is not None
    return len(groups[0]) < 4 and not value.lower().startswith(("64:ff9b:", "::ffff:", "100::"))


def _is_mask(numbers: list[int]) -> bool:
    """255.255.240.0, 0.0.0.255: ones then zeros, or the other way round, and not 255.255.255.255 or 0.0.0.0."""
    bits = "".join(f"{number:08b}" for number in numbers)
    return re.fullmatch("1{8,31}0+|0{8,31}1+", bits) is not None and numbers != [0, 0, 0, 1]


def _is_number(text: str, start: int, end: int) -> bool:
    """Whether four dotted numbers are no address: a mask, a version, an object identifier, a decimal.

    StarCoder takes four single digits for a version, unless `dns` or `server` stands within 100 characters. Here it is
    three numbers below 32 (of random addresses, 0.7% are so), or a first number below 32 among words about versions,
    unless a word about hosts stands there. Only the same line counts.
    """
    value = text[start:end]
    numbers = [int(number) for number in value.split(".")]
    masked = _MASK.match(text, end) is not None
    if _is_mask(numbers) or _OBJECT_IDENTIFIER.match(value):
        return True
    if value.startswith(_TOLD) or value in ("0.0.0.0", "255.255.255.255"):
        return False
    near = max(0, start - 40)
    if _VERSION_BEFORE.search(text, near, start) or _DECIMAL_BEFORE.search(text, near, start):
        return True
    if masked:
        return False
    if value.endswith(".0.0") and not (numbers[0] == 172 and 16 <= numbers[1] < 32):
        return True
    small = sum(number < 32 for number in numbers) >= 3 and not value.startswith(("10.0.0.", "172."))
    if (not small and numbers[0] >= 32) or _PORT.match(text, end):
        return False
    if (
        (numbers[0] == 10 or len(set(numbers)) == 1)
        and text[start - 1 : start] in _QUOTES
        and text[end : end + 1] in _QUOTES
    ):
        return False
    around = text[max(0, start - 100) : start].rpartition("\n")[2] + text[end : end + 100].partition("\n")[0]
    if text.startswith("://", start - 3) or _HOST_WORDS.search(around):
        return False
    return small or _VERSION_WORDS.search(around) is not None
