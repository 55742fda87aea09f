"""Takes secrets out of everything a call leaves behind: the one place that knows how a secret may be spelt.

A partner echoes what it was sent in its own words: percent-encoded in a URL, escaped in JSON, as base64, in lower case
in a host name. So a secret is not looked for as it is but as a pattern, each character in any of its spellings. That is
slow on large texts; so the longest run of letters and digits in it, which no encoder touches, is looked for first.

Must not be the only guard: what a secret was cut into, reversed or hashed is not found.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.core.commands import Failed

REDACTED = "[redacted]"

_RUN = re.compile(rb"[0-9a-z]+")
_KEPT = 1000  # secrets whose spellings are remembered


class Redactor:
    """Redacts some secrets. `secrets` in the order in which they are taken out: longest first."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._spellings = [spelling for secret in secrets for spelling in _spellings(secret)]

    def content(self, raw: bytes) -> bytes:
        """Return bytes in UTF-8 or ASCII without the secrets."""
        low = raw.lower()
        for core, secret in self._spellings:
            if core in low:
                raw = _pattern(secret).sub(REDACTED.encode(), raw)
                low = raw.lower()
        return raw

    def text(self, text: str) -> str:
        """Return a text without the secrets. Lone surrogates stay as they are."""
        raw = text.encode("utf-8", "surrogatepass")
        clean = self.content(raw)
        return text if clean is raw else clean.decode("utf-8", "surrogatepass")

    def value(self, value: Any) -> Any:
        """Return a JSON value with the secrets taken out of its texts and keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list | tuple) else value

    def failed(self, outcome: Failed) -> Failed:
        """Return a failure whose message, advice and details hold no secret."""
        if not self._spellings:
            return outcome
        error = msgspec.structs.replace(
            outcome.error,
            message=self.text(outcome.error.message),
            advice=self.text(outcome.error.advice),
            details=self.value(outcome.error.details),
        )
        return msgspec.structs.replace(outcome, error=error)


@functools.lru_cache(_KEPT)
def _spellings(secret: str) -> tuple[tuple[bytes, str], ...]:
    """Return (what must occur in lower-case bytes, text) for a secret and its base64, without padding."""
    raw = secret.encode("utf-8", "replace")
    plain, for_urls = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    texts = dict.fromkeys((secret, plain.rstrip("="), for_urls.rstrip("=")))
    return tuple((_core(text), text) for text in texts)


def _core(text: str) -> bytes:
    runs: list[bytes] = _RUN.findall(text.encode("utf-8", "replace").lower())
    return max(runs, key=len, default=b"")


@functools.lru_cache(_KEPT)
def _pattern(secret: str) -> re.Pattern[bytes]:
    """Return what finds a secret with each of its characters spelt in any way."""
    return re.compile(b"".join(map(_any_case, secret)), re.IGNORECASE)


def _any_case(char: str) -> bytes:
    """Return a pattern for one character; of bytes, IGNORECASE knows the cases of ASCII only."""
    if char.isascii():
        return _any_spelling(char)
    return b"(?:%b)" % b"|".join(map(_any_spelling, dict.fromkeys((char, char.lower(), char.upper()))))


def _any_spelling(char: str) -> bytes:
    r"""Return a pattern for one character: itself, %2B (or %252B), + for a space, \u002b, \/ and \n."""
    raw = char.encode("utf-8", "replace")
    ways = [re.escape(raw), b"".join(b"%%(?:25)*%02x" % byte for byte in raw)]
    units = char.encode("utf-16-be", "surrogatepass")
    ways.append(b"".join(rb"\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2)))
    if char == " ":
        ways.append(rb"\+")
    if char in "\\/\"'\n\r\t\b\f":
        ways.append(re.escape(json.dumps(char)[1:-1].encode()) if char not in "/'" else rb"\\" + re.escape(raw))
    return b"(?:%b)" % b"|".join(ways[::-1])  # escapes before the bare backslash
