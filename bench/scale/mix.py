"""A bit of everything: the load of the soak, as definitions and the flows that start them."""

from __future__ import annotations

from typing import Any

from bench.house import House
from bench.load.arrivals import Flow
from bench.work import Work, calls, noops, parked, transforms

SIGNAL_AFTER_S = 1.0
SLEEP_S = 1.0
FAILURES = 0.25  # share of the calls that the failing partner refuses
_RETRIES = {"max_attempts": 50, "initial_interval_seconds": 0.1, "max_interval_seconds": 1}


def publish(house: House, url: str, failing_url: str) -> tuple[Flow, ...]:
    """Publish the definitions of the mix; return what starts them. `url`, `failing_url`: of two partners."""
    short, computed, called, waited = noops(5), transforms(5), calls(2, url), parked()
    for document in (
        short.document,
        computed.document,
        called.document,
        waited.document,
        _sleep(),
        _retry(failing_url),
    ):
        house.publish(document)
    return (
        _flow(short, 4),
        _flow(computed, 4),
        _flow(called, 2),
        Flow(waited.name, 2, signal="go", after_s=SIGNAL_AFTER_S),
        Flow("sleep", 1),
        Flow("retry", 1),
    )


def _flow(work: Work, weight: int) -> Flow:
    return Flow(work.name, weight, more={"n": 1})


def _sleep() -> dict[str, Any]:
    return {"name": "sleep", "steps": [{"id": "sleep", "type": "wait", "config": {"seconds": SLEEP_S}}]}


def _retry(url: str) -> dict[str, Any]:
    config = {"method": "POST", "url": f"{url}/calls", "body": {}}
    return {"name": "retry", "steps": [{"id": "call", "type": "http", "config": config, "retry_policy": _RETRIES}]}
