"""The world outside while the tool measures: signals come, people complete their tasks.

A thread with connections of its own looks every LOOK_S at what waits, and answers each wait once its time has passed
since it was first seen. Now and then it counts the leases: how many processes the workers hold. Where nothing can
wait it does no more than that, for its statements count among those of the processes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from itertools import count
from types import TracebackType
from typing import Any, Self

from bench.house import House
from engine.core.ids import task_id

LOOK_S = 0.05
COUNT_EVERY = 5  # looks
BY = "capacity"  # who completes the tasks
_WAITS = "select process_id, path, 0, name, correlation from stepwell.wait"
_TASKS = "select process_id, path, run, null, null from stepwell.task"
_HELD = "select count(*) from stepwell.lease"
_SIGNAL = (
    "select count(stepwell.send_signal(name, data::jsonb, key)) from unnest(%s::text[], %s::text[], %s::text[]) "
    "as s(name, data, key)"
)
_COMPLETE = (
    "select count(stepwell.complete_task(id, %s, data::jsonb)) from unnest(%s::text[], %s::text[]) as t(id, data)"
)

Open = tuple[int, str, int, str | None, str | None]  # process, path, run; name and key of the signal it waits for


class Outside:
    """Answers waits and tasks from when it is entered until it is left. `seconds`: of the steps that wait."""

    def __init__(self, house: House, seconds: Mapping[str, float], answers: Mapping[str, Any]) -> None:
        self.held: list[int] = []  # looks since `forget`
        self._seconds = seconds
        self._answers = {name: json.dumps(value) for name, value in answers.items()}
        self._looking, self._sending = house.connect("superuser"), house.connect(house.tenants[0])
        self._since: dict[Open, float] = {}
        self._answered: set[Open] = set()
        self._over = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(5)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a statement of the superuser, from whichever thread."""
        return self._looking.execute(statement, values or None).fetchall()

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._fault is not None:
            raise self._fault

    def forget(self) -> None:
        """Begin to count the leases anew."""
        self.held = []

    def _run(self) -> None:
        try:
            for look in count():
                if self._over.wait(LOOK_S):
                    return
                if look % COUNT_EVERY == 0:
                    self.held += [row[0] for row in self.rows(_HELD)]
                if self._seconds:
                    self.answer({*self.rows(_WAITS), *self.rows(_TASKS)}, time.monotonic())
        except BaseException as error:  # noqa: BLE001  whoever checks is told
            if not self._over.is_set():
                self._fault = error

    def answer(self, waiting: set[Open], now: float) -> None:
        """Answer what has waited long enough; forget what waits no more."""
        self._since = {one: self._since.get(one, now) for one in waiting}
        self._answered &= waiting
        due = [
            one
            for one, since in self._since.items()
            if one not in self._answered and now - since >= self._seconds[one[1]]
        ]
        self._answered.update(due)
        signals = [(name, self._data(path), key or None) for _, path, _, name, key in due if name is not None]
        tasks = [(task_id(process, path, run), self._data(path)) for process, path, run, name, _ in due if name is None]
        if signals:
            self._sending.execute(_SIGNAL, [list(column) for column in zip(*signals, strict=True)])
        if tasks:
            self._sending.execute(_COMPLETE, [BY, *(list(column) for column in zip(*tasks, strict=True))])

    def _data(self, path: str) -> str:
        return self._answers.get(path, "{}")
