"""Headers of http steps: which names are the engine's, and how a content type is read.

What is checked at publish and what is checked when the request is made agree on these.
"""

from __future__ import annotations

FORM = "application/x-www-form-urlencoded"

# Set by the client itself or meaningful for one connection only: given by hand they allow request smuggling.
RESERVED = frozenset(
    {"connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
SECRET = frozenset({"authorization", "cookie", "x-api-key"})  # hold credentials, whatever their value


def media_type(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    """Tell whether a media type, without parameters and in lower case, holds JSON."""
    return media == "application/json" or media.endswith("+json")


def is_utf8(content_type: str) -> bool:
    """Tell whether a Content-Type names UTF-8 or ASCII as its charset, or none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower() in {"utf-8", "utf8", "us-ascii"}
    return True


def fits(body_type: str, content_type: str) -> str | None:
    """Return why a body of this type cannot be sent under this Content-Type, None if it can."""
    media = media_type(content_type)
    if body_type == "json" and not is_json(media):
        return "a JSON body needs a JSON Content-Type"
    if body_type == "form" and media != FORM:
        return f"a form is sent as {FORM}"
    if body_type in {"form", "text"} and not is_utf8(content_type):
        return "text is sent in UTF-8"
    return None
