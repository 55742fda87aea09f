"""Turns host names into addresses, for the http executor alone.

The system's resolver blocks a thread for as long as it likes, half a minute for a name whose server is silent. In the
loop's own few threads some such names would stop every other call, so the lookups have threads of their own, each name
at most one at a time, however many calls want it. A caller waits RESOLVE_SECONDS and no longer; the thread stays with
its name until the system gives up. The threads are daemons: a lookup that hangs must not keep a worker from stopping.

Must not judge addresses (`network` does, per connection) or keep answers: aiohttp's connector keeps them for seconds.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import threading
from collections.abc import Sequence
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

RESOLVE_SECONDS = 5.0  # a resolver's own first try, resolv.conf(5): most names that need longer never come
THREADS = 64  # each mostly asleep; so many names may be dead at once before a call for another one suffers

HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")  # as a URL has it: lower case, punycode

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Info = tuple[int, int, int, str, tuple[Any, ...]]  # of socket.getaddrinfo


def is_host(host: str) -> bool:
    """Tell whether a URL's host is a name or an address as written out.

    Anything else could be a name here and an address to the next program: a proxy that undoes percent-encoding takes
    127%2e0%2e0%2e1 for 127.0.0.1, and 127.0.0.1%00.example.com too.
    """
    if HOST_NAME.fullmatch(host.removesuffix(".")):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class NameUnresolved(OSError):
    """The name had no answer in time. Not a TimeoutError: the client would take it for the call's own."""


class Names(AbstractResolver):
    """One per executor, used by one loop. `seconds`: how long a caller waits, for a free thread too."""

    def __init__(self, threads: int = THREADS, seconds: float = RESOLVE_SECONDS) -> None:
        self._free = asyncio.Semaphore(threads)
        self._seconds = seconds
        self._under_way: dict[tuple[str, int], asyncio.Future[Sequence[Info]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError, of it NameUnresolved when it takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                infos = await self._infos(host, family)
        except TimeoutError:
            raise NameUnresolved("no answer in time") from None
        return [_result(host, port, info) for info in infos if info[0] in (socket.AF_INET, socket.AF_INET6)]

    async def close(self) -> None:
        """Leave the lookups under way to themselves: nobody can end them."""
        self._under_way.clear()

    async def _infos(self, host: str, family: int) -> Sequence[Info]:
        """Join the lookup of this name, or begin it. A caller that goes does not end it for the others."""
        key = (host, family)
        if key not in self._under_way:
            await self._free.acquire()
            if key in self._under_way:  # another caller began it meanwhile
                self._free.release()
            else:
                self._begin(key)
        return await asyncio.shield(self._under_way[key])

    def _begin(self, key: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[Info]] = loop.create_future()
        self._under_way[key] = found

        def end(outcome: Sequence[Info] | Exception) -> None:
            self._free.release()
            self._under_way.pop(key, None)
            if isinstance(outcome, Exception):
                found.set_exception(outcome)
                found.exception()  # read, for there may be no caller left
            else:
                found.set_result(outcome)

        def look_up() -> None:
            outcome = _look_up(*key)
            try:
                loop.call_soon_threadsafe(end, outcome)
            except RuntimeError:  # the loop has ended
                return

        threading.Thread(target=look_up, name="stepwell name lookup", daemon=True).start()


def _look_up(host: str, family: int) -> Sequence[Info] | Exception:
    try:
        return socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    except Exception as exc:  # noqa: BLE001  whatever it is, it belongs to the caller and not to this thread
        return exc


def _result(host: str, port: int, info: Info) -> ResolveResult:
    family, _, protocol, _, target = info
    address = str(target[0])
    if family == socket.AF_INET6 and target[3] and "%" not in address:  # a link-local address needs its interface
        address = f"{address}%{target[3]}"
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=protocol, flags=_NUMERIC)
