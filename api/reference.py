"""GET /docs: the API's reference as one page, made from the OpenAPI document and the tables of codes.

Loads nothing from elsewhere, runs no script and needs no key: it tells what /openapi.json tells. Searching is the
browser's; so everything stands open on one page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State

from api.document import document
from api.markup import Html, code_words, element, page, style, together
from api.surface import Answer, Field, Object, Operation, Surface, curl, surface
from engine.codes import FAILURES, FINDINGS, INADMISSIBLE, REFUSALS, REJECTIONS
from engine.errors import OperatorError, StepwellError, tree

MAX_AGE_S = 300  # a newer release may have been started meanwhile
_STYLE = files("api").joinpath("reference.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_NAME = re.compile(r"\w+")
_INTRODUCTION = (
    "Send `Authorization: Bearer <key>`. A key belongs to one tenant and environment; the scope `admin` may do all.",
    "Bodies are JSON in UTF-8. Unknown fields and query parameters are refused, with the nearest known name.",
    "A request that acts takes an `Idempotency-Key`: the same request with the same key acts once, for 24 hours.",
)


@get("/docs", include_in_schema=False, sync_to_thread=False)
def reference(request: Request[Any, Any, State]) -> Response[bytes]:
    """Answer with the page, or with 304 where the browser has it."""
    made: tuple[bytes, str] | None = request.app.state.get("reference")
    if made is None:
        made = request.app.state["reference"] = _made(surface(document(request.app)))
    content, tag = made
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type="text/html")
    return Response(content, headers=headers, media_type="text/html")


def _made(described: Surface) -> tuple[bytes, str]:
    content = render(described).encode()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def render(described: Surface) -> Html:
    """Return the page."""
    title = f"Stepwell API {described.version}"
    head = together(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        style(_STYLE),
    )
    main = together(
        element("h1", title),
        *(element("p", code_words(text)) for text in _INTRODUCTION),
        element("p", "For programs: ", element("a", "/openapi.json", href="/openapi.json"), "."),
        *(_group(name, found, described) for name, found in described.groups().items()),
        _objects(described),
        _errors(),
    )
    return page(head, together(_navigation(described), element("main", main)))


def _navigation(described: Surface) -> Html:
    lists = [
        together(
            element("h2", name.capitalize()),
            element("ul", *(element("li", element("a", one.summary, href=f"#{one.id}")) for one in found)),
        )
        for name, found in described.groups().items()
    ]
    places = {"objects": "Objects", "errors": "Errors and codes"}
    last = element("ul", *(element("li", element("a", name, href=f"#{place}")) for place, name in places.items()))
    return element("nav", *lists, element("h2", "For all of them"), last, aria_label="Contents")


def _group(name: str, found: list[Operation], described: Surface) -> Html:
    objects = {one.name for one in described.objects}
    return element("section", element("h2", name.capitalize()), *(_operation(one, objects) for one in found))


def _operation(said: Operation, objects: set[str]) -> Html:
    parts = [
        element("h3", element("a", said.summary, href=f"#{said.id}")),
        element(
            "div", element("code", element("span", said.method, class_=f"method {said.method}"), said.path),
            class_="request",
        ),
        element("p", code_words(said.meaning)) if said.meaning else None,
        element("p", "Needs ", _scopes(said), ".", class_="soft"),
    ]  # fmt: skip
    for place, title in (("path", "In the path"), ("query", "Query"), ("header", "Headers")):
        parts.append(_fields(title, [one for one in said.parameters if one.place == place], objects))
    if said.body:
        parts.append(_body(said, objects))
    parts.append(element("h4", "Answers"))
    parts.append(element("dl", *(together(*_answer(one, objects)) for one in said.answers)))
    codes = ", ".join(str(status) for status in said.errors)
    parts.append(element("p", element("a", "Errors", href="#errors"), f": {codes}", class_="soft"))
    parts.append(_example(said))
    return element("section", *parts, id=said.id)


def _scopes(said: Operation) -> Html:
    if not said.keyed:
        return together("no key")
    if not said.scopes:
        return together("a key")
    parts = [element("code", scope) for scope in said.scopes]
    return together(parts[0], *(together(" or ", part) for part in parts[1:]))


def _body(said: Operation, objects: set[str]) -> Html:
    types = " or ".join(said.body_types)
    if not said.body_fields:
        return together(element("h4", f"Body: {types}"), element("p", code_words(said.body_meaning)))
    return _fields(f"Body: {types}", said.body_fields, objects) or together()


def _fields(title: str, fields: Sequence[Field], objects: set[str]) -> Html | None:
    if not fields:
        return None
    return together(element("h4", title), _listed(fields, objects))


def _listed(fields: Sequence[Field], objects: set[str], *, taken: bool = True) -> Html:
    return element("dl", *(together(*_field(one, objects, taken=taken)) for one in fields))


def _field(said: Field, objects: set[str], *, taken: bool) -> tuple[Html, Html]:
    notes = element("span", "required", class_="needed") if taken and said.needed else None
    unless = f"; {json.dumps(said.default)} unless given" if taken and said.default is not None else ""
    kind = element("span", _kind(said.kind, objects), unless, class_="kind")
    return element("dt", element("code", said.name), kind, notes), element("dd", code_words(said.meaning))


def _kind(text: str, objects: set[str]) -> Html:
    """Return a kind with the objects that it names as links."""
    parts: list[str] = []
    end = 0
    for found in _NAME.finditer(text):
        if found[0] in objects:
            parts += [text[end : found.start()], element("a", found[0], href=f"#object-{found[0]}")]
            end = found.end()
    return together(*parts, text[end:])


def _answer(said: Answer, objects: set[str]) -> tuple[Html, Html]:
    headers = together("With ", ", ".join(said.headers), ".") if said.headers else None
    kind = element("span", _kind(said.kind or "no body", objects), class_="kind")
    return element("dt", element("code", str(said.status)), kind), element("dd", headers)


def _example(said: Operation) -> Html | None:
    answered = next((one for one in said.answers if one.example is not None), None)
    if answered is None:
        return None
    return together(
        element("h4", "Example"),
        element("pre", element("code", curl(said))),
        element("pre", element("code", json.dumps(answered.example, indent=2, ensure_ascii=False))),
    )


def _objects(described: Surface) -> Html:
    objects = {one.name for one in described.objects}
    return element("section", element("h2", "Objects"), *(_object(one, objects) for one in described.objects),
                   id="objects")  # fmt: skip


def _object(said: Object, objects: set[str]) -> Html:
    meaning = element("p", code_words(said.meaning)) if said.meaning else None
    return element("section", element("h3", said.name), meaning, _listed(said.fields, objects, taken=False),
                   id=f"object-{said.name}")  # fmt: skip


def _errors() -> Html:
    answers = [
        (one.code, str(one.status), " ".join((one.__doc__ or "").split()), one.advice)
        for one in tree(StepwellError)
        if not issubclass(one, OperatorError)
    ]
    answers += [(code, str(one.status), one.meaning, "") for code, one in REFUSALS.items()]
    failures = [(code, c.category, c.meaning, "yes" if c.retried else "no") for code, c in FAILURES.items()]
    return element(
        "section",
        element("h2", "Errors and codes"),
        element("p", code_words("Every error is `application/problem+json`. Branch on `code`: codes do not change.")),
        _table("Answers", ("code", "status", "meaning", "what to do"), answers),
        _table("Why a command was rejected", ("code", "meaning"), list(REJECTIONS.items())),
        _table("Why an activity or a process failed", ("code", "category", "meaning", "retried"), failures),
        _table("What is wrong with a definition", ("code", "meaning"), list(FINDINGS.items())),
        _table("Why a value cannot be stored", ("code", "meaning"), list(INADMISSIBLE.items())),
        id="errors",
    )


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html:
    lines = [
        element("tr", element("td", element("code", row[0])), *(element("td", code_words(cell)) for cell in row[1:]))
        for row in rows
    ]
    head = element("tr", *(element("th", name) for name in columns))
    body = element("table", element("thead", head), element("tbody", *lines))
    return element("section", element("h3", title), element("div", body, class_="wide"))
