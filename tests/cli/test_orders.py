"""Commands that steer processes and manage definitions, and psql, on everything that `stepwell up` runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import answer, on_terminal, run, visible
from tests.cli.test_up import finished, up
from tests.fix_servers import private_folder
from tests.house import eventually

WAITING = {
    "name": "waiting",
    "steps": [{"id": "word", "type": "wait", "config": {"signal": "word.given", "correlation_key": "${input.key}"}}],
    "output": "${steps.word.output}",
}
ASKING = {"name": "asking", "steps": [{"id": "ask", "type": "manual", "config": {"title": "Well?", "group": "g"}}]}

FAILING = {
    "name": "failing",
    "steps": [{"id": "call", "type": "http", "config": {"url": "http://192.0.2.1/"}}],
}


@pytest.fixture(scope="module")
def running() -> Iterator[Path]:
    """Return the folder of one `up`, with the definitions published."""
    with private_folder() as folder, up(folder, "--workers", "1"):
        for document in (WAITING, ASKING, FAILING):
            (folder / "definition.json").write_text(json.dumps(document))
            answer(folder, "definition", "publish", "definition.json")
        yield folder


def start(folder: Path, definition: str, **given: Any) -> str:
    made = answer(folder, "process", "start", definition, "--input", json.dumps(given))
    return str(made["id"])


def task_of(folder: Path, process: str) -> str:
    look = ("task", "list", "--process", process, "--group", "g")
    (found,) = eventually(lambda: answer(folder, *look), what=f"the task of {process}")
    return str(found["id"])


def test_a_process_is_cancelled_and_listed(running: Path) -> None:
    process = start(running, "waiting", key="never")

    done = answer(running, "process", "cancel", process, "--reason", "nobody comes")
    again = run(running, "process", "cancel", process)

    assert (done["id"], done["status"]) == (process, "CANCELLED")
    assert again.returncode == 1
    listed = answer(running, "process", "list", "--status", "cancelled", "--definition", "waiting")
    assert [one["id"] for one in listed] == [process]
    (event,) = [e for e in answer(running, "process", "history", process) if e["type"] == "process.cancelled"]
    assert event["data"]["reason"] == "nobody comes"


def test_tasks_are_completed_and_rejected_in_the_name_of_a_person(running: Path) -> None:
    agreed, refused = start(running, "asking"), start(running, "asking")

    yes = answer(running, "task", "complete", task_of(running, agreed), "--by", "ines", "--data", '{"well": 1}')
    no = answer(running, "task", "reject", task_of(running, refused), "--by", "ines", "--reason", "not today")

    assert (yes["process_id"], no["process_id"]) == (agreed, refused)
    told = {process: json.dumps(answer(running, "process", "history", process)) for process in (agreed, refused)}
    assert finished(running, agreed)["activities"][0]["output"]["data"] == {"well": 1}
    assert "not today" in told[refused]
    assert answer(running, "task", "list") == []


def test_a_failed_process_is_retried_and_no_other(running: Path) -> None:
    failed, waiting = start(running, "failing"), start(running, "waiting", key="no retry")
    finished(running, failed)

    done = answer(running, "process", "retry", failed, "--by", "ines")
    refused = run(running, "process", "retry", waiting)

    assert done["id"] == failed
    events = answer(running, "process", "history", failed)
    (by,) = [event["data"]["by"] for event in events if event["type"] == "process.retried"]
    assert by.startswith("ines (key_")
    assert refused.returncode == 1
    assert "only a FAILED process is retried" in refused.stderr
    answer(running, "process", "cancel", waiting)


def test_a_signal_reaches_who_waits_for_it(running: Path) -> None:
    process = start(running, "waiting", key="k-1")

    sent = answer(running, "signal", "send", "word.given", "--correlation-key", "k-1", "--data", '{"word": "yes"}')

    assert sent["id"].startswith("sig_")
    assert finished(running, process)["output"] == {"word": "yes"}


def test_a_process_is_found_by_its_labels_and_by_why_it_failed(running: Path) -> None:
    labels = ("--label", "region=at", "--label", "note=a,b:c")
    made = answer(running, "process", "start", "failing", *labels, "--by", "ines", "--reason", "a try")
    finished(running, made["id"])

    by_label = answer(running, "process", "list", *labels)
    by_fault = answer(running, "process", "list", "--failed-step", "call", "--error-code", "address_forbidden", *labels)
    lately = answer(running, "process", "list", *labels, "--ended-after", "5m", "--created-before", "2100-01-01T00:00Z")
    before = answer(running, "process", "list", *labels, "--created-before", "2020-01-01")

    assert [one["id"] for one in by_label] == [one["id"] for one in by_fault] == [one["id"] for one in lately]
    assert [one["id"] for one in by_label] == [made["id"]]
    assert before == answer(running, "process", "list", "--quarantined") == []


def test_several_processes_are_retried_by_id_or_by_what_they_have_in_common(running: Path) -> None:
    waiting = start(running, "waiting", key="not failed")
    two = [answer(running, "process", "start", "failing", "--label", "batch=7")["id"] for _ in range(2)]
    for process in two:
        finished(running, process)

    named = run(running, "process", "retry", *two, waiting)
    for process in two:
        eventually(lambda p=process: retries(running, p) == 1 and finished(running, p), what="it failed again")  # type: ignore[misc]
    matching = answer(
        running, "process", "retry", "--definition", "failing", "--created-after", "1h", "--limit", "1000"
    )

    done = json.loads(named.stdout)
    assert named.returncode == 1
    assert sorted(one["process_id"] for one in done["accepted"]) == sorted(two)
    assert [(one["process_id"], one["code"]) for one in done["refused"]] == [(waiting, "not_failed")]
    assert {one["process_id"] for one in matching["accepted"]} >= set(two)
    assert run(running, "process", "retry").returncode == 2
    assert run(running, "process", "retry", waiting, "--definition", "failing").returncode == 2
    answer(running, "process", "cancel", waiting)


def retries(folder: Path, process: str) -> int:
    return sum(event["type"] == "process.retried" for event in answer(folder, "process", "history", process))


def test_a_task_goes_from_hand_to_hand(running: Path) -> None:
    process = start(running, "asking")
    task = task_of(running, process)

    answer(running, "task", "claim", task, "--by", "ines")
    refused = run(running, "task", "claim", task, "--by", "otto")
    answer(running, "task", "reassign", task, "--to", "otto", "--by", "ines", "--reason", "on leave")
    otto = answer(running, "task", "show", task)
    answer(running, "task", "reassign", task, "--to-group", "--by", "otto")
    nobody = answer(running, "task", "show", task)

    assert (refused.returncode, "ines" in refused.stderr) == (1, True)
    assert (otto["assignee"], nobody["assignee"], nobody["group"]) == ("otto", None, "g")
    assert run(running, "task", "reassign", task, "--by", "ines").returncode == 2
    answer(running, "task", "complete", task, "--by", "otto")
    assert run(running, "task", "show", task).returncode == 1


def test_a_waiting_activity_is_resumed_by_hand(running: Path) -> None:
    process = start(running, "waiting", key="nobody sends it")
    eventually(lambda: answer(running, "process", "show", process)["status"] == "WAITING", what="it waits")

    done = answer(running, "process", "resume", process, "word", "--output", '{"word": "mine"}', "--by", "ines")

    assert done["process_id"] == process
    assert finished(running, process)["output"] == {"word": "mine"}
    assert run(running, "process", "resume", process, "word").returncode == 1
    assert "not in quarantine" in run(running, "process", "release", process).stderr


def test_a_watch_into_a_pipe_writes_a_line_for_each_change_and_ends_as_the_process_did(running: Path) -> None:
    failed = start(running, "failing")
    good = start(running, "waiting", key="watched")
    answer(running, "signal", "send", "word.given", "--correlation-key", "watched")

    bad = run(running, "process", "watch", failed, "--interval", "0.1")
    text = run(running, "process", "watch", good)
    lines = run(running, "process", "watch", good, "--json").stdout.splitlines()

    assert (bad.returncode, text.returncode) == (1, 0)
    assert bad.stdout.splitlines()[-1].split("  ")[2] == "FAILED"
    assert [line.split("  ")[-2] for line in text.stdout.splitlines()[-1:]] == ["COMPLETED"]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(text.stdout.splitlines()) + 1))
    assert run(running, "process", "watch", "prc_0000000000000").returncode == 1


def test_a_watch_on_a_terminal_shows_the_activities_until_the_end(running: Path) -> None:
    process = start(running, "waiting", key="shown")
    answer(running, "signal", "send", "word.given", "--correlation-key", "shown", "--data", '{"word": 1}')

    code, shown = on_terminal(running, "process", "watch", process)
    failed, _ = on_terminal(running, "process", "watch", start(running, "failing"))

    last = [line.split() for line in visible(shown)]
    assert (code, failed) == (0, 1)
    assert ["status", "COMPLETED"] in last
    assert ["word", "COMPLETED", "1"] in [line[:3] for line in last]


@pytest.mark.parametrize("columns", [80, 200])
def test_what_a_person_looks_at_fits_the_terminal(running: Path, columns: int) -> None:
    failed = start(running, "failing")
    finished(running, failed)
    looks = [
        ("process", "history", failed),
        ("process", "show", failed),
        ("process", "list"),
        ("definition", "list"),
        ("definition", "show", "asking"),
        ("definition", "validate", "definition.json"),
        ("key", "list", "--revoked"),
        ("login", "list"),
    ]
    for look in looks:
        code, shown = on_terminal(running, *look, columns=columns)
        assert code == 0, shown
        assert [line for line in visible(shown) if len(line.rstrip()) > columns] == [], look
        assert not shown.lstrip().startswith(("{", "["))
    listed = visible(on_terminal(running, "process", "list", columns=columns)[1])
    assert listed[0].split()[:2] == ["id", "definition"]
    assert any(line.split()[:2] == [failed, "failing"] for line in listed)


def test_the_line_of_time_goes_into_a_pipe_where_it_is_asked_for(running: Path) -> None:
    process = start(running, "failing")
    finished(running, process)

    done = run(running, "process", "history", process, "--text")

    assert done.stdout.splitlines()[0].split() == ["process", process]
    assert "FAILED" in done.stdout


def test_a_definition_goes_out_and_in_again_as_it_was(running: Path) -> None:
    document = {
        **ASKING,
        "name": "travelling",
        "description": "yes\n1e3\t\u202e",
        "metadata": {"when": "2026-01-01", "n": 1.0},
    }
    (running / "out.json").write_text(json.dumps(document))
    made = answer(running, "definition", "publish", "out.json")[0]

    yaml = run(running, "definition", "export", "travelling").stdout
    answer(running, "definition", "publish", "-", "--as", "travelling", given=yaml)
    exported = run(running, "definition", "export", made["id"], "--version", "2", "--json").stdout
    run(running, "definition", "export", "travelling", "--output", "again.json")

    assert not yaml.startswith("{")
    assert json.loads(exported) == json.loads((running / "again.json").read_text())
    assert answer(running, "definition", "show", "travelling", "--version", "1")["document"] == json.loads(exported)
    assert [*json.loads(exported)] == ["name", "description", "steps", "metadata"]


def test_a_definition_is_checked_before_it_is_published(running: Path) -> None:
    (running / "good.json").write_text(json.dumps(ASKING))
    (running / "bad.yaml").write_text("name: bad\nsteps:\n- {id: a, type: http, config: {ur: x}}\n")

    good = run(running, "definition", "validate", "good.json")
    both = run(running, "definition", "validate", "good.json", "bad.yaml")

    assert (good.returncode, both.returncode) == (0, 1)
    told = json.loads(both.stdout)
    assert [(one["file"], one["valid"]) for one in told] == [("good.json", True), ("bad.yaml", False)]
    assert "url" in json.dumps(told[1]["findings"])
    assert run(running, "definition", "show", "bad").returncode == 1


def test_a_definition_is_switched_off_and_on_triggered_and_deleted(running: Path) -> None:
    (running / "short.json").write_text(json.dumps({**WAITING, "name": "short"}))
    answer(running, "definition", "publish", "short.json")

    off = answer(running, "definition", "disable", "short", "--by", "ines", "--reason", "a freeze")[0]
    refused = run(running, "process", "start", "short")
    on = answer(running, "definition", "enable", "short")[0]
    process = answer(running, "definition", "trigger", "short", "--data", '{"key": "t"}')["execution_id"]
    used = run(running, "definition", "delete", "short")
    gone = answer(running, "definition", "delete", "short", "--force", "--by", "ines")

    assert (off["enabled"], on["enabled"]) == (False, True)
    assert (refused.returncode, used.returncode) == (1, 1)
    assert (gone["id"], gone["cancelled"]) == (on["id"], 1)
    assert finished(running, process)["status"] == "CANCELLED"
    assert "no definition 'short'" in run(running, "definition", "show", "short").stderr


def test_a_person_is_asked_before_something_is_taken_away(running: Path) -> None:
    key = answer(running, "key", "create", "--name", "asked for")

    no, shown = on_terminal(running, "key", "revoke", key["id"], given="n\n")
    still = [one["id"] for one in answer(running, "key", "list")]
    yes, _ = on_terminal(running, "key", "revoke", key["id"], given="y\n")
    left = [one["id"] for one in answer(running, "key", "list")]

    assert f"Revoke the key {key['id']}?" in shown
    assert (no, key["id"] in still) == (1, True)
    assert (yes, key["id"] in left) == (0, False)


def test_a_login_that_is_revoked_is_forgotten_here(running: Path) -> None:
    answer(running, "login", "create", "passing", "--kind", "report")
    ask = ("psql", "--login", "passing", "-X", "-A", "-t", "-c", "select session_user")
    before = run(running, *ask)

    done = answer(running, "login", "revoke", "passing", "--yes")

    assert before.stdout == "passing\n"
    assert done["dropped"]
    assert "is not kept here" in run(running, *ask).stderr


def test_psql_is_the_owner_or_a_login_that_was_made_here(running: Path) -> None:
    answer(running, "login", "create", "shop", "--kind", "caller")
    ask = ("-X", "-A", "-t", "-c", "select session_user")

    assert run(running, "psql", *ask).stdout == "stepwell_owner\n"
    assert run(running, "psql", "--owner", "--", *ask).stdout == "stepwell_owner\n"
    assert run(running, "psql", "--login", "shop", *ask).stdout == "shop\n"
    unknown = run(running, "psql", "--login", "nobody", *ask)
    assert unknown.returncode == 1
    assert "Kept are: shop" in unknown.stderr


def test_a_script_for_psql_ends_at_its_first_error(running: Path) -> None:
    done = run(running, "psql", "--owner", "-At", given="select 1;\nselect no_such_column;\nselect 2;\n")

    assert done.returncode == 3
    assert done.stdout == "1\n"
