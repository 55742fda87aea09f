"""How each contender is called. Imports a library only when its contender is prepared.

A contender compiles a source once and evaluates it on Python values, for that is what a process has: turning them into
values of its own belongs to an evaluation. Where a library can keep turned values, "NAME (data ready)" is measured
beside it. It shows what the turning costs, and is no contender: every decision of a process has data of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from bench.expressions.cases import Case
from bench.expressions.sources import CANNOT, SOURCES

Run = Callable[[Any], Any]
Load = Callable[[dict[str, Any]], Any]

OURS = "stepwell"
SCALE = "plain Python"


class Contender(Struct, frozen=True):
    """Somebody who evaluates. `kind`: ours | other | ready (data turned beforehand) | scale (no evaluator at all)."""

    name: str
    kind: str
    package: str
    make: Callable[[Any, Case], tuple[Load, Run]]
    licence: str = ""
    favours: str = ""

    def prepare(self, case: Case) -> tuple[Load, Run]:
        """Return what turns data, and what evaluates the case on them. Raises ImportError."""
        return self.make(SOURCES.get(self.package, {}).get(case.name), case)

    def cannot(self, case: Case) -> str:
        """Return why the case cannot be said in the language, '' where it can."""
        return CANNOT.get(self.package, {}).get(case.name, "")


def _as_is(data: dict[str, Any]) -> dict[str, Any]:
    return data


class _Given:
    """The scope of one evaluation of ours, with a tank of its own."""

    __slots__ = ("data", "fuel")

    def __init__(self, data: dict[str, Any], fuel: Any) -> None:
        self.data = data
        self.fuel = fuel

    def lookup(self, root: str) -> Any:
        return self.data[root]

    def step(self, step_id: str, field: str) -> Any:
        return self.data["steps"][step_id][field]

    def secret(self, name: str) -> str:
        raise KeyError(name)


def _stepwell(source: Any, case: Case) -> tuple[Load, Run]:
    cel, fuel = import_module("engine.cel"), import_module("engine.cel.fuel")
    template = case.name.startswith(("mapping", "text"))
    evaluate = (cel.compile_template if template else cel.compile_condition)(source).evaluate
    tank = fuel.Fuel
    return _as_is, lambda data: evaluate(_Given(data, tank()))


def _plain_python(_source: Any, case: Case) -> tuple[Load, Run]:
    return _as_is, case.answer


def _jsonatapy(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("jsonatapy").compile(source).evaluate


def _jsonatapy_ready(source: Any, _case: Case) -> tuple[Load, Run]:
    library = import_module("jsonatapy")
    return library.JsonataData, library.compile(source).evaluate_with_data


def _jsonata_python(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("jsonata").Jsonata(source).evaluate


def _zen(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("zen").compile_expression(source).evaluate


def _google(source: Any) -> tuple[Any, Any]:
    cel = import_module("cel_expr_python.cel")
    environment = cel.NewEnv(variables={"input": cel.Type.DYN, "steps": cel.Type.DYN})
    return environment, environment.compile(source)


def _cel_expr_python(source: Any, _case: Case) -> tuple[Load, Run]:
    _, program = _google(source)
    return _as_is, lambda data: program.eval(data=data).plain_value()


def _cel_expr_python_ready(source: Any, _case: Case) -> tuple[Load, Run]:
    environment, program = _google(source)
    return environment.Activation, lambda data: program.eval(data).plain_value()


def _common(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("cel").compile(source).execute


def _common_ready(source: Any, _case: Case) -> tuple[Load, Run]:
    library = import_module("cel")
    return library.Context, library.compile(source).execute


def _cel_python(source: Any, _case: Case) -> tuple[Load, Run]:
    celpy = import_module("celpy")
    environment = celpy.Environment()
    evaluate, turn = environment.program(environment.compile(source)).evaluate, celpy.json_to_cel
    return _as_is, lambda data: evaluate(turn(data))


def _jmespath(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("jmespath").compile(source).search


def _simpleeval(source: Any, _case: Case) -> tuple[Load, Run]:
    functions = {
        "timestamp": datetime.fromisoformat,
        "local": lambda at, zone: at.astimezone(ZoneInfo(zone)),
        "size": len,
    }
    evaluator = import_module("simpleeval").EvalWithCompoundTypes(functions=functions)
    parsed = evaluator.parse(source)

    def run(data: dict[str, Any]) -> Any:
        evaluator.names = data
        return evaluator.eval(source, previously_parsed=parsed)

    return _as_is, run


def _rule_engine(source: Any, _case: Case) -> tuple[Load, Run]:
    return _as_is, import_module("rule_engine").Rule(source).evaluate


def _jq(source: Any, _case: Case) -> tuple[Load, Run]:
    program = import_module("jq").compile(source)
    return _as_is, lambda data: program.input_value(data).first()


_READY = "no contender: data turned once, beforehand"
_NO_BOUND = "bounds neither its time nor its memory, which favours it"
CONTENDERS = (
    Contender(
        OURS,
        "ours",
        "stepwell",
        _stepwell,
        "Apache-2.0",
        "walks Python values as they are, which favours it over large data",
    ),
    Contender("jsonatapy", "other", "jsonatapy", _jsonatapy, "MIT", "compiled; turns only what is read"),
    Contender("jsonatapy (data ready)", "ready", "jsonatapy", _jsonatapy_ready, "MIT", _READY),
    Contender(
        "zen-engine",
        "other",
        "zen-engine",
        _zen,
        "MIT",
        f"compiled; turns all data each time; {_NO_BOUND}",
    ),
    Contender(
        "cel-expr-python",
        "other",
        "cel-expr-python",
        _cel_expr_python,
        "Apache-2.0",
        "compiled; turns all data each time",
    ),
    Contender("cel-expr-python (data ready)", "ready", "cel-expr-python", _cel_expr_python_ready, "Apache-2.0", _READY),
    Contender("jmespath", "other", "jmespath", _jmespath, "MIT", "reads paths more than it computes"),
    Contender(
        "simpleeval",
        "other",
        "simpleeval",
        _simpleeval,
        "MIT",
        "functions of time are Python's own, given by this benchmark",
    ),
    Contender("jq", "other", "jq", _jq, "BSD-2-Clause", "writes all data as JSON each time"),
    Contender("jsonata-python", "other", "jsonata-python", _jsonata_python, "Apache-2.0"),
    Contender(
        "common-expression-language",
        "other",
        "common-expression-language",
        _common,
        "Apache-2.0",
        f"compiled; turns all data each time; {_NO_BOUND}",
    ),
    Contender(
        "common-expression-language (data ready)",
        "ready",
        "common-expression-language",
        _common_ready,
        "Apache-2.0",
        _READY,
    ),
    Contender(
        "rule-engine",
        "other",
        "rule-engine",
        _rule_engine,
        "BSD-3-Clause",
        "computes with decimals, which costs it time",
    ),
    Contender(
        "cel-python",
        "other",
        "cel-python",
        _cel_python,
        "Apache-2.0",
        "answers stay values of its own, which favours it",
    ),
    Contender(SCALE, "scale", "", _plain_python, "", "a function written for the case: what an evaluator costs on top"),
)
BY_NAME = {contender.name: contender for contender in CONTENDERS}


def same(found: Any, wanted: Any) -> bool:
    """Tell whether a contender's answer is the right one, in whatever types it answers."""
    if isinstance(wanted, bool):
        return type(found).__name__ in ("bool", "BoolType") and bool(found) is wanted
    if isinstance(wanted, dict):
        return (
            isinstance(found, Mapping) and set(found) == set(wanted) and all(same(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(found, Sequence) and len(found) == len(wanted) and all(map(same, found, wanted))
    return bool(found == wanted)
