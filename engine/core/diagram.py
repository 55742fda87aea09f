"""Draws docs/state-machine.md from the tables in `transitions`.

python -m engine.core.diagram > docs/state-machine.md
"""

from __future__ import annotations

import sys

from engine.core.model import SETTLED, TERMINAL, ActivityStatus, ProcessStatus
from engine.core.transitions import ACTIVITY_MOVES, PROCESS_MOVES, Move

_HEAD = """# The state machine

Made from `engine/core/transitions.py`; to change it, change the tables and run
`python -m engine.core.diagram > docs/state-machine.md`. Property tests hold the engine to these tables.
"""

_PROCESS = """
## Processes

COMPLETED and CANCELLED absorb. FAILED is left only by `process.retried`, and nothing runs between a terminal
event and that. WAITING means that nothing runs and at least one wait or task is open; an activity between two
attempts keeps its process IN_PROGRESS. (PAUSED is a flag beside the state.)
"""

_ACTIVITY = """
## Activities

An activity is one execution of a step, over all its attempts. It begins and is skipped with the event that
names it in `starts` or `skips`. PENDING with a due time is the pause before the next attempt. RUNNING to
RUNNING is an attempt lost with its worker: the next one follows at once and nothing is counted as a failure.
Only activities SKIPPED because their process ended are taken up again by `process.retried`.
"""


def document() -> str:
    """Return the text of docs/state-machine.md."""
    process = _diagram(PROCESS_MOVES, ProcessStatus.CREATED, TERMINAL) + _table(PROCESS_MOVES)
    activity = _diagram(ACTIVITY_MOVES, ActivityStatus.PENDING, SETTLED) + _table(ACTIVITY_MOVES)
    return _HEAD + _PROCESS + process + _ACTIVITY + activity


def _diagram(moves: tuple[Move, ...], first: str, last: frozenset[ProcessStatus] | frozenset[ActivityStatus]) -> str:
    lines = ["", "```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {move.before} --> {move.after}" for move in moves]
    lines += [f"    {state} --> [*]" for state in sorted(last)]
    return "\n".join([*lines, "```", ""])


def _table(moves: tuple[Move, ...]) -> str:
    lines = ["", "| from | to | by |", "|--|--|--|"]
    for move in moves:
        events = ", ".join(f"`{name}`" for name in move.events)
        lines.append(f"| {move.before} | {move.after} | {events} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(document())
