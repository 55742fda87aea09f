"""SIGTERM: what runs may finish, everything else is somebody else's at once, and nothing counts as lost."""

import signal

from engine.core.ids import execution_id
from tests.crash.audit import assert_at_rest, assert_whole, await_all, begun, held_by, number
from tests.crash.outside import gate, post
from tests.house import House, eventually


def count_losses(house: House) -> None:
    """Keep a note of every loss, since a good park deletes the row."""
    with house.connect("superuser") as db:
        db.execute(
            """
            create table public.noted_loss (process_id bigint);
            create function public.note_loss() returns trigger language plpgsql security definer as
            $$ begin insert into public.noted_loss values (new.process_id); return new; end $$;
            create trigger noted before insert or update on stepwell.loss for each row execute function public.note_loss();
            grant select on public.noted_loss to house_owner;
            """
        )


def test_a_worker_told_to_stop_finishes_running_calls_gives_the_rest_back_and_begins_nothing_more(house: House) -> None:
    """Fails where the drain keeps what is quiet until all has ended (the others do not complete meanwhile), cancels
    running calls (a second call of `slow`), begins next steps itself, or leaves its leases to rescue (a loss).
    """
    count_losses(house)
    with gate() as outside:
        outside.shut("/slow", "/ask5")
        house.publish(
            {
                "name": "slow",
                "steps": [post("a", f"{outside.url}/slow", {}), post("b", f"{outside.url}/next", {})],
            }
        )
        house.publish({"name": "quick", "steps": [post(f"s{n}", f"{outside.url}/ask{n}", {}) for n in range(8)]})
        with house.worker() as first:
            me = first.until("worker", what="registered")["worker"]
            slow = [number(house.start("slow")) for _ in range(10)]
            quick = [number(house.start("quick")) for _ in range(50)]
            eventually(lambda: len(outside.calls("/slow")) == 10, what="the slow calls run")
            eventually(lambda: len(outside.calls("/ask5")) > 20, what="the others are under way")

            first.send(signal.SIGTERM)
            outside.open("/ask5")
            eventually(lambda: held_by(house, me) == sorted(slow), what="it holds nothing but what runs")
            assert not outside.calls("/next")
            with house.worker():
                eventually(
                    lambda: (
                        house.value(
                            "select count(*) from stepwell.process where status = 'COMPLETED' and id = any(%s)", quick
                        )
                        == len(quick)
                    ),
                    what="the second worker finishes what was given back",
                )
                assert first.process.poll() is None
                assert held_by(house, me) == sorted(slow)
                outside.open()
                assert first.process.wait(20) == 0
                assert house.value("select count(*) from stepwell.worker where id = %s", me) == 0
                await_all(house, 60)
        assert not first.seen("activity.start", path="b")

    assert house.rows("select * from public.noted_loss") == []
    assert outside.per_key("/slow") == {execution_id(id_, "a"): 1 for id_ in slow}
    assert outside.per_key("/next") == {execution_id(id_, "b"): 1 for id_ in slow}
    for n in range(8):
        assert outside.per_key(f"/ask{n}") == {execution_id(id_, f"s{n}"): 1 for id_ in quick}
    assert not [path for _, path in begun(house)[1] if path == "a"]
    assert_whole(house)
    assert_at_rest(house)


def test_what_outlasts_the_drain_is_given_up_and_repeated_elsewhere_under_the_same_identity(house: House) -> None:
    """Fails where a worker with a call that never ends never ends itself, or takes its process into the grave."""
    with gate() as outside:
        outside.shut("/slow")
        house.publish({"name": "slow", "steps": [post("a", f"{outside.url}/slow", {"n": "${input.n}"})]})
        with house.worker(STEPWELL_DRAIN_SECONDS="1") as first:
            process = house.start("slow", {"n": 1})
            eventually(lambda: len(outside.calls("/slow")) == 1, what="the call runs")
            first.send(signal.SIGTERM)
            first.process.wait(20)
        with house.worker():
            eventually(lambda: len(outside.calls("/slow")) == 2, what="the second worker repeats it")
            outside.open()
            eventually(lambda: house.status(process) == "COMPLETED", what="completed")

    assert len({(call.key, call.raw) for call in outside.calls()}) == 1
    assert_whole(house)
    assert_at_rest(house)
