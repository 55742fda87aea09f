"""Which addresses an http activity may reach.

Definitions are written by tenants, the worker stands inside the operator's network: without this check any
tenant could read cloud metadata or talk to internal services. The check must never look at names: a name can
mean another address a second later. It looks at the address a socket is about to be made for, so rebinding,
literals in odd forms (0x7f.1, 2130706433) and redirects all pass through it.

Invariant: `permitted` is pure. A tunnel form (IPv4-mapped, 6to4, NAT64) is judged by the IPv4 address in it.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import TypeAlias

from aiohappyeyeballs import AddrInfoType

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not `ipaddress.is_global`: what it answers changed between patch releases of Python (CVE-2024-4032).
# Source: IANA special-purpose address registries for IPv4 (2025) and IPv6 (2025).
_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all other IPv6 space is special or not assigned
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo with it
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_METADATA: frozenset[Address] = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure and most others
        "169.254.170.2",  # AWS container credentials
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure's host, in public space
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

ADVICE = (
    "Only public addresses may be called. To allow this one, the operator adds its network to "
    "STEPWELL_HTTP_ALLOWED_NETWORKS (a list of CIDR ranges) on the workers."
)


class AddressForbidden(OSError):
    """The address is not permitted. An OSError, so that the host's other addresses are still tried.

    The text is the same for every address: only then does the client keep the type when all are refused.
    """

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, "address not permitted")
        self.address = address


def permitted(address: Address, allowed: tuple[Network, ...] = ()) -> bool:
    """Tell whether an http activity may connect to `address`.

    A network in `allowed` opens what lies in it; a metadata address opens only where it is named by itself
    (/32, /128): whoever allows fd00::/8 for an internal service hardly means the machine's credentials.
    """
    inner = _inner(address)
    if inner in _METADATA:
        return any(net.num_addresses == 1 and inner in net for net in allowed)
    if any(address in net or inner in net for net in allowed):
        return True
    if isinstance(inner, ipaddress.IPv4Address):
        return not any(inner in net for net in _CLOSED_V4)
    return inner in _GLOBAL_V6 and not any(inner in net for net in _CLOSED_V6)


def guarded_sockets(allowed: tuple[Network, ...] = ()) -> Callable[[AddrInfoType], socket.socket]:
    """Return a socket factory for aiohttp's connector that raises AddressForbidden before a socket exists."""

    def make(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, target = info
        host = str(target[0])
        known = family in {socket.AF_INET, socket.AF_INET6}
        if not known or not permitted(ipaddress.ip_address(host), allowed):
            raise AddressForbidden(host)
        return socket.socket(family=family, type=kind, proto=protocol)

    return make


def _inner(address: Address) -> Address:
    """Return the IPv4 address that a tunnel form carries, else the address itself, without its zone."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or ipaddress.IPv6Address(int(address))
