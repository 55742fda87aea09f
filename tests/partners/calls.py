"""What tests of http activities share: an executor for loopback, one call, its outcome."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from engine.core.commands import Completed, Failed
from engine.executors.http import HttpExecutor, HttpRequest

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
KEY = "exe_0123456789"


@asynccontextmanager
async def started(**options: Any) -> AsyncIterator[HttpExecutor]:
    executor = HttpExecutor(**{"allowed_networks": LOOPBACK, **options})
    await executor.start()
    try:
        yield executor
    finally:
        await executor.close()


def request(url: str, *, redact: tuple[str, ...] = (), **config: Any) -> HttpRequest:
    return HttpRequest.from_config({"url": url, **config}, KEY, redact=redact)


def failure(outcome: Completed | Failed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    assert outcome.error.message
    assert outcome.error.advice
    msgspec.json.encode(outcome)
    return outcome


def code(outcome: Completed | Failed) -> str:
    return failure(outcome).error.code


def output(outcome: Completed | Failed) -> Any:
    assert isinstance(outcome, Completed), outcome
    return outcome.output


def every_name_is_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let host names stand for servers of the test; addresses written out stay what they are."""

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            address = "127.0.0.1"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        target = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, socket.SOCK_STREAM, 6, "", target)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
