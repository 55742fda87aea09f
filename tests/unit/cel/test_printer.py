"""Trees as CEL."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cel import grammar
from engine.cel.parser import parse
from engine.cel.printer import show
from engine.cel.syntax import (
    Binary,
    Call,
    Const,
    Embedded,
    Entry,
    Has,
    Index,
    Item,
    Joined,
    ListOf,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from tests.unit.cel.placeless import bare

A, B, C = (Name(0, name) for name in "abc")


@pytest.mark.parametrize(
    "source",
    [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "a - b - c",
        "a && b || c",
        "a && (b || c)",
        "(a && b) && c",
        "a && (b && c)",
        "a ? b : c ? d : e",
        "(a ? b : c) ? d : e",
        "a ? (b ? c : d) : e",
        "(a ? b : c) + d",
        "a == (b ? c : d)",
        "[a ? b : c, ?d]",
        "{a ? b : c: d ? e : f, ?g: h}",
        "!a",
        "!!a",
        "!(a && b)",
        "!(-a)",
        "-(!a)",
        "--a",
        "-(5)",
        "--5",
        "-(5.f())",
        "-(0.5)",
        "a - -5",
        "-5 + a",
        "(-5).f()",
        "(-a).f()",
        "-a.f()",
        "(a + b).c",
        "(a + b)[c]",
        "(!a).b",
        "a.b.?c[0][?d]",
        'a["b-c"]',
        'a[?"b-c"]',
        'a["in"].if["true"]',
        'a[""]',
        'a["é"]',
        "has(a.b)",
        'has(a["b c"])',
        "1.f()",
        "1.e5",
        "1.0.f()",
        "f(a ? b : c, d)",
        "a.f(b, c).g()",
        "math.round(a)",
        "a.map(x, x > 1, x * 2)",
        "a.all(k, v, k == v)",
        "(a + b).exists_one(x, x)",
        "cel.bind(x, a ? b : c, x + x)",
        'a + "b"',
        "null == true",
        "[]",
        "{}",
    ],
)
def test_brackets_are_written_where_they_are_needed_and_nowhere_else(source: str) -> None:
    assert show(parse(source)) == source


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("((a))+(b*c)", "a + b * c"),
        ("(a && b) || c", "a && b || c"),
        ("a ? b : (c ? d : e)", "a ? b : c ? d : e"),
        ("(a.b).c", "a.b.c"),
        ("a?.b", "a.?b"),
        ("a['b']", "a.b"),
        ("a[?'b']", "a.?b"),
        ("a.`b-c`", 'a["b-c"]'),
        ("l.existsOne(x, x)", "l.exists_one(x, x)"),
        ("- 5", "-5"),
        ("0x10", "16"),
        ("[1,]", "[1]"),
        ("a // b", "a"),
    ],
)
def test_there_is_one_way_to_write_a_thing(source: str, shown: str) -> None:
    assert show(parse(source)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1, "1"),
        (-5, "-5"),
        (-(2**63), "-9223372036854775808"),
        (10**30, "1" + "0" * 30),
        (1.0, "1.0"),
        (-0.5, "-0.5"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        ("", '""'),
        ("a'b", '"a\'b"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("a\nb\rc\td", r'"a\nb\rc\td"'),
        ("\0\x1f\x7f", r'"\u0000\u001f\u007f"'),
        ("é😀", '"é😀"'),
        ("${a}", '"${a}"'),
        (b'a"\\\n\xff', r'b"a\x22\x5c\x0a\xff"'),
        ([], "[]"),
        ([1, [2.0, None], {"a": []}], '[1, [2.0, null], {"a": []}]'),
        ({"a b": -1, "c": {"d": True}}, '{"a b": -1, "c": {"d": true}}'),
    ],
)
def test_constants(value: Any, shown: str) -> None:
    assert show(Const(0, value)) == shown


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        (Joined(0, (A,)), "string(a)"),
        (Joined(0, ("x",)), '"x"'),
        (Joined(0, ()), '""'),
        (Joined(0, ("x ", A, "\n")), r'"x " + string(a) + "\n"'),
        (Joined(0, (A, B), True), "string(a) + string(b)"),
        (Joined(0, ("x", Ternary(0, A, B, C))), '"x" + string(a ? b : c)'),
        (Call(0, "size", Joined(0, ("x", A)), ()), '("x" + string(a)).size()'),
        (Binary(0, "==", Joined(0, ("x", A)), B), '"x" + string(a) == b'),
        (Embedded(0, Select(3, A, "b"), "/x", "x${a.b}"), "a.b"),
        (Joined(0, ("x", Embedded(0, A, "/x", "x${a}"))), '"x" + string(a)'),
        (Binary(0, "*", Embedded(0, Binary(0, "+", A, B), "/x", "a + b"), C), "(a + b) * c"),
        (Select(0, Const(0, {"a": 1}), "a"), '{"a": 1}.a'),
        (Binary(0, "in", A, Const(0, [1, -2])), "a in [1, -2]"),
    ],
)
def test_what_only_documents_make(tree: Node, shown: str) -> None:
    assert show(tree) == shown


def test_a_tree_of_any_depth_is_written() -> None:
    tree: Node = A
    for _ in range(3000):
        tree = Logic(0, "&&", (tree, Logic(0, "||", (B, C))))
    assert show(tree).startswith("(" * 2999 + "a && (b || c)) && (b || c)")


# ---- what is written is read as the same tree


def maps_of(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(st.builds(Entry, node, node, st.booleans()), max_size=2).map(lambda found: MapOf(0, tuple(found)))


def lists_of(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(st.builds(Item, node, st.booleans()), max_size=3).map(lambda found: ListOf(0, tuple(found)))


@st.composite
def macros(draw: st.DrawFn, node: st.SearchStrategy[Node]) -> Node:
    name = draw(st.sampled_from([*sorted(grammar.MACROS), grammar.BIND]))
    count, variables = draw(st.sampled_from(sorted(grammar.MACROS.get(name, {2: 1}).items())))
    names = draw(st.permutations(["x", "input", "then"]))
    args = tuple(draw(node) for _ in range(count - variables))
    return Macro(0, name, draw(node), tuple(names[:variables]), args)


def calls(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    args = st.lists(node, max_size=2).map(tuple)
    function = st.builds(Call, st.just(0), st.sampled_from(["f", "size", "math.round"]), st.none(), args)
    method = st.builds(Call, st.just(0), st.sampled_from(["f", "size", "if", "e5"]), node, args)
    few = st.builds(Call, st.just(0), st.sampled_from(["all", "map", "transformMap"]), node, st.tuples(node))
    return function | method | few


def parents(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    at, optional = st.just(0), st.booleans()
    field = st.sampled_from(["a", "b_1", "in", "true", "if", "e5", "math", "b-c", "", 'q"\\']) | st.text(max_size=3)
    key = node.filter(lambda found: not (isinstance(found, Const) and isinstance(found.value, str)))
    parts = st.lists(node, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Select, at, node, field, optional),
        st.builds(Has, at, st.builds(Select, at, node, field)),
        st.builds(Index, at, node, key, optional),
        st.builds(Unary, at, st.sampled_from("!-"), node),
        st.builds(Binary, at, st.sampled_from(sorted(set(grammar.LEVELS) - grammar.LOGIC)), node, node),
        st.builds(Logic, at, st.sampled_from(sorted(grammar.LOGIC)), parts),
        st.builds(Ternary, at, node, node, node),
        lists_of(node),
        maps_of(node),
        calls(node),
        macros(node),
    )


values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.text("\"'\\\n\r\t\0`$}", max_size=5)
    | st.binary(max_size=5)
)
leaves: st.SearchStrategy[Node] = st.builds(Const, st.just(0), values) | st.builds(
    Name, st.just(0), st.sampled_from(["a", "input", "_", "e5", "not", "b", "r", "br", "x1"])
)
trees = st.recursive(leaves, parents, max_leaves=12)


@settings(max_examples=300, deadline=None)
@given(trees)
def test_what_is_written_is_read_as_the_same_tree(tree: Node) -> None:
    assert bare(parse(show(tree))) == bare(tree)
