"""The processes that scenarios run: definitions, their inputs, and what is to be found once they have ended.

Plain values; nothing here starts anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

Step = dict[str, Any]

ITEMS = 20  # in the list that heavy decisions look at


class Work(Struct, frozen=True):
    """A definition, and what each of its processes comes to."""

    name: str
    steps: tuple[Step, ...]
    activities: int  # of one process, that end COMPLETED
    input: Callable[[int], Any] = lambda number: {"n": number}  # of the process of that number

    @property
    def document(self) -> dict[str, Any]:
        """The definition as it is published."""
        return {"name": self.name, "steps": list(self.steps)}

    def inputs(self, processes: int) -> list[Any]:
        """Return the inputs of so many processes."""
        return [self.input(number) for number in range(processes)]


def noops(steps: int) -> Work:
    """Return a sequence of activities that do nothing; each result is durable before the next begins."""
    return Work(f"noop-{steps}", tuple(noop(f"s{number}") for number in range(steps)), steps)


def noop(id_: str, **more: Any) -> Step:
    """Return a step that does nothing."""
    return {"id": id_, "type": "noop", "config": {}, **more}


def transforms(steps: int) -> Work:
    """Return a sequence of small transforms, each reading what the one before left."""
    read = ["input.n", *(f"steps.s{number}.output.n" for number in range(steps - 1))]
    mapped = tuple(_transform(f"s{number}", {"n": f"${{{value} + 1}}"}) for number, value in enumerate(read))
    return Work(f"transform-{steps}", mapped, steps)


def decisions() -> Work:
    """Return 20 steps in five rounds: work on a list, decide on the result, take one way of two."""
    steps = tuple(step for number in range(5) for step in _round(number))
    return Work("decisions", steps, activities=15, input=_order)  # of each round one step is skipped


def _round(number: int) -> tuple[Step, ...]:
    figures = f"steps.figures{number}.output"
    return (
        _transform(
            f"figures{number}",
            {
                "total": f"${{input.items.map(i, i.price * i.count).sum() + {number}}}",
                "names": "${input.items.filter(i, i.count > 1).map(i, i.name.upperAscii())}",
            },
            condition=f"size(input.items) > {number}",
        ),
        {
            "id": f"route{number}",
            "type": "decision",
            "config": {
                "branches": [
                    {"when": f"{figures}.total > 1000 && size({figures}.names) > 3", "then": [f"large{number}"]}
                ],
                "fallback": [f"small{number}"],
            },
        },
        _transform(f"large{number}", {"discount": f"${{{figures}.total * 0.1}}"}),
        _transform(f"small{number}", {"discount": 0}),
    )


def _order(number: int) -> dict[str, Any]:
    """Return an order; every other one is large."""
    price = 20.5 if number % 2 else 2.25
    return {"items": [{"name": f"item {i}", "price": price + i, "count": 1 + i % 3} for i in range(ITEMS)]}


def _transform(id_: str, mapping: dict[str, Any], **more: Any) -> Step:
    return {"id": id_, "type": "transform", "config": {"mapping": mapping}, **more}


def calls(steps: int, url: str) -> Work:
    """Return a sequence of HTTP calls with a small JSON body."""
    config = {"method": "POST", "url": f"{url}/calls", "body": {"n": "${input.n}"}}
    return Work(f"http-{steps}", tuple({"id": f"s{i}", "type": "http", "config": config} for i in range(steps)), steps)


def fan(branches: int) -> Work:
    """Return one step, so many side by side after it, and one that joins them."""
    ids = [f"branch{number}" for number in range(branches)]
    spread = (noop(id_, depends_on=["begin"]) for id_ in ids)
    steps = (noop("begin", depends_on=[]), *spread, noop("join", depends_on=ids, join="all"))
    return Work(f"fan-{branches}", steps, len(steps))


def parked() -> Work:
    """Return a wait for the signal `go` under a key of the process's own."""
    config = {"signal": "go", "correlation_key": "${input.key}"}
    return Work(
        "parked", ({"id": "wait", "type": "wait", "config": config},), 1, lambda number: {"key": f"key-{number}"}
    )
