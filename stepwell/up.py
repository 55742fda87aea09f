"""`stepwell up`: database, API and workers in one terminal, looked after until Ctrl-C.

The data folder holds everything: the embedded PostgreSQL (postgres/), logs/, connection.json, and up.lock, which only
one `up` can hold. With STEPWELL_OWNER_DATABASE_URL or STEPWELL_DATABASE_URL set it uses that server, as its owner, and
makes the logins of API and workers there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import click
import httpx
import msgspec
from msgspec import Struct
from rich.console import Console

from engine.config import Settings, mask_url
from engine.embedded import EmbeddedServer
from engine.errors import Conflict, OperatorError
from stepwell import connection, place, prepare, tls
from stepwell.connection import Connection
from stepwell.output import Terminal, typed
from stepwell.serving import listening
from stepwell.supervise import LISTENING, Child, Family, Stop, ended, own_command, own_module

HOST = "127.0.0.1"
PORT = 8080
PARTNER_PORT = 8090  # as in examples/data/one-*.json
READY_S = 30.0
LOOK_S = 0.2
DRAIN_S = 3.0  # whoever presses Ctrl-C wants an end; what is cut off here is rescued at the next start
GRACE_S = 5.0


class Plan(Struct, frozen=True):
    """What is asked for."""

    listener: socket.socket  # of the API: who has it has the port, from now until all has stopped
    identity: tls.Identity | None
    workers: int
    partner: bool


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help=f"Port of the API.  [default: {PORT}, if free]")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Data folder.  [default: .stepwell]")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option("--partner", is_flag=True, help="Run the service that the examples call, too, and allow calls to it.")
def up(port: int | None, data_dir: Path | None, workers: int, partner: bool) -> None:
    """Run everything in one terminal: PostgreSQL (embedded, unless one is set), the API and workers.

    Ctrl-C stops it; the data stays in the data folder. Commands run in the same folder need no --url and no --key.
    """
    chosen = place.settings()
    folder = prepare.data_dir((data_dir or chosen.data_dir).absolute())
    chosen = msgspec.structs.replace(chosen, data_dir=folder)
    console = Terminal()
    identity = tls.identity(chosen)
    with only_one(folder), contextlib.closing(claim(port)) as listener, Stop().on_signals() as stop:
        try:
            run(chosen, Plan(listener, identity, workers, partner), console, stop)
        except OperatorError:
            if not stop.is_set():  # else Ctrl-C reached a program of PostgreSQL's as well, and it is all the same
                raise
    console.print("Stopped. The data stays.")


def run(chosen: Settings, plan: Plan, console: Console, stop: Stop) -> None:
    """Start everything, look after it until `stop`, stop everything."""
    with database(chosen) as (server, made):
        if stop.is_set():
            return
        with Family(chosen.data_dir / "logs", GRACE_S) as family:
            url = f"{'http' if plan.identity is None else 'https'}://{HOST}:{plan.listener.getsockname()[1]}"
            start(family, made, chosen, plan)
            wait_ready(family, url, stop, None if plan.identity is None else tls.pinned(plan.identity.certificate))
            made = msgspec.structs.replace(made, url=url, pid=os.getpid())  # noqa: PLW2901 - now it is true
            connection.write(chosen.data_dir, made)
            try:
                welcome(console, chosen, made, plan, embedded=server is not None)
                look_after(family, server, console, stop)
            finally:
                console.print("Stopping …")
                left = connection.read(chosen.data_dir) or made  # 'login create' may have added to it
                connection.write(chosen.data_dir, msgspec.structs.replace(left, url=None, pid=None))


@contextlib.contextmanager
def database(chosen: Settings) -> Iterator[tuple[EmbeddedServer | None, Connection]]:
    """Lend a migrated database: the embedded one, or that of the settings."""
    owner_url = chosen.owner_database_url or chosen.database_url
    if owner_url is not None:
        kept = connection.read(chosen.data_dir)
        known = kept if kept and place.same_place(kept.owner_url, owner_url) else None
        yield None, prepare.with_logins(owner_url, chosen, known)[0]
        return
    with EmbeddedServer(chosen.data_dir / place.CLUSTER) as server:
        yield server, prepare.embedded(server.dsn, chosen)[0]


def start(family: Family, made: Connection, chosen: Settings, plan: Plan) -> None:
    """Start API and workers, each with its own login."""
    common = {
        "STEPWELL_DATA_DIR": str(chosen.data_dir),
        "STEPWELL_DRAIN_SECONDS": str(min(chosen.drain_seconds, DRAIN_S)),
    }
    add_api(family, plan.listener, {**common, "STEPWELL_DATABASE_URL": made.api_url})
    common["STEPWELL_DATABASE_URL"] = made.worker_url
    if plan.partner:
        family.add("partner", partner_command(chosen.data_dir, PARTNER_PORT), {})
        allowed = (*map(str, chosen.http_allowed_networks), f"{HOST}/32")
        common["STEPWELL_HTTP_ALLOWED_NETWORKS"] = ",".join(allowed)
    for number in range(1, plan.workers + 1):
        family.add(f"worker-{number}", own_command("worker"), common)


def add_api(family: Family, listener: socket.socket, environment: Mapping[str, str]) -> None:
    """Start the API on a socket of ours. Whoever connects while it is started anew just waits a moment."""
    handle = listener.fileno()
    family.add("api", own_command("api", "--listener", str(handle)), environment, [handle])


def partner_command(folder: Path, port: int, *options: str) -> list[str]:
    """Return the command of the examples' partner. Not by our own program: it stands for somebody else's."""
    log = folder / "partner-calls.jsonl"
    return own_module("stepwell.demo.partner", "--port", str(port), "--log", str(log), *options)


def wait_ready(family: Family, url: str, stop: Stop, trust: ssl.SSLContext | None = None) -> None:
    """Wait until our API answers. `trust`: whom to believe that it is the API, where it speaks TLS.

    Raises OperatorError with the log's end if a child dies first.
    """
    deadline = time.monotonic() + READY_S
    api = next(child for child in family.children if child.name == "api")
    with httpx.Client(base_url=url, timeout=2.0, trust_env=False, verify=trust or True) as http:
        fault = "it does not answer"
        while not stop.is_set():
            for child in family.children:
                if (code := child.exit_code) is not None:
                    raise OperatorError(
                        f"{child.name} {ended(code)}:\n{child.complaints()}", advice=f"Its log: {child.log}"
                    )
            try:
                if LISTENING in api.said() and http.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError as error:
                fault = str(error)
            if time.monotonic() > deadline:
                raise OperatorError(f"the API is not ready after {READY_S:g} s: {fault}", advice=f"Its log: {api.log}")
            stop.wait(0.05)


def look_after(family: Family, server: EmbeddedServer | None, console: Console, stop: Stop) -> None:
    """Start again what dies, until `stop`."""

    def died(child: Child, code: int) -> None:
        told = f"{child.name} {ended(code)}; starting it again. Its log: {child.log}"
        console.print(told, style="red", markup=False, soft_wrap=True)
        if said := child.complaints():
            console.print(said, markup=False, soft_wrap=True)

    while not stop.wait(LOOK_S):
        if server is not None and server.pid() is None:
            told = f"PostgreSQL ended; starting it again. Its log: {server.data / 'server.log'}"
            console.print(told, style="red", markup=False, soft_wrap=True)
            server.resume()
        family.tend(died)


def welcome(console: Console, chosen: Settings, made: Connection, plan: Plan, *, embedded: bool) -> None:
    """Say where everything is and what to do next."""
    where = f"embedded PostgreSQL in {chosen.data_dir}" if embedded else mask_url(made.owner_url)
    lines = {
        "api": made.url,
        "docs": f"{made.url}/docs",
        "key": made.key,
        "database": where,
        "workers": str(plan.workers),
        "logs": str(chosen.data_dir / "logs"),
    }
    console.print(f"Stepwell {version('stepwell')} runs.", style="bold green")
    for name, value in lines.items():
        console.print(f"  {name:<10}{value}", markup=False, soft_wrap=True)
    if plan.partner:
        console.print(f"  partner   http://{HOST}:{PARTNER_PORT}, fails now and then as services do", markup=False)
    console.print("Try, in another terminal, in this folder (URL and key are found by themselves):")
    commands = [
        "definition publish examples/customer-onboarding.yaml",
        "process start customer-onboarding --input examples/data/one-customer.json",
    ]
    if chosen.data_dir != Settings().data_dir.absolute():
        told = f"  export STEPWELL_DATA_DIR={shlex.quote(str(chosen.data_dir))}"
        console.print(told, markup=False, soft_wrap=True)
    for command in commands:
        console.print(f"  {typed(elsewhere=True)} {command}", markup=False, soft_wrap=True)
    if not plan.partner and not chosen.http_allowed_networks:
        console.print(
            "The service it calls comes with 'stepwell up --partner'; calls to private addresses are refused "
            "unless STEPWELL_HTTP_ALLOWED_NETWORKS allows them."
        )
    console.print("Ctrl-C stops everything.")


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data folder's lock. Raises Conflict while another `up` holds it."""
    handle = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            kept = connection.read(folder)
            place_ = f" at {kept.url} (process {kept.pid})" if kept and kept.url else " (it is just starting)"
            raise Conflict(
                f"Stepwell runs already on the data folder {folder}{place_}",
                advice="Use that one, stop it with Ctrl-C, or choose another folder with --data-dir.",
            ) from None
        yield
    finally:
        os.close(handle)


def claim(wanted: int | None, usual: int = PORT) -> socket.socket:
    """Return a socket that listens on the port wanted, else on the usual one if it is free, else on any.

    Raises Conflict for a wanted one in use. Of two that start at the same moment, one gets another port.
    """
    for port in (wanted,) if wanted else (usual, 0):
        with contextlib.suppress(Conflict):
            return listening.listen(HOST, port)[0]
    raise Conflict(f"port {wanted} is in use", advice="Choose another with --port, or leave it out.")
