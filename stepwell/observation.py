"""Who watches a program: log, metrics and spans put together.

What is not asked for is not imported: a command starts quickly, and a worker without --observe knows no web framework.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from socket import socket
from typing import Any, BinaryIO

import click

from engine.config import Settings
from engine.errors import OperatorError, SettingError, StepwellError
from engine.observe import JsonLog, Observation, Observer, Readers, WorkerChanged

HIGHEST_PORT = 65535
_PLACE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})")


class Place(click.ParamType[tuple[str, int]]):
    """HOST:PORT of the command line."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port. An IPv6 address stands in brackets; port 0 stands for any that is free."""
        found = _PLACE.fullmatch(str(value))
        if found is None or int(found["port"]) > HIGHEST_PORT:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464", param, ctx)
        return found["six"] or found["host"], int(found["port"])


def log(settings: Settings, program: str, stream: BinaryIO | None = None) -> JsonLog:
    """Return the log of a program, on stderr unless a stream is given."""
    return JsonLog(settings.log_level, stream, activities=settings.log_activities, program=program, pid=os.getpid())


@contextlib.contextmanager
def windows(place: tuple[str, int] | None, count: int = 1) -> Iterator[list[list[socket]]]:
    """Lend the listening sockets of so many workers: at this port and those that follow it; port 0: at any.

    Without a place each worker has none. Raises OperatorError where one cannot be had, click.BadParameter.
    """
    from stepwell.serving.listening import close

    with contextlib.ExitStack() as stack:
        opened: list[list[socket]] = [[] for _ in range(count)]
        if place is not None:
            for number in range(count):
                opened[number] = _window(place, number, count)
                stack.callback(close, opened[number])
        yield opened


def _window(place: tuple[str, int], number: int, count: int) -> list[socket]:
    from stepwell.serving.listening import listen

    host, port = place
    last = port + count - 1 if port else 0
    if last > HIGHEST_PORT:
        raise click.BadParameter(
            f"{count} processes from port {port} on would pass {HIGHEST_PORT}", param_hint="--observe"
        )
    try:
        return listen(host, port and port + number)
    except StepwellError as error:
        range_ = f"; {count} processes serve at the ports {port} to {last}" if last > port else ""
        raise OperatorError(f"{error.message}{range_}", advice="Choose another HOST:PORT with --observe.") from None


class Registered:
    """Tells our parent, by a byte in its pipe, that we have registered: our settings are good."""

    kinds = frozenset({WorkerChanged})

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def __call__(self, told: Observation) -> None:
        """Tell it, once."""
        if self._handle is None or not isinstance(told, WorkerChanged) or told.what != "registered":
            return
        with contextlib.suppress(OSError):  # it is gone, and we soon will be
            os.write(self._handle, b"r")
        os.close(self._handle)
        self._handle = None


def _refuse_unreadable(settings: Settings) -> None:
    """Raise SettingError where the receiver's authorities cannot be read: else each send would fail, later."""
    if settings.otlp_ca_file is None:
        return
    try:
        ssl.create_default_context(cafile=settings.otlp_ca_file)
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(
            f"STEPWELL_OTLP_CA_FILE: {settings.otlp_ca_file} cannot be used: {reason}",
            advice="Give the path of a file with one or more certificates of authorities in PEM.",
        ) from None


@contextlib.contextmanager
def of_worker(settings: Settings, listeners: Sequence[socket], registered: int | None = None) -> Iterator[Observer]:
    """Lend the observer of a worker; with `listeners` serve metrics and health there. Raises OperatorError.

    `registered`: the pipe of a parent that waits for us to register.
    """
    with contextlib.ExitStack() as stack:
        lines = log(settings, "worker")
        stack.callback(lines.close)
        readers: list[Observer] = [lines]
        if registered is not None:
            readers.append(Registered(registered))
        if listeners:
            from stepwell.window import opened

            readers += stack.enter_context(opened(settings, listeners, lines))
        if settings.otlp_url is not None:
            from engine.spans import Spans

            _refuse_unreadable(settings)
            spans = Spans(settings, Readers(*readers))
            stack.callback(spans.close)
            readers = [*readers, spans]
        yield Readers(*readers)
