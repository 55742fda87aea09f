"""The definition as the tool runs it: partners are local, the world outside is this tool, long waits are short.

Pure. Whatever differs from the definition as it was written becomes an assumption of the report, in words.

Invariant: the graph, the conditions and the expressions of every step stay as they are, but for the URLs of http steps,
the keys and times of waits, and the list of expected statuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from bench.capacity.answers import Answer, answered
from bench.capacity.asked import PerStep
from engine.core.document import DOCUMENT

SHORT_S = 1.5  # the longest that a wait lasts while the tool measures; one of a second a worker would not put aside
KEY = "${process.id}"  # in place of each correlation key: so one signal is for one process
_WITHOUT_BODY = "HEAD"  # the partner always sends one


class Times(Struct, frozen=True):
    """How long the steps of a definition take by themselves: as its world has it, and while the tool runs."""

    real: dict[str, float]
    played: dict[str, float]


class World(Struct, frozen=True):
    """What the options say of the world outside: seconds by step, and the share of calls that fail."""

    latency: PerStep
    waits: PerStep
    tasks: PerStep
    failures: float


def times(document: Mapping[str, Any], world: World) -> Times:
    """Return how long each step takes."""
    real = {step["id"]: _real(step, world) for step in document["steps"]}
    waiting = {step["id"] for step in document["steps"] if step["type"] in ("wait", "manual")}
    return Times(real, {name: min(s, SHORT_S) if name in waiting else s for name, s in real.items()})


def _real(step: Mapping[str, Any], world: World) -> float:
    if step["type"] == "http":
        return world.latency[step["id"]]
    if step["type"] == "manual":
        return world.tasks[step["id"]]
    if step["type"] != "wait":
        return 0.0
    given = step["config"].get("seconds")
    known = isinstance(given, int | float) and step["id"] not in world.waits.of
    return float(given) if known and given is not None else world.waits[step["id"]]


def played(document: Mapping[str, Any], urls: Mapping[str, str], lasting: Times) -> dict[str, Any]:
    """Return the document to publish. `urls`: of the partner of each http step."""
    kept = {name: document[name] for name in DOCUMENT.fields if name in document and name not in ("trigger", "enabled")}
    return {**kept, "steps": [_step(step, urls, lasting) for step in document["steps"]]}


def _step(step: Mapping[str, Any], urls: Mapping[str, str], lasting: Times) -> dict[str, Any]:
    config = dict(step["config"])
    if step["type"] == "http":
        config.pop("expect_status", None)
        config["url"] = urls[step["id"]]
        if config.get("method") == _WITHOUT_BODY:
            config["method"] = "GET"
    elif step["type"] == "wait" and "signal" in config:
        config["correlation_key"] = KEY
    elif step["type"] == "wait":
        config.pop("until", None)
        config["seconds"] = lasting.played[step["id"]]
    return {**step, "config": config}


def assumptions(
    document: Mapping[str, Any], world: World, lasting: Times, given: Mapping[str, Answer], secrets: Iterable[str]
) -> list[str]:
    """Return what is not as in the definition's own world, a sentence each."""
    steps = document["steps"]
    found = _of_partners(steps, world)
    found += [_of_wait(step, lasting) for step in steps if step["type"] in ("wait", "manual")]
    found += _of_answers(given)
    if any(step["type"] == "wait" and "signal" in step["config"] for step in steps):
        found.append("Each wait for a signal has the process's own id as its correlation key.")
    named = sorted(secrets)
    if named:
        found.append(f"The secrets {', '.join(named)} are made up.")
    return found


def _of_partners(steps: Iterable[Mapping[str, Any]], world: World) -> list[str]:
    by_latency: dict[float, list[str]] = {}
    for step in steps:
        if step["type"] == "http":
            by_latency.setdefault(world.latency[step["id"]], []).append(step["id"])
    if not by_latency:
        return []
    found = [f"{', '.join(names)}: a partner answers 200 after {length(s)}." for s, names in by_latency.items()]
    fails = f"refuse {world.failures * 100:g}% of all calls with 503" if world.failures else "refuse no call"
    return [
        *found,
        f"The partners {fails}. They are on this machine: no TLS, no network, and they take processor time from it.",
    ]


def _of_wait(step: Mapping[str, Any], lasting: Times) -> str:
    real, short = lasting.real[step["id"]], lasting.played[step["id"]]
    what = "the task is completed" if step["type"] == "manual" else "the signal comes"
    what = what if answered(step) else "the wait is over"
    shortened = f"; {length(short)} while measuring" if short < real else ""
    limit = min((s for s in (step.get("timeout_seconds"), step["config"].get("timeout_seconds")) if s), default=real)
    late = f" That is after its timeout of {length(limit)}, which is not played." if limit < real else ""
    return f"{step['id']}: {what} after {length(real)}{shortened}.{late}"


def _of_answers(given: Mapping[str, Answer]) -> list[str]:
    empty = [name for name, answer in given.items() if answer.made_up == ("",) and not answer.value]
    found = [
        f"{name}: made up in its answer: {', '.join(place or 'all of it' for place in answer.made_up)}."
        for name, answer in given.items()
        if answer.made_up and name not in empty
    ]
    if empty:
        found.append(f"{', '.join(empty)}: nothing of the answer is read, so it is empty.")
    return [f"{text} Give a real one with --answers." for text in found]


def length(seconds: float) -> str:
    """Return a duration in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size or (unit == "s" and seconds >= 1):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"
