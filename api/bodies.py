"""The one seam where request bodies become values.

Raw bytes of at most 16 MiB (the framework stops reading beyond), read within 30 s → text that is UTF-8 → number of
values and depth, counted before anything is made of them → JSON or YAML → the form jsonb hands back (`values.admit`) →
a Struct of api/wire.py. Each check answers with a problem that points at the fault; nothing sent ends as a 500.

A large body takes many times its size as values, so only two requests have one at a time; and of the bytes of all
bodies only so many are kept (api/limits.py). Both are given back by `let_go`, before the answer is sent.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import msgspec
from litestar import Request

from api.limits import UNWEIGHED, Breaths
from api.yaml_bodies import MAX_YAML, read_yaml
from engine.core import values
from engine.core.values import Inadmissible, admit, escape
from engine.errors import BadInput, StepwellError, TooLarge, UnreadableBody

MAX_BODY = 16 << 20  # bytes
MAX_VALUE = 1 << 20  # bytes of JSON: input, output and signal data (design section 5)
VALUE_DEPTH = values.MAX_DEPTH
ENVELOPE = 4  # levels a request adds around a value
MAX_DEPTH = VALUE_DEPTH + ENVELOPE

MAX_VALUES = 1_000_000  # in one body: some 100 MB when decoded
BODY_SECONDS = 30.0  # for all of a body: who drips bytes must not keep a connection

AT_ONCE = 64 << 10  # bytes; larger bodies are decoded in a thread
LARGE = 1 << 20  # bytes; larger bodies wait for a place
YAML_AT_ONCE = 4 << 10  # the same for YAML: it is 50 times slower to read
YAML_LARGE = 64 << 10

_RAW, _VALUE = "stepwell.raw", "stepwell.body"  # where a scope keeps them
_yaml_thread = ThreadPoolExecutor(1, "yaml")  # one: it would only take turns with others, and keep JSON waiting

JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")

# The closing quote may be missing: else each quote of a text that is never closed would search all of the rest anew.
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_STRINGS = re.compile(_STRING, re.DOTALL)
_PIECES = re.compile(rb'(?:[^"]*+%b){1,10000}+|[^"]++' % _STRING, re.DOTALL)
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_WHERE = re.compile(r" - at (`key` in )?`\$([^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")

_encode = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


class UnsupportedMediaType(BadInput):
    """The body is in a form this path does not read."""

    code = "unsupported_media_type"
    status = 415
    advice = "Send JSON with 'Content-Type: application/json'."


class BodyTooSlow(BadInput):
    """The body did not come in time."""

    code = "body_too_slow"
    status = 408
    advice = "Send the request again; a body has 30 s to arrive."


def let_go(state: Any, scope: Any) -> None:
    """Forget the body of a request that has its answer, and give back what was taken for it."""
    scope.pop(_RAW, None)
    scope.pop(_VALUE, None)
    state.body_places.give_back(scope)
    state.body_bytes.give_back(scope)


class Asked(Request[Any, Any, Any]):
    """A request whose body passes the seam. Litestar asks `json()` for the handler's `data`."""

    async def body(self) -> bytes:
        """Return the body as it came. Raises BodyTooSlow, and the framework's own for one that is too large."""
        kept: Any = self.scope
        if _RAW not in kept:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    kept[_RAW] = await self._receive()
            except TimeoutError:
                raise BodyTooSlow("the body did not arrive in time") from None
        return bytes(kept[_RAW])

    async def _receive(self) -> bytes:
        """Read the body, and count it as it comes: what is only announced takes nothing from others."""
        pieces, size = list[bytes](), 0
        async for piece in self.stream():
            uncounted = max(UNWEIGHED - size, 0)
            size += len(piece)
            if len(piece) > uncounted:
                await self.app.state.body_bytes.take(self.scope, len(piece) - uncounted)
            pieces.append(piece)
        return b"".join(pieces)

    async def json(self) -> Any:
        """Return the body as the Struct that the handler takes. Raises StepwellError."""
        field = self.route_handler.parsed_data_field
        value = await self.value()
        return value if field is None else to_struct(value, field.annotation)

    async def value(self) -> Any:
        """Return the body as a JSON value in jsonb's form. Raises StepwellError."""
        kept: Any = self.scope
        if _VALUE not in kept:
            yaml = self._kind() == "yaml"
            raw = await self.body()
            if len(raw) > (YAML_LARGE if yaml else LARGE):
                await self.app.state.body_places.take(self.scope)
            kept[_VALUE] = await (_read_yaml(raw) if yaml else _read_json(raw))
        return kept[_VALUE]

    async def fingerprint(self) -> bytes:
        """Return what makes two requests the same request: method, path, query, and the body however it was written."""
        raw = await self.body()
        value = await self.value() if raw else None
        canonical = await asyncio.to_thread(_canonical, value) if len(raw) > AT_ONCE else _canonical(value)
        query = self.scope["query_string"]
        path = self.url.path.encode() + (b"?" + query if query else b"")
        return hashlib.sha256(b"%b %b\n%b" % (self.method.encode(), path, canonical)).digest()

    def _kind(self) -> str:
        """Return 'json' or 'yaml'. Raises UnsupportedMediaType."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("compressed bodies are not read", advice="Send the body as it is.")
        kind = self.content_type[0].lower()
        if kind in YAML_TYPES and self.route_handler.opt.get("yaml"):
            return "yaml"
        if kind and kind not in JSON_TYPES:
            raise UnsupportedMediaType(f"a body of type {kind[:100]!r} is not read here")
        if self.content_type[1].get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("JSON is read as UTF-8 only")
        return "json"


async def _read_json(raw: bytes) -> Any:
    """Decode JSON: seconds for the largest, so other requests go on meanwhile."""
    return await asyncio.to_thread(decode_json, raw) if len(raw) > AT_ONCE else decode_json(raw)


async def _read_yaml(raw: bytes) -> Any:
    if len(raw) <= YAML_AT_ONCE:
        return decode_yaml(raw)
    return await asyncio.get_running_loop().run_in_executor(_yaml_thread, decode_yaml, raw)


def decode_json(raw: bytes) -> Any:
    """Return the JSON value of a body in jsonb's form. Raises UnreadableBody, BadInput, TooLarge."""
    _check_text(raw)
    if too_many(raw, MAX_VALUES):
        raise TooLarge(f"the body holds more than {MAX_VALUES} values", advice="Split it into several requests.")
    if too_deep(raw, MAX_DEPTH):
        raise UnreadableBody(f"the body is nested more than {MAX_DEPTH} levels deep")
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableBody(_fault(raw, error)) from None
    return _admitted(value)


def decode_yaml(raw: bytes) -> Any:
    """Return the value of a YAML body in jsonb's form. Raises UnreadableBody, BadInput, TooLarge."""
    if len(raw) > MAX_YAML:
        raise TooLarge(f"a YAML body may have {MAX_YAML} bytes", advice="Send it as JSON.")
    return _admitted(read_yaml(_check_text(raw), MAX_DEPTH), MAX_YAML)  # aliases may repeat it without end


def _check_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"the body is not UTF-8: byte {error.start} is wrong") from None


def _fault(raw: bytes, error: Exception) -> str:
    """Say why JSON cannot be read; the decoder takes half a surrogate pair for a cut text."""
    if re.search(rb"\\u[dD][89a-fA-F]", raw):
        return "the body is not JSON, or a text in it holds half of a surrogate pair"
    return f"the body is not JSON: {str(error)[:200]}" if raw.strip() else "the body is empty"


def _admitted(value: Any, max_bytes: int = MAX_BODY) -> Any:
    try:
        return admit(value, max_bytes=max_bytes, max_depth=MAX_DEPTH).value
    except Inadmissible as fault:
        raise refusal(fault) from None


def refusal(fault: Inadmissible, pointer: str = "") -> StepwellError:
    """Return our error for a value that cannot be stored; `pointer`: where in the body the value stood."""
    where = pointer + fault.pointer
    if fault.code == "too_large":
        return TooLarge(fault.message, pointer=where or None)
    return BadInput(fault.message, pointer=where, code=fault.code)


def check_value(value: Any, pointer: str) -> None:
    """Refuse an input or data, already in jsonb's form, over 1 MiB or 64 levels. Raises BadInput, TooLarge."""
    raw = _encode(value)
    if len(raw) <= MAX_VALUE and not too_deep(raw, VALUE_DEPTH):
        return  # the usual case, without a walk in Python that other requests would wait for
    try:
        admit(value, max_bytes=MAX_VALUE)
    except Inadmissible as fault:
        raise refusal(fault, pointer) from None


async def check_values(inputs: list[Any], pointer: str) -> None:
    """Refuse a list of which one value is not an input. Raises BadInput, TooLarge."""
    breaths = Breaths()
    for place, value in enumerate(inputs):
        check_value(value, f"{pointer}/{place}")
        await breaths.take()


def too_many(raw: bytes, limit: int) -> bool:
    """Tell whether JSON holds more than about `limit` values: before each but the first is a comma or a bracket."""
    return _marks(raw) > limit and _marks(_outside_strings(raw)) > limit


def _marks(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _outside_strings(raw: bytes) -> bytes:
    """Return JSON without its strings; in pieces, for a single call would keep all other threads from running."""
    return b"".join(_STRINGS.sub(b"", piece[0]) for piece in _PIECES.finditer(raw))


def too_deep(raw: bytes, limit: int) -> bool:
    """Tell whether brackets nest deeper than `limit`, without recursion and at the speed of C loops.

    Without its strings and everything else, JSON is brackets; each pass removes the innermost pairs. What does not
    balance is no JSON: then the openers left say how deep a decoder would go before it notices.
    """
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    brackets = _outside_strings(raw).translate(_ONE_KIND, _NO_BRACKET)
    for _ in range(limit):
        left = brackets.replace(b"[]", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    return brackets.count(b"[") > 0 if b"[]" in brackets else brackets.count(b"[") > limit


def to_struct(value: Any, wanted: Any) -> Any:
    """Return `value` as the Struct `wanted`. Raises BadInput with a pointer to the first fault."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        message, pointer = _place(str(error))
        raise BadInput(message, pointer=pointer, advice=_nearest(str(error), pointer, wanted)) from None


def _nearest(message: str, pointer: str, wanted: Any) -> str | None:
    """Return what was probably meant by a field that the body does not know, None for any other fault."""
    unknown = _UNKNOWN.search(message)
    if unknown is None or pointer.count("/") > 1:  # within a value: its fields are not the body's
        return None
    known = [name for part in (wanted, *get_args(wanted)) for name in getattr(part, "__struct_fields__", ())]
    near = difflib.get_close_matches(unknown.group(1), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."


def _place(message: str) -> tuple[str, str]:
    """Split what msgspec says into a message and a JSON pointer."""
    where = _WHERE.search(message)
    path = where.group(2) if where else ""
    parts = [part for part in re.split(r"[.\[\]]+", path) if part and part != "..."]
    text = _WHERE.sub(" for a key" if where and where.group(1) else "", message)
    named = _UNKNOWN.search(text) or _MISSING.search(text)
    if named:
        parts.append(named.group(1))
    return text.replace("Object ", "the object ", 1), "".join(f"/{escape(part)}" for part in parts)
