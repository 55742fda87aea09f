"""/workflows/definitions: publish, check and read definitions."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, QueryParameter

from api.auth import signed
from api.bodies import Asked
from api.catalogue import definition_id as number_of
from api.database import Db
from api.documented import BODY_DOCUMENT, described
from api.idempotency import Answer, once, respond
from api.lists import Cursor, Limit, Offset, check_offset, cursor_id, page
from api.problems import not_found
from api.wire import DefinitionView, Page, ValidationView
from engine.core.checks import check_visible
from engine.core.definition import DEFINITION_SCHEMA, Definition, parse_definition
from engine.core.ids import public_id
from engine.core.shapes import Findings
from engine.errors import BadInput, InvalidDefinition
from engine.store.base import AsyncConnection, Scope
from engine.store.definitions import (
    DefinitionRow,
    get_definition,
    list_definitions,
    publish_definition,
    publish_version,
)

STATUS = "published"
Wanted = Annotated[int | None, QueryParameter(ge=1, le=2147483647, description="Absent: the latest.")]
_DECLARED = ("id", "tenant_id", "environment_id", "version", "status", "created_at", "created_by")


@post(
    "/workflows/definitions",
    yaml=True,
    **described(
        "publish_definition",
        "Publish a definition, or its next version",
        201,
        "workflows:write",
        body=BODY_DOCUMENT,
        acts=True,
    ),
)
async def publish(request: Asked, database: Db) -> Response[DefinitionView]:
    """Check a document (JSON or YAML) and publish it under its name. A published version never changes."""
    document = await request.value()
    definition = await _parse(document)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        made = await publish_definition(connection, scope, _stored(document, definition), signed(request.user))
        view = await _published(connection, scope, made, definition)
        return Answer(201, view, f"/api/v1/workflows/definitions/{view.id}")

    return respond(*await once(request, database, request.user, act))


@put(
    "/workflows/definitions/{definition_id:str}",
    yaml=True,
    **described(
        "publish_version",
        "Publish the next version of a definition",
        200,
        "workflows:write",
        body=BODY_DOCUMENT,
        errors=(404,),
        acts=True,
    ),
)
async def publish_next(request: Asked, database: Db, definition_id: FromPath[str]) -> Response[DefinitionView]:
    """Check a document (JSON or YAML) and publish it as the next version; its name may be a new one."""
    number = number_of(definition_id)
    document = await request.value()
    definition = await _parse(document)

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        stored = _stored(document, definition)
        made = await publish_version(connection, scope, number, stored, signed(request.user))
        return Answer(200, await _published(connection, scope, made, definition))

    return respond(*await once(request, database, request.user, act))


async def _parse(document: Any) -> Definition:
    """Check a document, in a thread: a hostile one takes seconds, in which other requests go on."""
    definition = await asyncio.to_thread(parse_definition, document)
    check_name(definition.name)
    return definition


def _stored(document: dict[str, Any], definition: Definition) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in definition.declared}


async def _published(connection: AsyncConnection, scope: Scope, made: int, definition: Definition) -> DefinitionView:
    """Return what was just published; an exception undoes it. Raises BadInput."""
    row = await get_definition(connection, scope, made)
    if row is None:
        raise not_found("definition")
    view = definition_view(scope, row)
    check_declared(definition.declared, view)
    return view


@post(
    "/workflows/definitions/validate",
    yaml=True,
    **described("validate_definition", "Check a definition", 200, "workflows:read", body=BODY_DOCUMENT),
)
async def validate(request: Asked) -> ValidationView:
    """Say what publishing a document (JSON or YAML) would find wrong with it; nothing is written."""
    try:
        definition = await _parse(await request.value())
    except InvalidDefinition as error:
        return ValidationView(valid=False, findings=list(error.findings))
    steps = [step.id for step in definition.steps]
    return ValidationView(valid=True, findings=[], name=definition.name, steps=steps)


@get(
    "/workflows/definitions/schema",
    **described("get_definition_schema", "Read the JSON Schema of definitions", 200, "workflows:read"),
)
async def schema() -> dict[str, Any]:
    """Return the JSON Schema that every definition satisfies, for editors. Publishing checks more."""
    return DEFINITION_SCHEMA


def check_name(name: str) -> None:
    """Refuse a definition's name with characters that cannot be seen. Raises InvalidDefinition."""
    findings = Findings()
    check_visible(name, "/name", findings)
    if findings.items:
        fault = findings.items[0]
        message = f"the definition has 1 fault: {fault.message}"
        raise InvalidDefinition(message, pointer=fault.pointer, findings=(fault,))


@get(
    "/workflows/definitions",
    **described("list_definitions", "List definitions, newest first", 200, "workflows:read"),
)
async def list_all(
    request: Asked,
    database: Db,
    *,
    cursor: Cursor = None,
    offset: Offset = None,
    limit: Limit = 50,
    name: FromQuery[str | None] = None,
    enabled: FromQuery[bool | None] = None,
) -> Page[DefinitionView]:
    """Return a page of definitions, each with its latest version, without documents."""
    scope = request.user.scope
    values = {
        "before": cursor_id("wf", cursor),
        "offset": check_offset(offset, cursor),
        "limit": limit + 1,
        "name": name,
        "enabled": enabled,
    }
    async with database.transaction(scope) as connection:
        rows = await list_definitions(connection, scope, values)
    return page([definition_view(scope, row) for row in rows], limit, lambda view: view.id)


@get(
    "/workflows/definitions/{definition_id:str}",
    **described("get_definition", "Read a definition with its document", 200, "workflows:read", errors=(404,)),
)
async def read(request: Asked, database: Db, definition_id: FromPath[str], version: Wanted = None) -> DefinitionView:
    """Return a definition: its latest version, or the one named."""
    scope = request.user.scope
    number = number_of(definition_id)
    async with database.transaction(scope) as connection:
        row = await get_definition(connection, scope, number, version)
    if row is None:
        raise not_found("definition")
    return definition_view(scope, row)


def definition_view(scope: Scope, row: DefinitionRow) -> DefinitionView:
    """Return a definition as the API shows it."""
    return DefinitionView(
        id=public_id("wf", row.id),
        name=row.name,
        version=row.version,
        status=STATUS,
        enabled=row.enabled,
        tenant_id=scope.tenant,
        environment_id=scope.environment,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by=row.created_by,
        document=msgspec.json.decode(row.document) if row.document is not None else None,
    )


def check_declared(declared: dict[str, Any], view: DefinitionView) -> None:
    """Refuse a document that says of itself what is not true. Raises BadInput."""
    for name, said in declared.items():
        true = getattr(view, name, None) if name in _DECLARED else None
        if said is not None and not _same(said, true):
            raise BadInput(
                f"the document says {name} is {str(said)[:100]!r}; it is {str(true)!r}",
                pointer=f"/{name}",
                code="declared_mismatch",
                advice="Leave the field out, or correct it.",
            )


def _same(said: Any, true: Any) -> bool:
    if isinstance(true, datetime) and isinstance(said, str):
        try:
            return msgspec.convert(said, datetime) == true
        except (msgspec.ValidationError, TypeError):
            return False
    return type(said) is type(true) and bool(said == true)


ROUTES = (publish, publish_next, validate, schema, list_all, read)
