"""IP addresses, told from what looks like them: versions, object identifiers, decimals."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from pii.recognizers.base import Found, Recognizer

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


class IpAddressRecognizer(Recognizer):
    """Public IPv4 and IPv6 addresses that are not a well-known DNS server, a version or an object identifier."""

    def __init__(self) -> None:
        super().__init__("IP_ADDRESS")
        networks = [ipaddress.ip_network(network) for network in _NOT_PUBLIC.split()]
        self.not_public = [(net.version, int(net.network_address), int(net.broadcast_address)) for net in networks]
        self.public_dns = {ipaddress.ip_address(address) for address in _PUBLIC_DNS.split()}

    def find(self, text: str) -> Iterator[Found]:
        for match in _IPV4.finditer(text):
            start, end = match.span()
            if self._is_public(match[0]) and not _is_number(text, start, end):
                yield Found(start, end, 0.8, "ipv4")
        for match in _IPV6.finditer(text):
            if self._is_public(match[0]):
                yield Found(*match.span(), 0.9, "ipv6")

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
