"""`stepwell doctor`: look at everything an operator may have got wrong, and say what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from engine.config import Settings
from engine.embedded.place import stranded
from engine.errors import OperatorError, StepwellError
from stepwell import checks, connection, edge_checks, place
from stepwell.checks import BAD, HINT, OK, Finding
from stepwell.client import Client
from stepwell.output import COLOURS, facts, json_option, show

READY_S = 5.0  # how long the API may take to say so


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Data folder.  [default: .stepwell]")
@json_option
def doctor(data_dir: Path | None, as_json: bool) -> None:
    """Check settings, database, roles, server, clock and API; say for each: ok, or what to do.

    Exit code 1 if anything is bad.
    """
    chosen = place.settings()
    if data_dir is not None:
        chosen = msgspec.structs.replace(chosen, data_dir=data_dir)
    findings = list(examine(chosen))
    good = all(finding.state != BAD for finding in findings)
    value = {"ok": good, "settings": chosen.masked(), "findings": findings}
    show(value, lambda console: tell(console, chosen, findings), as_json=as_json)
    if not good:
        raise SystemExit(1)


def examine(chosen: Settings) -> Iterator[Finding]:
    """Yield every finding."""
    yield from data_folder(chosen)
    yield from stranded_clusters()
    with contextlib.ExitStack() as stack:
        try:
            owner_url = stack.enter_context(place.owner_url(chosen))
        except OperatorError as error:
            yield _owner_unknown(error, chosen)
        else:
            yield from checks.database(owner_url, checks.owners_checks(chosen), "database")
        yield from program_logins(chosen)
    yield from the_api(chosen)


def _owner_unknown(error: OperatorError, chosen: Settings) -> Finding:
    if chosen.database_url is None:
        return Finding("database", BAD, error.message, error.advice)
    message = "schema, logins and workers are not looked at: that takes the owner's login"
    return Finding("database", HINT, message, "Run it once more with STEPWELL_OWNER_DATABASE_URL set.")


def program_logins(chosen: Settings) -> Iterator[Finding]:
    """Look at the logins that API and workers would use."""
    if chosen.database_url is not None:
        extra = () if chosen.owner_database_url else (checks.version, checks.server_settings, checks.clock)
        looks = (*checks.programs_checks(chosen), *extra)
        yield from checks.database(chosen.database_url, looks, "STEPWELL_DATABASE_URL")
        return
    for kind in ("api", "worker"):
        with contextlib.suppress(OperatorError), place.program(chosen, kind) as lent:
            yield from checks.database(lent.database_url or "", (checks.own_login,), f"{kind} login")


def data_folder(chosen: Settings) -> Iterator[Finding]:
    """Look at the data folder: its secrets must be readable by its owner only."""
    path = chosen.data_dir / connection.NAME
    if not path.exists():
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        yield Finding("files", BAD, f"{path} can be read by others (mode {mode:o})", f"chmod 600 {path}")
    else:
        yield Finding("files", OK, f"{path} is readable by you only")


def stranded_clusters() -> Iterator[Finding]:
    """Look for clusters of the embedded server that lie outside their data folder, and whose folder is gone."""
    for folder, home in stranded():
        advice = f"If {home} is gone for good, and not just unmounted: rm -r {folder}"
        yield Finding("files", HINT, f"{folder} is the cluster of {home}, which is not there", advice)


def the_api(chosen: Settings) -> Iterator[Finding]:
    """Look whether the API answers, and at what it needs to be reached safely."""
    url, key = place.api(chosen, None, None)
    yield from edge_checks.edges(chosen, url)
    try:
        with Client(url, key, ca_file=chosen.ca_file, timeout_s=READY_S, retries=0) as client:
            client.ready()
        yield Finding("api", OK, f"ready at {url}{doubt(chosen, url)}")
    except StepwellError as error:
        advice = "Start it with 'stepwell up' or 'stepwell api', or set STEPWELL_URL."
        yield Finding("api", HINT, f"no API is ready at {url}: {error.message}", advice)


def doubt(chosen: Settings, url: str) -> str:
    """Return the doubt about an API that nobody has named: it may be of another database than that of the settings."""
    if url != Settings().url or not (chosen.database_url or chosen.owner_database_url):
        return ""
    return ", the default; whether it is of this database is not known"


def tell(console: Console, chosen: Settings, findings: list[Finding]) -> None:
    """Print settings and findings for a person."""
    shown = {name: value for name, value in chosen.masked().items() if value not in ("None", "{}", "()")}
    facts(console, shown.items(), "Settings")
    console.print()
    for finding in findings:
        line = Text.assemble((f"{finding.state:<5}", COLOURS[finding.state]), f"{finding.area}: {finding.message}")
        console.print(line)
        if finding.advice:
            console.print(Padding(Text(f"→ {finding.advice}"), (0, 0, 0, 5)))
    bad = sum(f.state == BAD for f in findings)
    console.print()
    console.print(f"{bad} to be mended." if bad else "All well.", style="red" if bad else "green")
