"""The long-running programs, `api` and `worker`, and `migrate`, which both need first."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence

import click
import psycopg
from rich.console import Console

from engine import db, standing
from engine.config import Settings
from engine.embedded import EmbeddedServer
from engine.errors import SettingError
from engine.migrate import SchemaStatus
from engine.observe import Observer
from stepwell import observation, place, prepare, workers
from stepwell.output import json_option, show
from stepwell.supervise import LISTENING, end_with

SWITCH_SECONDS = 0.0005

with_parent = click.option("--with-parent", type=int, hidden=True, help="End when our parent, of this id, ends.")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--listener", type=int, hidden=True, help="Descriptor of a socket that listens, instead of the two.")
@with_parent
def api(host: str, port: int, listener: int | None, with_parent: int | None) -> None:
    """Serve the REST API."""
    # Started from here and not by uvicorn's own script, which would put the working directory on the import path.
    from api.app import create_app
    from stepwell.serving import listening, server

    def tell() -> None:
        """Tell our parent once we serve: what answers there before may be somebody else's."""
        if with_parent is not None:
            click.echo(LISTENING)

    end_with(with_parent)
    chosen = place.settings()
    sockets = listening.listen(host, port) if listener is None else [socket.socket(fileno=listener)]
    with place.program(chosen, "api") as chosen:
        _refuse(chosen.database_url or "")
        app = create_app(chosen, observation.log(chosen, "api"))
        with contextlib.suppress(KeyboardInterrupt):  # it has ended as it should by then
            server.serve(app, sockets, chosen, app.state.observe, tell)


def _refuse(url: str) -> None:
    """Raise OperatorError where the API may not work on that database; while it is away, the pool sees to the login."""
    with contextlib.suppress(psycopg.OperationalError), db.connect(url, "api") as connection:
        standing.refuse(connection, "api")


@click.command()
@click.option(
    "--processes",
    type=workers.Count(),
    metavar="N",
    default=1,
    show_default=True,
    help="How many worker processes, 1 to 256; auto: one for each core that this command may use.",
)
@click.option(
    "--observe",
    type=observation.Place(),
    help="Serve /metrics and /health here, as HOST:PORT; several processes at this port and those that follow it.",
)
@click.option("--listener", type=int, multiple=True, hidden=True, help="Descriptor of a socket for --observe.")
@click.option("--registered", type=int, hidden=True, help="Descriptor to write to once we are registered.")
@with_parent
@click.pass_context
def worker(
    ctx: click.Context,
    processes: int,
    observe: tuple[str, int] | None,
    listener: tuple[int, ...],
    registered: int | None,
    with_parent: int | None,
) -> None:
    """Run a worker: it moves processes and carries out their activities.

    With --processes several of them run under one command: what dies is started again, SIGTERM and SIGINT drain all.
    """
    end_with(with_parent)
    if processes > 1:
        workers.run(place.settings(), processes, observe, debug=ctx.find_root().params["debug"])
        return
    with observation.windows(observe) as (window,):
        _work_alone([*window, *(socket.socket(fileno=handle) for handle in listener)], registered)


def _work_alone(listeners: Sequence[socket.socket], registered: int | None) -> None:
    """Be a worker."""
    import uvloop

    with (
        place.program(place.settings(), "worker") as chosen,
        observation.of_worker(chosen, listeners, registered) as observer,
    ):
        uvloop.run(_work(chosen, observer))


async def _work(chosen: Settings, observe: Observer) -> None:
    """Run a worker until SIGTERM or SIGINT; then it finishes what runs, for at most the drain time."""
    from engine.worker import run_worker

    # The thread that sends a flush must not wait 5 ms for the interpreter while the loop works in the one before: one
    # worker then carries out 20,000 no-op activities a second instead of 33,000 (decision 0018).
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_worker(chosen, observe, stop)


@click.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database's schema to what this release needs; make the first tenant, environment and admin key.

    Uses STEPWELL_OWNER_DATABASE_URL; without any database set, the embedded PostgreSQL of the data folder.
    """
    chosen = place.settings()
    if chosen.owner_database_url:
        status = prepare.given(chosen.owner_database_url, chosen, lambda said: click.echo(said, err=True))
    elif chosen.database_url:
        raise SettingError(
            "STEPWELL_DATABASE_URL is a program's login, and the schema belongs to the owner",
            advice="Set STEPWELL_OWNER_DATABASE_URL to the owner's login.",
        )
    else:
        prepare.data_dir(chosen.data_dir)
        with EmbeddedServer(chosen.data_dir / place.CLUSTER) as server:
            _, status = prepare.embedded(server.dsn, chosen)
    value = {"migrations": status.pending, "functions": status.stale}
    show(value, lambda console: _tell(console, status), as_json=as_json)


def _tell(console: Console, status: SchemaStatus) -> None:
    for name in status.pending:
        console.print(f"migration  {name}")
    for name in status.stale:
        console.print(f"function   {name}")
    console.print("The schema is current." if status.current else "The schema is current now.", style="green")
