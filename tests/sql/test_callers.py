"""SQL callers: what they start and send in their own transaction."""

import json

import psycopg
import pytest

from tests.house import House, eventually, start

ONE_STEP = {"name": "one", "steps": [{"id": "a", "type": "transform", "config": {"mapping": {"x": 1}}}]}


def test_a_start_rolled_back_leaves_nothing_and_committed_leaves_process_history_and_job(house: House) -> None:
    house.publish(ONE_STEP)
    counts = "select (select count(*) from stepwell.process), (select count(*) from stepwell.history), (select count(*) from stepwell.job)"
    with house.caller(autocommit=False) as db:
        start(db, "one")
        db.rollback()

    assert house.rows(counts) == [(0, 0, 0)]

    with house.caller(autocommit=False) as db:
        start(db, "one")
        db.commit()

    assert house.rows(counts) == [(1, 1, 1)]


def test_a_business_row_and_a_process_commit_together(house: House) -> None:
    house.publish(ONE_STEP)
    house.connect("superuser").execute(
        "create table public.shop_order (id int primary key); grant all on public.shop_order to house_acme_prod"
    )
    with house.caller(autocommit=False) as db:
        db.execute("insert into shop_order values (1)")
        process = start(db, "one", {"order": 1}, business_key="order-1")
        db.commit()

    assert house.status(process) == "CREATED"
    assert house.history(process)[0][4]["input"] == {"order": 1}
    assert house.history(process)[0][4]["by"] == "house_acme_prod"


def test_a_business_key_is_unique_among_running_processes_and_the_refusal_names_the_running_one(house: House) -> None:
    house.publish(ONE_STEP)
    running = house.start("one", business_key="k")

    with pytest.raises(psycopg.Error) as refused:
        house.start("one", business_key="k")

    assert refused.value.sqlstate == "SW410"
    assert running in (refused.value.diag.message_detail or "")


def test_an_input_over_8_kb_is_kept_aside_and_history_refers_to_it(house: House) -> None:
    house.publish(ONE_STEP)
    process = house.start("one", {"text": "x" * 10_000})

    assert house.history(process)[0][4]["input_ref"] == 0
    assert house.value("select length(body ->> 'text') from stepwell.payload") == 10_000


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ('"' + "x" * 1_048_577 + '"', "SW413"),
        ("[" * 65 + "]" * 65, "SW400"),
        ("1e400", "SW400"),
        ('{"a": [-1e309]}', "SW400"),
        ("[" * 20_000 + "]" * 20_000, "54001"),
    ],
    ids=["too large", "too deep", "too big a number", "too small a number", "absurdly deep"],
)
def test_a_value_the_engine_could_not_hold_is_refused_and_nothing_is_written(
    house: House, value: str, state: str
) -> None:
    house.publish(ONE_STEP)
    with house.caller() as db, pytest.raises(psycopg.Error) as refused:
        db.execute("select stepwell.start_process('one', %s::jsonb)", (value,))

    assert refused.value.sqlstate == state
    assert house.value("select count(*) from stepwell.process") == 0


def test_bulk_starts_are_all_or_nothing(house: House) -> None:
    house.publish(ONE_STEP)
    good = json.dumps([{"n": n} for n in range(1000)])
    bad = json.dumps([{"n": 1}, [[[[1]]]] * 1, {"deep": json.loads("[" * 64 + "]" * 64)}])
    with house.caller() as db:
        ids = db.execute("select stepwell.start_processes('one', %s)", (good,)).fetchone()
        with pytest.raises(psycopg.Error, match="64 levels"):
            db.execute("select stepwell.start_processes('one', %s)", (bad,))

    assert ids is not None
    assert len(set(ids[0])) == 1000
    assert house.value("select count(*) from stepwell.process") == 1000
    assert house.value("select count(*) from stepwell.job") == 1000


def test_the_same_signal_id_twice_sends_once_and_answers_the_same(house: House) -> None:
    with house.caller() as db:
        answers = {
            db.execute("select stepwell.send_signal('paid', '{}', 'k', id => 'evt-1')").fetchone() for _ in range(3)
        }

    assert len(answers) == 1
    assert house.value("select count(*) from stepwell.signal_job") == 1


def test_a_disabled_definition_an_unknown_version_and_an_unknown_name_are_refused(house: House) -> None:
    house.publish({**ONE_STEP, "enabled": False})
    with house.caller() as db:
        for call, state in [
            ("select stepwell.start_process('one')", "SW411"),
            ("select stepwell.start_process('none')", "SW404"),
            ("select stepwell.start_process('one', version => 7)", "SW411"),
            ("select stepwell.start_process('one', priority => 101)", "SW400"),
        ]:
            with pytest.raises(psycopg.Error) as refused:
                db.execute(call)
            assert refused.value.sqlstate == state


def test_commands_to_unknown_ids_are_refused_and_leave_no_mail(house: House) -> None:
    with house.caller() as db:
        for call in [
            "cancel_process('prc_0000000000000')",
            "cancel_process('no id')",
            "retry_process(null)",
            "complete_task('tsk_0000000000000000000', 'me')",
            "complete_task('tsk_!', 'me')",
            "reject_task('', 'me')",
            "complete_task('tsk_" + "z" * 900 + "', 'me')",
            "complete_task('tsk_" + "z" * 700 + "', 'me')",
        ]:
            with pytest.raises(psycopg.Error) as refused:
                db.execute(f"select stepwell.{call}")
            assert refused.value.sqlstate == "SW404", call

    assert house.value("select count(*) from stepwell.inbox") == 0


def test_a_failed_process_is_not_retried_while_another_one_has_its_business_key(house: House) -> None:
    picky = {**ONE_STEP, "input_schema": {"type": "object", "required": ["n"]}}
    house.publish(picky)
    with house.worker():
        failed = house.start("one", {}, business_key="k")
        eventually(lambda: house.status(failed) == "FAILED", what="failed")
    running = house.start("one", {"n": 1}, business_key="k")

    with house.caller() as db, pytest.raises(psycopg.Error) as refused:
        db.execute("select stepwell.retry_process(%s)", (failed,))

    assert refused.value.sqlstate == "SW410"
    with house.worker():
        eventually(lambda: house.status(running) == "COMPLETED", what="completed")
        with house.caller() as db:
            db.execute("select stepwell.retry_process(%s)", (failed,))
        eventually(lambda: "process.retried" in [r[1] for r in house.history(failed)], what="retried")
        eventually(lambda: house.status(failed) == "FAILED", what="failed again")

    assert house.value("select count(*) from stepwell.business_key") == 0


def test_names_and_reasons_are_bounded_and_a_bad_input_of_many_is_named(house: House) -> None:
    house.publish(ONE_STEP)
    process = house.start("one")
    with house.caller() as db:
        for call, pointer in [
            ("start_process('one', by => repeat('x', 201))", "/by"),
            ("start_process('one', reason => repeat('x', 2001))", "/reason"),
            (f"cancel_process('{process}', by => '')", "/by"),
            (f"retry_process('{process}', reason => repeat('ü', 2001))", "/reason"),
            ("send_signal(repeat('x', 201))", "/name"),
            ("send_signal(null)", "/name"),
            ("send_signal('x', ttl_seconds => null)", "/ttl_seconds"),
            ("start_process('one', priority => null)", "/priority"),
            ("send_signal('x', correlation_key => repeat('漢', 400))", "/correlation_key"),
            ("start_processes('one', '[1, 2, 1e309]')", "/inputs/2"),
        ]:
            with pytest.raises(psycopg.Error) as refused:
                db.execute(f"select stepwell.{call}")
            assert refused.value.diag.message_detail == pointer, call
