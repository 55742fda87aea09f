"""Trees: what a source means, and what is said of one that means nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cel import grammar, library
from engine.cel.errors import InvalidExpression
from engine.cel.parser import parse, parse_embedded
from engine.cel.printer import show
from engine.cel.syntax import (
    Binary,
    Call,
    Const,
    Entry,
    Has,
    Index,
    Item,
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

A, B, C, D, X = (Name(0, name) for name in "abcdx")
ONE, TWO = Const(0, 1), Const(0, 2)


def fault(source: str) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        parse(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("null", Const(0, None)),
        ("true", Const(0, True)),
        ("-5", Const(0, -5)),
        ("- 5", Const(0, -5)),
        ("-1.5", Const(0, -1.5)),
        ("-9223372036854775808", Const(0, -(2**63))),
        ("-0x8000000000000000", Const(0, -(2**63))),
        ("-(5)", Unary(0, "-", Const(0, 5))),
        ("--5", Unary(0, "-", Const(0, -5))),
        ("-a", Unary(0, "-", A)),
        ("!!a", Unary(0, "!", Unary(0, "!", A))),
        ("!-1", Unary(0, "!", Const(0, -1))),
        ("-1.f()", Call(0, "f", Const(0, -1), ())),
        ("-a.b", Unary(0, "-", Select(0, A, "b"))),
        ("a-1", Binary(0, "-", A, ONE)),
        ("a--1", Binary(0, "-", A, Const(0, -1))),
        ("a - b - c", Binary(0, "-", Binary(0, "-", A, B), C)),
        ("a - (b - c)", Binary(0, "-", A, Binary(0, "-", B, C))),
        ("a + b * c", Binary(0, "+", A, Binary(0, "*", B, C))),
        ("a * b + c", Binary(0, "+", Binary(0, "*", A, B), C)),
        ("a < b + c", Binary(0, "<", A, Binary(0, "+", B, C))),
        ("a < b == c", Binary(0, "==", Binary(0, "<", A, B), C)),
        ("a in b in c", Binary(0, "in", Binary(0, "in", A, B), C)),
        ("a && b || c && d", Logic(0, "||", (Logic(0, "&&", (A, B)), Logic(0, "&&", (C, D))))),
        ("a || b && c || d", Logic(0, "||", (A, Logic(0, "&&", (B, C)), D))),
        ("a && b && c && d", Logic(0, "&&", (A, B, C, D))),
        ("(a && b) && c", Logic(0, "&&", (Logic(0, "&&", (A, B)), C))),
        ("a && (b && c)", Logic(0, "&&", (A, Logic(0, "&&", (B, C))))),
        ("a ? b : c ? d : x", Ternary(0, A, B, Ternary(0, C, D, X))),
        ("(a ? b : c) ? d : x", Ternary(0, Ternary(0, A, B, C), D, X)),
        ("a || b ? c : d", Ternary(0, Logic(0, "||", (A, B)), C, D)),
        ("a?-1:.5", Ternary(0, A, Const(0, -1), Const(0, 0.5))),
        ("a.b", Select(0, A, "b")),
        ('a["b"]', Select(0, A, "b")),
        ("a[('b')]", Select(0, A, "b")),
        ("a.`b-c/d e.f`", Select(0, A, "b-c/d e.f")),
        ("a.if", Select(0, A, "if")),
        ("a.`in`", Select(0, A, "in")),
        ("a.?b", Select(0, A, "b", True)),
        ("a?.b", Select(0, A, "b", True)),
        ('a[?"b"]', Select(0, A, "b", True)),
        ("a[b]", Index(0, A, B)),
        ("a[?1]", Index(0, A, ONE, True)),
        ('a[b"x"]', Index(0, A, Const(0, b"x"))),
        ('{"a": 1}.a', Select(0, MapOf(0, (Entry(Const(0, "a"), ONE),)), "a")),
        ("1.e5", Select(0, ONE, "e5")),
        ("has(a.b)", Has(0, Select(0, A, "b"))),
        ("has((a.b))", Has(0, Select(0, A, "b"))),
        ('has(a["b"])', Has(0, Select(0, A, "b"))),
        ("has(a.?b.c)", Has(0, Select(0, Select(0, A, "b", True), "c"))),
        ("[]", ListOf(0, ())),
        ("[,]", ListOf(0, ())),
        ("[1, ?a,]", ListOf(0, (Item(ONE), Item(A, True)))),
        ("{}", MapOf(0, ())),
        ("{,}", MapOf(0, ())),
        ("{a: 1, ?b: 2,}", MapOf(0, (Entry(A, ONE), Entry(B, TWO, True)))),
        ("{a ? b : c: 1}", MapOf(0, (Entry(Ternary(0, A, B, C), ONE),))),
        ("f()", Call(0, "f", None, ())),
        ("f (a, 1)", Call(0, "f", None, (A, ONE))),
        ("a.f(b)", Call(0, "f", A, (B,))),
        ("a.if(b)", Call(0, "if", A, (B,))),
        ("math.round(a)", Call(0, "math.round", None, (A,))),
        ("(math).round(a)", Call(0, "math.round", None, (A,))),
        ("optional.none()", Call(0, "optional.none", None, ())),
        ("math.round", Select(0, Name(0, "math"), "round")),
        ("a.math.round(b)", Call(0, "round", Select(0, A, "math"), (B,))),
        ("not", Name(0, "not")),
        ("not - 1", Binary(0, "-", Name(0, "not"), ONE)),
        ("{1: 2}", MapOf(0, (Entry(ONE, TWO),))),
    ],
)
def test_a_source_has_its_tree(source: str, tree: Node) -> None:
    assert bare(parse(source)) == bare(tree)


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("a.all(x, b)", Macro(0, "all", A, ("x",), (B,))),
        ("a.all((x), b)", Macro(0, "all", A, ("x",), (B,))),
        ("a.exists(x, b, c)", Macro(0, "exists", A, ("x", "b"), (C,))),
        ("a.exists_one(x, b)", Macro(0, "exists_one", A, ("x",), (B,))),
        ("a.existsOne(x, b)", Macro(0, "exists_one", A, ("x",), (B,))),
        ("a.existsOne(x, b, c)", Macro(0, "exists_one", A, ("x", "b"), (C,))),
        ("a.filter(x, b)", Macro(0, "filter", A, ("x",), (B,))),
        ("a.map(x, b)", Macro(0, "map", A, ("x",), (B,))),
        ("a.map(x, b, c)", Macro(0, "map", A, ("x",), (B, C))),
        ("a.sortBy(x, b)", Macro(0, "sortBy", A, ("x",), (B,))),
        ("a.optMap(x, b)", Macro(0, "optMap", A, ("x",), (B,))),
        ("a.transformList(x, b, c)", Macro(0, "transformList", A, ("x", "b"), (C,))),
        ("a.transformList(x, b, c, d)", Macro(0, "transformList", A, ("x", "b"), (C, D))),
        ("a.transformMap(x, b, c, d)", Macro(0, "transformMap", A, ("x", "b"), (C, D))),
        ("a.transformMapEntry(x, b, c)", Macro(0, "transformMapEntry", A, ("x", "b"), (C,))),
        ("cel.bind(x, a, b)", Macro(0, "cel.bind", A, ("x",), (B,))),
        ("a.all(x)", Call(0, "all", A, (X,))),
        ("a.filter(x, b, c)", Call(0, "filter", A, (X, B, C))),
        ("all(x, a)", Call(0, "all", None, (X, A))),
        ("cel.bind(x, a)", Call(0, "cel.bind", None, (X, A))),
    ],
)
def test_macros_are_known_by_their_name_and_the_number_of_their_arguments(source: str, tree: Node) -> None:
    assert bare(parse(source)) == bare(tree)


def test_the_parser_and_the_library_know_the_same_macros_and_namespaces() -> None:
    assert set(library.MACROS) == {*grammar.MACROS, grammar.BIND}
    spaces = {name.partition(".")[0] for name in (*library.FUNCTIONS, *library.MACROS) if "." in name}
    assert spaces == grammar.NAMESPACES


def test_nodes_know_their_places() -> None:
    source = ' a.b + c["d"] && !e || f.g(-1) ? [h] : {i: j[0]}'
    found: list[tuple[str, str]] = []

    def note(value: Any) -> None:
        if isinstance(value, Node):
            found.append((type(value).__name__, source[value.at :][:2].strip()))
        for name in getattr(value, "__struct_fields__", ()):
            field = getattr(value, name)
            for item in field if isinstance(field, tuple) else (field,):
                note(item)

    note(parse(source))
    assert found == [
        ("Ternary", "?"),
        ("Logic", "||"),
        ("Logic", "&&"),
        ("Binary", "+"),
        ("Select", "b"),
        ("Name", "a."),
        ("Select", '"d'),
        ("Name", "c["),
        ("Unary", "!e"),
        ("Name", "e"),
        ("Call", "g("),
        ("Name", "f."),
        ("Const", "-1"),
        ("ListOf", "[h"),
        ("Name", "h]"),
        ("MapOf", "{i"),
        ("Name", "i:"),
        ("Index", "[0"),
        ("Name", "j["),
        ("Const", "0]"),
    ]


def test_every_operator_of_a_chain_has_its_place() -> None:
    tree = parse("a || b  || c")
    assert isinstance(tree, Logic)
    assert (tree.at, tree.ats) == (2, (2, 8))


def test_functions_of_a_namespace_are_placed_at_its_name() -> None:
    assert [parse(" math.round(1)").at, parse(" cel.bind(x, 1, x)").at, parse(" [].map(x, x)").at] == [1, 1, 4]


def test_parsing_can_begin_in_the_middle_and_counts_from_the_beginning() -> None:
    assert parse("if a", 3) == Name(3, "a")


@pytest.mark.parametrize(
    ("text", "tree", "rest"),
    [
        ("x${a}y", A, "y"),
        ("x${ a }", A, ""),
        ("x${a}}", A, "}"),
        ('x${"}"}y', Const(0, "}"), "y"),
        ("x${{}}y", MapOf(0, ()), "y"),
        ('x${{"a": {}}.a}y', Select(0, MapOf(0, (Entry(Const(0, "a"), MapOf(0, ())),)), "a"), "y"),
        ("x${a // }\n}y", A, "y"),
        ("x${a} ' ${b}", A, " ' ${b}"),
    ],
)
def test_an_embedded_expression_ends_where_its_brace_closes(text: str, tree: Node, rest: str) -> None:
    found, place = parse_embedded(text, 3)
    assert (bare(found), text[place:]) == (bare(tree), rest)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("x${a", 1, "this ${ is never closed"),
        ("x${", 1, "this ${ is never closed"),
        ("x${a // b}", 1, "this ${ is never closed"),
        ("x${}", 3, "empty"),
        ("x${ }", 4, "empty"),
        ("x${a b} 'c", 5, "unexpected 'b'"),
        ("x${f(a}", 4, "this ( is never closed"),
        ("x${a +}", 6, "found the end"),
        ("x${'a}", 3, "this text is never closed"),
    ],
)
def test_faults_of_embedded_expressions(text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse_embedded(text, 3)
    assert caught.value.position == position
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("source", "position", "says", "advises"),
    [
        ("", 0, "empty", "input.amount"),
        (" // nothing", 11, "empty", "input.amount"),
        ("a = 1", 2, "'='", "Write == to compare."),
        ("a and b", 2, "unexpected 'and'", "&&"),
        ("a OR b", 2, "unexpected 'OR'", "||"),
        ("(a and b)", 3, "expected ), found 'and'", "&&"),
        ("a ? b and c : d", 6, "expected :, found 'and'", "&&"),
        ("not a", 0, "unexpected 'not'", "Write !"),
        ("not (a)", 0, "unexpected 'not'", "Write !"),
        ("a not in b", 2, "unexpected 'not'", "!(a in b)"),
        ("a !in b", 2, "unexpected '!'", "!(a in b)"),
        ("a is null", 2, "unexpected 'is'", "=="),
        ("a contains b", 2, "unexpected 'contains'", "a.contains(b)"),
        ("a startsWith b", 2, "unexpected 'startsWith'", "a.startsWith(b)"),
        ("if a then b else c", 0, "'if' is a reserved word", "test ? value : other"),
        ("for", 0, "'for' is a reserved word", "input.for"),
        ("for(a)", 0, "'for' is a reserved word", "input.for"),
        ("a.all(while, b)", 6, "'while' is a reserved word", "input.while"),
        ("a b", 2, "unexpected 'b'", "operator"),
        ('"a" "b"', 4, "unexpected '\"b\"'", "operator"),
        ("a " + "b" * 50, 2, "'" + "b" * 39 + "…'", "operator"),
        ("a, b", 1, "unexpected ','", "[a, b]"),
        ("(a, b)", 2, "expected ), found ','", "The ( at column 1"),
        ("a.filter((b, c) => d)", 11, "expected ), found ','", "Write transformList(c, b, d)."),
        ("a : b", 2, "unexpected ':'", "?"),
        ("a)", 1, "unexpected ')'", "no ( for it"),
        ("a]", 1, "unexpected ']'", "no [ for it"),
        ("a}", 1, "unexpected '}'", "no { for it"),
        ("a.5", 1, "unexpected '.5'", "[5]"),
        ("(a", 0, "this ( is never closed", "Add )."),
        ("f(a, [b", 5, "this [ is never closed", "Add ]."),
        ('{"a": 1', 0, "this { is never closed", "Add }."),
        ("(a +", 0, "this ( is never closed", "Add )."),
        ("(a]", 2, "expected ), found ']'", "The ( at column 1 is still open."),
        ("a &&\n (b\n]", 9, "expected ), found ']'", "The ( at line 2, column 2 is still open."),
        ("[a,,b]", 3, "expected a value, found ','", ""),
        ("[,,]", 2, "expected ], found ','", ""),
        ("[,a]", 2, "expected ], found 'a'", ""),
        ("f(a,)", 4, "expected a value, found ')'", ""),
        ("()", 1, "expected a value, found ')'", ""),
        ("a[]", 2, "expected a value, found ']'", ""),
        ("a +", 3, "expected a value, found the end", ""),
        ("a ++ b", 3, "expected a value, found '+'", "no sign but -"),
        ("in", 0, "expected a value, found 'in'", ""),
        (".a", 0, "expected a value, found '.'", "leading dot"),
        ("a ? .b : c", 4, "expected a value, found '.'", "leading dot"),
        ("`a`", 0, "expected a value, found '`a`'", "input.`a-b`"),
        ("a..b", 2, "expected a name after ., found '.'", ""),
        ("a.", 2, "expected a name after ., found the end", ""),
        ("a.in", 2, "expected a name after ., found 'in'", '["in"]'),
        ("a.?true", 3, "expected a name after ., found 'true'", '["true"]'),
        ("1.", 2, "expected a name after ., found the end", "1.0"),
        ("{a}", 2, "expected :, found '}'", '"key": value'),
        ("{a 1}", 3, "expected :, found '1'", '"key": value'),
        ("a ? b", 2, "this ? has no :", "a.?b"),
        ("(a ? b)", 3, "this ? has no :", "a.?b"),
        ("a ? b ? c : d : x", 6, "a ? within ? : needs brackets", "(b ? c : d)"),
        ("!-a", 0, "! and - cannot stand side by side", "!(-x)"),
        ("-!a", 0, "! and - cannot stand side by side", "-(!x)"),
        ("9223372036854775808", 0, "too large", ""),
        ("-(9223372036854775808)", 2, "too large", ""),
        ('"a"()', 3, "unexpected '('", "Only a function"),
        ("(f)(a)", 3, "unexpected '('", "Only a function"),
        ("f()()", 3, "unexpected '('", "Only a function"),
        ("T{a: 1}", 1, "unexpected '{'", "Messages"),
        ("a.T{}", 3, "unexpected '{'", "Messages"),
        ("a.?f()", 3, "a plain dot", "x.f(…)"),
        ("a.`f`()", 2, "a plain dot", "x.f(…)"),
        ("has(a)", 0, "has() takes one field", "has(input.a)"),
        ("has(a.?b)", 0, "has() takes one field", "has(input.a)"),
        ("has(a.b, c)", 0, "has() takes one field", "has(input.a)"),
        ("has()", 0, "has() takes one field", "has(input.a)"),
        ("a.all(1, b)", 6, "a variable is a plain name", "list.map"),
        ("a.all(x.y, b)", 8, "a variable is a plain name", "list.map"),
        ("a.all(x, 1, b)", 9, "a variable is a plain name", "list.map"),
        ("cel.bind(1, a, b)", 9, "a variable is a plain name", "list.map"),
        ("a.all(x, x, b)", 9, "two variables need two names", ""),
        ("a.map(math, b)", 6, "'math' is where functions are", ""),
    ],
)
def test_faults_say_where_and_what_to_do(source: str, position: int, says: str, advises: str) -> None:
    found = fault(source)
    assert found.position == position
    assert says in found.message
    assert advises in found.advice


def test_a_fault_shows_its_place_in_the_source() -> None:
    found = fault("a &&\n  b and c")
    assert (found.line, found.column) == (2, 5)
    assert found.excerpt == "  b and c\n    ^"


def test_the_first_fault_is_the_one_that_is_told() -> None:
    assert fault("a b 'c").position == 2


# ---- what is an expression and what is not: these agree with CEL as Google implements it in C++

ACCEPTED = """
1 | -5 | --5 | - - 1 | -9223372036854775808 | 1--1 | 1---1 | 2*-3 | 0xFF | -0x10 | 00 | .5 | -.1 | 1E-3 | 1.e5 | 1in[1]
!!true | !-1 | !!!true | -[1][0] | -1.abs() | 1.f() | 1.0.f() | 1 .size() | 5 % -3 | 1 < 2 < 3 | 1 == 1 == true
1 in [1] in [true] | 1 in [1] + [2] && true || false | true || false ? 1 : 2 | 1?2:3 | true?.5:1 | true ? 1 : false ? 2 : 3
(true ? true : false) ? 1 : 2 | {true?"a":"b":1} | {?true: 1} | [?1] | [? a] | {? "a" : b} | [true ? 1 : 2] | (((1)))
[1,] | [] | [,] | {,} | {"a":1,} | {a: 1} | {1: 1} | {}.a | {"a":1}["a"] | true.a | null.a
input. a | input . a | input.`a` | input.`a b/c.d-e` | input.?`a` | input.?if | input.if | input.for | input.`in` | input[?"a"]
input.a(1) | input.if() | [1]. size () | size (input) | f() | input.has(input.a) | all(x,true) | [1].all() | [1].map(a,b,c,d)
[1].all((x), true) | [1].all(input, input > 0) | cel.bind(x,1,x) | math.PI | (math).round(1.5) | has(input.a) | has((input.a))
has(input.`a`) | 'a' | "é" | '''a''' | \"\"\"a"b\"\"\" | r"\\n" | R'a' | b"a" | B'a' | br"a" | bR'a' | "\\x41\\X41\\u0041\\U00000041\\101"
"\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\'\\?\\`" | r"a\\\\" | 1 // c | True | not | a.b.c
"""

REFUSED = """
-!true | !-!true | !-x | -(9223372036854775808) | 9223372036854775808 | 0xFFFFFFFFFFFFFFFF | 0XFF | 1. | 1e | 1e+ | 0x | 0xg | 1_000
1l | 1.0f | 1.0u | 1..2 | ..1 | 1.2.3 | 1 .5 | input.5 | input.5a | true ? false ? 1 : 2 : 3 | true?1 | 1 : 2 | true ? : 1
true ? 1 : 2 : 3 | true ? 1 : | [,,] | [1,,2] | [,1] | {"a":1,,} | {"a"} | {"a":} | {"a":1 "b":2} | [1 2] | f(,) | f(1,) | size([1],)
() | (1 | 1) | [1 | 1] | {"a":1 | } | input.in | input.true | input.null | input.in() | in | in() | 1 in | !in | if | if(1) | true()
'a' "b" | a"b" | "a"b | u"a" | rb"a" | "abc | 'abc | \"\"\"abc | r"abc | b"abc | "\\q" | "\\777" | "\\400" | "\\0" | "\\12" | "\\x4" | "\\u004"
"\\uD800" | "\\U00110000" | b"\\u0041" | r"a\\" | r'\\' | \"\"\"a\"\"\"\"\" | 1 1 | 1; | a b | not true | a and b | a = b | a === b | a & b | a ^ b
~a | a ** b | ?1 | a ?? b | a <> b | a => b | @a | $a | # | \\ | “a” | é | input.`a$b` | input.`` | input.`é` | `input` | (f)(1) | [1](0) | "a"()
f()() | input.`size`() | input.?a() | "a".(size)() | [1][0,1] | [1][] | a[ | {}{} | [].a{} | [1].all(x.y, true) | [1].all(1, true)
[1].all(if, true) | has(1) | has(input) | has(input.?a) | has(input[?"a"]) | has(input.a + 1) | input?["a"]
"""


def listed(text: str) -> list[str]:
    return [source.strip() for line in text.strip().split("\n") for source in line.split(" | ")]


@pytest.mark.parametrize("source", listed(ACCEPTED))
def test_what_cel_accepts_is_accepted(source: str) -> None:
    tree = parse(source)
    assert bare(parse(show(tree))) == bare(tree)


@pytest.mark.parametrize("source", ["", " ", "a | b", '"a\nb"', "1 \u00a0+ 1", "1\v", *listed(REFUSED)])
def test_what_cel_refuses_is_refused(source: str) -> None:
    assert fault(source).message


@pytest.mark.parametrize(
    "source",
    [
        "1u",  # no unsigned numbers
        "0x1u",
        ".input",  # no leading dot
        "true ? .a : b",
        "true?.a:b",  # ?. is .? here
        "T{}",  # no messages
        "a.b.T{a: 1}",
        "1e400",  # numbers are finite
        "has()",  # a macro is no function of another number of arguments
        "[1].map(math, 1)",  # namespaces are no variables
        "cel.bind(cel, 1, cel)",
        "[1].all(x, x, true)",
    ],
)
def test_what_cel_accepts_and_we_do_not(source: str) -> None:
    assert fault(source).message


@pytest.mark.parametrize(("source", "same"), [("a?.b", "a.?b"), ('has(a["b"])', "has(a.b)")])
def test_what_we_accept_and_cel_does_not(source: str, same: str) -> None:
    assert bare(parse(source)) == bare(parse(same))


# ---- limits


def deep(frames: int, call: Callable[[], Any]) -> Any:
    return call() if frames == 0 else deep(frames - 1, call)


@pytest.mark.parametrize("embedded", [False, True])
def test_a_source_has_a_greatest_length(embedded: bool) -> None:
    def read(source: str) -> Any:
        return parse_embedded("${" + source + "}", 2)[0] if embedded else parse(source)

    longest = grammar.MAX_SOURCE
    text = '"' + "a" * (longest - 2) + '"'
    assert bare(read(text)) == bare(Const(0, "a" * (longest - 2)))
    assert bare(read("a" + " " * (longest - 1))) == bare(A)
    for source in (text[:-1] + 'a"', "a" + " " * longest, "a" * (longest + 1)):
        with pytest.raises(InvalidExpression, match="longer than 8000 characters"):
            read(source)


def test_the_length_is_counted_from_the_start() -> None:
    assert bare(parse("x" * 9000 + "a", 9000)) == bare(A)
    assert bare(parse_embedded("x" * 9000 + "${a}" + "x" * 9000, 9002)[0]) == bare(A)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("a[", "]"),
        ('{"a": ', "}"),
        ("{?", ": b}"),
        ("a.map(x, ", ")"),
        ("a || -f(b, ", ")"),
    ],
)
def test_brackets_may_nest_to_a_limit(before: str, after: str) -> None:
    source = before * grammar.MAX_DEPTH + "1" + after * grammar.MAX_DEPTH
    assert deep(300, lambda: parse(source))
    with pytest.raises(InvalidExpression, match="more than 64 brackets") as caught:
        parse(before + source + after)
    assert "several steps" in caught.value.advice


@pytest.mark.parametrize(
    ("first", "more"), [("1", " + 1"), ("a", ".b"), ("a", "[0]"), ("a", ".f()"), ("a", " == a"), ("a", ".?b")]
)
def test_chains_may_be_long_to_a_limit(first: str, more: str) -> None:
    chain = first + more * grammar.MAX_LEVELS
    tree = deep(300, lambda: parse(chain))
    assert deep(300, lambda: show(tree)) == chain
    with pytest.raises(InvalidExpression, match="more than 250 operations") as caught:
        parse(chain + more)
    assert "several steps" in caught.value.advice


@pytest.mark.parametrize("more", ["!", "-", "a ? b : "])
def test_what_stands_before_a_value_may_be_long_to_a_limit(more: str) -> None:
    chain = more * grammar.MAX_LEVELS + "c"
    tree = deep(300, lambda: parse(chain))
    assert deep(300, lambda: show(tree)) == chain
    with pytest.raises(InvalidExpression, match="more than 250 operations"):
        parse(more + chain)


def test_alternatives_may_be_as_many_as_the_source_holds() -> None:
    tree = parse("a" + "||a" * 2600)
    assert isinstance(tree, Logic)
    assert len(tree.parts) == 2601
    assert len(tree.ats) == 2600


def outcome(source: str, start: int = 0, *, embedded: bool = False) -> Node | InvalidExpression:
    try:
        return parse_embedded("${" + source + "}", 2 + start)[0] if embedded else parse(source, start)
    except InvalidExpression as fault:
        return fault


HOSTILE = """( ! - [ { a?b: a? a. .a 1+ a&&a||a f( a.f(). {"a": !- ?? // ' x.map(x, a[ 1 0 a " \\ ` ${ } ) , :
(a&&b||c==d+e*-f(g[h+ \"\"\" {?a:[?"""


@pytest.mark.parametrize("piece", ["- ", "\n", " ", *HOSTILE.split()])
@pytest.mark.parametrize("embedded", [False, True])
def test_hostile_sources_are_read_or_refused(piece: str, embedded: bool) -> None:
    source = (piece * 8000)[:8000]
    for start in range(2):
        found = deep(300, partial(outcome, source, start, embedded=embedded))
        if isinstance(found, InvalidExpression):
            assert found.message
            assert 0 <= found.position <= len(source) + 3
        else:
            assert deep(300, partial(show, found))


PIECES = """1 2.5 .5 0x1F 9223372036854775808 "a" 'b' r"c" b"d" true null in input x if for not and has size math cel `a-b`
( ) [ ] { } . .? ?. , : ? ! - + * / % == < >= && || [? {? .a ["a"] () .size() .map( .all(x, cel.bind( has( // = & ; 1u " ' \\"""
quick = settings(max_examples=300, deadline=None)


def check_robust(source: str) -> None:
    for embedded in (False, True):
        found = outcome(source, embedded=embedded)
        if isinstance(found, InvalidExpression):
            assert found.message
        else:
            assert bare(parse(show(found))) == bare(found)


@quick
@given(st.sampled_from(["", " "]), st.lists(st.sampled_from(PIECES.split()), max_size=15))
def test_any_tokens_are_read_or_refused(between: str, pieces: list[str]) -> None:
    check_robust(between.join(pieces))


@quick
@given(st.text(st.characters(), max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    check_robust(text)
