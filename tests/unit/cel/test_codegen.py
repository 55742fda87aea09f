"""What generated code is made of, whatever the expression.

The code of an expression is executed by Python. It must never hold anything of a definition but literals.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cel import (
    ROOTS,
    Compiler,
    EvaluationError,
    InvalidExpression,
    Program,
    codegen,
    compile_condition,
    compile_expression,
    compile_template,
)
from engine.cel.syntax import Const, Joined, Node, Select
from engine.cel.trees import children
from tests.unit.cel.given import Given, alike

KNOWN = ROOTS | {"secrets", "item"}
NODES = {
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.Pass, ast.If, ast.IfExp,
    ast.For, ast.Break, ast.Continue, ast.Try, ast.ExceptHandler, ast.Raise, ast.Call, ast.Name, ast.Load, ast.Store, ast.Attribute,
    ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp,
    ast.Add, ast.Sub, ast.Mult, ast.Compare, ast.Is, ast.IsNot, ast.In, ast.NotIn, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
}  # fmt: skip
BUILTINS = {"len", "KeyError"}
OURS = {"scope", "fuel", "spend", "step", "secret", "run", "make", "fault", "constants", "x"}
MADE = re.compile(rf"[tevgk][0-9]+|r_({'|'.join(sorted(KNOWN))})")
ATTRIBUTES = {"fuel", "spend", "lookup", "step", "secret", "append", "value", "again", "__class__"}
STRUCTURE: list[Any] = [None, True, False, 0, 1]  # literals of the generator itself, beside the prices in spend()


def literals_of(tree: Node) -> set[str]:
    """Return the literals that may be in the code of a tree, as Python writes them without a sign."""
    found: list[Any] = [*STRUCTURE, *KNOWN]
    todo = [tree]
    while todo:
        node = todo.pop()
        todo += children(node)
        if isinstance(node, Const):
            found.append(node.value)
        if isinstance(node, Select):
            found.append(node.field)
        if isinstance(node, Joined):
            found += [part for part in node.parts if isinstance(part, str)]
    return {repr(abs(value) if type(value) in (int, float) else value) for value in found}


def unsafe(program: Program) -> list[str]:
    """Return what there is in the code of a program that must not be in it."""
    module = ast.parse(codegen.generate(program._tree, program._checked, condition=program._condition).text)
    known = (set(codegen.NAMES) - {"__builtins__"}) | BUILTINS | OURS
    literals = literals_of(program._tree)
    prices = {id(part) for node in ast.walk(module) if _is_price(node) for part in ast.walk(node)}
    found = []
    for node in ast.walk(module):
        names = _names(node)
        found += [name for name in names if name not in known and not MADE.fullmatch(name)]
        if type(node) not in NODES:
            found.append(type(node).__name__)
        if isinstance(node, ast.Attribute) and (
            node.attr not in ATTRIBUTES or not isinstance(node.value, ast.Name | ast.Constant | ast.UnaryOp)
        ):
            found.append(f".{node.attr}")
        if isinstance(node, ast.Call) and (node.keywords or not isinstance(node.func, ast.Name | ast.Attribute)):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Constant) and id(node) not in prices and repr(node.value) not in literals:
            found.append(f"literal {node.value!r}")
    return found


def _is_price(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "spend"


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    return [node.name] if isinstance(node, ast.ExceptHandler) and node.name else []


def quoted(text: str) -> str:
    """Return a text as a literal of CEL."""
    return (
        '"' + "".join(f"\\U{ord(char):08x}" if char in '"\\' or not char.isprintable() else char for char in text) + '"'
    )


NASTY = [
    "__import__", "__class__", "__builtins__", "constructor", "__proto__", "import", "lambda", "def", "None", "True", "t1", "e1", "v1", "g1", "k0",
    "r_input", "scope", "fuel", "spend", "fault", "x", "FAULTS", "run", "", " ", "'", '"', "''", '"""', "'''", "\\", "\\'", '\\"', "\\\\'", "\n", "\r",
    "\r\n", "\t", "\0", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e", "ünïcödé", "🦊", "e\u0301", "{}", "{0}", "%s", "${x}", "#", "# x\nraise",
    '"]; import os; ["', "']; import os; ['", "'); import os; ('", '"); import os; ("', "\"\nimport os\n\"", "\\\nimport os", "'''\nimport os\n'''",
    "\\x27", "\\u0027", "\\N{APOSTROPHE}", "x" * 2000, "'" * 1000, "\\" * 151, "a\\\n" * 100,
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_a_text_stays_a_text_wherever_it_stands(text: str) -> None:
    written = quoted(text)
    given = {
        "input": {text: 1, "t": text},
        "steps": {text: {"output": {text: 2}}},
        "secrets": {text: "s"},
        "process": {"id": text},
    }
    cases = [
        (written, text), (f"[{written}, {written}]", [text, text]), (f"{{{written}: 1}}", {text: 1}), (f"input[{written}]", 1),
        (f"input[?{written}]", 1), (f"input[string({written})]", 1), (f"has(input[{written}])", True), (f"steps[{written}].output[{written}]", 2),
        (f"steps[{written}].?output[?{written}]", 2), (f"has(steps[{written}].output)", True), (f"secrets[{written}]", "s"),
        (f"input.t == {written}", True), (f"input.t != {written}", False), (f"input.t in [{written}, 'other']", True),
        (f"input.t in [{written}, 1]", True), (f"{written} in input", True), (f"input.t + {written}", text * 2), (f"input.t < {written}", False),
        (f"input.t.contains({written})", True), (f"[1].map(v, {written})", [text]), (f"true ? {written} : 1", text),
        (f"input.?zz.orValue({written})", text), (f"cel.bind(b, {written}, b)", text), (f"{{{written}: [{written}]}}[{written}]", [text]),
        (f"{{?{written}: input.?t}}", {text: text}), (f"input.t == process.id && {written}.size() >= 0", True),
    ]  # fmt: skip
    for source, expected in cases:
        program = compile_expression(source, "", KNOWN)
        assert unsafe(program) == [], source
        assert program.evaluate(Given(**given)) == expected, source


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_a_text_of_a_document_stays_a_text(text: str) -> None:
    plain = text.replace("${", "$${")
    value = {text: f"{plain}${{input.t}}{plain}", "b": ["${input.t}", plain], "c": [plain, {text: 1}, None]}
    program = compile_template(value)
    assert unsafe(program) == []
    assert program.evaluate(Given(input={"t": text})) == {
        text: text * 3,
        "b": [text, text],
        "c": [text, {text: 1}, None],
    }
    assert unsafe(Compiler().address(f"https://x/{plain}${{input.t}}", "")) == []
    leaf = {"field": f"input[{quoted(text)}]", "operator": "in", "value": [plain, "${input.t}", {text: plain}]}
    assert unsafe(compile_condition({"any": [leaf, {"not": {**leaf, "operator": "eq"}}]})) == []


@pytest.mark.parametrize(
    "name",
    ["__import__", "__class__", "constructor", "None", "True", "lambda", "def", "class", "print", "t1", "t2", "e1", "v1", "v2", "g1", "k0", "r_input",
     "scope", "fuel", "spend", "step", "fault", "run", "x", "FAULTS", "Some", "len", "str", "KeyError", "operations_add", "inputs", "secret", "_", "a1"],
)  # fmt: skip
def test_a_variable_may_have_any_name(name: str) -> None:
    cases: list[tuple[str, Any]] = [
        (f"[1, 2].map({name}, {name} + 1)", [2, 3]), (f"[[1], [2]].map({name}, {name}.map(x2, {name}[0] * x2))", [[1], [4]]),
        (f"[[1], [2]].map(x2, x2.map({name}, {name} * x2[0]))", [[1], [4]]), (f"cel.bind({name}, 5, {name} > 1 && {name} < 9)", True),
        (f"{{'a': 1}}.transformMap({name}, v3, v3 + size({name}))", {"a": 2}), (f"[3].all({name}, [4].exists(w, w > {name}))", True),
        (f"[1].map({name}, [{name}].map({name}, {name} + 1)[0] + {name})", [3]), (f"optional.of(1).optMap({name}, {name})", 1),
    ]  # fmt: skip
    for source, expected in cases:
        program = compile_expression(source)
        assert unsafe(program) == [], source
        assert program.evaluate(Given(input={})) == expected, source


NUMBERS = ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "0.0", "-0.0", "1e308", "-1.7976931348623157e308", "5e-324", "0.1", "1e22",
           "0xff", "1e-7", "3.0"]  # fmt: skip
CONSTANTS = [
    *NUMBERS,
    "true",
    "false",
    "null",
    "''",
    "b''",
    r"b'\x00\xff\'\"\\'",
    "r'\\n'",
    "[]",
    "{}",
    "[null]",
    "'''a\nb'''",
]


@pytest.mark.parametrize("constant", CONSTANTS)
def test_a_constant_of_any_kind_is_a_literal(constant: str) -> None:
    for source in (
        constant, f"[{constant}]", f"{{'a': {constant}}}", f"{constant} == input.v", f"input.v != {constant}", f"input.v in [{constant}, {constant}]",
        f"[1].map(v, {constant})", f"true ? {constant} : {constant}", f"input.?v.orValue({constant})", f"[{constant}].map(v, v)[0]",
    ):  # fmt: skip
        assert unsafe(compile_expression(source)) == [], source
    same = compile_expression(f"[{constant}].map(v, v)[0]").evaluate(Given(input={}))
    assert alike(compile_expression(constant).evaluate(Given(input={})), same)
    assert compile_expression(f"{constant} == input.v").evaluate(Given(input={"v": same})) is (
        not constant.startswith("b")
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_arithmetic_with_literals_on_either_side_is_what_it_is_with_data(number: str) -> None:
    value = compile_expression(number).evaluate(Given())
    for operator in ("+", "-", "*", "<", "<=", ">", ">=", "==", "!="):
        for other in (1, -2.5, 2**62, True, "a", None, 0.0):
            given = Given(input={"a": value, "b": other})
            for literal, data in (
                (f"{number} {operator} input.b", f"input.a {operator} input.b"),
                (f"input.b {operator} {number}", f"input.b {operator} input.a"),
            ):
                assert _outcome(literal, given) == _outcome(data, given), f"{literal} where b is {other!r}"


def _outcome(source: str, given: Given) -> str:
    try:
        return repr(compile_expression(source).evaluate(given))
    except EvaluationError as fault:
        return fault.message


def test_generated_code_reaches_nothing_but_what_it_needs() -> None:
    assert set(codegen.NAMES["__builtins__"]) == BUILTINS
    for name, found in codegen.NAMES.items():
        assert name == "__builtins__" or name.split("_")[0] not in ("os", "sys", "builtins", "io", "subprocess")
        assert not isinstance(found, type(ast)), name
    before = dict(codegen.NAMES)
    compile_expression("input.l.map(i, i + 1).all(i, i > 0 || i < 0)").evaluate(Given(input={"l": [1, 2]}))
    assert before == codegen.NAMES


@pytest.mark.parametrize(
    "source",
    ["__import__('os')", "input.__import__('os')", "eval('1')", "().__class__", "input.map(x, __builtins__)", "scope.fuel", "fuel", "t1", "r_input",
     "k0[0]", "FAULTS", "operations_add(1, 2, 3)", "runtime_join('a')", "type(1)", "len(input)", "input.f().__globals__", "exec", "fault(1)"],
)  # fmt: skip
def test_no_expression_names_what_is_behind_it(source: str) -> None:
    with pytest.raises(InvalidExpression):
        compile_expression(source)


class Told(Given):
    """A scope that notes what it is asked for."""

    def __init__(self, **roots: Any) -> None:
        super().__init__(**roots)
        self.asked: list[str] = []

    def lookup(self, root: str) -> Any:
        self.asked.append(root)
        return super().lookup(root)


def test_data_is_reached_by_key_alone() -> None:
    given = Told(input={"a": {"b": 1}, "l": [1], "s": "x"})
    for source in (
        "input.__class__",
        "input.a.items",
        "input.l.append",
        "input.s.__class__",
        "input.keys",
        "input['__dict__']",
        "input.l.__len__",
    ):
        with pytest.raises(EvaluationError):
            compile_expression(source).evaluate(given)
    assert set(given.asked) == {"input"}


# ---- any expression

_texts = st.text(max_size=8) | st.sampled_from(NASTY[:80])
_atoms = st.one_of(
    _texts.map(quoted),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number) if "e" in repr(number) or "." in repr(number) else f"{number}.0"),
    st.binary(max_size=4).map(lambda value: 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'),
    st.sampled_from(["true", "false", "null", "input", "input.a", "input.n", "input.l", "input.t", "now", "steps.s.output", "process.id", "x", "y", "item",
                     "input.?a", "steps.s.?error", "secrets.A", "optional.none()", "duration('1h')"]),
    _texts.map(lambda text: f"input[{quoted(text)}]"),
    _texts.map(lambda text: f"input[?{quoted(text)}]"),
    _texts.map(lambda text: f"secrets[{quoted(text)}]"),
    _texts.map(lambda text: f"steps[{quoted(text)}].output"),
)  # fmt: skip


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    forms = [
        "({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} % {})", "({} == {})", "({} != {})", "({} < {})", "({} >= {})", "({} in {})",
        "({} && {})", "({} || {})", "({} && {} && {})", "({} || {} || {})", "({} ? {} : {})", "(!{})", "(-{})", "[{}, {}]", "[{}, ?{}]", "{{'a': {}}}",
        "{{{}: {}, 'b': {}}}", "{{?'a': {}}}", "({})[{}]", "({})[?{}]", "({}).a", "({}).?a", "has(({}).a)", "({}).orValue({})", "({}).optMap(x, {})",
        "({}).map(x, {})", "({}).map(x, {}, {})", "({}).all(x, {})", "({}).exists(y, {})", "({}).exists_one(x, {})", "({}).filter(x, {})",
        "({}).sortBy(x, {})", "({}).all(x, y, {})", "({}).transformList(x, y, {})", "({}).transformMap(x, y, {}, {})", "({}).transformMapEntry(x, y, {})",
        "cel.bind(x, {}, {})", "string({})", "size({})", "({}).contains({})", "({}).join()", "math.greatest({}, {})", "({}).split({})", "({}).format([{}])",
        "optional.of({})", "({}).matches('a+')", "hash.sha256({})", "timestamp({})", "({}).sum()", "({}).first()",
    ]  # fmt: skip
    inner = inner | inner.map("dyn({})".format) | inner.map("dyn({})".format)  # of which no kind is known beforehand
    return st.one_of(*(st.lists(inner, min_size=4, max_size=4).map(partial(_filled, form)) for form in forms))


def _filled(form: str, parts: list[str]) -> str:
    return form.format(*parts)


_sources = st.recursive(_atoms, _larger, max_leaves=16)
_ROOTS: dict[str, Any] = {"input": {"a": {"a": 1}, "n": 2, "l": [1, "a", {"a": True}], "t": True}, "now": datetime(2026, 3, 1, tzinfo=UTC),
                          "process": {"id": "p"}, "steps": {"s": {"output": [1]}}, "secrets": {"A": "s"}, "item": None, "trigger": None}  # fmt: skip
often = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@often
@given(
    _sources,
    st.sampled_from(
        ["[1, 2].map(x, {0})", "{{'a': 1}}.transformList(x, y, {0})", "cel.bind(x, input, cel.bind(y, 1, {0}))"]
    ),
)
def test_the_code_of_any_expression_is_made_of_our_own_words(source: str, around: str) -> None:
    try:
        program = compile_expression(around.format(source), "", KNOWN)
    except InvalidExpression:
        return
    harmless(program)


@often
@given(_sources, _texts, _texts)
def test_the_code_of_any_config_value_is_made_of_our_own_words(source: str, before: str, after: str) -> None:
    text = f"{before.replace('$', '')}${{{source}}}{after.replace('$', '')}"
    try:
        program = compile_template({before: [text, f"${{{source}}}"]}, "", KNOWN)
    except InvalidExpression:
        return
    harmless(program)


def harmless(program: Program) -> None:
    assert unsafe(program) == []
    with suppress(EvaluationError):
        assert fit_for_json(program.evaluate(Given(**_ROOTS)))


def fit_for_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(fit_for_json, value))
    if isinstance(value, dict):
        return all(type(key) is str and fit_for_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
