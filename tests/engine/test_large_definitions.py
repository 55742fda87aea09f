"""A worker that compiles large definitions goes on with everything else meanwhile."""

from datetime import datetime
from functools import partial

from tests.house import House, eventually

SMALL = {"name": "small", "steps": [{"id": "s", "type": "transform", "config": {"mapping": {"k": 1}}}]}
COUNT = 4


def large(name: str) -> dict[str, object]:
    """Return a definition of 0.8 MB that waits for a person before it comes to its 80,000 references."""
    first = {"id": "s0", "type": "manual", "config": {"title": "t"}}
    config = {"mapping": {"k": "${input.a}" * 1000}}
    rest = [{"id": f"s{n}", "type": "transform", "depends_on": ["s0"], "config": config} for n in range(1, 81)]
    return {"name": name, "steps": [first, *rest]}


def began(house: House, process: str) -> bool:
    return house.status(process) != "CREATED"


def written(house: House, process: str, which: str) -> datetime:
    """Return when the worker wrote its first or last event of a process."""
    statement = (
        f"select {which}(at) from stepwell.history where process_id = stepwell.private_id('prc', %s) and seq > 1"
    )
    moment = house.value(statement, process)
    assert isinstance(moment, datetime)
    return moment


def test_a_small_process_claimed_together_with_large_ones_ends_before_they_begin(house: House) -> None:
    for n in range(COUNT):
        house.publish(large(f"large{n}"))
    house.publish(SMALL, "globex_prod")
    many = [house.start(f"large{n}") for n in range(COUNT)]
    small = house.start("small", scope="globex_prod")  # the last one in the queue
    with house.worker() as worker:
        eventually(lambda: house.status(small) == "COMPLETED", what="the small one is done")
        eventually(lambda: all(map(partial(began, house), many)), what="the large ones began", seconds=90)
        assert written(house, small, "max") < min(written(house, process, "min") for process in many)
        later = house.start("small", scope="globex_prod")
        eventually(lambda: house.status(later) == "COMPLETED", what="the next small one is done")
        assert (worker.errors(), worker.seen("rescue"), len(worker.seen("worker", what="registered"))) == ([], [], 1)
