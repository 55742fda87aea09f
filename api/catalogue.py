"""Published versions as the API needs them, kept in memory: a version never changes.

What a name means (its id, its latest version, whether it is enabled) does change and is never kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from litestar.di import NamedDependency
from msgspec import Struct

from api.database import Database
from api.problems import not_found
from engine.core.ids import private_id, public_id
from engine.core.schemas import SchemaFault, Validator, Violation
from engine.errors import BadInput, NotFound
from engine.store.base import AsyncConnection, Scope
from engine.store.definitions import get_document, resolve_definition

MAX_KEPT = 1000  # versions


class Step(Struct, frozen=True):
    """What a list of activities shows of a step."""

    id: str
    name: str | None
    type: str | None


class Version(Struct, frozen=True):
    """One published version."""

    definition_id: int
    version: int
    steps: tuple[Step, ...]
    rules: Validator | None  # of the input

    def named(self) -> dict[str, Any]:
        """Return id and version as a start takes them: what was checked, whatever is published meanwhile."""
        return {"definition": public_id("wf", self.definition_id), "version": self.version}

    def check_input(self, value: Any, pointer: str) -> None:
        """Refuse an input that its definition does not take. Raises BadInput."""
        if self.rules is None:
            return
        try:
            self.rules.check(value)
        except Violation as fault:
            message = f"the input does not satisfy the definition's input_schema: {fault.message}"
            raise BadInput(message, pointer=pointer + fault.pointer, code="input_invalid") from None


class Catalogue:
    """Reads versions and keeps them. One per application; used by one event loop."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept: OrderedDict[tuple[int, int], Version] = OrderedDict()

    async def find(self, connection: AsyncConnection, scope: Scope, wanted: str, version: int | None) -> Version:
        """Return the version a caller means: definition by name or id, the latest unless one is named.

        Whether the caller may see it is asked of the database each time. Raises NotFound.
        """
        found = await find_definition(connection, scope, wanted)
        if found is None:
            raise NotFound(f"no definition {wanted!r} in this tenant and environment", pointer="/definition")
        number, latest = found
        kept = await self.version(connection, scope, number, version or latest)
        if kept is None:
            raise NotFound(
                f"the definition {wanted!r} has no version {version}",
                pointer="/version",
                advice="Leave version out to use the latest.",
            )
        return kept

    async def latest(self, connection: AsyncConnection, scope: Scope, definition_id: int) -> Version:
        """Return the latest version of a definition by its id alone: a name can look like an id. Raises NotFound."""
        found = await resolve_definition(connection, scope, definition_id=definition_id)
        kept = await self.version(connection, scope, *found) if found else None
        if kept is None:
            raise not_found("definition")
        return kept

    async def version(
        self, connection: AsyncConnection, scope: Scope, definition_id: int, version: int
    ) -> Version | None:
        """Return a version. The caller must have seen a row of `scope` that names it."""
        kept = self._kept.get((definition_id, version))
        if kept is None:
            document = await get_document(connection, scope, definition_id, version)
            if document is None:
                return None
            kept = _version(definition_id, version, document)
            self._kept[definition_id, version] = kept
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return kept


async def find_definition(connection: AsyncConnection, scope: Scope, wanted: str) -> tuple[int, int] | None:
    """Return (id, latest version) of a definition by name, else by public id."""
    found = await resolve_definition(connection, scope, name=wanted)
    if found is None and wanted.startswith("wf_"):
        try:
            found = await resolve_definition(connection, scope, definition_id=private_id("wf", wanted))
        except ValueError:
            return None
    return found


def definition_id(text: str) -> int:
    """Return the number of a definition's public id. Raises NotFound for anything else."""
    return _private("wf", text, "definition")


def process_id(text: str) -> int:
    """Return the number of a process's public id. Raises NotFound for anything else."""
    return _private("prc", text, "process")


def _private(prefix: str, text: str, what: str) -> int:
    try:
        return private_id(prefix, text)
    except ValueError:
        raise not_found(what) from None


def _version(definition_id: int, version: int, document: dict[str, Any]) -> Version:
    steps = tuple(Step(s["id"], s.get("name"), s.get("type")) for s in document.get("steps", ()))
    return Version(definition_id, version, steps, _rules(document))


def _rules(document: dict[str, Any]) -> Validator | None:
    schema = document.get("input_schema")
    if schema is None:
        return None
    try:
        return Validator(schema)
    except SchemaFault:
        return None  # published by an older release that knew less: the worker decides


Kept = NamedDependency[
    Catalogue
]  # how a route asks for it: for this or Db, as for two a task group is opened each time
