"""When a worker says that it is ready."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.observe import Observation, Ticked, Trouble, WorkerChanged
from stepwell.window import Pulse

REGISTERED = WorkerChanged(worker=1, what="registered")
TICKED = Ticked(duration_s=0.01, claimed=0, holds=0, slots=1, calls=0)
LONG = 3600.0


def ready(*told: Observation, fresh_s: float = LONG) -> bool:
    pulse = Pulse(fresh_s)
    for one in told:
        pulse(one)
    return pulse.ready()


def test_a_worker_is_ready_from_its_registration_on_while_it_hears_from_the_database() -> None:
    assert not ready()
    assert not ready(TICKED)
    assert ready(REGISTERED)
    assert ready(REGISTERED, TICKED)
    assert not ready(REGISTERED, TICKED, fresh_s=0.0)


@pytest.mark.parametrize(
    "lost",
    [
        WorkerChanged(worker=1, what="fenced"),
        WorkerChanged(worker=1, what="connection_lost"),
        WorkerChanged(worker=1, what="stopped"),
        Trouble(where="session", message="a bug"),
    ],
)
def test_a_worker_that_lost_its_row_is_not_ready_until_it_has_another(lost: Observation) -> None:
    assert not ready(REGISTERED, TICKED, lost)
    assert ready(REGISTERED, TICKED, lost, REGISTERED)


def test_a_worker_without_observe_and_receiver_loads_nothing_that_only_those_need() -> None:
    """Fails where the command line imports a web framework, or the engine a metrics library, just in case."""
    heavy = "{'litestar', 'uvicorn', 'prometheus_client', 'opentelemetry', 'requests'}"
    code = f"import sys, stepwell.programs, engine.worker; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
