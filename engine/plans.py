"""The compiled definitions of a session: each made once, kept while there is room, shared by every hold that uses it.

A published version never changes, so a plan stays true. What a plan takes of memory and of time is hostile input: up to
45 times the bytes of its document, for expressions some ten times that once they are code, and a pattern of ten
characters takes a hundred kilobytes and ten milliseconds. So documents are weighed first. Invariants: what is kept
here weighs at most MOST_WEIGHT in all, some 200 MB of plans; a plan that a hold uses is not made a second time; heavy
ones are made in a thread, one at a time, so that the heartbeat and other processes go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import msgspec

from engine.core.compile import Plan, compile_definition
from engine.core.definition import parse_definition

MOST_WEIGHT = 4 << 20  # bytes of documents
EXPRESSION_WEIGHT = 10  # what a character of an expression counts more: it becomes code when it is first evaluated
PATTERN_WEIGHT = 2 << 10  # what a pattern counts, beside its bytes
PATTERN_KEYS = 16  # what each byte counts where the keys of a schema are patterns
HEAVY = 16 << 10  # from here on compiling, some 10 ms, of expressions up to 400, is not for the event loop

Key = tuple[int, int]  # definition, version
Read = Callable[[int, int], Awaitable[str]]


class Heavy(Exception):
    """The plan takes long to make: whoever has others waiting asks for it last, by `get`."""


class Plans:
    """Plans by definition and version; `read` brings a document as JSON."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: OrderedDict[Key, tuple[Plan, int]] = OrderedDict()  # least recently used first
        self._living: WeakValueDictionary[Key, Plan] = WeakValueDictionary()  # these, and those that holds still use
        self._one = asyncio.Lock()
        self.weight = 0

    async def light(self, key: Key) -> Plan:
        """Return a plan that is there or quickly made. Raises Heavy for one that is neither, and what `get` raises."""
        plan = self._known(key)
        if plan is None:
            document = await self._read(*key)
            weight = _weigh(document)
            if weight >= HEAVY:
                raise Heavy
            plan = self._keep(key, _compile(document), weight)
        return plan

    async def get(self, key: Key) -> Plan:
        """Return a plan, however long it takes. Raises InvalidDefinition, InvalidExpression."""
        plan = self._known(key)
        if plan is not None:
            return plan
        async with self._one:
            plan = self._known(key)
            if plan is None:
                document = await self._read(*key)
                plan = self._keep(key, await asyncio.to_thread(_compiled, document), _weigh(document))
        return plan

    def _known(self, key: Key) -> Plan | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._living.get(key)

    def _keep(self, key: Key, plan: Plan, weight: int) -> Plan:
        """Keep a plan, and let go of those not used for longest. Another task may have made the same one meanwhile."""
        known = self._known(key)
        if known is not None:
            return known
        weight += EXPRESSION_WEIGHT * plan.expressions
        self._living[key] = plan
        self._kept[key] = plan, weight
        self.weight += weight
        while self.weight > MOST_WEIGHT:
            _, (_, gone) = self._kept.popitem(last=False)
            self.weight -= gone
        return plan


def _weigh(document: str) -> int:
    """Return what a document counts: its characters, and more for its patterns."""
    patterns = document.count("matches") + document.count('"pattern"')
    each = PATTERN_KEYS if '"patternProperties"' in document else 1
    return len(document.encode()) * each + PATTERN_WEIGHT * patterns


def _compiled(document: str) -> Plan:
    """Return a plan with the code of its expressions, which is otherwise made where they are first evaluated."""
    plan = _compile(document)
    for program in plan.programs:
        program.load()
    return plan


def _compile(document: str) -> Plan:
    return compile_definition(parse_definition(msgspec.json.decode(document), published=True))
