"""What is evaluated: the data, and the answer as a plain Python function gives it.

Each case has several inputs with different answers, taken in turn, so that nothing is remembered from the last time.
Numbers are exact in binary, so that decimal arithmetic comes to the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

FEW, MANY = 5, 300  # items of an order


class Case(Struct, frozen=True):
    """Something to evaluate. `goal`: evaluations in a second on one core that the design asks of ours, 0 for none."""

    name: str
    says: str
    inputs: tuple[dict[str, Any], ...]
    answer: Callable[[dict[str, Any]], Any]
    goal: int = 0


def _order(count: int, amount: float, country: str, tier: str, email: str) -> dict[str, Any]:
    items = [{"sku": f"A-{n}", "price": n % 40 + 0.5, "quantity": n % 7 + 1} for n in range(count)]
    customer = {"name": "Ada", "tier": tier, "blocked": False, "email": email}
    order = {"id": "2026-17", "amount": amount, "rate": 1.25, "currency": "EUR", "day": "2026-03-01"}
    return {"input": {**order, "country": country, "customer": customer, "items": items}}


def _orders(count: int) -> tuple[dict[str, Any], ...]:
    return (
        _order(count, 1500.5, "DE", "gold", "ada@example.com"),
        _order(count, 900.25, "DE", "gold", "ada@example.com"),
        _order(count, 4000.75, "US", "gold", "ada@example.org"),
        _order(count, 2500.5, "FR", "none", "ada@example.com"),
    )


def _answered(status: int, result: str, balance: float) -> dict[str, Any]:
    headers = {"content-type": "application/json", "x-request-id": "7f3c"}
    body = {"result": result, "balance": balance, "warnings": []}
    return {"steps": {"charge": {"output": {"status": status, "headers": headers, "body": body}}}}


def _moment(at: str) -> dict[str, Any]:
    return {"input": {"at": at, "opens": "2026-03-01T00:00:00Z", "closes": "2026-07-01T00:00:00Z"}}


_ANSWERED = (
    _answered(200, "accepted", 120.5),
    _answered(503, "accepted", 120.5),
    _answered(200, "refused", 120.5),
    _answered(200, "pending", 99.5),
)
# Many different ones: whoever remembers texts that he has read before gains nothing by it.
_MOMENTS = tuple(
    _moment(f"{day}T{hour}:{second // 60:02}:{second % 60:02}Z")
    for second in range(250)
    for day, hour in (("2026-03-02", "10"), ("2026-02-28", "17"), ("2026-07-06", "06"), ("2026-03-02", "06"))
)


def _condition(data: dict[str, Any]) -> bool:
    order = data["input"]
    return order["amount"] > 1000 and order["country"] in ["DE", "FR"]


def _mapping(data: dict[str, Any]) -> dict[str, Any]:
    order = data["input"]
    return {
        "title": "Order for " + order["customer"]["name"],
        "gross": order["amount"] * order["rate"],
        "skus": [item["sku"] for item in order["items"] if item["quantity"] > 2],
    }


def _http(data: dict[str, Any]) -> bool:
    output = data["steps"]["charge"]["output"]
    body = output["body"]
    return (
        output["status"] == 200
        and body["result"] in ["accepted", "pending"]
        and body["balance"] >= 100
        and not output["headers"]["content-type"].startswith("text/")
    )


def _text(data: dict[str, Any]) -> str:
    order = data["input"]
    return (
        f"Dear {order['customer']['name']}, your order {order['id']} of {order['amount']} {order['currency']} "
        f"will arrive on {order['day']}."
    )


def _window(data: dict[str, Any]) -> bool:
    at, opens, closes = (datetime.fromisoformat(data["input"][name]) for name in ("at", "opens", "closes"))
    return opens <= at < closes


def _office(data: dict[str, Any]) -> bool:
    local = datetime.fromisoformat(data["input"]["at"]).astimezone(ZoneInfo("Europe/Berlin"))
    return 8 <= local.hour < 18 and local.isoweekday() <= 5


def _structured(data: dict[str, Any]) -> bool:
    order = data["input"]
    customer = order["customer"]
    return (
        order["amount"] >= 1000
        and (order["country"] in ["DE", "FR", "AT"] or customer["tier"] == "gold")
        and customer["blocked"] is not True
        and customer["email"].endswith("@example.com")
        and len(order["items"]) > 0
    )


CASES = (
    Case("condition, 5 items", "a number and a text compared", _orders(FEW), _condition, 400_000),
    Case("condition, 300 items", "the same; the data beside it are large", _orders(MANY), _condition),
    Case("mapping, 5 items", "an object: a text joined, a product, a list filtered", _orders(FEW), _mapping, 60_000),
    Case("mapping, 300 items", "the same; the list is large", _orders(MANY), _mapping),
    Case("HTTP answer", "whether an answer is a success", _ANSWERED, _http, 400_000),
    Case("structured condition", "five tests in all, any and not", _orders(FEW), _structured),
    Case("text", "a text with five values in it", _orders(FEW), _text),
    Case("time window", "a moment between two others", _MOMENTS, _window),
    Case("office hours", "hour and weekday in a named time zone", _MOMENTS, _office),
)
