"""When a worker says that it is ready."""

from __future__ import annotations

import pytest

from engine.observe import Observation, Ticked, Trouble, WorkerChanged
from stepwell.observation import Pulse

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
