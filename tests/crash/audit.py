"""What must be true of every installation at rest: read from the tables, judged with the fold alone."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

from engine.core.events import Event, decode_body
from engine.core.evolve import evolve
from engine.core.ids import private_id
from engine.core.model import ActivityStatus, State
from engine.core.snapshot import OutdatedSnapshot, restore
from tests.house import House, eventually

Execution = tuple[int, str]  # process id, path


def number(public_id: str) -> int:
    """Return the number of a process."""
    return private_id("prc", public_id)


def statuses(house: House) -> dict[str, int]:
    """Return how many processes are in each status."""
    return dict(house.rows("select status, count(*) from stepwell.process group by status"))


def await_all(house: House, count: int, status: str = "COMPLETED", *, seconds: float = 60) -> None:
    """Wait until all processes, `count` of them, are in a status. Fails at once where one FAILED instead."""

    def look() -> bool:
        seen = statuses(house)
        if status != "FAILED" and seen.get("FAILED"):
            error = house.value("select data -> 'error' from stepwell.history where type = 'process.failed' limit 1")
            raise AssertionError(f"failed: {seen}, one of them with {error}")
        return seen == {status: count}

    try:
        eventually(look, what=f"{count} processes {status}", seconds=seconds)
    except AssertionError as error:
        tables = ("job", "lease", "inbox", "timer", "wait", "worker", "loss")
        left = {table: house.value(f"select count(*) from stepwell.{table}") for table in tables}
        raise AssertionError(f"{error}; {statuses(house)}; rows: {left}") from None


def await_status(house: House, processes: list[str], status: str) -> None:
    """Wait until each of these processes is in a status."""
    ids = [number(process) for process in processes]

    def look() -> bool:
        found = house.rows("select distinct status from stepwell.process where id = any(%s)", ids)
        return found == [(status,)]

    eventually(look, what=f"{len(ids)} processes {status}")


def folded(house: House, where: str = "true", *parameters: Any) -> dict[int, State]:
    """Fold the history rows of each process that a condition on history picks. Fails on a gap."""
    states: dict[int, State] = {}
    rows = house.rows(
        "select process_id, seq, at, type, v, path, attempt, data::text from stepwell.history "
        f"where {where} order by process_id, seq",
        *parameters,
    )
    for id_, seq, at, type_, v, path, attempt, data in rows:
        state = states.get(id_, State())
        assert seq == state.seq + 1, f"process {id_}: event {seq} follows {state.seq}"
        assert state.last_at is None or at >= state.last_at, f"process {id_}: time falls at event {seq}"
        states[id_] = evolve(state, Event(seq, at, type_, decode_body(type_, v, data), path, attempt, v))
    return states


def running(house: House, processes: list[int]) -> set[Execution]:
    """Return the activities that the history of these processes shows as running."""
    return {
        (id_, activity.path)
        for id_, state in folded(house, "process_id = any(%s)", processes).items()
        for activity in state.activities.values()
        if activity.status is ActivityStatus.RUNNING
    }


def assert_whole(house: House) -> None:
    """Histories have no gap; status and snapshot of each process are what its history folds to."""
    states = folded(house)
    for id_, status, seq, snapshot in house.rows(
        "select id, status, snapshot_seq, snapshot::text from stepwell.process"
    ):
        assert status == states[id_].status, f"process {id_} says {status}, its history {states[id_].status}"
        if snapshot is not None:
            then = folded(house, "process_id = %s and seq <= %s", id_, seq)[id_]
            with contextlib.suppress(OutdatedSnapshot):  # of a release before: nobody reads it
                assert restore(snapshot) == then, f"process {id_}: snapshot at {seq} is not the fold"


def assert_at_rest(house: House, *, waiting: bool = False) -> None:
    """Nothing is left of the work; with `waiting`, waits, timers and tasks may be."""
    tables = ["job", "lease", "inbox", "loss", "signal_job"] + ([] if waiting else ["wait", "timer", "task"])
    left = {table: house.value(f"select count(*) from stepwell.{table}") for table in tables}
    assert not any(left.values()), f"left behind: {left}"


def begun(house: House) -> tuple[Counter[Execution], set[Execution]]:
    """Return how often history begins each activity, and those begun again because they were lost."""
    starts: Counter[Execution] = Counter(
        house.rows(
            "select process_id, s ->> 'path' from stepwell.history h, jsonb_array_elements(h.data -> 'starts') s "
            "where h.data ? 'starts'"
        )
    )
    again = house.rows(
        "select process_id, path, coalesce((data ->> 'lost')::boolean, false) from stepwell.history "
        "where type = 'activity.started'"
    )
    starts.update((id_, path) for id_, path, _ in again)
    return starts, {(id_, path) for id_, path, lost in again if lost}


def outcomes(house: House) -> Counter[int]:
    """Return how many events carry each command's id."""
    return Counter(
        id_ for (id_,) in house.rows("select (data ->> 'command')::bigint from stepwell.history where data ? 'command'")
    )


def held_by(house: House, worker: int) -> list[int]:
    """Return the processes a worker row has a lease on."""
    return [id_ for (id_,) in house.rows("select process_id from stepwell.lease where worker_id = %s", worker)]


def await_beats(house: House, worker: int) -> None:
    """Wait until a worker has ticked several times more: what it does not do now, it does not do."""
    look = "select beat from stepwell.worker where id = %s"
    before = house.value(look, worker)
    eventually(lambda: house.value(look, worker) >= before + 2, what="two more heartbeats")
