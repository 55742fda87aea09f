"""What a tick claims it also loads, if that is little: from a snapshot newer than the claim, and never instead of it."""

import json
import threading
from typing import Any

from tests.crash.audit import number
from tests.house import House, eventually
from tests.protocol.test_fence import PURE, ByHand, event

LANES = json.dumps({"known": [], "others": 100, "caps": {}})


def tick(worker: ByHand) -> dict[str, Any]:
    row = worker.db.execute("select stepwell.tick(%s, 100, %s::jsonb)", (worker.me, LANES)).fetchone()
    assert row is not None
    return dict(row[0])


def seqs(loaded: list[Any]) -> list[int]:
    """Return the sequence numbers of a loaded row's history."""
    return [entry[0] for entry in json.loads(loaded[6])]


def test_what_the_last_holder_committed_while_the_claim_waited_for_him_is_loaded(house: House) -> None:
    """Fails where claim and load are one statement: its snapshot is older than the park that it waited for."""
    house.publish(PURE)
    process = house.start("pure")
    last, next_one = ByHand(house), ByHand(house)
    assert [claimed[0] for claimed in tick(last)["claimed"]] == [number(process)]
    ring(house, process)
    answers: list[dict[str, Any]] = []
    with last.db.transaction():
        park = {"process_id": number(process), "bell": 0, "due_at": None}
        assert last.flush(events=[event(house, process, 2)], parks=[park]) == {"parked": [number(process)]}
        claiming = threading.Thread(target=lambda: answers.append(tick(next_one)))
        claiming.start()
        eventually(lambda: waits(house, next_one), what="the claim waits for the park")
    claiming.join(30)

    [answer] = answers
    assert [claimed[0] for claimed in answer["claimed"]] == [number(process)]
    assert [seqs(row) for row in answer["loaded"]] == [[1, 2]]


def test_few_are_loaded_and_more_are_not(house: House) -> None:
    house.publish(PURE)
    worker = ByHand(house)
    for count, loaded in ((16, 16), (17, 0)):
        for _ in range(count):
            house.start("pure")
        answer = tick(worker)
        assert (len(answer["claimed"]), len(answer["loaded"])) == (count, loaded)


def test_much_is_not_loaded_either(house: House) -> None:
    house.publish(PURE)
    for _ in range(4):
        house.start("pure", {"text": "x" * 8150})
    worker = ByHand(house)
    answer = tick(worker)
    assert (len(answer["claimed"]), len(answer["loaded"])) == (4, 0)


def test_a_process_that_cannot_be_loaded_is_claimed_all_the_same(house: House) -> None:
    """Fails where the error undoes the claim: it would be made for ever, and nothing would count it as lost."""
    house.publish(PURE)
    process = house.start("pure")
    house.owner.execute("alter function stepwell.load(bigint, bigint[], boolean, integer[]) rename to load_fails")
    worker = ByHand(house)
    answer = tick(worker)

    assert ([claimed[0] for claimed in answer["claimed"]], answer["loaded"]) == ([number(process)], [])


def ring(house: House, process: str) -> None:
    """Put a job into the queue for a process that is held."""
    tenant, environment = house.scopes["acme_prod"]
    house.owner.execute(
        "insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id) "
        "values (0, %s, stepwell.new_id(), %s, %s, %s)",
        (tenant, number(process), tenant, environment),
    )


def waits(house: House, worker: ByHand) -> bool:
    """Tell whether a worker's statement waits for a lock."""
    query = "select exists (select from pg_stat_activity where pid = %s and wait_event_type = 'Lock')"
    with house.connect("superuser") as db:
        return db.execute(query, (worker.db.info.backend_pid,)).fetchone() == (True,)
