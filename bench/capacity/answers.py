"""What the stubs answer: given with --answers, else made of what the definition's expressions read.

Pure. An answer is the body of an http step's partner, the data of a wait's signal, or the data of a completed task.
Where nothing sensible can be made up it says so, naming the step, the path and what to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bench.capacity.asked import check_step
from bench.capacity.payload import minimal
from bench.capacity.reading import Hint, Path, Reads
from engine.errors import BadInput, Finding

WHOLE = ""  # the name of a value that is no field
PREFIX = {"http": ("output", "body"), "wait": ("output",), "manual": ("output", "data")}
ADVICE = "Put the answers into a JSON or YAML file, by step id, and name it with --answers."


class Answer(Struct, frozen=True):
    """What one step is answered. `made_up`: the paths of it that are; "" is all of it."""

    value: Any
    made_up: tuple[str, ...] = ()


class Unclear(Exception):
    """No sensible value can be made up at `path`."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


def answered(step: Mapping[str, Any]) -> bool:
    """Tell whether a step waits for somebody's answer: a partner's, a signal's, a person's."""
    return step["type"] in ("http", "manual") or (step["type"] == "wait" and "signal" in step["config"])


def answers(document: Mapping[str, Any], reads: Reads, given: Mapping[str, Any]) -> dict[str, Answer]:
    """Return the answer for each step that has one. Raises BadInput with a finding for each that cannot be made up."""
    steps = [step for step in document["steps"] if answered(step)]
    for name in given:
        check_step(name, "--answers", (step["id"] for step in steps))
    found, findings = {}, []
    for step in steps:
        name = step["id"]
        try:
            found[name] = Answer(given[name]) if name in given else made_up(step, reads)
        except Unclear as fault:
            path = shown((name, *fault.path))
            message = f"step {name!r}, {path}: {fault.why}"
            findings.append(Finding(f"/steps/{name}", message, f'Give its answer: {{"{name}": ...}}.', "no_answer"))
    if findings:
        raise BadInput("no answer can be made up for these steps", advice=ADVICE, findings=tuple(findings))
    return found


def made_up(step: Mapping[str, Any], reads: Reads) -> Answer:
    """Return an answer that has all that is read of it. Raises Unclear."""
    root = ("steps", step["id"])
    for path, why in reads.unclear.items():
        if path[: len(root)] == root:
            raise Unclear(path[len(root) :], why)
    below = reads.needed(*root, *PREFIX[step["type"]])
    try:
        made = built({path: hints for path, hints in below.items() if path[:1] != ("timed_out",)})
    except Unclear as fault:
        raise Unclear((*PREFIX[step["type"]], *fault.path), fault.why) from None
    if "form" in step["config"]:
        form = minimal(step["config"]["form"])
        return Answer(_over(form.value, made.value), (*form.made_up, *made.made_up))
    return made


def built(needed: Mapping[Path, list[Hint]], name: str = WHOLE) -> Answer:
    """Return the least value that has all these paths. Raises Unclear."""
    below: dict[str | int, dict[Path, list[Hint]]] = {}
    for path, hints in needed.items():
        if path:
            below.setdefault(path[0], {})[path[1:]] = hints
    if not below:
        return Answer(_leaf(needed.get((), []), name), ("",))
    parts: dict[str | int, Answer] = {}
    for key, inner in below.items():
        try:
            parts[key] = built(inner, key if isinstance(key, str) else name)
        except Unclear as fault:
            raise Unclear((key, *fault.path), fault.why) from None
    made_up = tuple(_under(key, path) for key, part in parts.items() for path in part.made_up)
    if all(isinstance(key, int) for key in parts):
        most = max(key for key in parts if isinstance(key, int))
        usual = next(iter(parts.values()))
        return Answer([parts.get(i, usual).value for i in range(most + 1)], made_up)
    if any(isinstance(key, int) for key in parts):
        raise Unclear((), "it is read as a list and as an object")
    return Answer({str(key): part.value for key, part in parts.items()}, made_up)


def _leaf(hints: list[Hint], name: str) -> Any:
    """Return one value that suits all that is known of it; of a number, rather what a lower bound asks for."""
    kinds = {hint.kind for hint in hints if hint.kind}
    if len(kinds) > 1:
        raise Unclear((), f"it is read as {' and as '.join(sorted(kinds))}")
    if not kinds:
        return {} if name == WHOLE else f"{name}-1"
    kind = kinds.pop()
    equal = [hint.value for hint in hints if hint.relation == "=="]
    if kind == "number":
        return _number(hints, equal)
    return equal[0] if equal else {"text": f"{name}-1", "bool": True, "list": [], "map": {}}[kind]


def _number(hints: list[Hint], equal: list[Any]) -> Any:
    least = [hint.value + (hint.relation == ">") for hint in hints if hint.relation in (">", ">=")]
    most = [hint.value - (hint.relation == "<") for hint in hints if hint.relation in ("<", "<=")]
    if least:
        return max(least)
    return equal[0] if equal else min(most, default=1)


def shown(path: Path) -> str:
    """Return a path as an expression has it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _under(key: str | int, path: str) -> str:
    head = f"[{key}]" if isinstance(key, int) else key
    return head if not path else f"{head}{path}" if path.startswith("[") else f"{head}.{path}"


def _over(below: Any, above: Any) -> Any:
    """Return a value with what another has besides."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return below
    return {**above, **{key: _over(value, above.get(key)) for key, value in below.items()}}
