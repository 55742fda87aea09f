"""A state as `process.snapshot` keeps it, so that a load folds only the history after it.

Worker and API read it here and nowhere else: read any other way, a snapshot passes for an empty state.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from engine.core.model import State

# Raise it with every change of State: a snapshot by an older release, which may still run beside us, lacks what only
# this one knows. Such snapshots are ignored, and history is folded anew.
FORMAT = 2


class Snapshot(Struct, frozen=True):
    """What stands in the column."""

    format: int
    state: msgspec.Raw


class OutdatedSnapshot(Exception):
    """The snapshot was written by a release with another State: fold the whole history instead."""


_snapshot = msgspec.json.Decoder(Snapshot)
_state = msgspec.json.Decoder(State)


def restore(text: str | None) -> State:
    """Return the state in a snapshot, the empty one where there is none. Raises OutdatedSnapshot."""
    if text is None:
        return State()
    kept = _snapshot.decode(text)
    if kept.format != FORMAT:
        raise OutdatedSnapshot
    return _state.decode(kept.state)


def snapshot_of(state: State) -> Snapshot:
    """Return what the column keeps of a state."""
    return Snapshot(FORMAT, msgspec.Raw(msgspec.json.encode(state)))
