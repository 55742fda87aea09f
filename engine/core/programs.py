"""Compiled configurations, one per type of step: what remains of a config is templates, conditions and
limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from msgspec import UNSET, Struct

from engine.cel import ROOTS, Compiler
from engine.cel import Program as Expression
from engine.core.document import (
    DecisionConfig,
    EventConfig,
    HttpConfig,
    ManualConfig,
    NoopConfig,
    TransformConfig,
    WaitConfig,
)
from engine.core.schemas import Validator

if TYPE_CHECKING:
    from engine.cel import Reference
    from engine.core.document import Config

HTTP_ROOTS = ROOTS | {"secrets"}  # secrets are read when the request is sent, and nowhere else


class HttpProgram(Struct, frozen=True):
    """Compiled HttpConfig."""

    method: str
    url: Expression
    base: Expression | None  # what begins a URL that reads a secret, where that is an expression: it must have the host
    query: Expression
    headers: Expression
    body: Expression | None
    body_type: str | None
    expect_status: tuple[int, ...] | None
    timeout_seconds: float
    max_response_bytes: int
    max_redirects: int
    idempotency_key: Expression | None
    secret_headers: tuple[str, ...]  # names of those that read a secret
    secret_body: bool
    derived: tuple[Expression, ...]  # what makes something of a secret


class EventProgram(Struct, frozen=True):
    """Compiled EventConfig."""

    name: str
    payload: Expression


class WaitProgram(Struct, frozen=True):
    """Compiled WaitConfig."""

    signal: Expression | None
    correlation: Expression | None
    seconds: Expression | None
    until: Expression | None
    timeout_seconds: float | None
    on_timeout: str


class Way(Struct, frozen=True):
    """Compiled branch of a decision."""

    when: Expression
    then: tuple[str, ...]


class DecisionProgram(Struct, frozen=True):
    """Compiled DecisionConfig."""

    ways: tuple[Way, ...]
    fallback: tuple[str, ...]
    on_error: str


class TransformProgram(Struct, frozen=True):
    """Compiled TransformConfig."""

    mapping: Expression


class ManualProgram(Struct, frozen=True):
    """Compiled ManualConfig."""

    title: Expression
    assignee: Expression
    group: Expression
    form: Any
    validator: Validator | None
    due_seconds: float | None
    on_reject: str


class NoopProgram(Struct, frozen=True):
    """Compiled NoopConfig."""


Program = HttpProgram | EventProgram | WaitProgram | DecisionProgram | TransformProgram | ManualProgram | NoopProgram
EXECUTED = (HttpProgram, NoopProgram)  # what an executor does; all others are decided


class Author:
    """Compiles one config, collecting faults in its compiler and references beside."""

    def __init__(self, compiler: Compiler, pointer: str) -> None:
        self.compiler = compiler
        self.pointer = pointer
        self.references: list[Reference] = []

    def template(self, value: Any, name: str) -> Expression:
        """Compile one field."""
        pointer = f"{self.pointer}/{name}"
        template = self.compiler.template(value, pointer)
        self.references += template.references
        return template

    def address(self, value: str, name: str) -> Expression:
        """Compile a field that is a URL."""
        pointer = f"{self.pointer}/{name}"
        template = self.compiler.address(value, pointer)
        self.references += template.references
        return template

    def optional(self, value: Any, name: str) -> Expression | None:
        """Compile one field, None where it is absent."""
        return None if value is None else self.template(value, name)

    def condition(self, source: Any, name: str) -> Expression:
        """Compile one condition."""
        pointer = f"{self.pointer}/{name}"
        condition = self.compiler.condition(source, pointer)
        self.references += condition.references
        return condition


def compile_config(config: Config, author: Author) -> Program:
    """Compile the config of a step. Raises SchemaFault for a form that `checks` has not passed."""
    program: Program
    match config:
        case HttpConfig():
            program = _http(config, author)
        case EventConfig():
            program = EventProgram(name=config.name, payload=author.template(config.payload, "payload"))
        case WaitConfig():
            program = _wait(config, author)
        case DecisionConfig():
            ways = (
                Way(when=author.condition(b.when, f"branches/{i}/when"), then=b.then)
                for i, b in enumerate(config.branches)
            )
            program = DecisionProgram(ways=tuple(ways), fallback=config.fallback, on_error=config.on_error)
        case TransformConfig():
            program = TransformProgram(mapping=author.template(config.mapping, "mapping"))
        case ManualConfig():
            program = _manual(config, author)
        case NoopConfig():
            program = NoopProgram()
        case _:
            assert_never(config)
    return program


def _http(config: HttpConfig, author: Author) -> HttpProgram:
    url = author.address(config.url, "url")
    query = author.template(config.query, "query")
    headers = author.template(config.headers, "headers")
    body = None if config.body is UNSET else author.template(config.body, "body")
    key = author.optional(config.idempotency_key, "idempotency_key")
    return HttpProgram(
        method=config.method,
        url=url,
        base=_base(url),
        query=query,
        headers=headers,
        body=body,
        body_type=config.body_type,
        expect_status=config.expect_status,
        timeout_seconds=config.timeout_seconds,
        max_response_bytes=config.max_response_bytes,
        max_redirects=config.max_redirects,
        idempotency_key=key,
        secret_headers=tuple(
            [name for name in config.headers if any(not isinstance(p, str) and p.secret for p in headers.pieces(name))]
            + (["Idempotency-Key"] if key is not None and key.secret else [])
        ),
        secret_body=body is not None and body.secret,
        derived=tuple(part for program in (url, query, headers, body, key) if program for part in program.derived()),
    )


def _base(url: Expression) -> Expression | None:
    first = url.pieces()[0] if url.secret else ""
    return None if isinstance(first, str) else first


def _wait(config: WaitConfig, author: Author) -> WaitProgram:
    return WaitProgram(
        signal=author.optional(config.signal, "signal"),
        correlation=author.optional(config.correlation_key, "correlation_key"),
        seconds=author.optional(config.seconds, "seconds"),
        until=author.optional(config.until, "until"),
        timeout_seconds=config.timeout_seconds,
        on_timeout=config.on_timeout,
    )


def _manual(config: ManualConfig, author: Author) -> ManualProgram:
    return ManualProgram(
        title=author.template(config.title, "title"),
        assignee=author.template(config.assignee, "assignee"),
        group=author.template(config.group, "group"),
        form=config.form,
        validator=None if config.form is None else Validator(config.form),
        due_seconds=config.due_seconds,
        on_reject=config.on_reject,
    )
