"""Which IP addresses are nobody's in particular: private ones, examples, and name servers that everybody names."""

from __future__ import annotations

import ipaddress
from functools import cache

# IANA's special-purpose registries, written out: Python's own lists differ between its patch releases. The first
# network that holds an address tells. The services are StarCoder's fourteen, and the IPv6 addresses of Google,
# Cloudflare, Quad9 and OpenDNS.
_NETWORKS = {
    "example": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 233.252.0.0/24 2001:db8::/32 3fff::/20",
    "private_address": """
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.31.196.0/24
        192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 224.0.0.0/3
        ::/3 4000::/2 8000::/1 2001::/23 2002::/16
    """,
    "public_service": """
        8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 76.76.19.19 76.223.122.150 9.9.9.9 149.112.112.112 208.67.222.222
        208.67.220.220 8.26.56.26 8.20.247.20 94.140.14.14 94.140.15.15 2001:4860:4860::8888 2001:4860:4860::8844
        2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe 2620:fe::9 2620:119:35::35 2620:119:53::53
    """,
}


@cache
def _ranges() -> list[tuple[str, int, int, int]]:
    """(kind, version, first, last) of each network."""
    networks = [(kind, ipaddress.ip_network(item)) for kind, items in _NETWORKS.items() for item in items.split()]
    return [(kind, net.version, int(net.network_address), int(net.broadcast_address)) for kind, net in networks]


def kind_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """`example`, `private_address` or `public_service`; "" for an address that may be somebody's."""
    version, number = address.version, int(address)
    return next((kind for kind, family, first, last in _ranges() if family == version and first <= number <= last), "")
