"""How long does a whole customer onboarding take, at a hundred a second?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.cases import OURS, Contender, Effort, Figures, Goal, Scenario, Unable
from bench.ground import Ground
from bench.house import House
from bench.load.arrivals import Arrivals, Flow, Spec
from bench.load.rest import OPEN, none_left
from bench.meter import Meter, percentiles
from bench.partner import Partner

DEFINITION = Path(__file__).parents[2] / "examples" / "customer-onboarding.yaml"
RATE = 100.0
SECONDS = (5.0, 60.0)
LATENCY_MS = 20.0
ANSWER = {"subscription_id": "sub_1", "plan": "team", "wallet_id": "wal_1", "grant_id": "grt_1", "message_id": "msg_1"}
CUSTOMER = {"id": "cus-1", "name": "Ada", "email": "ada@example.org", "country": "GB", "language": "en"}
ORDER = {"customer": CUSTOMER, "plan": "team", "currency": "GBP", "welcome_credits": 50}

_TOOK = "select extract(epoch from ended_at - created_at)::float8 from stepwell.process where status = 'COMPLETED'"


def trial(ground: Ground, effort: Effort) -> Figures:
    """Start onboardings by a schedule; read how long each took from its row."""
    document = _document()
    with (
        ground.database("onboarding") as dsn,
        House(ground, dsn) as house,
        Partner(LATENCY_MS, answer=ANSWER) as partner,
    ):
        house.publish(document)
        ground.settle(dsn)
        worker = house.worker()
        flow = Flow(document["name"], more={"services_url": partner.url, **ORDER}, bare=True)
        spec = Spec(house.dsn("acme"), (flow,), RATE, effort.of(*SECONDS))
        with Meter(ground, [worker.pid]) as meter, Arrivals(spec) as arrivals:
            told = arrivals.wait()
            none_left(house, worker, OPEN, 0)
        with house.connect("superuser") as db:
            took = [row[0] for row in db.execute(_TOOK).fetchall()]
        if len(took) != told.started:
            raise Unable(f"{told.started:,} were started, {len(took):,} COMPLETED")
    p50, p95 = percentiles(took, (0.5, 0.95))
    used = meter.measured
    return {
        "mean_s": sum(took) / len(took),
        "p50_s": p50,
        "p95_s": p95,
        "max_s": max(took),
        "worker_cpu_percent": 100 * used.cpu_s / used.seconds,
        "server_cpu_percent": 100 * used.server_cpu_s / used.seconds,
        **told.punctual(),
    }


def _document() -> dict[str, Any]:
    """Return the example, for a partner that answers 200 to everything. Raises Unable where there is no checkout."""
    if not DEFINITION.exists():
        raise Unable("examples/customer-onboarding.yaml is not here: run from a checkout of Stepwell")
    document: dict[str, Any] = yaml.safe_load(DEFINITION.read_text("utf-8"))
    for step in document["steps"]:
        step["config"].pop("expect_status", None)
    return document


SCENARIO = Scenario(
    name="onboarding",
    title="Customer onboarding",
    about=(
        f"examples/customer-onboarding.yaml, {RATE:.0f} a second by a schedule for a minute: a mapping, four HTTP "
        "calls, two of them side by side, a wait of one second, an event. The partner is a local server that takes "
        f"{LATENCY_MS:.0f} ms for each answer and always says 200. Counted is from the start to the end by the "
        "process's own row; the second of waiting and the partner's time are in it."
    ),
    main="mean_s",
    contenders=(Contender(OURS, trial, note="one worker"),),
    against=(Goal("mean_s", "at_most", 30, "s for an onboarding on average, at 100/s"),),
)
