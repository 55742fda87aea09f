"""The caller's trace context, so that a process shows up in the trace that set it off.

W3C Trace Context: `traceparent` is one header of a fixed form. One that is not is ignored, never refused: it is written
by middleware that the caller may not know of.
"""

from __future__ import annotations

import re

from api.bodies import Asked

TRACEPARENT = "traceparent"
FORM = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
_NO_VERSION = "ff"
_NO_TRACE, _NO_PARENT = "0" * 32, "0" * 16


def traceparent(request: Asked) -> str | None:
    """Return the trace context that came with a request, None where there is none that can be used."""
    given = request.headers.getall(TRACEPARENT, [])
    if len(given) != 1 or not re.fullmatch(FORM, given[0]):
        return None
    version, trace, parent, _ = given[0].split("-")
    unusable = version == _NO_VERSION or trace == _NO_TRACE or parent == _NO_PARENT
    return None if unusable else given[0]
