"""The yardsticks: what pgbench does on the same server, without any queue or engine.

They say what a commit and a look-up cost on this machine, so that figures of other machines can be compared.
"""

from __future__ import annotations

import re
import subprocess

import psycopg

from bench.cases import Contender, Effort, Figures, Unable
from bench.ground import Ground
from bench.meter import Meter

CLIENTS = (1, 8, 16)
SCALE = 20
DATABASE = "pgbench"
FIGURE = "transactions_per_s"
_TABLE = "create table insertion (id bigserial primary key, a integer, b text)"
_INSERT = "insert into insertion (a, b) values (:client_id, 'x');\n"


def yardsticks() -> tuple[Contender, ...]:
    """Return one-row inserts with few and many clients, and two of pgbench's own scripts with 8."""
    return (*(_insert(clients) for clients in CLIENTS), _builtin("simple-update", 8), _builtin("select-only", 8))


def _insert(clients: int) -> Contender:
    def trial(ground: Ground, effort: Effort) -> Figures:
        with ground.database(DATABASE) as dsn:
            with psycopg.connect(dsn) as db:
                db.execute(_TABLE)
            script = ground.folder / "insert.sql"
            script.write_text(_INSERT)
            ground.settle(dsn)
            return _figures(ground, clients, effort, f"--file={script}")

    return Contender(_name("one-row insert", clients), trial, "pgbench, prepared: commits/s.")


def _builtin(name: str, clients: int) -> Contender:
    def trial(ground: Ground, effort: Effort) -> Figures:
        with ground.database(DATABASE) as dsn:
            _run(ground, "--initialize", "--quiet", f"--scale={effort.of(1, SCALE)}")
            ground.settle(dsn)
            return _figures(ground, clients, effort, f"--builtin={name}")

    return Contender(_name(name, clients), trial, f"pgbench's own script {name}, prepared, scale {SCALE}.")


def _name(what: str, clients: int) -> str:
    return f"{what}, {clients} client{'s' if clients > 1 else ''}"


def _figures(ground: Ground, clients: int, effort: Effort, script: str) -> Figures:
    """Run a script for some seconds. CPU and WAL are the server's for one transaction."""
    load = (f"--client={clients}", f"--jobs={min(2, clients)}", f"--time={effort.of(1, 5)}")
    with Meter(ground) as meter:
        said = _run(ground, "--no-vacuum", "--protocol=prepared", *load, script)
    count, rate = (re.search(pattern, said, re.MULTILINE) for pattern in (r"processed: (\d+)", r"^tps = ([\d.]+)"))
    if count is None or rate is None:
        raise Unable(f"pgbench said neither how many transactions nor how fast: {said[-200:]}")
    metered = meter.measured.figures(int(count[1]), "transaction")
    of_server = {name: value for name, value in metered.items() if name.startswith(("server", "wal"))}
    return {FIGURE: float(rate[1]), **of_server}


def _run(ground: Ground, *options: str) -> str:
    """Run pgbench in the database; return what it said. Raises Unable."""
    command = (f"{ground.bin}/pgbench", *options)
    done = subprocess.run(command, env=ground.libpq(DATABASE), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unable(f"pgbench failed: {done.stderr.strip()[-500:]}")
    return done.stdout
