"""Query parameters: one that the route does not know is refused, for a misspelt filter would answer with everything."""

from __future__ import annotations

import difflib
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from engine.core.values import escape
from engine.errors import BadInput


async def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Raise BadInput for a query parameter that the route does not take, or takes once and got twice.

    Waits for nothing, but a plain function would be run in a thread for each request.
    """
    if not request.scope["query_string"]:
        return
    known = parameters(request.route_handler)
    given = request.query_params
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"Did you mean {near[0]!r}?" if near else _advice(known)
            raise refused(f"there is no query parameter {name[:100]!r} here", name, advice)
        if len(given.getall(name)) > 1:
            raise refused(f"the query parameter {name!r} is given twice", name, "Give it once.")
        if "\0" in given[name]:
            raise refused(f"the query parameter {name!r} holds a NUL character", name, "Remove it.")


def parameters(handler: BaseRouteHandler) -> frozenset[str]:
    """Return the names of the query parameters that a route takes."""
    kept: frozenset[str] | None = handler.opt.get("parameters")
    if kept is None:
        fields = handler.parsed_fn_signature.parameters
        kept = frozenset(n for n, f in fields.items() if isinstance(f.kwarg_definition, QueryParameter))
        handler.opt["parameters"] = kept
    return kept


def _advice(known: frozenset[str]) -> str:
    return f"Known are: {', '.join(sorted(known))}." if known else "This path takes none."


def refused(message: str, name: str, advice: str) -> BadInput:
    """Return the error for a query parameter at fault: 400, as the framework answers for those it reads itself."""
    error = BadInput(message, pointer=f"/{escape(name)}", code="invalid_parameter", advice=advice)
    error.status = 400
    return error
