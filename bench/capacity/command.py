"""`stepwell bench capacity`: how much machine a definition needs at a rate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from api.yaml_bodies import read_yaml
from bench.capacity import asked, finding, output, stubs
from bench.capacity.answers import answers, built
from bench.capacity.payload import Minimal, minimal
from bench.capacity.reading import Reads, read
from bench.capacity.report import Report, made
from bench.capacity.site import Setup
from bench.capacity.sizing import Target
from bench.cases import Unable
from engine.config import Settings
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from engine.core.schemas import Validator, Violation
from engine.errors import BadInput, OperatorError, UnreadableBody

AS_JSON = "stepwell.as_json"  # in the meta of click's context: how an error is told
MOST_DEPTH = 64
SLOTS = Settings().worker_slots
file_option = click.Path(dir_okay=False, path_type=Path)


class Asked(Struct, frozen=True):
    """The options as they were given."""

    definition: Path
    rate: float
    latency: tuple[str, ...]
    failures: str
    wait_seconds: tuple[str, ...]
    task_seconds: tuple[str, ...]
    payload: Path | None
    answers: Path | None
    days_kept: float
    utilisation: str
    workers: int
    slots: int
    through: str
    seconds: float
    stages: int
    limit: str
    out: Path | None


def _note_json(ctx: click.Context, _param: click.Parameter, wanted: bool) -> bool:
    ctx.meta[AS_JSON] = wanted
    return wanted


@click.command("capacity")
@click.option("--definition", required=True, type=file_option, help="The definition, a JSON or YAML file.")
@click.option("--rate", required=True, type=click.FloatRange(0, 1e6, min_open=True), help="Starts a second to plan.")
@click.option("--latency", multiple=True, metavar="TIME|STEP=TIME", help="Of http steps' partners; 200ms without it.")
@click.option("--failures", default="0%", metavar="SHARE", help="Calls that partners refuse with 503, such as 1%.")
@click.option("--wait-seconds", multiple=True, metavar="TIME|STEP=TIME", help="Until what a wait waits for; 60s.")
@click.option("--task-seconds", multiple=True, metavar="TIME|STEP=TIME", help="Until a person completes a task; 1h.")
@click.option("--payload", type=file_option, help="The input, JSON or YAML; else made from input_schema.")
@click.option("--answers", type=file_option, help="What steps are answered: JSON or YAML, by step id.")
@click.option(
    "--days-kept", default=90.0, type=click.FloatRange(0, 36500, min_open=True), help="Days history is kept; 90."
)
@click.option("--utilisation", default="70%", metavar="SHARE", help="How busy machines may be; 70%.")
@click.option("--workers", default=1, type=click.IntRange(1, 64), help="Worker processes while measuring; 1.")
@click.option("--slots", default=SLOTS, type=click.IntRange(1, 10_000), help=f"Of each worker; {SLOTS}.")
@click.option("--through", default="sql", type=click.Choice(["sql", "api"]), help="How processes start; sql.")
@click.option("--seconds", default=8.0, type=click.FloatRange(0.2, 3600), help="Seconds of a stage; 8.")
@click.option("--stages", default=6, type=click.IntRange(1, 20), help="To find the highest rate, at most; 6.")
@click.option(
    "--limit",
    default="250ms",
    metavar="TIME",
    help="From schedule to start at p95, if sustained; 250ms. Starts wake idle workers, so more is a queue.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for HTML, Markdown, JSON.")
@click.option("--json", "as_json", is_flag=True, callback=_note_json, help="Print JSON, also on a terminal.")
def command(as_json: bool, **options: Any) -> None:
    """Run a definition with stubbed partners, find its highest rate, say what machine --rate needs.

    Starts a PostgreSQL of its own with the settings of all benchmarks; nothing of it is left. Every figure comes with
    its formula, and every assumption is listed.
    """
    report = planned(Asked(**options), output.observer(as_json=as_json))
    if options["out"] is not None:
        output.write(report, options["out"])
    output.show(report, as_json=as_json or not sys.stdout.isatty())


def planned(wanted: Asked, observer: finding.Observer) -> Report:
    """Measure and compute. Raises BadInput, InvalidDefinition, and OperatorError where it cannot be measured."""
    used = asked.share(wanted.utilisation, "--utilisation", "70%")
    target = Target(wanted.rate, wanted.days_kept, used, wanted.slots)
    if not used:
        raise BadInput("--utilisation: nothing can be done at 0%", advice="Write a percentage such as 70%.")
    effort = finding.Effort(wanted.stages, wanted.seconds, asked.seconds(wanted.limit, "--limit"))
    setup, assumptions = prepared(wanted)
    try:
        found = finding.find(setup, effort, observer)
    except Unable as error:
        raise OperatorError(str(error), advice="Mend that, then run it again.") from error
    return made(setup, found, target, effort, assumptions)


def prepared(wanted: Asked) -> tuple[Setup, list[str]]:
    """Return what is to be run, and what is assumed. Raises BadInput, InvalidDefinition."""
    document = load(wanted.definition, "--definition")
    definition = parse_definition(document)
    reads = read(document)
    world = _world(wanted, document)
    lasting = stubs.times(document, world)
    given = load(wanted.answers, "--answers") if wanted.answers else {}
    if not isinstance(given, dict):
        raise BadInput("--answers: it is no object", advice='Write an answer for each step: {"STEP": ...}.')
    replies = answers(document, reads, given)
    payload = _payload(wanted, document, reads)
    secrets = tuple(str(path[1]) for path in reads.paths if path[0] == "secrets" and len(path) > 1)
    setup = Setup(
        document,
        compile_definition(definition),
        world,
        lasting,
        replies,
        payload.value,
        secrets,
        wanted.workers,
        wanted.slots,
        wanted.through,
    )
    notes = stubs.assumptions(document, world, lasting, replies, secrets)
    if not payload.value and wanted.payload is None:
        notes.append("Nothing of the input is asked for, so it is empty.")
    elif payload.made_up:
        places = ", ".join(place for place in payload.made_up if place) or "all of it"
        notes.append(f"Made up in the input: {places} (--payload gives a real one). Every process has the same.")
    else:
        notes.append("Every process has the same input.")
    return setup, notes


def _world(wanted: Asked, document: dict[str, Any]) -> stubs.World:
    def of(kind: str) -> list[str]:
        return [step["id"] for step in document["steps"] if step["type"] == kind]

    return stubs.World(
        latency=asked.per_step(wanted.latency, "--latency", 0.2, of("http")),
        waits=asked.per_step(wanted.wait_seconds, "--wait-seconds", 60.0, of("wait")),
        tasks=asked.per_step(wanted.task_seconds, "--task-seconds", 3600.0, of("manual")),
        failures=asked.share(wanted.failures, "--failures", "1%"),
    )


def _payload(wanted: Asked, document: dict[str, Any], reads: Reads) -> Minimal:
    schema = document.get("input_schema")
    if wanted.payload is None:
        if schema is not None:
            return minimal(schema)
        made_up = built(reads.needed("input"))
        return Minimal(made_up.value, made_up.made_up)
    value = load(wanted.payload, "--payload")
    if schema is not None:
        try:
            Validator(schema).check(value)
        except Violation as fault:
            message = f"--payload: the definition's input_schema refuses it at {fault.pointer or '/'}: {fault.message}"
            raise BadInput(message, advice="Correct that place of the file.") from None
    return Minimal(value, ())


def load(path: Path, option: str) -> Any:
    """Return the value in a JSON or YAML file. Raises BadInput, naming the option."""
    try:
        text = path.read_text("utf-8")
    except UnicodeError:
        raise BadInput(f"{option}: {path} is not UTF-8", advice="Save it as UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{option}: {path} cannot be read: {error.strerror}", advice="Check the path.") from None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass  # then it is YAML
    try:
        return json.loads(json.dumps(read_yaml(text, MOST_DEPTH), allow_nan=False))
    except UnreadableBody as error:
        message = f"{option}: {path} is neither JSON nor YAML: {error.message.removeprefix('the body ')}"
        raise BadInput(message, advice="Correct that place.", findings=error.findings) from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{option}: {path} says what JSON cannot: {error}", advice="Write it as a text.") from None
