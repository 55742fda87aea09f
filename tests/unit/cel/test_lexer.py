"""Tokens: what a source is made of."""

from typing import Any

import pytest

from engine.cel.errors import InvalidExpression
from engine.cel.lexer import Lexer, Token, hyphenated


def tokens(text: str) -> list[Token]:
    lexer = Lexer(text, 0, embedded=False)
    found = []
    while (token := lexer.next()).kind != "end":
        found.append(token)
    return found


def only(text: str) -> Token:
    [token] = tokens(text)
    return token


def fault(text: str) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        tokens(text)
    return caught.value


def test_a_source_is_split_at_its_signs() -> None:
    found = [(token.kind, token.at, token.text) for token in tokens("a.b>=-1&&!c")]
    assert found == [
        ("name", 0, "a"),
        (".", 1, "."),
        ("name", 2, "b"),
        (">=", 3, ">="),
        ("-", 5, "-"),
        ("int", 6, "1"),
        ("&&", 7, "&&"),
        ("!", 9, "!"),
        ("name", 10, "c"),
    ]


def test_space_and_comments_are_passed_over() -> None:
    assert [(t.text, t.at) for t in tokens(" a\t\r\n\f// b ' c\n  d // e")] == [("a", 1), ("d", 17)]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a.?b", ["name", ".", "?", "name"]),
        ("a?.b", ["name", "?.", "name"]),
        ("a?.5:b", ["name", "?", "float", ":", "name"]),
        ("1in[2]", ["int", "in", "[", "int", "]"]),
        ("1.e5", ["int", ".", "name"]),
        ("true false null truest", ["true", "false", "null", "name"]),
        ("a.`b-c`", ["name", ".", "quoted"]),
        ("r b rb br", ["name"] * 4),
        ("a<b<=c", ["name", "<", "name", "<=", "name"]),
    ],
)
def test_the_kinds_of_tokens(text: str, kinds: list[str]) -> None:
    assert [token.kind for token in tokens(text)] == kinds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("0xfF", 255),
        ("9223372036854775807", 2**63 - 1),
        ("0" * 7000 + "1", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("12.5e+1", 125.0),
        ("1e308", 1e308),
        ("1e-400", 0.0),
    ],
)
def test_numbers(text: str, value: Any) -> None:
    token = only(text)
    assert (token.value, type(token.value)) == (value, type(value))
    assert token.kind == type(value).__name__


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', ""),
        ("''", ""),
        ("'a\"b'", 'a"b'),
        ('"a\'b"', "a'b"),
        (r'"\a\b\f\n\r\t\v\\\"\'\?\`"', "\a\b\f\n\r\t\v\\\"'?`"),
        (r'"\x41\X42\u00e9\U0001F600\101\377"', "ABé😀Aÿ"),
        ('"é😀"', "é😀"),
        (r'r"\n\"', None),
        (r'r"a\\"', r"a\\"),
        (r"R'\d+'", r"\d+"),
        ('"""a"b""c\nd"""', 'a"b""c\nd'),
        (r'"""a\""""', 'a"'),
        ("'''a''b'c'''", "a''b'c"),
        ('""""""', ""),
        ('"""a\r\nb\rc"""', "a\nb\nc"),
        ('r"""a\r\nb"""', "a\nb"),
        (r'"\r\n"', "\r\n"),
        (r'r"""a\"b"""', r"a\"b"),
        ('b""', b""),
        ('b"é"', b"\xc3\xa9"),
        (r'b"\xff\377\n"', b"\xff\xff\n"),
        (r"B'''a'''", b"a"),
        (r'br"\n"', rb"\n"),
        (r'BR"\n"', rb"\n"),
    ],
)
def test_texts_and_bytes(text: str, value: Any) -> None:
    if value is None:
        assert "single backslash" in fault(text).message
    else:
        token = only(text)
        assert (token.kind, token.value) == ("bytes" if isinstance(value, bytes) else "text", value)
        assert token.text == text


@pytest.mark.parametrize(
    ("text", "position", "says", "advises"),
    [
        ("a = b", 2, "'='", "=="),
        ("a === b", 2, "'==='", "=="),
        ("a !== b", 2, "'!=='", "!="),
        ("a <> b", 2, "'<>'", "!="),
        ("a => b", 2, "'=>'", ">="),
        ("a =< b", 2, "'=<'", "<="),
        ("a.b(c => d)", 6, "'=>'", "Write list.map"),
        ("a->b", 1, "'->'", "Write a.b"),
        ("a && ${b}", 5, "'${'", "Leave out ${ and } here"),
        ("a & b", 2, "'&'", "&&"),
        ("a | b", 2, "'|'", "||"),
        ("a && b &", 7, "'&'", "&&"),
        ("a ?? b", 2, "'??'", "orValue"),
        ("a ** 2", 2, "'**'", "multiply"),
        ("a;", 1, "';'", "semicolon"),
        ("“a”", 0, "'“'", "straight quotes"),
        ("a ≥ b", 2, "'≥'", ">="),
        ("$a", 0, "'$'", "dollar"),
        ("@", 0, "'@'", ""),
        ("a\u00a0+ b", 1, "U+00A0", "plain space"),
        ("a\v", 1, "U+000B", "plain space"),
        ("a\u200b", 1, "U+200B", "cannot be seen"),
        ("`a$b`", 0, "'`'", '["a-b"]'),
        ("``", 0, "'`'", '["a-b"]'),
        ("a.größe", 2, "'größe' cannot be a name", '["größe"]'),
        ("1u", 0, "unsigned", "Write 1."),
        ("0xffU", 0, "unsigned", "Write 0xff."),
        ("1.5u", 0, "'1.5u' is neither", "0.5"),
        ("1_000", 0, "'1_000' is neither", "1000"),
        ("0XFF", 0, "'0XFF' is neither", "0xff"),
        ("0x", 0, "'0x' is neither", "0xff"),
        ("a.2nd", 1, "'2nd' is neither", '["2nd"]'),
        ("9223372036854775809", 0, "largest is 9223372036854775807", ""),
        ("9" * 7000, 0, "largest is 9223372036854775807", ""),
        ("0x" + "f" * 7000, 0, "largest is 9223372036854775807", ""),
        ("1e400", 0, "largest is about 1.8e308", ""),
        ('a + "b', 4, "never closed", 'Add "'),
        ('"a\nb"', 0, "never closed", r"\n"),
        ('"a\\\nb"', 0, "never closed", r"\n"),
        ("'a\"", 0, "never closed", "Add '"),
        ('"""a"', 0, "never closed", 'Add """'),
        (r'"ab\q"', 3, r"\q means nothing", r"\\"),
        (r'b"é\q"', 3, r"\q means nothing", r"\\"),
        (r'"\x4"', 1, r"\x takes two", ""),
        (r'"\u004"', 1, r"\u takes four", ""),
        (r'"\U0001f60"', 1, r"\U takes eight", ""),
        (r'"\400"', 1, "octal", ""),
        (r'"\0"', 1, "octal", ""),
        (r'"a\uD800"', 2, r"\uD800 is no character", ""),
        (r'"\U00110000"', 1, "is no character", ""),
        (r'"\UFFFFFFFF"', 1, "is no character", ""),
        (r'b"\u0041"', 2, "bytes have no characters", r"\xNN"),
        ('"a\ud800"', 2, "half a character", ""),
        ('b"\ud800"', 2, "half a character", ""),
        ("\ud800", 0, "U+D800", ""),
    ],
)
def test_faults_say_where_and_what_to_do(text: str, position: int, says: str, advises: str) -> None:
    found = fault(text)
    assert found.position == position
    assert says in found.message
    assert advises in found.advice


def test_a_fault_is_raised_when_it_is_reached() -> None:
    lexer = Lexer("a 'b", 0, embedded=False)
    assert lexer.next().text == "a"
    with pytest.raises(InvalidExpression):
        lexer.next()


@pytest.mark.parametrize(
    ("text", "at", "name"),
    [
        ("steps.create-order.output", 13, "create-order"),
        ("steps.create-order.output", 6, "create-order"),
        ("steps.a-b-c.output", 10, "a-b-c"),
        ("a.b - c", 6, ""),
        ("a-b", 2, ""),
        ("l.map(c, 1-c)", 11, ""),
        ("a.b", 2, ""),
        ("-a", 1, ""),
    ],
)
def test_a_name_with_hyphens_is_found_around_one_of_its_words(text: str, at: int, name: str) -> None:
    assert hyphenated(text, at) == name
