"""The proxy through which http activities go, and the hosts that they reach without it.

Behind a proxy the worker does not see the address that a name has: which addresses may be reached is the proxy's to
say. What can be told without looking up a name is refused here all the same: an address written out, in whatever form,
and `localhost`.

Must not show the proxy's password.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from aiohttp import InvalidURL
from msgspec import Struct
from yarl import URL

from engine.errors import SettingError
from engine.executors.names import HOST_NAME
from engine.executors.network import Address, AddressForbidden, Network, permitted

_SETTING = "STEPWELL_HTTP_PROXY"
_EXEMPT = "STEPWELL_HTTP_NO_PROXY"
_LOCAL = ipaddress.IPv4Address("127.0.0.1")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Proxy(Struct, frozen=True):
    """A proxy, and what goes past it: hosts, suffixes with their leading dot, networks of addresses written out."""

    url: URL
    authorization: str | None = None
    secrets: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __repr__(self) -> str:
        return f"Proxy({self.url})"

    def carries(self, host: str) -> bool:
        """Tell whether calls of a host go through the proxy."""
        name = host.rstrip(".").lower()
        if name in self.hosts or name.endswith(self.suffixes):
            return False
        address = _address(name)
        return address is None or not any(address in network for network in self.networks)


def read_proxy(url: str | None, exempt: Iterable[str] = ()) -> Proxy | None:
    """Read the settings. Raises SettingError that does not show the proxy's password."""
    exempt = tuple(exempt)
    if url is None:
        if exempt:
            raise SettingError(f"{_EXEMPT} is set without {_SETTING}", advice=f"Set {_SETTING} too, or neither.")
        return None
    parsed = _proxy_url(url)
    hosts, suffixes, networks = _exempt(exempt)
    user, password = unquote(parsed.raw_user or ""), unquote(parsed.raw_password or "")
    given = f"{user}:{password}" if parsed.raw_user is not None or parsed.raw_password is not None else None
    return Proxy(
        url=parsed.with_user(None),
        authorization=None if given is None else f"Basic {base64.b64encode(given.encode()).decode()}",
        secrets=() if given is None else (password, given),
        hosts=hosts,
        suffixes=suffixes,
        networks=networks,
    )


def check_target(host: str, allowed: tuple[Network, ...]) -> None:
    """Refuse what need not be looked up to know that it may not be reached.

    Raises AddressForbidden; aiohttp.InvalidURL for an address in a form that the next program could read in its own
    way, such as 2130706433 or 0x7f.1.
    """
    name = host.rstrip(".").lower()
    local = name == "localhost" or name.endswith(".localhost")  # RFC 6761
    address = _LOCAL if local else _address(name)
    if address is None:
        if _is_number(name):
            raise InvalidURL(host)
    elif not permitted(address, allowed):
        raise AddressForbidden(str(address))


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _proxy_url(text: str) -> URL:
    try:
        url = URL(text)
        plain = url.scheme == "http" and bool(url.host) and url.port is not None
    except ValueError:
        plain = False
    if not plain or url.raw_path != "/" or url.raw_query_string or url.raw_fragment:
        advice = "Write http://host:port or http://user:password@host:port, special characters percent-encoded."
        raise SettingError(f"{_SETTING} is not the URL of an http proxy", advice=advice)
    return url


def _exempt(entries: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...], tuple[Network, ...]]:
    hosts, suffixes, networks = set(), [], []
    for entry in map(str.lower, entries):
        network = _network(entry)
        if network is not None:
            networks.append(network)
        elif not HOST_NAME.fullmatch(entry.removeprefix(".")) or _is_number(entry):
            advice = "Write host names, suffixes with a leading dot, addresses or CIDR ranges; no ports, no *."
            raise SettingError(f"{_EXEMPT}: {entry!r} cannot be used", advice=advice)
        elif entry.startswith("."):
            suffixes.append(entry)
        else:
            hosts.add(entry)
    return frozenset(hosts), tuple(suffixes), tuple(networks)


def _is_number(host: str) -> bool:
    """Tell whether a host that is no address in its usual form would be read as one."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
