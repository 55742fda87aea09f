"""A worker: opens sessions one after the other until told to stop, through outages of PostgreSQL.

Each lost or fenced session is dropped whole; its row is rescued at once under the new id. Upkeep (partitions ahead,
expiry) runs beside on a connection of its own; its failure stops nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import Iterator
from importlib.metadata import version

import psycopg

import sql
from engine import queue, rescue, standing, traces
from engine.config import Settings
from engine.db import Link, LinkLost
from engine.effects import Effects
from engine.errors import OperatorError, SchemaError, SettingError
from engine.executors.http import HttpExecutor
from engine.executors.proxy import read_proxy
from engine.executors.tls import read_trust
from engine.observe import Observer, Rescued, Trouble, WorkerChanged
from engine.session import Session

UPKEEP_SECONDS = 60.0
EXPIRE_PORTION = 1000  # rows of one kind; the same number stands in worker.expire
RECONNECT_SECONDS = (0.1, 5.0)  # first and longest pause between attempts
_SCHEMA_OR_LOGIN = "Run 'stepwell migrate' as the owner; use a login of kind worker; see 'stepwell doctor'."
SOUND_SECONDS = 10.0  # a session that lasted longer was sound: the next pause is the first again


async def run_worker(settings: Settings, observe: Observer, stop: asyncio.Event) -> None:
    """Work until `stop` is set and everything is drained.

    Raises SettingError for settings it cannot work with, OperatorError if the first database it reaches is not one that
    it may work on: a login of another kind, no schema of this release. Later such a fault is told of, and outlasted.
    """
    if settings.database_url is None:
        raise SettingError("a worker needs STEPWELL_DATABASE_URL")
    executor = HttpExecutor(
        allowed_networks=settings.http_allowed_networks,
        concurrency=settings.http_concurrency,
        trust=read_trust(settings.http_ca_file, settings.http_client_certificates),
        proxy=read_proxy(settings.http_proxy, settings.http_no_proxy),
    )
    await executor.start()
    upkeep = asyncio.create_task(_upkeep(settings.database_url, observe))
    effects = Effects(executor, settings.secrets, traces.outgoing(settings.trace_ratio if settings.otlp_url else None))
    try:
        await Worker(settings, settings.database_url, effects, observe).run(stop)
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await executor.close()


class Worker:
    """Keeps one session open."""

    def __init__(self, settings: Settings, url: str, effects: Effects, observe: Observer) -> None:
        self._settings = settings
        self._url = url
        self._effects = effects
        self._observe = observe
        self._old: int | None = None  # our last worker row, if its session did not end by itself
        self._settled = False  # there was a session: the set-up was right once

    async def run(self, stop: asyncio.Event) -> None:
        """Open sessions until stopped. Raises OperatorError where none can be: see run_worker."""
        pauses = _pauses()
        while not stop.is_set():
            begun = time.monotonic()
            link = Link(self._url, "worker")
            refused: OperatorError | None = None
            try:
                await link.open()
                await link.call(lambda connection: standing.refuse(connection, "worker"))
                await self._session(link, stop)
            except* (LinkLost, psycopg.OperationalError) as lost:
                self._tell("connection_lost", str(lost.exceptions[0]))
            except* queue.Fenced:
                self._tell("fenced", "our row is gone: judged dead by another worker")
            except* (OperatorError, psycopg.ProgrammingError) as wrong:
                refused = _as_problem(wrong)
            except* Exception as trouble:  # noqa: BLE001  whatever it was, a worker comes back
                self._tell_trouble(trouble)
            await link.close()
            if refused is not None:
                self._tell_refused(refused)
            if time.monotonic() - begun > SOUND_SECONDS:
                pauses = _pauses()
            if not stop.is_set():
                await asyncio.sleep(next(pauses))

    async def _session(self, link: Link, stop: asyncio.Event) -> None:
        """Register, rescue our own old row, work."""
        me, now = await queue.register(link, version("stepwell"), lock=self._settings.lock_probe)
        if self._old is not None:
            _, leases = await rescue.bury(link, [self._old], others=False)
            self._observe(Rescued(workers=[self._old], leases=leases, detail="own row before the reconnect"))
        self._old = me
        self._settled = True
        self._tell("registered")
        session = Session(self._settings, link, me, now, self._effects, self._observe)
        stopper = asyncio.create_task(_when(stop, session))
        try:
            await session.run()
        finally:
            stopper.cancel()
        await rescue.bury(link, [me], others=False)
        self._tell("stopped")
        self._old = None

    def _tell(self, what: str, detail: str = "") -> None:
        level = "info" if what in ("registered", "stopped") else "error"
        self._observe(WorkerChanged(level=level, worker=self._old or 0, what=what, detail=detail))

    def _tell_refused(self, problem: OperatorError) -> None:
        """Tell of a set-up that is not right any more. Raises it where it never was."""
        if not self._settled:
            raise problem
        self._observe(Trouble(level="error", where="session", message=problem.message, detail=problem.advice))

    def _tell_trouble(self, trouble: BaseException) -> None:
        detail = "".join(traceback.format_exception(trouble))
        self._observe(Trouble(level="error", where="session", message=str(trouble), detail=detail))


def _as_problem(wrong: BaseException) -> OperatorError:
    """Return the first of a group as ours: what PostgreSQL does not know or allow is a schema or a login of others'."""
    while isinstance(wrong, BaseExceptionGroup):
        wrong = wrong.exceptions[0]
    if isinstance(wrong, OperatorError):
        return wrong
    return SchemaError(str(wrong).partition("\n")[0], advice=_SCHEMA_OR_LOGIN)


async def _when(stop: asyncio.Event, session: Session) -> None:
    await stop.wait()
    session.drain()


def _pauses() -> Iterator[float]:
    """Yield growing pauses, spread so that a fleet does not come back as one."""
    pause, longest = RECONNECT_SECONDS
    while True:
        yield pause * (0.5 + random.random() / 2)  # noqa: S311
        pause = min(pause * 2, longest)


async def _upkeep(url: str, observe: Observer) -> None:
    """Make partitions ahead, delete what expired: each minute, on a connection that lasts no longer."""
    while True:
        link = Link(url, "upkeep")
        try:
            await link.open()
            await link.call(lambda connection: standing.refuse(connection, "worker"))
            for work in (_make_partitions, _expire):
                try:
                    await work(link)
                except psycopg.Error as error:
                    observe(Trouble(level="error", where="upkeep", message=str(error)))
        except OperatorError:
            pass  # the session tells of it
        except (LinkLost, psycopg.Error) as error:
            observe(Trouble(level="error", where="upkeep", message=str(error)))
        await link.close()
        await asyncio.sleep(UPKEEP_SECONDS)


async def _make_partitions(link: Link) -> None:
    await link.one(sql.query("worker.ensure_partitions"), {})


async def _expire(link: Link) -> None:
    """Delete what expired, in portions, until nothing is left."""
    while (await link.only(sql.query("worker.expire"), {}))[0] >= EXPIRE_PORTION:
        pass
