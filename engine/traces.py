"""Which trace a process belongs to, and the ids of its spans: all of it from what the history keeps.

A process lives for weeks and on many workers, so no id is made up where a span begins: the trace is the caller's, or
follows from the process id, and a span's id follows from the process, the execution and the attempt. Whoever emits a
span, or sends its id to a partner, arrives at the same one. Pure: no clock, no chance, no input or output.

Traced is what the caller's flag says; without a caller, as OpenTelemetry does, a share of all traces by their id.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

HEADER = "traceparent"  # https://www.w3.org/TR/trace-context/

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_LOW = (1 << 64) - 1

# (process id, caller's traceparent, path, run, attempt) → the header for a partner, None for none
Outgoing = Callable[[int, str | None, str, int, int], str | None]


class Trace(Struct, frozen=True):
    """The trace of a process. `parent`: the caller's span, 0 without one."""

    id: int
    parent: int
    sampled: bool


def read(traceparent: str | None) -> Trace | None:
    """Return what a caller's header says; None for none, and for one that is not valid, as the standard asks."""
    found = _FORM.fullmatch(traceparent or "")
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return Trace(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED))


def trace_of(process: int, traceparent: str | None, ratio: float) -> Trace:
    """Return the trace of a process. `ratio`: share of those traced that no caller has decided about."""
    caller = read(traceparent)
    if caller is not None:
        return caller
    id_ = _hash(16, process, b"trace")
    return Trace(id_, 0, (id_ & _LOW) < round(ratio * (_LOW + 1)))


def root_span(process: int, again: datetime | None = None) -> int:
    """Return the id of the span of a process; `again`: of the part that began with a retry then."""
    return _hash(8, process, b"" if again is None else again.isoformat().encode())


def attempt_span(process: int, path: str, run: int, attempt: int) -> int:
    """Return the id of the span of one attempt."""
    return _hash(8, process, f"{path}\0{run}\0{attempt}".encode())


def written(trace: int, span: int, *, sampled: bool) -> str:
    """Return a traceparent header."""
    return f"00-{trace:032x}-{span:016x}-{_SAMPLED if sampled else 0:02x}"


def outgoing(ratio: float | None) -> Outgoing:
    """Return what tells the header for a partner. `ratio` None: no spans are recorded here, and the caller's context is
    handed on as it is, so that his trace does not break.
    """

    def header(process: int, traceparent: str | None, path: str, run: int, attempt: int) -> str | None:
        if ratio is None:
            return traceparent if read(traceparent) is not None else None
        trace = trace_of(process, traceparent, ratio)
        if trace.parent and not trace.sampled:
            return traceparent  # nothing of ours is between the two
        return written(trace.id, attempt_span(process, path, run, attempt), sampled=trace.sampled)

    return header


def _hash(size: int, process: int, rest: bytes) -> int:
    """Return a number of `size` bytes, never 0, which no id may be."""
    data = process.to_bytes(8, "big") + rest
    return int.from_bytes(blake2b(data, digest_size=size, person=b"stepwell trace").digest(), "big") or 1
