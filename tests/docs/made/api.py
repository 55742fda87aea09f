"""docs/api.md: every operation and every object, from the OpenAPI document."""

from __future__ import annotations

import json
import re
from functools import cache

from api.app import create_app
from api.document import document
from api.surface import Answer, Field, Operation, Surface, curl, surface
from engine.config import Settings
from tests.docs.made.markdown import anchor, block, code, table

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"  # the routes are declared without a database


@cache
def described() -> Surface:
    """Return the API as it is declared."""
    return surface(document(create_app(Settings(database_url=NOWHERE))))


def requests() -> str:
    """Return one row for each operation."""
    rows = [
        (code(f"{one.method} {one.path}"), scopes(one), f"[{one.summary}]({anchor(one.summary)})")
        for one in described().operations
    ]
    return table(("request", "scope", ""), rows)


def scopes(said: Operation) -> str:
    """Return what a key needs."""
    return " or ".join(code(scope) for scope in said.scopes) or ("any key" if said.keyed else "no key")


def operations() -> str:
    """Return the operations by noun."""
    return "\n\n".join(
        "\n\n".join([f"## {noun.capitalize()}", *(_operation(one) for one in found)])
        for noun, found in described().groups().items()
    )


def _operation(said: Operation) -> str:
    parts = [f"### {said.summary}", f"{code(f'{said.method} {said.path}')}, {scopes(said)}", said.meaning, _taken(said)]
    parts.append("Answers: " + "; ".join(_answer(one) for one in said.answers) + ".")
    parts.append("Errors: " + ", ".join(str(status) for status in said.errors) + ".")
    return "\n\n".join(part for part in (*parts, _example(said)) if part)


def _taken(said: Operation) -> str:
    rows = [_row(one.place, one) for one in said.parameters] + [_row("body", one) for one in said.body_fields]
    fields = table(("in", "name", "value", "", "meaning"), rows) if rows else ""
    types = " or ".join(code(kind) for kind in said.body_types)
    document = f"Body ({types}): {said.body_meaning}" if said.body and not said.body_fields else ""
    return "\n\n".join(part for part in (document, fields) if part)


def _row(place: str, said: Field) -> tuple[str, ...]:
    unless = f"{code(json.dumps(said.default))} unless given" if said.default is not None else ""
    return place, code(said.name), _kind(said.kind), "required" if said.needed else unless, said.meaning


def _answer(said: Answer) -> str:
    headers = f", with {', '.join(code(name) for name in said.headers)}" if said.headers else ""
    return f"{said.status} {_kind(said.kind) or 'without a body'}{headers}"


def _kind(text: str) -> str:
    """Return a kind with the objects that it names as links."""
    names = {one.name for one in described().objects}
    return re.sub(r"\w+", lambda found: f"[{found[0]}]({anchor(found[0])})" if found[0] in names else found[0], text)


def _example(said: Operation) -> str:
    answered = next((one for one in said.answers if one.example is not None), None)
    if answered is None:
        return ""
    answer = json.dumps(answered.example, indent=2, ensure_ascii=False)
    return f"{block('sh', curl(said))}\n\n{block('json', answer)}"


def objects() -> str:
    """Return the fields of every object."""
    return "\n\n".join(
        "\n\n".join(
            part
            for part in (
                f"### {one.name}",
                one.meaning,
                table(("field", "value", "meaning"), [(code(f.name), _kind(f.kind), f.meaning) for f in one.fields]),
            )
            if part
        )
        for one in described().objects
    )
