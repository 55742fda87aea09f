"""The rules of an http step that span several fields: where it calls, what its headers and body may be.

Must not evaluate anything: a reference may bring any value, which is checked again when the request is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from engine.core.headers import FORM, RESERVED, fits, is_json, media_type
from engine.core.values import escape

if TYPE_CHECKING:
    from engine.cel import Program
    from engine.core.document import HttpConfig
    from engine.core.programs import HttpProgram
    from engine.core.shapes import Findings

# How `_shape` writes an expression: one that reads a secret, any other. Private-use characters.
_SECRET, _OTHER = "\ue000", "\ue001"
_CREDENTIAL = re.compile(rf"([A-Za-z][A-Za-z0-9-]*\s+)?{_SECRET}")
_COOKIE = re.compile(rf"([^=;{_OTHER}]+=)?{_SECRET}(;\s*[^=;{_OTHER}]+={_SECRET})*")
_GUARDED = {"authorization": _CREDENTIAL, "cookie": _COOKIE}
_URL = re.compile(r"https?://[^/?#@\s]|\$\{", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:[^/?#]*//)?[^/?#]*")
_USERINFO = re.compile(r"https?://[^/?#]*@", re.IGNORECASE)


def check_http(pointer: str, config: HttpConfig, program: HttpProgram, findings: Findings) -> None:
    """Check the config of an http step."""
    if not _URL.match(config.url):
        message = "the address must begin with http:// or https:// and a host"
        findings.add(f"{pointer}/url", message, "Write the whole address.", code="url_invalid")
    elif _USERINFO.match(config.url):
        advice = "Send an Authorization header with ${secrets.NAME}."
        findings.add(f"{pointer}/url", "credentials in an address are stored in clear", advice, "literal_secret")
    elif _secret_in_authority(program.url):
        advice = "Host names are looked up and shown in clear. Put the secret into a header, the query or the path."
        findings.add(f"{pointer}/url", "a secret cannot be part of the host", advice, code="url_invalid")
    seen: set[str] = set()
    for name, value in config.headers.items():
        shape = _shape(program.headers.pieces(name)) if "${" in value else value
        _check_header(f"{pointer}/headers/{escape(name)}", name, shape, seen, findings)
    _check_body(pointer, config, program, findings)


def _secret_in_authority(url: Program) -> bool:
    """Tell whether a reference to a secret stands before the path of a URL."""
    # What leads to the path cannot come from an expression but the first, for they are percent-encoded.
    authority = _AUTHORITY.match(_shape(url.pieces()))
    return authority is not None and _SECRET in authority[0]


def _shape(pieces: list[str | Program]) -> str:
    """Return a text with each expression as one character: _SECRET where it reads a secret, else _OTHER."""
    return "".join(
        re.sub(f"[{_SECRET}{_OTHER}]", "", piece) if isinstance(piece, str) else _SECRET if piece.secret else _OTHER
        for piece in pieces
    )


def _check_header(where: str, name: str, shape: str, seen: set[str], findings: Findings) -> None:
    low = name.lower()
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        findings.add(where, f"{name[:40]!r} is no name of a header", code="header_invalid")
    elif low in seen:
        findings.add(where, f"the header {name} is there twice", code="duplicate")
    elif low in RESERVED:
        findings.add(where, f"the header {name} is set by the engine", "Leave it out.", code="header_reserved")
    elif low in _GUARDED and not _GUARDED[low].fullmatch(shape.strip()):
        advice = 'Write a reference, for example "Bearer ${secrets.SHOP_TOKEN}".'
        findings.add(where, f"a literal {name} header is not allowed", advice, code="literal_secret")
    elif any(ord(char) < 32 and char != "\t" for char in shape):
        findings.add(where, "a header cannot contain line breaks", code="header_invalid")
    seen.add(low)


def _check_body(pointer: str, config: HttpConfig, program: HttpProgram, findings: Findings) -> None:
    """Check that the body is one that its type, given or following from its Content-Type, can be made of."""
    name, content_type = next(((k, v) for k, v in config.headers.items() if k.lower() == "content-type"), ("", None))
    literal = content_type if content_type is not None and "${" not in content_type else None
    if config.body is UNSET:
        if config.body_type is not None:
            advice = "Add a body, or leave body_type out."
            findings.add(f"{pointer}/body_type", "there is no body to be of this type", advice, code="body_invalid")
        return
    why = fits(config.body_type, literal) if config.body_type is not None and literal is not None else None
    if why is not None:
        advice = "Leave Content-Type out: body_type sets it."
        findings.add(f"{pointer}/headers/{escape(name)}", why, advice, code="body_invalid")
    elif config.body_type == "form":
        _check_form(f"{pointer}/body", config.body, program, findings)
    elif config.body_type == "text" or (config.body_type is None and literal is not None and not _json(literal)):
        _check_text(f"{pointer}/body", config.body, literal, findings)


def _json(content_type: str) -> bool:
    return is_json(media_type(content_type))


def _check_form(pointer: str, body: Any, program: HttpProgram, findings: Findings) -> None:
    pieces = program.body.pieces() if program.body is not None else []
    if isinstance(body, str) and "${" in body and not any(isinstance(piece, str) for piece in pieces):
        return  # one expression, which may bring an object, or a fault that the compiler noted
    if not isinstance(body, dict):
        advice = "Write an object of names and values, or one reference to such an object."
        findings.add(pointer, "a form is an object of names and values", advice, code="body_invalid")
        return
    for name, value in body.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict | list) for item in items):
            advice = "Write a text, a number, true, false, or a list of these."
            findings.add(f"{pointer}/{escape(name)}", "a form has no nested values", advice, code="body_invalid")


def _check_text(pointer: str, body: Any, content_type: str | None, findings: Findings) -> None:
    if isinstance(body, str):
        return
    advice = "Write it as one text."
    if content_type is not None and media_type(content_type) == FORM:
        advice = "For a form made of this object add body_type: form."
    findings.add(pointer, "the body is sent as it is, so it must be a text", advice, code="body_invalid")
