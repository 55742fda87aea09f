"""The demo's partner: a server that plays plans, wallets, credits, e-mail and a shop, and fails now and then.

    python -m stepwell.demo.partner --port 0 --log calls.jsonl --failure-rate 0.05 --seed 7

Every call is on record in the log before it is answered, so that a check can compare what was called with
what should have been. Must not know anything of the engine: it stands for somebody else's system.

Invariants: one idempotency key has at most one effect, and its first answer is given again for every repeat.
How a call fails depends on (seed, key, n-th call of the key) only, and none fails from the third call on: at
most two failures follow each other. Deciding and recording have no await between them: calls cannot overtake.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import msgspec
import uvloop
from aiohttp import web
from msgspec import Struct

from stepwell.supervise import end_with

FAILING_CALLS = 2  # of one key: the retry policies of the examples allow more
SLOWEST_SECONDS = 0.4
RETRY_AFTER_SECONDS = 1  # the header has no fractions


class Fault(StrEnum):
    """How a call goes wrong. `lost`: the effect takes place, but the answer never arrives."""

    NONE = "none"
    UNAVAILABLE = "unavailable"
    LIMITED = "limited"
    RESET = "reset"
    LOST = "lost"
    SLOW = "slow"


class Effect(Struct):
    """What is known of one idempotency key. `answer` is None as long as every call of it failed."""

    path: str
    body_sha256: str
    calls: int = 0
    answer: tuple[int, dict[str, Any]] | None = None


class Call(Struct):
    """One line of the log. `status` 0: the connection was reset. `effect`: this call did the work."""

    at: datetime
    method: str
    path: str
    idempotency_key: str
    body_sha256: str
    body: Any
    status: int
    effect: bool
    fault: Fault


class Partner:
    """The state of the service: effects by idempotency key, and the log."""

    def __init__(self, log: Path, failure_rate: float, seed: int) -> None:
        self.failure_rate = failure_rate
        self.seed = seed
        self.effects: dict[str, Effect] = {}
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.mismatches = 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def close(self) -> None:
        """Close the log."""
        os.close(self._log)

    def record(self, call: Call) -> None:
        """Append one line in one write, so that a reader never sees half of one."""
        self.calls[call.path] += 1
        self.faults[call.fault] += call.fault is not Fault.NONE
        os.write(self._log, msgspec.json.encode(call) + b"\n")

    def fault(self, key: str, n: int) -> Fault:
        """Return how the n-th call of a key goes (the first is 1)."""
        digest = hashlib.sha256(f"{self.seed}:{key}:{n}".encode()).digest()
        chance, which = int.from_bytes(digest[:6], "big") / 2**48, digest[6]
        if chance >= self.failure_rate:
            return Fault.NONE
        kinds = list(Fault)[1:] if n <= FAILING_CALLS else [Fault.SLOW]
        return kinds[which % len(kinds)]

    def delay(self, key: str, n: int) -> float:
        """Return the seconds a slow call takes."""
        digest = hashlib.sha256(f"{self.seed}:{key}:{n}:delay".encode()).digest()
        return 0.1 + (SLOWEST_SECONDS - 0.1) * digest[0] / 255

    def summary(self) -> dict[str, Any]:
        """Return what was called so far."""
        done = [e for e in self.effects.values() if e.answer is not None and e.answer[0] < 400]
        return {
            "calls": self.calls.total(),
            "effects": len(done),
            "repeats": sum(e.calls - 1 for e in self.effects.values()),
            "mismatches": self.mismatches,
            "faults": dict(self.faults),
            "by_path": {
                path: {"calls": calls, "effects": sum(e.path == path for e in done)}
                for path, calls in sorted(self.calls.items())
            },
        }


Answer = tuple[int, dict[str, Any]]
PARTNER: web.AppKey[Partner] = web.AppKey("partner", Partner)


def assign_plan(key: str, body: dict[str, Any]) -> Answer:
    """Put a customer on a plan."""
    return 200, {"subscription_id": _id("sub", key), "plan": body["plan"], "customer_id": body["customer_id"]}


def create_wallet(key: str, body: dict[str, Any]) -> Answer:
    """Open a wallet."""
    return 201, {"wallet_id": _id("wal", key), "currency": body["currency"], "balance": 0}


def grant_credits(key: str, body: dict[str, Any]) -> Answer:
    """Put credits into a wallet."""
    return 200, {"grant_id": _id("grt", key), "wallet_id": body["wallet_id"], "credits": body["credits"]}


def send_email(key: str, body: dict[str, Any]) -> Answer:
    """Send a message."""
    return 202, {"message_id": _id("msg", key), "to": body["to"], "template": body["template"]}


def reserve_stock(key: str, body: dict[str, Any]) -> Answer:
    """Set goods aside for an order."""
    return 201, {"reservation_id": _id("rsv", key), "order_id": body["order_id"], "lines": len(body["items"])}


def release_stock(key: str, body: dict[str, Any]) -> Answer:
    """Give reserved goods back."""
    return 200, {"reservation_id": body["reservation_id"], "released": True, "release_id": _id("rel", key)}


def capture_payment(key: str, body: dict[str, Any]) -> Answer:
    """Take the money. A method that ends in `declined` is refused, for good."""
    if str(body["method"]).endswith("declined"):
        return 402, {"error": "payment_declined", "order_id": body["order_id"]}
    return 201, {"payment_id": _id("pay", key), "amount": body["amount"], "currency": body["currency"]}


def create_shipment(key: str, body: dict[str, Any]) -> Answer:
    """Hand the goods to a carrier."""
    carrier = "express" if body.get("express") else "standard"
    return 201, {
        "shipment_id": _id("shp", key),
        "tracking_number": _id("trk", key).upper(),
        "carrier": carrier,
    }


SERVICES: dict[str, Callable[[str, dict[str, Any]], Answer]] = {
    "/plans/assignments": assign_plan,
    "/wallets": create_wallet,
    "/credits": grant_credits,
    "/emails": send_email,
    "/stock/reservations": reserve_stock,
    "/stock/releases": release_stock,
    "/payments": capture_payment,
    "/shipments": create_shipment,
}


async def serve(request: web.Request) -> web.StreamResponse:
    """Answer one call of a service."""
    partner = request.app[PARTNER]
    raw = await request.read()
    # No await from here until the call is on record.
    call, answer = _decide(partner, request, raw)
    partner.record(call)
    if call.fault is Fault.SLOW:
        effect = partner.effects[call.idempotency_key]
        await asyncio.sleep(partner.delay(call.idempotency_key, effect.calls))
    if call.status == 0:
        return _reset(request)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if call.status in {429, 503} else None
    return web.json_response(answer, status=call.status, headers=headers)


def _decide(partner: Partner, request: web.Request, raw: bytes) -> tuple[Call, dict[str, Any]]:
    """Return the line for the log and the body of the answer; do the work if nobody has done it yet."""
    key = request.headers.get("Idempotency-Key", "")
    digest = hashlib.sha256(raw).hexdigest()
    body, refusal = _read(key, raw)
    known = partner.effects.get(key)
    if known is not None and refusal is None and (known.body_sha256, known.path) != (digest, request.path):
        partner.mismatches += 1
        refusal = 422, {"error": "idempotency_key_reused"}
    fault, did = Fault.NONE, False
    if refusal is not None:
        status, answer = refusal
    else:
        effect = partner.effects.setdefault(key, Effect(path=request.path, body_sha256=digest))
        effect.calls += 1
        fault = partner.fault(key, effect.calls)
        if effect.answer is None and fault in {Fault.NONE, Fault.SLOW, Fault.LOST}:
            effect.answer = _work(request.path, key, body)
            did = effect.answer[0] < 400
        status, answer = _answer(fault, effect)
    call = Call(
        datetime.now(UTC),
        request.method,
        request.path,
        key,
        digest,
        body,
        status=status,
        effect=did,
        fault=fault,
    )
    return call, answer


def _read(key: str, raw: bytes) -> tuple[Any, Answer | None]:
    """Return the body and, if the call cannot be served, its answer."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, (400, {"error": "body_not_json"})
    if not key:
        return body, (400, {"error": "idempotency_key_missing"})
    if not isinstance(body, dict):
        return body, (422, {"error": "body_not_an_object"})
    return body, None


def _work(path: str, key: str, body: dict[str, Any]) -> Answer:
    try:
        return SERVICES[path](key, body)
    except (KeyError, TypeError) as exc:
        return 422, {"error": "field_missing_or_wrong", "field": str(exc).strip("'")}


def _answer(fault: Fault, effect: Effect) -> Answer:
    match fault:
        case Fault.UNAVAILABLE:
            return 503, {"error": "unavailable"}
        case Fault.LIMITED:
            return 429, {"error": "too_many_requests"}
        case Fault.RESET | Fault.LOST:
            return 0, {}
        case _:
            return effect.answer or (500, {"error": "no_answer"})


def _reset(request: web.Request) -> web.StreamResponse:
    """Break the connection off: with no time to linger the caller gets a reset, not an orderly end."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def _id(prefix: str, key: str) -> str:
    return f"{prefix}_{hashlib.sha256(f'{prefix}:{key}'.encode()).hexdigest()[:12]}"


async def calls(request: web.Request) -> web.Response:
    """Answer with the summary."""
    return web.json_response(request.app[PARTNER].summary())


def application(partner: Partner) -> web.Application:
    """Return the application that serves `partner`."""
    app = web.Application()
    app[PARTNER] = partner
    app.router.add_get("/_calls", calls)
    for path in SERVICES:
        app.router.add_post(path, serve)
    return app


async def run(partner: Partner, port: int, ready: Callable[[str], None]) -> None:
    """Serve on loopback until SIGTERM or SIGINT; `ready` is given the URL once connections are taken."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(partner), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        ready(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await stop.wait()
    finally:
        await runner.cleanup()


@click.command()
@click.option("--port", type=int, default=0, help="0 takes a free one.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), required=True, help="One JSON line per call.")
@click.option("--failure-rate", type=click.FloatRange(0, 1), default=0.05, help="Share of calls that go wrong.")
@click.option("--seed", type=int, default=7, help="The same seed fails for the same keys.")
@click.option("--with-parent", type=int, hidden=True, help="End when our parent, of this id, ends.")
def main(port: int, log: Path, failure_rate: float, seed: int, with_parent: int | None) -> None:
    """Serve the demo's partner; prints its URL as a line of JSON."""
    end_with(with_parent)
    partner = Partner(log, failure_rate, seed)
    try:
        uvloop.run(run(partner, port, lambda url: print(json.dumps({"url": url}), flush=True)))
    finally:
        partner.close()


if __name__ == "__main__":
    main()
