"""Reads the source of an expression into its tree, by the grammar of CEL with the differences that the pages tell.

Binary operators are joined by their levels on a stack, not by recursion: only brackets nest frames of Python's stack,
six for each, and they are bounded. The tree is bounded as well, for those who recurse over it later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from engine.cel import hints
from engine.cel.grammar import (
    ALIASES,
    BIND,
    KEYWORDS,
    LEVELS,
    LOGIC,
    MACROS,
    MAX_DEPTH,
    MAX_LEVELS,
    NAMESPACES,
    RESERVED,
)
from engine.cel.lexer import Lexer, Token
from engine.cel.literals import MOST, TOO_LARGE
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
from engine.cel.trees import below

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cel.errors import InvalidExpression

_T = TypeVar("_T")

# What may follow `not` in other languages, and cannot follow a variable of that name here.
_NEGATED = hints.VALUES - {"-", "[", "{"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDS = frozenset({")", "]", "}", ",", "end"})


def parse(source: str, start: int = 0) -> Node:
    """Return the tree of the expression from `start` to the end of the source. Raises InvalidExpression."""
    return _Parser(Lexer(source, start, embedded=False)).whole()


def parse_embedded(text: str, start: int) -> tuple[Node, int]:
    """Return the tree of the expression that begins just after a `${`, and the place just after its `}`.

    Raises InvalidExpression.
    """
    parser = _Parser(Lexer(text, start, embedded=True))
    node = parser.whole()
    return node, parser.token.at + 1


class _Parser:
    """Reads one expression. `token` is the next one, read but not used yet."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer
        self._open: list[Token] = []
        self.token = lexer.next()

    def whole(self) -> Node:
        """Read all there is."""
        if self.token.kind == "end":
            raise self._lexer.fault("the expression is empty", self.token.at, "Write a value, such as input.amount.")
        node = self._expression()
        if self.token.kind != "end":
            raise self._unexpected()
        deep = below(node, MAX_LEVELS)
        if deep is not None:
            message = f"more than {MAX_LEVELS} operations stand within each other here"
            advice = (
                "Divide the expression among several steps, or use sum(), join() or flatten() for a long chain of +."
            )
            raise self._lexer.fault(message, deep.at, advice)
        return node

    # ---- tokens

    def _advance(self) -> Token:
        token = self.token
        self.token = self._lexer.next()
        return token

    def _accept(self, kind: str) -> bool:
        if self.token.kind != kind:
            return False
        self._advance()
        return True

    def _opening(self) -> Token:
        """Take an opening bracket."""
        if len(self._open) == MAX_DEPTH:
            advice = "Divide the expression among several steps."
            raise self._lexer.fault(f"more than {MAX_DEPTH} brackets stand within each other", self.token.at, advice)
        self._open.append(self.token)
        return self._advance()

    def _closing(self) -> None:
        """Take the bracket that closes the one opened last."""
        closing = _CLOSING[self._open[-1].kind]
        if not self._accept(closing):
            raise self._unexpected(closing)
        self._open.pop()

    # ---- operators

    def _expression(self) -> Node:
        branches: list[tuple[Node, Token, Node]] = []
        node = self._operations()
        while self.token.kind == "?":
            branches.append((node, *self._branch()))
            node = self._operations()
        for test, mark, then in reversed(branches):
            node = Ternary(mark.at, test, then, node)
        return node

    def _branch(self) -> tuple[Token, Node]:
        """Read `? then :`."""
        mark = self._advance()
        then = self._operations()
        if self.token.kind == "?":
            raise self._lexer.fault("a ? within ? : needs brackets", self.token.at, "Write a ? (b ? c : d) : e.")
        if self._accept(":"):
            return mark, then
        if self.token.kind in _ENDS:
            advice = "Write test ? value : other; a.?b reads a field that may be missing."
            raise self._lexer.fault("this ? has no :", mark.at, advice)
        raise self._unexpected(":")

    def _operations(self) -> Node:
        operands = [self._operand()]
        operators: list[Token] = []
        while (level := LEVELS.get(self.token.kind)) is not None:
            _join(operands, operators, level + (self.token.kind in LOGIC))
            operators.append(self._advance())
            operands.append(self._operand())
        _join(operands, operators, 0)
        return operands[0]

    def _operand(self) -> Node:
        signs = self._signs()
        if signs and signs[-1].kind == "-" and self.token.kind in ("int", "float"):
            node: Node = Const(signs.pop().at, -self._advance().value)
        elif self.token.kind in self._PRIMARY:
            node = self._PRIMARY[self.token.kind](self)
        else:
            raise self._no_value()
        if any(sign.kind != signs[0].kind for sign in signs):
            raise self._lexer.fault("! and - cannot stand side by side", signs[0].at, "Write !(-x) or -(!x).")
        while self.token.kind in self._POSTFIX:
            node = self._POSTFIX[self.token.kind](self, node)
        for sign in reversed(signs):
            node = Unary(sign.at, sign.kind, node)
        return node

    def _signs(self) -> list[Token]:
        signs = []
        while self.token.kind in ("!", "-"):
            signs.append(self._advance())
        return signs

    # ---- values

    def _const(self) -> Node:
        token = self._advance()
        if token.kind == "int" and token.value > MOST:
            raise self._lexer.fault(TOO_LARGE, token.at)
        return Const(token.at, token.value)

    def _name(self) -> Node:
        token = self._advance()
        if token.text in RESERVED:
            advice = hints.WORDS.get(token.text) or f"A field may have this name: input.{token.text}."
            raise self._lexer.fault(f"{token.text!r} is a reserved word", token.at, advice)
        if token.text.lower() == "not" and self.token.kind in _NEGATED:
            raise self._lexer.fault(f"unexpected {token.text!r}", token.at, hints.WORDS["not"])
        if self.token.kind != "(":
            return Name(token.at, token.text)
        args = self._arguments()
        if token.text == "has":
            return self._has(token, args)
        return Call(token.at, token.text, None, args)

    def _has(self, token: Token, args: tuple[Node, ...]) -> Node:
        if len(args) != 1 or not isinstance(args[0], Select) or args[0].optional:
            raise self._lexer.fault("has() takes one field", token.at, "Write has(input.a) or has(input.a.b).")
        return Has(token.at, args[0])

    def _group(self) -> Node:
        self._opening()
        node = self._expression()
        self._closing()
        return node

    def _list(self) -> Node:
        opening = self._opening()
        items = self._separated(self._item)
        return ListOf(opening.at, items)

    def _item(self) -> Item:
        optional = self._accept("?")
        return Item(self._expression(), optional)

    def _map(self) -> Node:
        opening = self._opening()
        entries = self._separated(self._entry)
        return MapOf(opening.at, entries)

    def _entry(self) -> Entry:
        optional = self._accept("?")
        key = self._expression()
        if not self._accept(":"):
            raise self._unexpected(":", 'An entry is written "key": value.')
        return Entry(key, self._expression(), optional)

    def _separated(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        """Read what stands in brackets, with commas between; a last comma changes nothing, nor does one alone."""
        read_so_far: list[_T] = []
        if not self._accept(","):
            while self.token.kind != _CLOSING[self._open[-1].kind]:
                read_so_far.append(read())
                if not self._accept(","):
                    break
        self._closing()
        return tuple(read_so_far)

    # ---- members and functions

    def _dotted(self, operand: Node) -> Node:
        dot = self._advance()
        optional = dot.kind == "?." or self._accept("?")
        name = self._field(operand, dot)
        if self.token.kind != "(":
            return Select(name.at, operand, name.value, optional)
        if optional or name.kind == "quoted":
            advice = f"Write x.{name.value}(…); optMap() calls a function on what may be missing."
            raise self._lexer.fault("a function is called by a plain dot and its plain name", name.at, advice)
        return self._method(operand, name)

    def _field(self, operand: Node, dot: Token) -> Token:
        """Read the name of a field or of a method."""
        token = self.token
        if token.kind in ("name", "quoted"):
            return self._advance()
        advice = ""
        if token.kind in KEYWORDS:
            advice = f'Write ["{token.kind}"] for a field of that name.'
        elif isinstance(operand, Const) and type(operand.value) is int:
            advice = f"Write {operand.value}.0 for a number with a fraction."
        raise self._lexer.fault(f"expected a name after {dot.text}, found {hints.shown(token)}", token.at, advice)

    def _indexed(self, operand: Node) -> Node:
        bracket = self._opening()
        optional = self._accept("?")
        key = self._expression()
        self._closing()
        if isinstance(key, Const) and type(key.value) is str:
            return Select(key.at, operand, key.value, optional)
        return Index(bracket.at, operand, key, optional)

    def _arguments(self) -> tuple[Node, ...]:
        self._opening()
        args: list[Node] = []
        if self.token.kind != ")":
            args.append(self._expression())
            while self._accept(","):
                args.append(self._expression())
        self._closing()
        return tuple(args)

    def _method(self, target: Node, name: Token) -> Node:
        args = self._arguments()
        if isinstance(target, Name) and target.name in NAMESPACES:
            return self._namespaced(target.at, f"{target.name}.{name.text}", args)
        function = ALIASES.get(name.text, name.text)
        count = MACROS.get(function, {}).get(len(args))
        if count is None:
            return Call(name.at, name.text, target, args)
        return Macro(name.at, function, target, self._variables(args[:count]), args[count:])

    def _namespaced(self, at: int, function: str, args: tuple[Node, ...]) -> Node:
        if function == BIND and len(args) == 3:
            return Macro(at, BIND, args[1], self._variables(args[:1]), args[2:])
        return Call(at, function, None, args)

    def _variables(self, args: tuple[Node, ...]) -> tuple[str, ...]:
        """Return the names that a macro binds."""
        names: list[str] = []
        for arg in args:
            if not isinstance(arg, Name):
                raise self._lexer.fault("a variable is a plain name", arg.at, "Write list.map(x, x.name), say.")
            if arg.name in NAMESPACES:
                raise self._lexer.fault(f"{arg.name!r} is where functions are: choose another name", arg.at)
            if arg.name in names:
                raise self._lexer.fault("two variables need two names", arg.at)
            names.append(arg.name)
        return tuple(names)

    # ---- faults

    def _no_value(self) -> InvalidExpression:
        """Return the fault of a token that no value begins with."""
        token = self.token
        if token.kind == "end" and self._open:
            return self._unclosed()
        message = f"expected a value, found {hints.shown(token)}"
        return self._lexer.fault(message, token.at, hints.LEADING.get(token.kind, ""))

    def _unexpected(self, wanted: str = "", advice: str = "") -> InvalidExpression:
        """Return the fault of a token that cannot follow a value."""
        token = self.token
        if token.kind == "end" and self._open:
            return self._unclosed()
        message = f"expected {wanted}, found {hints.shown(token)}" if wanted else f"unexpected {hints.shown(token)}"
        if token.kind == "," and self._open:
            advice = hints.arrow(self._lexer.text, token.at)
        advice = advice or hints.after_value(token, inside=bool(self._open))
        if self._open and not advice:
            advice = f"The {self._open[-1].kind} {self._place()} is still open."
        return self._lexer.fault(message, token.at, advice)

    def _unclosed(self) -> InvalidExpression:
        opening = self._open[-1]
        return self._lexer.fault(f"this {opening.kind} is never closed", opening.at, f"Add {_CLOSING[opening.kind]}.")

    def _place(self) -> str:
        """Say where the bracket opened last is."""
        text, at = self._lexer.text, self._open[-1].at
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        return f"at line {line}, column {column}" if "\n" in text else f"at column {column}"

    _PRIMARY: ClassVar[dict[str, Callable[[Any], Node]]] = {
        **dict.fromkeys(("int", "float", "text", "bytes", "true", "false", "null"), _const),
        "name": _name,
        "(": _group,
        "[": _list,
        "{": _map,
    }
    _POSTFIX: ClassVar[dict[str, Callable[[Any, Node], Node]]] = {".": _dotted, "?.": _dotted, "[": _indexed}


def _join(operands: list[Node], operators: list[Token], level: int) -> None:
    """Join the last operands as long as what stands between them binds as tightly as `level`."""
    while operators and LEVELS[operators[-1].kind] >= level:
        if operators[-1].kind in LOGIC:
            _join_logic(operands, operators)
        else:
            operator, right, left = operators.pop(), operands.pop(), operands.pop()
            operands.append(Binary(operator.at, operator.kind, left, right))


def _join_logic(operands: list[Node], operators: list[Token]) -> None:
    """Join the last run of one logical operator into one node."""
    kind, count = operators[-1].kind, 1
    while count < len(operators) and operators[-1 - count].kind == kind:
        count += 1
    ats = tuple(operator.at for operator in operators[-count:])
    parts = tuple(operands[-1 - count :])
    del operators[-count:], operands[-1 - count :]
    operands.append(Logic(ats[0], kind, parts, ats))
