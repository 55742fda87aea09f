"""Secrets do not come back, however a partner spells them."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import AsyncIterator
from urllib.parse import quote, quote_plus

import msgspec
import pytest
import pytest_asyncio

from engine.core.commands import Completed, Failed
from engine.executors.http import HttpExecutor, HttpRequest
from engine.executors.redaction import Redactor
from tests.partners.raw import RawPartner, Received, always, reply

SECRET = 's3cr+t/val üe="\\'
SPELLINGS = {
    "raw": SECRET,
    "upper": SECRET.upper(),
    "quote": quote(SECRET),
    "quote all": quote(SECRET, safe=""),
    "quote_plus": quote_plus(SECRET),
    "lower hex": quote(SECRET, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "quoted twice": quote(quote(SECRET, safe=""), safe=""),
    "json": json.dumps(SECRET)[1:-1],
    "json, not ascii": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "json of php": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "json with escapes": SECRET.replace("+", "\\u002B").replace("\\", "\\\\").replace("\\\\u002B", "\\u002B"),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
}


@pytest_asyncio.fixture
async def executor() -> AsyncIterator[HttpExecutor]:
    executor = HttpExecutor(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    await executor.start()
    yield executor
    await executor.close()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_secret_is_found(spelling: str) -> None:
    text = f"before {SPELLINGS[spelling]} after"
    clean = Redactor((SECRET,)).text(text)
    assert clean.startswith("before [redacted]")
    assert clean.endswith(" after")
    assert "s3cr" not in clean.lower()


def test_other_text_stays_byte_for_byte() -> None:
    text = "s3cr+t/value, s3cr, %2B, [redacted], \ud800"
    assert Redactor((SECRET, "another")).text(text) is text


def test_keys_and_values_of_details_are_cleaned() -> None:
    value = {SECRET: [SECRET, {"a": f"x{SECRET}y"}], "n": 1, "none": None}
    assert Redactor((SECRET,)).value(value) == {
        "[redacted]": ["[redacted]", {"a": "x[redacted]y"}],
        "n": 1,
        "none": None,
    }


async def test_a_secret_in_the_query_or_path_does_not_come_back_in_headers_or_body(executor: HttpExecutor) -> None:
    async def echo(got: Received) -> bytes:
        body = json.dumps({"target": got.target}).encode()
        return reply(200, body, "application/json", Location=got.target, X_Echo=got.target)

    async with RawPartner(echo) as partner:
        url = f"{partner.url}/p/{quote(SECRET, safe='')}"
        call = HttpRequest.from_config({"url": url, "query": {"q": SECRET}}, "exe_1", redact=(SECRET,))
        outcome = await executor.run(call)
    assert isinstance(outcome, Completed)
    assert "s3cr" in partner.requests[0].target
    shown = msgspec.json.encode(outcome).decode().lower()
    assert "s3cr" not in shown
    assert outcome.output["body"]["target"] == "/p/[redacted]?q=[redacted]"


async def test_a_secret_in_a_text_of_another_charset_does_not_come_back(executor: HttpExecutor) -> None:
    async with RawPartner(always(reply(200, SECRET.encode("utf-16"), "text/plain; charset=utf-16"))) as partner:
        outcome = await executor.run(HttpRequest.from_config({"url": partner.url}, "exe_1", redact=(SECRET,)))
    assert isinstance(outcome, Completed)
    assert outcome.output["body"] == "[redacted]"


async def test_a_secret_in_the_host_is_not_in_the_failure(executor: HttpExecutor) -> None:
    secret = "Secret-Host-Value"
    call = HttpRequest.from_config({"url": f"http://{secret}:1/"}, "exe_1", redact=(secret,))
    outcome = await executor.run(call)
    assert isinstance(outcome, Failed)
    assert "[redacted]" in outcome.error.message
    assert secret.lower() not in msgspec.json.encode(outcome).decode().lower()
    assert secret.lower() not in repr(call).lower()
