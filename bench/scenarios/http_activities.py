"""HTTP activities against a local server: what a call costs besides the partner's own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import aiohttp
import uvloop

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Trial, Unable
from bench.drain import TWO, drain
from bench.ground import Ground
from bench.partner import Partner
from bench.work import calls

STEPS = 10
SIZES = (600, 4_000)
AT_ONCE = 100  # calls under way in the bare client


def _through_stepwell(workers: int) -> Trial:
    def trial(ground: Ground, effort: Effort) -> Figures:
        processes = effort.of(*SIZES)
        with Partner() as partner:
            found = drain(ground, calls(STEPS, partner.url), processes, workers=workers)
            _counted(partner, processes * STEPS)
        cpu_us = max(found["cpu_per_step_us"], 1.0)  # it is counted in ticks, and a few calls may take none
        return found | {"steps_per_core_per_s": 1e6 / cpu_us}

    return trial


def _bare(_: Ground, effort: Effort) -> Figures:
    """Make the same calls with the HTTP client alone."""
    number = effort.of(*SIZES) * STEPS
    with Partner() as partner:
        wall, cpu = time.perf_counter(), time.process_time()
        uvloop.run(_call(partner.url, number))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        _counted(partner, number)
    return {
        "steps_per_s": number / wall,
        "steps_per_core_per_s": number / cpu,
        "cpu_per_step_us": cpu / number * 1e6,
    }


async def _call(url: str, number: int) -> None:
    left = iter(range(number))
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_keep_calling(session, url, left))


async def _keep_calling(session: aiohttp.ClientSession, url: str, left: Iterator[int]) -> None:
    for number in left:
        async with session.post(f"{url}/calls", json={"n": number}) as answer:
            await answer.read()


def _counted(partner: Partner, wanted: int) -> None:
    if partner.calls != wanted:
        raise Unable(f"the partner was called {partner.calls:,} times instead of {wanted:,}")


SCENARIO = Scenario(
    name="http-activities",
    title="HTTP activities against a local server",
    about=f"Processes of {STEPS} http steps, one after the other, each a POST with a small JSON body to a server on "
    "loopback that answers at once. That server shares the machine. The clock runs from the moment the registered "
    "worker may claim from the backlog until the last process has ended. Per core: activities for each second of the "
    "worker's CPU, with everything the engine does for them. The bare client makes the same calls and keeps nothing.",
    main="steps_per_s",
    contenders=(
        Contender(OURS, _through_stepwell(1), "One worker process."),
        Contender(TWO, _through_stepwell(2), "stepwell worker --processes 2."),
        Contender("aiohttp alone", _bare, f"{AT_ONCE} calls at a time, uvloop; no engine, no history.", kind="limit"),
    ),
    against=(Goal("steps_per_core_per_s", "at_least", 4_000, "calls for a second of CPU"),),
)
