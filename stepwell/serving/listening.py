"""The sockets that the API listens on, opened before anything else: a port in use is told of at once."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Any

from engine.errors import Conflict, OperatorError
from engine.observe import Noted, Observer

BACKLOG = 4096  # connections that wait to be accepted; the kernel takes net.core.somaxconn at most
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # one of a name's addresses, IPv6 mostly, may not be there

# A peer that is gone without a word is noticed after about a minute, at work or not. Accepted sockets inherit these.
KEEPALIVE = {
    socket.TCP_KEEPIDLE: 30,
    socket.TCP_KEEPINTVL: 10,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 60_000,
}


def listen(host: str, port: int) -> list[socket.socket]:
    """Return a socket that listens at each address of the host. Raises Conflict for a port in use, OperatorError."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OperatorError(f"the host {host!r} is not known: {error.strerror}", advice="Correct --host.") from None
    listeners: list[socket.socket] = []
    fault = errno.EADDRNOTAVAIL
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            listeners.append(_listener(family, address))
        except OSError as error:
            fault = error.errno or fault
            if fault not in ABSENT:
                close(listeners)
                raise _refused(host, port, fault) from None
    if not listeners:
        raise _refused(host, port, fault)
    return listeners


def close(listeners: list[socket.socket]) -> None:
    """Listen no more."""
    for listener in listeners:
        listener.close()


def say_where(listeners: list[socket.socket], *, secured: bool, observe: Observer) -> None:
    """Tell where the API listens, and where it should not do so in clear."""
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        scheme, shown = "https" if secured else "http", f"[{host}]" if ":" in host else host
        advice = ""
        if not secured and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            advice = (
                "keys and data cross the network in clear: set STEPWELL_TLS_CERTIFICATE_FILE and "
                "STEPWELL_TLS_KEY_FILE, unless a proxy on this machine speaks TLS for it"
            )
        observe(Noted(where="api", message=f"listens at {scheme}://{shown}:{port}", detail=advice))


def _listener(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            made.setsockopt(socket.IPPROTO_TCP, option, value)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _refused(host: str, port: int, fault: int) -> OperatorError | Conflict:
    if fault == errno.EADDRINUSE:
        return Conflict(f"port {port} is in use", advice="Choose another with --port.")
    return OperatorError(
        f"cannot listen at {host} port {port}: {os.strerror(fault)}", advice="Correct --host or --port."
    )
