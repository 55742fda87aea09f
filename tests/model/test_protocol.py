"""The protocol holds in every scope, and every broken variant of it is caught.

For: running the model; with -s it prints the sizes of all scopes. Set STEPWELL_MODEL=full to walk through the
larger scopes too (minutes instead of seconds).
Must not: sample; each walk is exhaustive, and a scope that outgrows its limit is an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields

import pytest

from .checker import Result, explore
from .rules import Model, Rules, Scope
from .scopes import FULL, USUAL, VARIANTS, WITHOUT_NET, Variant

SCOPES = USUAL + (FULL if os.environ.get("STEPWELL_MODEL") == "full" else ())


def name_of(value: Scope | Variant) -> str:
    """Name a case in the words of its scope and of the rules that are off."""
    if isinstance(value, Scope):
        return value.name
    return f"{' and '.join(value.off)} off, {value.scope.name}"


@pytest.fixture(scope="module")
def sizes() -> Iterator[list[tuple[str, Result]]]:
    """Collect the sizes of all walks and print them at the end (shown with -s)."""
    found: list[tuple[str, Result]] = []
    yield found
    for name, result in found:
        sys.stdout.write(f"\n{name}: {result}")
    states = sum(result.states for _, result in found)
    seconds = sum(result.seconds for _, result in found)
    sys.stdout.write(f"\n{len(found)} scopes, {states} states, {seconds:.1f} s\n")


@pytest.mark.parametrize("scope", SCOPES, ids=name_of)
def test_the_protocol_holds_in_every_state_and_can_always_finish(
    scope: Scope, sizes: list[tuple[str, Result]], record_property: Callable[[str, object], None]
) -> None:
    result = explore(Model(scope, Rules()))
    sizes.append((scope.name, result))
    record_property("states", result.states)
    assert not result.wrong, f"\n{scope}\n{result}"


@pytest.mark.parametrize("scope", WITHOUT_NET, ids=name_of)
def test_the_net_is_only_a_second_line(scope: Scope) -> None:
    result = explore(Model(scope, Rules(net_runs=False)))
    assert not result.wrong, f"\n{scope}\n{result}"


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_a_broken_variant_has_a_counter_example(variant: Variant) -> None:
    result = explore(Model(variant.scope, variant.rules()))
    assert variant.finds in result.wrong, f"\n{variant.off} off: {result}"
    assert result.trace


def test_every_rule_has_a_variant_that_breaks_it() -> None:
    broken = {rule for variant in VARIANTS for rule in variant.off}
    assert broken == {field.name for field in fields(Rules)}


def test_the_scope_of_each_variant_is_fine_while_the_rules_are_kept() -> None:
    for scope in {variant.scope for variant in VARIANTS} - set(USUAL):
        result = explore(Model(scope, Rules()))
        assert not result.wrong, f"\n{scope}\n{result}"


def test_a_counter_example_reads_like_a_story() -> None:
    result = explore(Model(Scope("mail", mails=(("a", 0),)), Rules(ring_is_counted=False)))
    told = str(result)
    assert told.startswith("nothing more happens, and process 0: it is parked with unread mail")
    assert "caller sends mail a to process 0" in told
