"""Values over 8 KB: kept once, aside; history and snapshots refer to them; steps read them as if they were there."""

from json import dumps

from tests.crash.audit import assert_at_rest, assert_whole, await_all, number
from tests.crash.outside import gate, pick, post
from tests.house import House, eventually

BIG = {"pick": {"me": "found"}, "filler": ["x" * 100] * 1000}


def test_large_values_flow_by_reference_through_input_answers_signals_and_outputs(house: House) -> None:
    """Fails where a reference is not fetched (a missing value), or where the value is written into the history row."""
    with gate() as outside:
        outside.answers["/big"] = lambda _: (
            200,
            {"list": [{"n": n, "text": "y" * 40} for n in range(1000)], "last": "z"},
        )
        house.publish(
            {
                "name": "big",
                "steps": [
                    pick("from_input", found="${input.pick.me}", tenth="${input.filler[10]}"),
                    post("ask", f"{outside.url}/big", {"all": "${input.filler}"}),
                    pick(
                        "from_answer", last="${steps.ask.output.body.last}", item="${steps.ask.output.body.list[999].n}"
                    ),
                    pick("copy", all="${steps.ask.output.body}"),
                    {"id": "wait", "type": "wait", "config": {"signal": "go", "correlation_key": "k"}},
                    pick("from_signal", me="${steps.wait.output.pick.me}", n="${steps.copy.output.all.list[7].n}"),
                    {"id": "tell", "type": "event", "config": {"name": "told", "payload": "${steps.copy.output.all}"}},
                    post("again", f"{outside.url}/again", {"all": "${steps.copy.output.all.list}"}),
                ],
                "output": {
                    "input": "${steps.from_input.output}",
                    "answer": "${steps.from_answer.output}",
                    "signal": "${steps.from_signal.output}",
                    "list": "${steps.copy.output.all.list}",
                },
            }
        )
        with house.worker() as first:
            processes = [house.start("big", BIG) for _ in range(5)]
            eventually(lambda: all(house.status(p) == "WAITING" for p in processes), what="all wait")
            eventually(lambda: house.value("select count(*) from stepwell.lease") == 0, what="parked")
            first.kill()  # what comes now is loaded, not remembered
        with house.worker(), house.caller() as db:
            db.execute("select stepwell.send_signal('go', %s, 'k')", (dumps(BIG),))
            eventually(
                lambda: house.value("select count(*) from stepwell.process where status = 'COMPLETED'") == 5,
                what="all complete",
            )

    for call in outside.calls("/big"):
        assert call.body == {"all": BIG["filler"]}
    for call in outside.calls("/again"):
        assert len(call.body["all"]) == 1000
    for process in processes:
        events = {(type_, path): data for _, type_, path, _, data in house.history(process)}
        assert events["activity.completed", "from_input"]["output"] == {"found": "found", "tenth": "x" * 100}
        assert events["activity.completed", "from_answer"]["output"] == {"last": "z", "item": 999}
        assert events["activity.completed", "from_signal"]["output"] == {"me": "found", "n": 7}
        for path in ("ask", "copy", "wait"):
            assert "output_ref" in events["activity.completed", path], path
        assert "output_ref" in events["process.completed", None]
        assert "payload_ref" in events["told", "tell"]
        output = house.value(
            "select body from stepwell.payload where process_id = %s and n = %s",
            number(process),
            events["process.completed", None]["output_ref"],
        )
        assert output["signal"] == {"me": "found", "n": 7}
        assert len(output["list"]) == 1000
    assert house.value("select max(length(data::text)) from stepwell.history") < 9000
    assert house.value("select coalesce(max(length(snapshot::text)), 0) from stepwell.process") < 9000
    assert_whole(house)
    assert_at_rest(house)


def test_a_large_signal_for_a_process_that_is_held_is_decided_once_it_is_fetched_and_mail_behind_it_keeps_its_turn(
    house: House,
) -> None:
    """Conditions and commands wait for a value on its way. Fails where mail that comes meanwhile overtakes or is lost."""
    with gate() as outside:
        outside.shut("/hang")
        house.publish(
            {
                "name": "both",
                "steps": [
                    {
                        "id": "w",
                        "type": "wait",
                        "depends_on": [],
                        "config": {"signal": "go", "correlation_key": "${input.pick.me}"},
                    },
                    post("hang", f"{outside.url}/hang", {}, depends_on=[]),
                    {
                        **pick("after", me="${steps.w.output.pick.me}"),
                        "depends_on": ["w"],
                        "condition": {"field": "steps.w.output.pick.me", "operator": "eq", "value": "found"},
                    },
                    {**pick("last", x="${steps.after.output.me}"), "depends_on": ["after", "hang"]},
                ],
                "output": "${steps.last.output.x}",
            }
        )
        with house.worker(), house.caller() as db:
            process = house.start("both", BIG)
            eventually(lambda: outside.calls(), what="held")
            db.execute("select stepwell.send_signal('go', %s, 'found')", (dumps(BIG),))
            for _ in range(20):
                db.execute("select stepwell.retry_process(%s)", (process,))
            eventually(lambda: house.value("select count(*) from stepwell.inbox") == 0, what="all mail is decided")
            outside.open()
            await_all(house, 1)

    assert house.history(process)[-1][4]["output"] == "found"
    assert [row[1] for row in house.history(process)].count("command.rejected") == 20
    assert_whole(house)
    assert_at_rest(house)
