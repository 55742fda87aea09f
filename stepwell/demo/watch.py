"""Watch the demo from the owner's seat: show progress, kill a worker half-way, time its rescue.

The kill is a real one: SIGKILL to the worker that holds most processes at that moment.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

import sql
from engine.errors import OperatorError
from stepwell.demo.audit import count_calls
from stepwell.demo.drive import Outside
from stepwell.demo.expectations import expected_executions
from stepwell.demo.rows import Case
from stepwell.demo.world import World, kill
from stepwell.supervise import Child, Stop, Stopped, ended

LOOK_S = 0.1
RESCUE_LOOK_S = 0.02
WIDE = 110  # columns of a terminal
BAR_WIDTH, WIDE_BAR_WIDTH = 10, 30
LINE_S = 2.0  # between two lines where nobody looks
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED")

Owner = psycopg.AsyncConnection[tuple[Any, ...]]


class Kill(Struct):
    """The one crash of the demo."""

    worker: Child
    held: int  # processes it held a moment before
    at_progress: int  # processes that had ended by then
    rescued_s: float | None = None  # until nothing was left of it


class Watch:
    """Looks on until everything has ended."""

    def __init__(self, outside: Outside, cases: list[Case], console: Console, stop: Stop, timeout_s: float) -> None:
        self._outside = outside
        self._world: World = outside.world
        self._total = total = len(cases)
        self._calls = sum(len(expected_executions(case.definition, case.row)) for case in cases)
        self._stop = stop
        self._console = console
        self._began = time.monotonic()
        self._end = self._began + timeout_s
        self._lined = self._began
        self._bar = Progress(
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=BAR_WIDTH if console.width < WIDE else WIDE_BAR_WIDTH),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            # What is left of the line: the first to be cut where the terminal is narrow.
            TextColumn("{task.fields[states]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("ended", total=total, states="")
        self.kill: Kill | None = None

    async def run(self) -> None:
        """Watch to the end. Raises OperatorError when it does not come in time or a child dies, Stopped."""
        connect = psycopg.AsyncConnection.connect
        owner = await connect(self._world.connection.owner_url, autocommit=True, application_name="demo")
        async with owner, asyncio.TaskGroup() as group:
            with self._bar:
                while (over := await self._look(owner)) < self._total:
                    self._check(over)
                    if self.kill is None and self._half_way(over):
                        await self._kill(owner, over, group)
                    await asyncio.sleep(LOOK_S)

    def say(self, text: str, style: str = "") -> None:
        """Print a line above the bar."""
        self._bar.console.print(f"{time.monotonic() - self._began:5.1f} s  {text}", style=style, markup=False)

    async def _look(self, owner: Owner) -> int:
        """Show where things stand; return how many processes have ended."""
        rows = await (await owner.execute(sql.query("demo.progress"))).fetchall()
        counts = {str(status): int(count) for status, count in rows}
        over = sum(counts.get(status, 0) for status in TERMINAL)
        states = ", ".join(f"{count} {status.lower().replace('_', ' ')}" for status, count in sorted(counts.items()))
        outside = self._outside
        states += f" | {outside.tasks_done} tasks, {outside.signals['api'] + outside.signals['sql']} payments"
        self._bar.update(self._task, completed=over, states=states)
        if not self._console.is_terminal and (time.monotonic() >= self._lined or over == self._total):
            self._lined = time.monotonic() + LINE_S
            self.say(f"{over}/{self._total} ended  {states}")
        return over

    def _check(self, over: int) -> None:
        if self._stop.is_set():
            raise Stopped
        if time.monotonic() > self._end:
            raise OperatorError(
                f"only {over} of {self._total} processes have ended in time",
                advice="Give it more with --timeout; what happened is in the logs (--keep).",
            )
        for child in self._world.family.children:
            killed = self.kill is not None and child is self.kill.worker
            if not killed and (code := child.exit_code) is not None:
                raise OperatorError(f"{child.name} {ended(code)}:\n{child.complaints()}", advice="Report it.")

    def _half_way(self, over: int) -> bool:
        """Tell whether half of the calls have been made: then most is in flight. At the latest when half has ended."""
        return over * 2 >= self._total or count_calls(self._world.calls) * 2 >= self._calls

    async def _kill(self, owner: Owner, over: int, group: asyncio.TaskGroup) -> None:
        """Kill the worker that holds most, if any holds something; its rescue is timed beside."""
        rows = await (await owner.execute(sql.query("demo.holders"))).fetchall()
        ours = {child.pid: child for child in self._world.workers}
        for worker, pid, held in rows:
            if pid in ours and held:
                began = time.monotonic()
                kill(ours[pid])
                self.kill = Kill(ours[pid], int(held), over)
                self.say(f"killed {ours[pid].name} (kill -9 {pid}) while it held {held} processes", "bold red")
                group.create_task(self._rescue(int(worker), self.kill, began))
                return

    async def _rescue(self, worker: int, killed: Kill, began: float) -> None:
        """Wait until nothing is left of a dead worker; then start another in its place."""
        connect = psycopg.AsyncConnection.connect
        async with await connect(self._world.connection.owner_url, autocommit=True, application_name="demo") as own:
            while time.monotonic() < self._end and not self._stop.is_set():
                row = await (await own.execute(sql.query("demo.held"), {"worker": worker})).fetchone()
                if row == (False,):
                    killed.rescued_s = time.monotonic() - began
                    self.say(f"its processes are in other hands after {killed.rescued_s:.2f} s", "green")
                    break
                await asyncio.sleep(RESCUE_LOOK_S)
        made = self._world.replace_worker()
        self.say(f"started {made.name} in its place")
