"""Ids of traces and spans, and what is sent to partners."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import traces
from engine.core.ids import MAX_ID
from engine.traces import Trace

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SPAN = 0x00F067AA0BA902B7
GIVEN = f"00-{TRACE:032x}-{SPAN:016x}-01"
processes = st.integers(0, MAX_ID)
FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (GIVEN, Trace(TRACE, SPAN, True)),
        (GIVEN[:-2] + "00", Trace(TRACE, SPAN, False)),
        (GIVEN[:-2] + "03", Trace(TRACE, SPAN, True)),  # a flag of a later version of the standard
        ("cc" + GIVEN[2:] + "-more", Trace(TRACE, SPAN, True)),
        (GIVEN + "-more", None),
        ("ff" + GIVEN[2:], None),
        (GIVEN.upper(), None),
        (f"00-{0:032x}-{SPAN:016x}-01", None),
        (f"00-{TRACE:032x}-{0:016x}-01", None),
        (GIVEN[:-1], None),
        (GIVEN + "\n", None),
        ("", None),
        (None, None),
        ("00-" + "x" * 100_000, None),
    ],
)
def test_a_callers_header_is_read_as_the_standard_says(header: str | None, trace: Trace | None) -> None:
    assert traces.read(header) == trace


@given(processes, st.text(max_size=20), st.integers(1, 9), st.integers(1, 9))
def test_ids_follow_from_the_execution_and_differ_between_attempts(process: int, path: str, run: int, n: int) -> None:
    assert traces.attempt_span(process, path, run, n) == traces.attempt_span(process, path, run, n)
    several = {
        traces.attempt_span(process, path, run, n),
        traces.attempt_span(process, path, run, n + 1),
        traces.attempt_span(process, path, run + 1, n),
        traces.attempt_span(process, path + "x", run, n),
        traces.root_span(process),
        traces.root_span(process, datetime(2024, 1, 1, tzinfo=UTC)),
    }
    assert len(several) == 6
    assert all(0 < one < 1 << 64 for one in several)


@given(processes, st.none() | st.just(GIVEN) | st.just(GIVEN[:-2] + "00") | st.text(max_size=60), st.floats(0, 1))
def test_what_is_sent_to_partners_is_a_header_of_the_processs_own_trace(
    process: int, caller: str, ratio: float
) -> None:
    sent = traces.outgoing(ratio)(process, caller, "a", 1, 1)
    trace = traces.trace_of(process, caller, ratio)

    assert sent is not None
    assert FORM.fullmatch(sent)
    assert sent.split("-")[1] == f"{trace.id:032x}"
    assert sent.endswith("-01") == trace.sampled
    if trace.sampled:
        assert sent.split("-")[2] == f"{traces.attempt_span(process, 'a', 1, 1):016x}"


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_the_share_that_is_traced_is_the_one_asked_for(ratio: float) -> None:
    sampled = [traces.trace_of(process << 20, None, ratio).sampled for process in range(4000)]

    assert abs(sum(sampled) / 4000 - ratio) < 0.05


def test_where_nothing_is_recorded_only_a_valid_header_is_handed_on() -> None:
    header = traces.outgoing(None)

    assert header(1, GIVEN, "a", 1, 1) == GIVEN
    assert header(1, "nonsense", "a", 1, 1) is None
    assert header(1, None, "a", 1, 1) is None
