"""A worker that stops, is judged dead, and comes back: it finds its row gone and does nothing of what it had in mind."""

import signal
from collections.abc import Callable
from pathlib import Path

from engine.core.ids import execution_id
from tests.crash.audit import assert_at_rest, assert_whole, await_all, held_by, number, running
from tests.crash.outside import gate, partner, pick, post
from tests.crash.test_kill import HTTP_STEPS, backends, onboarding
from tests.house import House, WorkerProcess, eventually

QUICK = {"STEPWELL_SILENCE_LIMIT_SECONDS": "2"}
EVERYTHING = """
select (select jsonb_agg(jsonb_build_array(h.process_id, h.seq, h.tx) order by h.process_id, h.seq) from stepwell.history h),
       (select jsonb_agg(to_jsonb(p) || jsonb_build_object('tx', p.xmin::text) order by p.id) from stepwell.process p)
"""


def freeze(house: House, worker: WorkerProcess) -> int:
    """Stop a worker and wait until the server is done with what it had sent; return its worker row's id."""
    id_ = int(worker.seen("worker", what="registered")[-1]["worker"])
    serving = backends(house, worker)
    worker.send(signal.SIGSTOP)
    with house.connect("superuser") as db:
        eventually(
            lambda: (
                db.execute(
                    "select bool_and(state = 'idle') from pg_stat_activity where pid = any(%s)", (serving,)
                ).fetchone()
                == (True,)
            ),
            what="its last statement is done",
        )
    return id_


def buried(house: House, id_: int) -> bool:
    return not house.rows("select from stepwell.worker where id = %s", id_)


def awake_again(worker: WorkerProcess) -> None:
    """Wake a frozen worker, wait until it knows that it was dead, has registered anew, and then let it end."""
    worker.send(signal.SIGCONT)
    eventually(lambda: len(worker.seen("worker", what="registered")) == 2, what="it registers anew")
    worker.send(signal.SIGTERM)
    assert worker.process.wait(20) == 0


def test_a_worker_that_wakes_after_its_rescue_writes_nothing_and_begins_nothing_of_what_the_answers_it_finds_lead_to(
    house: House,
) -> None:
    """Fails where an effect begins when it is decided, not when its flush returned, and however old the fence is (a
    second call of `next`). That the row is the fence of each statement is shown by hand in tests/protocol/test_fence.py.
    """
    with gate() as outside, house.worker(**QUICK) as zombie:
        house.publish(
            {
                "name": "two",
                "steps": [
                    post("ask", f"{outside.url}/ask", "${input.n}"),
                    pick("note", n="${steps.ask.output.body.echo}"),
                    post("next", f"{outside.url}/next", "${steps.note.output.n}"),
                ],
            }
        )
        outside.shut("/ask")
        processes = [house.start("two", {"n": n}) for n in range(30)]
        eventually(lambda: len(outside.calls("/ask")) == 30, what="all calls hang")
        dead = freeze(house, zombie)
        with house.worker(**QUICK):
            eventually(lambda: len(outside.calls("/ask")) == 60, what="the other has taken over")
            assert buried(house, dead)
            outside.open()
            await_all(house, 30)
            before = house.rows(EVERYTHING)

            awake_again(zombie)

            assert house.rows(EVERYTHING) == before
    ids = [number(process) for process in processes]
    assert outside.per_key("/ask") == {execution_id(id_, "ask"): 2 for id_ in ids}
    assert outside.per_key("/next") == {execution_id(id_, "next"): 1 for id_ in ids}
    assert_whole(house)
    assert_at_rest(house)


def test_no_request_of_a_worker_stopped_under_load_arrives_after_its_rescue_unless_it_was_durable_before_the_stop(
    house: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Fails where effects begin before their flush returned; and, seen over several runs, where an old fence does not
    hold them back.
    """
    with partner(tmp_path) as outside, house.worker(**QUICK) as zombie:
        house.publish(onboarding(outside.url))
        with house.caller() as db:
            inputs = "[" + ",".join(f'{{"customer": "c{n}"}}' for n in range(200)) + "]"
            db.execute("select stepwell.start_processes('onboarding', %s)", (inputs,))
        processes = [id_ for (id_,) in house.rows("select id from stepwell.process")]
        eventually(lambda: outside.count() > 150, what="work in full swing")
        dead = freeze(house, zombie)
        assert held_by(house, dead)
        durable = running(house, processes)
        with house.worker(**QUICK):
            await_all(house, 200)
            assert buried(house, dead)
            before = house.rows(EVERYTHING)
            calls = outside.count()

            awake_again(zombie)

            assert house.rows(EVERYTHING) == before
        late = outside.calls()[calls:]
    record_property("calls_after_waking", len(late))
    names = {execution_id(id_, step): (id_, step) for id_ in processes for step in HTTP_STEPS}
    assert {names[call["idempotency_key"]] for call in late} <= durable
    assert_whole(house)
    assert_at_rest(house)
