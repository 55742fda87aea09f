"""The OpenAPI document as it is served: what the framework reads off the routes, with meanings and examples.

The examples are recorded: `tests/docs/test_api_examples.py` makes every request of them at a running installation and
compares the answers. This module only puts them where OpenAPI has a place for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import Litestar, Request
from litestar.openapi.plugins import JsonRenderPlugin

from api.meanings import MEANINGS

METHODS = ("get", "post", "put", "patch", "delete")


class Document(JsonRenderPlugin):
    """Serves the document. It is made once: the routes of a running program do not change."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        """Return the document as JSON."""
        if self._made is None:
            self._made = self.render_json(request, document(request.app))
        return self._made


def document(app: Litestar) -> dict[str, Any]:
    """Return the document of an application."""
    made: dict[str, Any] = app.openapi_schema.to_schema()
    known = examples()
    for _, _, operation in operations(made):
        for parameter in operation.get("parameters", ()):
            _explain(parameter, operation["operationId"], parameter["name"])
        example = known.get(operation["operationId"])
        if example is not None:
            _add(operation, example)
    _name_plainly(made)
    for schema in made["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            _explain(field, schema["title"], name)
    return made


def _name_plainly(made: dict[str, Any]) -> None:
    """Name generic objects by their title, `PageOfProcessView`: the framework puts the module into the name."""
    schemas = made["components"]["schemas"]
    titles = {name: said["title"] for name, said in schemas.items()}
    names = {name: title.replace("[", "Of").replace("]", "") for name, title in titles.items() if "[" in title}
    made["components"]["schemas"] = {names.get(name, name): said for name, said in schemas.items()}
    for said in _parts(made):
        if "$ref" in said:
            place, slash, name = said["$ref"].rpartition("/")
            said["$ref"] = place + slash + names.get(name, name)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a JSON value."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(part)


def _explain(said: dict[str, Any], owner: str, name: str) -> None:
    """Say what a field or parameter means, unless its declaration does."""
    meaning = MEANINGS.get(f"{owner}.{name}") or MEANINGS.get(name)
    if meaning is not None and not said.get("description"):
        said["description"] = meaning


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (method, path, operation) of a document, in its order."""
    for path, item in made["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


@cache
def examples() -> dict[str, Any]:
    """Return the recorded examples by operation id: `{parameters, body, type, status, answer}`."""
    read: dict[str, Any] = json.loads(files("api").joinpath("examples.json").read_text("utf-8"))
    return read


def _add(operation: dict[str, Any], example: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example["parameters"]:
            parameter["example"] = example["parameters"][parameter["name"]]
    if "body" in example:
        operation["requestBody"]["content"][example["type"]]["example"] = example["body"]
    for content in operation["responses"][str(example["status"])].get("content", {}).values():
        content["example"] = example["answer"]
