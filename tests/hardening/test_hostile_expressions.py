"""Whatever an expression and its data are: a value or an error, in bounded time and memory, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.hardening.bomb_child import SECONDS, Begun, Changed, Ended
from tests.hardening.expression_bombs import BOMBS, GROUPS

ROOT = Path(__file__).parents[2]
SHOWN = 5  # of the worst, with `-rP`

Said = Begun | Ended | Changed


def said_by(group: str) -> list[Said]:
    """Light the bombs of a group in a process of their own; return what it says."""
    command = [sys.executable, "-W", "error", "-m", "tests.hardening.bomb_child", group]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    said = [msgspec.json.decode(line, type=Said) for line in done.stdout.splitlines()]
    if done.returncode:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        pytest.fail(f"the process ended with {how} at {said[-1:]}\n{done.stderr.decode()[-2000:]}")
    return said


def show(found: list[Ended]) -> None:
    for one in sorted(found, key=lambda one: -one.cpu)[:SHOWN]:
        print(f"{one.cpu:.3f} s, {one.cpu / max(one.spent, 1) * 1e6:.2f} µs a unit: {one.name} ({one.end})")
    for one in sorted(found, key=lambda one: -one.peak)[:SHOWN]:
        print(f"{one.peak >> 20} MiB, {one.peak / max(one.spent, 1):.0f} bytes a unit: {one.name} ({one.end})")


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_hostile_ends_in_a_value_or_in_an_error_with_little_time_and_memory(group: str) -> None:
    said = said_by(group)
    found = {one.name: one for one in said if isinstance(one, Ended)}
    show(list(found.values()))

    bombs = [bomb for bomb in BOMBS if bomb.group == group]
    otherwise = [(found[bomb.name], bomb.ends) for bomb in bombs if found[bomb.name].end not in bomb.ends]
    assert otherwise == []
    assert [one for one in found.values() if one.cpu > SECONDS] == []
    assert said[-1] == Changed([])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to RLIMIT_AS")
def test_too_much_memory_and_too_deep_a_stack_would_be_noticed() -> None:
    ended = [one for one in said_by("harms") if isinstance(one, Ended)]
    assert [one.end for one in ended] == ["MemoryError", "RecursionError"]
