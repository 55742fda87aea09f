"""`stepwell up`: everything in one terminal, looked after, and gone when told so."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import stepwell.up
from engine.embedded import EmbeddedServer
from engine.errors import OperatorError
from engine.keys import make_key
from stepwell import connection
from stepwell.supervise import Family, Stop
from stepwell.up import HOST, PARTNER_PORT
from tests.cli.program import COMMAND, answer, environment, run
from tests.fix_servers import private_folder
from tests.house import OWNER, House, eventually

EXAMPLES = Path(__file__).parents[2] / "examples"

PROCESS = {
    "name": "greeting",
    "steps": [{"id": "greet", "type": "transform", "name": "Greet", "config": {"mapping": {"said": "${input.word}"}}}],
    "output": {"said": "${steps.greet.output.said}"},
}


@contextmanager
def up(folder: Path, *options: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `stepwell up` for the time of the block; whatever happens, it is stopped."""
    log = (folder / "up.log").open("a+")
    process = subprocess.Popen(
        [*COMMAND, "up", *options], cwd=folder, env=environment(**settings), stdout=log, stderr=log, text=True
    )
    try:
        eventually(lambda: ready(folder, process), what="up is ready", seconds=60)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            log.close()


def ready(folder: Path, process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None, output(folder)
    kept = connection.read(folder / ".stepwell") if (folder / ".stepwell").exists() else None
    return kept is not None and kept.pid == process.pid


def kept(folder: Path) -> connection.Connection:
    found = connection.read(folder / ".stepwell")
    assert found is not None
    return found


def output(folder: Path) -> str:
    return (folder / "up.log").read_text()


def children(pid: int) -> set[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(number) for number in text.split()}


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def worker_pids(folder: Path) -> set[int]:
    with psycopg.connect(kept(folder).owner_url) as owner:
        return {pid for (pid,) in owner.execute("select pid from stepwell.worker")}


def finished(folder: Path, process_id: str, **settings: str) -> Any:
    """Wait until a process has ended; return it."""

    def look() -> Any:
        found = answer(folder, "process", "show", process_id, **settings)
        return found if found["ended_at"] else None

    return eventually(look, what=f"{process_id} has ended")


def start_one(folder: Path, **settings: str) -> Any:
    (folder / "greeting.json").write_text(json.dumps(PROCESS))
    answer(folder, "definition", "publish", "greeting.json", **settings)
    made = answer(folder, "process", "start", "greeting", "--input", '{"word": "hello"}', **settings)
    return finished(folder, made["id"], **settings)


@pytest.fixture(scope="module")
def running() -> Iterator[Path]:
    """Return the folder of one `up` that the tests share that do it no harm."""
    with private_folder() as folder, up(folder, "--workers", "1"):
        yield folder


def test_a_newcomer_needs_no_settings_at_all(running: Path) -> None:
    done = start_one(running)
    history = answer(running, "process", "history", done["id"])
    listed = answer(running, "definition", "list")
    said = answer(running, "doctor")

    assert (done["status"], done["output"]) == ("COMPLETED", {"said": "hello"})
    assert (history[0]["type"], history[-1]["type"]) == ("process.created", "process.completed")
    assert [one["name"] for one in listed] == ["greeting"]
    assert said["ok"] is True
    assert kept(running).key in output(running)


def test_a_second_one_on_the_same_folder_says_where_the_first_is(running: Path) -> None:
    second = run(running, "up")

    assert second.returncode == 1
    assert f"runs already on the data folder {running / '.stepwell'} at {kept(running).url}" in second.stderr
    assert "--data-dir" in second.stderr


def test_it_stops_within_seconds_and_leaves_no_process(folder: Path) -> None:
    with up(folder) as process:
        programs = children(process.pid)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(15)
        took = time.monotonic() - began

    assert code == 0
    assert took < 8
    assert len(programs) >= 3
    assert [pid for pid in programs if not gone(pid)] == []
    assert kept(folder).url is None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(kept(folder).owner_url)


def test_the_next_start_keeps_data_and_key_and_the_bootstrap_key_is_the_key(folder: Path) -> None:
    key, _ = make_key()
    with up(folder, "--workers", "1", STEPWELL_BOOTSTRAP_API_KEY=key):
        done = start_one(folder)
        assert kept(folder).key == key
    with up(folder, "--workers", "1"):
        again = answer(folder, "process", "show", done["id"], "--key", key)

    assert again["output"] == {"said": "hello"}
    assert kept(folder).key == key


def test_a_killed_worker_is_replaced_and_told_of(folder: Path) -> None:
    with up(folder, "--workers", "1"):
        before = eventually(lambda: worker_pids(folder), what="the worker is registered")
        os.kill(next(iter(before)), signal.SIGKILL)
        eventually(lambda: worker_pids(folder) - before, what="another worker is registered")
        done = start_one(folder)
        url = kept(folder).url

    assert done["status"] == "COMPLETED"
    assert "worker-1 was killed by SIGKILL; starting it again" in output(folder)
    assert f"{url}/docs\n" in output(folder)


def test_a_killed_database_comes_back(folder: Path) -> None:
    with up(folder, "--workers", "1"):
        postmaster = postmaster_pid(folder)
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        url = kept(folder).url or ""
        eventually(lambda: postmaster_pid(folder) not in (None, postmaster), what="another postmaster")
        eventually(lambda: is_ready(url), what="the API is ready again")
        done = start_one(folder)

    assert done["status"] == "COMPLETED"
    assert "PostgreSQL ended; starting it again" in output(folder)


def postmaster_pid(folder: Path) -> int | None:
    return EmbeddedServer(folder / ".stepwell" / "postgres").pid()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_children_end_with_a_parent_that_was_killed(folder: Path) -> None:
    with up(folder, "--workers", "1") as process:
        programs = children(process.pid)
        process.kill()
        process.wait()
        eventually(lambda: all(gone(pid) for pid in programs), what="no child is left")
    # The server it left behind is taken over, and stopped, by the next one.
    with up(folder, "--workers", "1"):
        assert start_one(folder)["status"] == "COMPLETED"


def test_a_port_that_is_taken_is_refused_by_name(running: Path, folder: Path) -> None:
    port = str(httpx.URL(kept(running).url or "").port)

    done = run(folder, "up", "--port", port)

    assert done.returncode == 1
    assert f"port {port} is in use" in done.stderr


def test_of_two_that_start_at_once_in_different_folders_each_has_a_port_of_its_own(folder: Path) -> None:
    folders = [folder / name for name in ("one", "two")]
    for own in folders:
        own.mkdir()
    started = threading.Barrier(2)
    urls: dict[Path, str | None] = {}

    def start(own: Path) -> None:
        started.wait(10)
        with up(own, "--workers", "1"):
            urls[own] = kept(own).url
            started.wait(60)  # both run at the same time

    threads = [threading.Thread(target=start, args=(own,)) for own in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({urls[own] for own in folders}) == 2


def test_what_answers_on_the_port_is_not_taken_for_ours_before_ours_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(stepwell.up, "READY_S", 0.5)
    with HTTPServer((HOST, 0), Stranger) as server, Family(tmp_path / "logs") as family:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        family.add("api", [sys.executable, "-c", "import time; time.sleep(60)"], {})
        with pytest.raises(OperatorError, match="not ready"):
            stepwell.up.wait_ready(family, f"http://{HOST}:{server.server_port}", Stop())
        server.shutdown()


def test_secrets_are_readable_by_their_owner_only(running: Path) -> None:
    files = [running / ".stepwell" / "connection.json", *(running / ".stepwell" / "logs").iterdir()]

    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_with_the_partner_the_examples_run(folder: Path) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, PARTNER_PORT)) == 0:
            pytest.skip(f"port {PARTNER_PORT} is in use")
    with up(folder, "--workers", "1", "--partner"):
        answer(folder, "definition", "publish", str(EXAMPLES / "customer-onboarding.yaml"))
        given = str(EXAMPLES / "data" / "one-customer.json")
        made = answer(folder, "process", "start", "customer-onboarding", "--input", given)
        done = finished(folder, made["id"])

    assert done["status"] == "COMPLETED", done["error"]


def test_a_server_of_ones_own_is_used_where_set(house: House, no_program_logins: None, folder: Path) -> None:
    with psycopg.connect(house.dsn("superuser")) as superuser:
        superuser.execute(f"alter database {superuser.info.dbname} owner to {OWNER}")

    with up(folder, "--workers", "1", STEPWELL_OWNER_DATABASE_URL=house.dsn(OWNER)):
        done = start_one(folder)

    assert done["status"] == "COMPLETED"
    assert house.status(done["id"]) == "COMPLETED"
    assert not (folder / ".stepwell" / "postgres").exists()
