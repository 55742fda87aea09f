"""From a claim to a hold: load what was claimed, fold it, find its plan.

Three things can be wrong with one process, and none may touch its neighbours: it was lost before (then it is loaded
alone), a newer release wrote it (then it is given back and nothing more is claimed), or it cannot be read at all (then
it is set aside in quarantine, for an operator to see). Nor may a definition that takes long to
compile: what waits for one is opened after all others.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from engine import flush, queue
from engine.cel import InvalidExpression
from engine.core.compile import Plan
from engine.core.events import NewerEvent
from engine.core.model import State
from engine.core.snapshot import OutdatedSnapshot
from engine.db import Link
from engine.errors import InvalidDefinition
from engine.observe import Observer, Trouble, WorkerChanged
from engine.plans import Heavy, Key, Plans
from engine.queue import Claimed, Loaded, Recalled, Row
from engine.recent import Recent

UNREADABLE = (ValueError, LookupError, TypeError, msgspec.MsgspecError, InvalidExpression)
STRETCH_SECONDS = 0.05  # of opening without a pause: in one go their events fill one flush
Begin = Callable[[Claimed, Loaded, State, Plan], None]
Find = Callable[[Key], Awaitable[Plan]]


class Opener:
    """Opens holds for one session; `begin` takes each in.

    `outdated` is called before what a newer release wrote is given back: nothing may be claimed any more, or it would
    be the same job again.
    """

    def __init__(self, link: Link, me: int, observe: Observer, begin: Begin, outdated: Callable[[], None]) -> None:
        self.recent = Recent()
        self._link = link
        self._me = me
        self._observe = observe
        self._begin = begin
        self._outdated = outdated
        self._plans = Plans(functools.partial(queue.definition, link))
        self._turn = time.monotonic()

    async def open(self, claimed: Sequence[Claimed], rows: Sequence[Row] = ()) -> None:
        """Open what was claimed, from a snapshot younger than the claim.

        `rows`: all of it, where it was loaded already.
        """
        by_id = {c.process_id: c for c in claimed}
        suspects = []
        heavy: dict[Key, list[tuple[Claimed, Row, Recalled | None]]] = {}  # whose plans take long: after all others
        recalled: dict[int, Recalled | None] = {id_: self.recent.recall(id_) for id_ in by_id}
        if rows:
            recalled = dict.fromkeys(by_id)
        else:
            known = [0 if state is None else state.state.seq for state in recalled.values()]
            rows = await queue.load(self._link, self._me, list(by_id), alone=False, known=known)
        self._turn = time.monotonic()
        for row in rows:
            await self._give_way()
            claim = by_id.pop(row[0])
            if queue.is_suspect(row):
                suspects.append(claim)
            elif _key(row) in heavy:
                heavy[_key(row)].append((claim, row, recalled[claim.process_id]))
            else:
                try:
                    await self._open_row(claim, row, self._plans.light, recalled[claim.process_id])
                except Heavy:
                    heavy[_key(row)] = [(claim, row, recalled[claim.process_id])]
        for suspect in suspects:
            await self.open_alone(suspect)
        for orphan in by_id.values():  # a ring for a process that retention took away
            await flush.send(self._link, self._me, [_given_up(orphan, "parks", bell=0)], self._observe)
        for claim, row, known_state in itertools.chain.from_iterable(heavy.values()):
            await self._give_way()
            await self._open_row(claim, row, self._plans.get, known_state)

    async def _give_way(self) -> None:
        """Pause if it is time to: long decisions must not keep the heartbeat from its turn."""
        if time.monotonic() - self._turn > STRETCH_SECONDS:
            await asyncio.sleep(0)
            self._turn = time.monotonic()

    async def open_alone(self, claimed: Claimed) -> None:
        """Open one process in a statement of its own."""
        rows = await queue.load(self._link, self._me, [claimed.process_id], alone=True)
        for row in rows:
            await self._open_row(claimed, row, self._plans.get)

    async def _open_row(self, claimed: Claimed, row: Row, find: Find, known: Recalled | None = None) -> None:
        """Open one loaded row. Raises Heavy where `find` does."""
        try:
            loaded, state = queue.read_loaded(row, known)
            plan = await find((loaded.definition_id, loaded.version))
        except OutdatedSnapshot:
            history = await queue.whole_history(self._link, claimed.process_id)
            await self._open_row(claimed, queue.without_snapshot(row, history), find)
        except (NewerEvent, InvalidDefinition) as error:  # what a release published, it can read: a newer one did
            await self._give_back(claimed, str(error))
        except UNREADABLE as error:
            await self.set_aside(claimed.process_id, error)
        else:
            self._begin(claimed, loaded, state, plan)

    async def _give_back(self, claimed: Claimed, why: str) -> None:
        id_ = claimed.process_id
        self._outdated()
        self._observe(WorkerChanged(process=id_, level="error", worker=self._me, what="outdated", detail=why))
        slip = _given_up(claimed, "give_backs", seq=claimed.handed)  # it leaves as it came
        await flush.send(self._link, self._me, [slip], self._observe)

    async def set_aside(self, process_id: int, error: Exception) -> None:
        """Put a process into quarantine: it can neither go on nor fail."""
        await queue.quarantine(self._link, self._me, process_id)
        message = f"{type(error).__name__}: {error}"
        self._observe(Trouble(process=process_id, level="error", where="quarantine", message=message))


def _key(row: Row) -> Key:
    return row[1], row[2]


def _given_up(claimed: Claimed, key: str, **row: int | None) -> flush.Slip:
    """Return a slip that gives up a lease nothing was loaded for."""
    slip = flush.Slip(claimed.process_id, claimed.tenant_id, claimed.environment_id)
    slip.put(key, [row])
    return slip
