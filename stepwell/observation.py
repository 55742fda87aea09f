"""Who watches a program: log, metrics and spans put together.

What is not asked for is not imported: a command starts quickly, and a worker without --observe knows no web framework.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from collections.abc import Iterator
from typing import Any

import click

from engine.config import Settings
from engine.errors import SettingError
from engine.observe import JsonLog, Observer, Readers

_PLACE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})")


class Place(click.ParamType[tuple[str, int]]):
    """HOST:PORT of the command line."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port. An IPv6 address stands in brackets; port 0 stands for any that is free."""
        found = _PLACE.fullmatch(str(value))
        if found is None or int(found["port"]) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464", param, ctx)
        return found["six"] or found["host"], int(found["port"])


def log(settings: Settings, program: str) -> JsonLog:
    """Return the log of a program."""
    return JsonLog(settings.log_level, activities=settings.log_activities, program=program, pid=os.getpid())


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
def of_worker(settings: Settings, place: tuple[str, int] | None) -> Iterator[Observer]:
    """Lend the observer of a worker; with a `place` serve metrics and health there. Raises OperatorError."""
    with contextlib.ExitStack() as stack:
        lines = log(settings, "worker")
        stack.callback(lines.close)
        readers: list[Observer] = [lines]
        if place is not None:
            from stepwell.window import opened

            readers += stack.enter_context(opened(settings, place, lines))
        if settings.otlp_url is not None:
            from engine.spans import Spans

            _refuse_unreadable(settings)
            spans = Spans(settings, Readers(*readers))
            stack.callback(spans.close)
            readers = [*readers, spans]
        yield Readers(*readers)
