"""One process from its start to its last history row, by a real worker."""

from tests.house import House, eventually

PURE = {
    "name": "pure",
    "steps": [
        {"id": "a", "type": "transform", "config": {"mapping": {"x": "${input.n}"}}},
        {"id": "b", "type": "transform", "config": {"mapping": {"y": "${steps.a.output.x}"}}},
    ],
    "output": {"y": "${steps.b.output.y}"},
}


def test_pure_steps_run_back_to_back_and_end_in_one_flush(house: House) -> None:
    house.publish(PURE)
    with house.worker():
        process = house.start("pure", {"n": 7})
        eventually(lambda: house.status(process) == "COMPLETED", what="process completed")

    types = [row[1] for row in house.history(process)]
    assert types == [
        "process.created",
        "process.started",
        "activity.completed",
        "activity.completed",
        "process.completed",
    ]
    assert house.history(process)[-1][4]["output"] == {"y": 7}
    for table in ("job", "lease", "timer", "inbox"):
        assert house.value(f"select count(*) from stepwell.{table}") == 0


def test_a_process_that_is_cancelled_before_a_worker_sees_it_never_begins(house: House) -> None:
    house.publish(PURE)
    process = house.start("pure", {"n": 7})
    with house.caller() as db:
        db.execute("select stepwell.cancel_process(%s, 'ann', 'by mistake')", (process,))
    with house.worker():
        eventually(lambda: house.status(process) not in ("CREATED", "IN_PROGRESS"), what="it has ended")

    assert [row[1] for row in house.history(process)] == ["process.created", "process.cancelled"]
