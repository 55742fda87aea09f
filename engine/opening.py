"""From a claim to a hold: load what was claimed, fold it, find its plan.

Three things can be wrong with one process, and none may touch its neighbours: it was lost before (then it is loaded
alone), a newer release wrote it (then it is given back and nothing more is claimed), or it cannot be read at all (then
it is set aside in quarantine, for an operator to see).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from engine import flush, queue
from engine.cel import InvalidExpression
from engine.core.compile import Plan, compile_definition
from engine.core.definition import parse_definition
from engine.core.events import NewerEvent
from engine.core.model import State
from engine.core.snapshot import OutdatedSnapshot
from engine.db import Link
from engine.errors import InvalidDefinition
from engine.observe import Observer, Trouble, WorkerChanged
from engine.queue import Claimed, Loaded

UNREADABLE = (ValueError, LookupError, TypeError, msgspec.MsgspecError, InvalidExpression)
TURN_SECONDS = 0.05  # of opening without a pause: in one go their events fill one flush
MOST_PLANS = 1000  # compiled definitions kept
Begin = Callable[[Claimed, Loaded, State, Plan], None]


class Opener:
    """Opens holds for one session; `begin` takes each in."""

    def __init__(self, link: Link, me: int, observe: Observer, begin: Begin) -> None:
        self._link = link
        self._me = me
        self._observe = observe
        self._begin = begin
        self._plans: dict[tuple[int, int], Plan] = {}

    async def open(self, claimed: list[Claimed]) -> bool:
        """Open what was claimed, in a statement younger than the claim; False if a newer release wrote any of it."""
        by_id = {c.process_id: c for c in claimed}
        current = True
        suspects = []
        turn = time.monotonic()
        for row in await queue.load(self._link, self._me, list(by_id), alone=False):
            claim = by_id.pop(row[0])
            if time.monotonic() - turn > TURN_SECONDS:  # long decisions must not keep the heartbeat from its turn
                await asyncio.sleep(0)
                turn = time.monotonic()
            if queue.is_suspect(row):
                suspects.append(claim)
            else:
                current &= await self._open_row(claim, row)
        for suspect in suspects:
            current &= await self.open_alone(suspect)
        for orphan in by_id.values():  # a ring for a process that retention took away
            await flush.send(self._link, self._me, [_slip(orphan, park=True)], self._observe)
        return current

    async def open_alone(self, claimed: Claimed) -> bool:
        """Open one process in a statement of its own."""
        rows = await queue.load(self._link, self._me, [claimed.process_id], alone=True)
        return all([await self._open_row(claimed, row) for row in rows])

    async def _open_row(self, claimed: Claimed, row: tuple[Any, ...]) -> bool:
        try:
            loaded, state = queue.read_loaded(row)
            plan = await self._plan(loaded.definition_id, loaded.version)
        except OutdatedSnapshot:
            history = await queue.whole_history(self._link, claimed.process_id)
            return await self._open_row(claimed, queue.without_snapshot(row, history))
        except (NewerEvent, InvalidDefinition) as error:  # what a release published, it can read: a newer one did
            await self._give_back(claimed, str(error))
            return False
        except UNREADABLE as error:
            await self.set_aside(claimed.process_id, error)
        else:
            self._begin(claimed, loaded, state, plan)
        return True

    async def _plan(self, definition_id: int, version: int) -> Plan:
        """Return the compiled definition. A published version never changes, so it is kept."""
        plan = self._plans.get((definition_id, version))
        if plan is None:
            document = await queue.definition(self._link, definition_id, version)
            plan = compile_definition(parse_definition(document, published=True))
            self._plans[definition_id, version] = plan
            if len(self._plans) > MOST_PLANS:
                del self._plans[next(iter(self._plans))]
        return plan

    async def _give_back(self, claimed: Claimed, why: str) -> None:
        id_ = claimed.process_id
        self._observe(WorkerChanged(process=id_, level="error", worker=self._me, what="outdated", detail=why))
        await flush.send(self._link, self._me, [_slip(claimed, give_back=True)], self._observe)

    async def set_aside(self, process_id: int, error: Exception) -> None:
        """Put a process into quarantine: it can neither go on nor fail."""
        await queue.quarantine(self._link, self._me, process_id)
        message = f"{type(error).__name__}: {error}"
        self._observe(Trouble(process=process_id, level="error", where="quarantine", message=message))


def _slip(claimed: Claimed, *, park: bool = False, give_back: bool = False) -> flush.Slip:
    """Return a slip that gives up a lease nothing was loaded for."""
    scope = (claimed.process_id, claimed.tenant_id, claimed.environment_id)
    return flush.Slip(*scope, park=park, give_back=give_back)
