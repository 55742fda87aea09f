"""Public ids and execution ids."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ids import (
    ALPHABET,
    MAX_ID,
    execution_id,
    parse_execution_id,
    parse_task_id,
    private_id,
    public_id,
    task_id,
)

numbers = st.integers(0, MAX_ID)
paths = st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable())


@given(numbers)
def test_a_public_id_leads_back_to_its_number(number: Any) -> None:
    assert private_id("prc", public_id("prc", number)) == number


@given(numbers, numbers)
def test_public_ids_sort_as_their_numbers(left: Any, right: Any) -> None:
    assert (public_id("prc", left) < public_id("prc", right)) == (left < right)


def test_a_public_id_has_a_fixed_form() -> None:
    assert public_id("wf", 0) == "wf_0000000000000"
    assert public_id("prc", MAX_ID) == "prc_7zzzzzzzzzzzz"


@pytest.mark.parametrize(
    "text",
    ["", "prc", "prc_", "prc_0", "wf_0000000000000", "prc_00000000000000", "prc_000000000000i", "prc_000000000000A",
     "prc_8000000000000", "prc_zzzzzzzzzzzzz", "0000000000000", "prc-0000000000000", "prc_00000000000\u0660\u0660"],
)  # fmt: skip
def test_anything_else_is_no_public_id(text: Any) -> None:
    with pytest.raises(ValueError, match=r"id|range"):
        private_id("prc", text)


@pytest.mark.parametrize("number", [-1, MAX_ID + 1])
def test_numbers_outside_bigint_have_no_public_id(number: Any) -> None:
    with pytest.raises(ValueError, match="is no id"):
        public_id("prc", number)


@given(numbers, paths, st.integers(0, 65535))
def test_an_execution_id_leads_back_to_its_activity(number: Any, path: Any, run: Any) -> None:
    text = execution_id(number, path, run)
    assert parse_execution_id(text) == (number, path, run)
    assert parse_task_id(task_id(number, path, run)) == (number, path, run)
    assert set(text.removeprefix("exe_")) <= set(ALPHABET)


def test_an_execution_id_is_the_documented_bits() -> None:
    number, path, run = 5, "ship", 1
    bits = "".join(f"{byte:08b}" for byte in number.to_bytes(8, "big") + run.to_bytes(2, "big") + path.encode())
    bits += "0" * (-len(bits) % 5)
    digits = "".join(ALPHABET[int(bits[i : i + 5], 2)] for i in range(0, len(bits), 5))
    assert execution_id(number, path, run) == f"exe_{digits}"


@given(st.text(max_size=60) | st.text(alphabet=ALPHABET, max_size=60).map("exe_{}".format))
def test_no_two_texts_name_the_same_execution(text: Any) -> None:
    try:
        found = parse_execution_id(text)
    except ValueError:
        return
    assert execution_id(*found) == text


@pytest.mark.parametrize(("number", "run"), [(-1, 1), (1, 65536), (1 << 64, 1)])
def test_what_has_no_execution_has_no_id(number: Any, run: Any) -> None:
    with pytest.raises(ValueError, match="no execution"):
        execution_id(number, "a", run)


def test_a_spare_digit_makes_no_second_id() -> None:
    refused = 0
    for length in range(1, 9):
        longer = execution_id(1, "a" * length) + "0"
        try:
            found = parse_execution_id(longer)
        except ValueError:
            refused += 1
        else:
            assert execution_id(*found) == longer
    assert refused > 0
