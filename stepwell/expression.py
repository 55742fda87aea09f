"""`stepwell expression`: try an expression of a definition, on data at hand. Needs no server and asks none."""

from __future__ import annotations

import sys
from typing import Any

import click
from msgspec import Struct
from rich.console import Console

from engine.cel import ROOTS, Allowance, Compiler, EvaluationError, InvalidExpression, Program
from engine.core.shapes import Findings
from engine.core.values import MEBIBYTE, Inadmissible, admit
from engine.errors import BadInput, Finding, InvalidDefinition
from stepwell import documents, expression_data
from stepwell.expression_data import DataScope
from stepwell.output import as_text, cell, counted, json_option, say, show

EVERYWHERE = ROOTS | {"item", "index"}
# Fields by which an object is a condition; without them it is an expression that makes an object.
MARKS = ({"all"}, {"any"}, {"not"}, {"operator"}, {"field", "value"})

ADVICE = "Correct the expression and run the command again."
NOT_UTF8 = "Save it as UTF-8."


class Tried(Struct, frozen=True):
    """What was given, compiled. `bare`: it was an expression, and no other way to write one."""

    program: Program
    bare: bool

    @property
    def reads(self) -> list[str]:
        """What it reads, each path once, in the order of the text."""
        return list(dict.fromkeys(reference.text for reference in self.program.references))


@click.command()
@click.argument("given", metavar="EXPRESSION|-")
@click.option(
    "--data",
    metavar="FILE|-|JSON",
    help="What it reads, by name: input, steps as {ID: {output, status, error}}, process, trigger, now, item, index.",
)
@json_option
def expression(given: str, data: str | None, as_json: bool) -> None:
    """Try an expression without a server: show its value; where data is missing, check it and show what it reads.

    EXPRESSION is an expression, a text with ${...}, or a condition in JSON or YAML: an object with all, any, not or
    operator. Such a text or condition is shown as the expression it stands for, too. '-' is standard input. Put --
    before an expression that begins with -. The present moment is `now` where the data has none.

    For instance: stepwell expression 'input.lines.map(l, l.qty * l.price).sum()' --data order.yaml
    """
    if given == data == "-":
        raise click.UsageError("EXPRESSION and --data cannot both be standard input")
    tried = compiled(_text(given))
    found = {"expression": tried.program.text, "reads": tried.reads}
    if data is None and tried.reads:
        show(found, lambda console: _tell_checked(console, tried), as_json=as_json)
        return
    value = evaluated(tried.program, expression_data.read(documents.read_value(data, "--data")))
    show({**found, "value": value}, lambda console: _tell_value(console, tried, value), as_json=as_json)


def _text(given: str) -> str:
    """Return the text that was given. Raises BadInput."""
    try:  # as much as is read at most is too large already
        text = sys.stdin.read(MEBIBYTE).removesuffix("\n") if given == "-" else given
        text.encode()
    except UnicodeError:
        raise BadInput("the expression is not UTF-8", advice=NOT_UTF8) from None
    return str(_admitted(text))


def _admitted(given: Any) -> Any:
    """Return an expression as a definition would hold it. Raises BadInput."""
    try:
        return admit(given).value
    except Inadmissible as fault:
        message = f"no definition can hold the expression: {fault.message}"
        raise BadInput(message, advice=ADVICE, pointer=fault.pointer, code=fault.code) from None


def compiled(text: str) -> Tried:
    """Compile what was given. Raises InvalidDefinition with a finding for each fault."""
    compiler = Compiler(EVERYWHERE, Allowance())
    try:
        tried = _compiled(compiler, text)
    except InvalidExpression as fault:
        raise _faulty([fault]) from None
    if compiler.faults:
        raise _faulty(compiler.faults)
    return tried


def _compiled(compiler: Compiler, text: str) -> Tried:
    condition = _condition(text)
    if condition is not None:
        return Tried(compiler.condition(_admitted(condition), ""), bare=False)
    if "${" in text:
        return Tried(compiler.template(text, ""), bare=False)
    return Tried(compiler.expression(text, ""), bare=True)


def _condition(text: str) -> dict[str, Any] | None:
    """Return the condition that a text of JSON or YAML says, None where it says none."""
    try:
        value = documents.parse(text, "EXPRESSION")
    except BadInput:
        return None
    return value if isinstance(value, dict) and any(mark <= value.keys() for mark in MARKS) else None


def _faulty(faults: list[InvalidExpression]) -> InvalidDefinition:
    findings = Findings()
    for fault in faults:
        findings.add_expression(fault)
    message = f"the expression has {counted(len(findings.items), 'fault')}"
    return InvalidDefinition(message, advice=ADVICE, findings=tuple(findings.items))


def evaluated(program: Program, scope: DataScope) -> Any:
    """Return the value as a process would keep it. Raises BadInput where there is none."""
    try:
        return admit(program.evaluate(scope)).value
    except EvaluationError as fault:
        raise _failed(fault) from None
    except Inadmissible as fault:
        message = f"a process cannot keep the value: {fault.message}"
        advice = "Correct the expression or the data."
        raise BadInput(message, advice=advice, pointer=fault.pointer, code=f"output_{fault.code}") from None


def _failed(fault: EvaluationError) -> BadInput:
    code = "expression_failed"
    where = (fault.line, fault.column, fault.excerpt) if fault.expression else (None, None, "")
    finding = Finding(fault.pointer, fault.message, "", code, *where)
    message = "the expression cannot be evaluated on this data"
    return BadInput(message, advice="Correct the expression or the data.", code=code, findings=(finding,))


def _tell_value(console: Console, tried: Tried, value: Any) -> None:
    if not tried.bare:
        console.print(cell(tried.program.text), style="bold", soft_wrap=True)
    console.print(cell(as_text(value)), soft_wrap=True)


def _tell_checked(console: Console, tried: Tried) -> None:
    console.print(cell(tried.program.text), style="bold", soft_wrap=True)
    say(console, f"reads {', '.join(tried.reads)}")
    say(console, "Evaluate it with --data FILE.", style="bright_black")
