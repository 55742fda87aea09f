"""Long histories: a state is kept now and then, and a process goes on from it as from its whole history."""

import pytest

from tests.crash.audit import assert_at_rest, assert_whole, folded, number
from tests.crash.outside import gate, pick, post
from tests.house import House, eventually


@pytest.mark.parametrize("kept_only", [False, True], ids=["whole history", "only what the snapshot lacks"])
def test_a_process_of_many_hundred_events_goes_on_from_its_snapshot_after_a_kill(house: House, kept_only: bool) -> None:
    """Fails where a snapshot is not the fold, where the tail after it is skipped or applied twice, and (second case:
    the history before the snapshot is made unreadable) where a load reads what it need not.
    """
    with gate() as outside:
        outside.shut("/hang")
        steps = [pick("s0", n=0)]
        steps += [pick(f"s{n}", n=f"${{steps.s{n - 1}.output.n}}", own=n) for n in range(1, 60)]
        steps += [post("hang", f"{outside.url}/hang", {"n": "${steps.s59.output.own}"})]
        steps += [
            pick(f"t{n}", n=f"${{steps.s{n}.output.own}}", b="${steps.hang.output.body.echo.n}") for n in range(1, 30)
        ]
        house.publish({"name": "long", "steps": steps, "output": "${steps.t29.output}"})
        with house.worker() as first:
            process = house.start("long", {})
            eventually(lambda: outside.calls(), what="half-way")
            with house.caller() as db:
                for _ in range(60):
                    many = ", ".join(["stepwell.retry_process(%s)"] * 10)
                    db.execute(f"select {many}", [process] * 10)
            eventually(lambda: house.value("select count(*) from stepwell.inbox") == 0, what="600 commands are decided")
            first.kill()
        assert len(house.history(process)) > 650
        kept = house.value("select snapshot_seq from stepwell.process")
        assert kept >= 256
        whole = folded(house)[number(process)]
        if kept_only:
            with house.connect("superuser") as db:
                db.execute("create table public.aside as select * from stepwell.history where seq < %s", (kept,))
                db.execute("update stepwell.history set data = '{\"status\": 7}' where seq < %s", (kept,))
        with house.worker():
            eventually(lambda: len(outside.calls()) == 2, what="the call is repeated")
            outside.open()
            eventually(lambda: house.status(process) == "COMPLETED", what="completed")

    assert house.history(process)[-1][4]["output"] == {"n": 29, "b": 59}
    if kept_only:
        with house.connect("superuser") as db:
            db.execute(
                "update stepwell.history h set data = a.data from public.aside a where (a.process_id, a.seq) = (h.process_id, h.seq)"
            )
    assert folded(house, "process_id = %s and seq <= %s", number(process), whole.seq)[number(process)] == whole
    assert_whole(house)
    assert_at_rest(house)


def test_a_process_that_parks_after_many_events_keeps_a_snapshot_which_is_the_fold_of_its_history(house: House) -> None:
    """Fails where the park writes no snapshot after 64 events, or one that is ahead of or behind the history."""
    steps = [pick(f"s{n}", n=n, text="ä€𝄞 " * n, half=n / 2) for n in range(80)]
    steps += [
        {"id": "w", "type": "wait", "config": {"signal": "go", "correlation_key": "k"}},
        pick("z", n="${steps.s7.output}"),
    ]
    house.publish({"name": "park", "steps": steps, "output": "${steps.z.output.n}"})
    with house.worker() as first:
        process = house.start("park", {"f": 1e2, "big": 10**25, "neg": -0.0, "third": 1 / 3})
        eventually(lambda: house.value("select snapshot_seq from stepwell.process") > 64, what="a snapshot at the park")
        eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="parked")
        assert_whole(house)
        first.kill()
    with house.worker(), house.caller() as db:
        db.execute("select stepwell.send_signal('go', '{}', 'k')")
        eventually(lambda: house.status(process) == "COMPLETED", what="completed")

    assert house.history(process)[-1][4]["output"] == {"n": 7, "text": "ä€𝄞 " * 7, "half": 3.5}
    assert_whole(house)
    assert_at_rest(house)
