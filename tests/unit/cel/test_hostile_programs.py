"""Expressions made to take long, to differ from their long form, or to depend on the machine they run on.

Work is bounded by fuel, or by processor time: a bound there is at least 20 times what it takes, for what it keeps out
takes minutes.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.cel import EvaluationError, InvalidExpression, compile_expression, compile_template
from engine.cel.fuel import FUEL
from tests.unit.cel.given import ROOTS, Given, refusal, value

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOST_CPU = 5  # seconds
MANY = [1] * 15_000


def fault_of(source: str, given: Given) -> EvaluationError:
    """Return the error of an expression, which comes after little work."""
    program = compile_expression(source)
    begin = time.process_time()
    with pytest.raises(EvaluationError) as raised:
        program.evaluate(given)
    assert time.process_time() - begin < MOST_CPU
    return raised.value


@pytest.mark.parametrize("loop", [
    "input.list.exists(y, x > y)",
    "input.list.all(y, x > y)",
    "input.list.exists(y, x > y || y > x)",
    "input.list.exists(y, cel.bind(z, x + 1, z > y))",
    "input.list.exists(y, [x].exists(z, z > y))",
    "[1, 2, 3].exists(i, input.list.exists(y, x > y + i))",
])  # fmt: skip
def test_an_error_that_is_read_again_and_again_does_not_grow(loop: str) -> None:
    fault = fault_of(f"cel.bind(x, 1 / input.zero, {loop})", Given(input={"zero": 0, "list": MANY}))
    assert "division by zero" in fault.message or "too much work" in fault.message
    assert sum(1 for _ in traceback.walk_tb(fault.__traceback__)) < 20


def test_a_bound_error_that_is_made_good_each_time_costs_fuel_for_each_time() -> None:
    given = Given(input={"zero": 0, "list": MANY})
    fault = fault_of("cel.bind(x, 1 / input.zero, input.list.map(y, x > y || true).size())", given)
    assert "too much work" in fault.message
    few = Given(input={"zero": 0, "list": MANY[:100]})
    program = compile_expression("cel.bind(x, 1 / input.zero, input.list.map(y, x > y || true).size())")
    assert program.evaluate(few) == 100
    assert FUEL - few.fuel.left > 100 * 100


@pytest.mark.parametrize("values", ["[1, 2]", "[1, 2, 'a']", "['a', 'b']", "[true]", "[null]", "[1.5, 2]"])
@pytest.mark.parametrize("item", ["optional.of(1)", "optional.none()", "optional.of('a')", "optional.of(null)"])
def test_an_optional_is_in_no_list_of_literals_as_it_is_in_no_other_list(item: str, values: str) -> None:
    short = refusal(f"[{item}].exists(x, x in {values})")
    assert short == refusal(f"cel.bind(list, {values}, [{item}].exists(x, x in list))")
    assert "an optional and a value are never equal" in short


@pytest.mark.parametrize("values", ["[1, 2]", "['a', 'b']", "[1, 'a']", "[true]", "[null]", "[0.0]", "[1.0, 2]"])
@pytest.mark.parametrize("item", [
    "1", "1.0", "1.5", "true", "null", "'a'", "0", "-0.0", "false", "double('NaN')", "[1]", "{'a': 1}", "b'a'", "now",
    "duration('1s')",
])  # fmt: skip
def test_a_value_is_in_a_list_of_literals_exactly_when_it_is_in_any_other(item: str, values: str) -> None:
    short = value(f"[{item}].exists(x, x in {values})", now=NOW)
    assert short is value(f"cel.bind(list, {values}, [{item}].exists(x, x in list))", now=NOW)


ZONES = ["localtime", "posixrules", "Factory", "posix/UTC", "posix/Europe/Vienna", "right/UTC", "right/Europe/Vienna"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_zone_of_the_machine_is_none(zone: str) -> None:
    for source in ("now.getHours(input)", "now.at('12:00', input)", f"now.getHours('{zone}')"):
        assert "is not a time zone such as Europe/Vienna or +01:00" in refusal(source, input=zone, now=NOW)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "GMT"])
def test_a_time_zone_of_the_world_is_one(zone: str) -> None:
    assert 0 <= value("now.getHours(input)", input=zone, now=NOW) < 24


def _below(frames: int, work: Callable[[], Any]) -> Any:
    return work() if frames == 0 else _below(frames - 1, work)


def _compiled(source: Any) -> str:
    """Return why a config value is refused, '' where it is not."""
    try:
        compile_template(source, "/here", ROOTS)
    except InvalidExpression as fault:
        return f"{fault.pointer}: {fault.message}"
    return ""


@pytest.mark.parametrize("depth", [0, 100, 200, 300, 400])
def test_a_deep_expression_in_a_deep_value_is_compiled_or_refused_however_deep_its_caller(depth: int) -> None:
    deep: Any = "${cel.bind(x, input.o, x" + ".a" * 246 + ")}"
    for level in range(61):
        deep = {"a": deep} if level % 2 else [deep]
    outcome = _below(depth, lambda: _compiled(deep))
    assert outcome in ("", "/here: this is nested too deep")
    assert outcome or depth < 300
