"""Commands that steer processes, and psql, on everything that `stepwell up` runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import answer, run
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
            answer(folder, "definition", "apply", "definition.json")
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
