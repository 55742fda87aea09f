"""The page of expressions says what is so: every example of it is evaluated, every function and limit is on it."""

from __future__ import annotations

import re

import pytest
import yaml

from engine.cel import compile_condition
from engine.cel.library import FUNCTIONS, MACROS, METHODS
from engine.cel.structured import OPERATORS
from engine.core.compile import compile_definition
from engine.core.definition import parse_definition
from tests.docs.expressions import COMPILERS, PAGE, Example, PageScope, examples, fits, outcome, split
from tests.docs.made import expressions as made
from tests.docs.pages import blocks, text_of


def tabled() -> list[Example]:
    """Return the examples in the tables of the page: rows whose last two cells are code."""
    rows = [re.split(r" (?<!\\)\| ", row) for row in re.findall(r"^\| (.+) \|$", text_of(PAGE), re.MULTILINE)]
    cells = [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]
    return [
        Example("cel", row[2][1:-1], row[3][1:-1])
        for row in cells
        if len(row) == 4 and row[2].startswith("`") and row[3].startswith("`")
    ]


@pytest.mark.parametrize("example", sorted({*examples(), *tabled()}), ids=lambda one: one.source)
def test_every_example_of_the_page_comes_to_what_it_says(example: Example) -> None:
    result = outcome(example.language, example.source)

    assert fits(result, example.result), result


def test_the_page_has_an_example_for_every_function_and_macro() -> None:
    functions = [name for group in made.GROUPS.values() for name in group]

    assert sorted(functions) == sorted([*FUNCTIONS, *("." + name for name in METHODS)])
    assert set(made.MACRO_EXAMPLES) == set(MACROS)
    assert set(made.OPERATORS) == set(OPERATORS)
    assert len(tabled()) == len(functions) + len(MACROS)


def test_an_example_of_a_function_calls_that_function() -> None:
    shown = {name: example for group in made.GROUPS.values() for name, (example, _) in group.items()}
    shown |= {name if "." in name else f".{name}": example for name, (example, _) in made.MACRO_EXAMPLES.items()}

    assert [name for name, example in shown.items() if f"{name}(" not in example] == []


def test_the_structured_condition_of_the_page_stands_for_the_expression_beside_it() -> None:
    (tree,) = blocks(PAGE, "yaml", "condition")
    (said,) = blocks(PAGE, "cel", "condition")
    program = compile_condition(yaml.safe_load(tree.text))

    assert program.text == " ".join(said.text.split())
    assert program.evaluate(PageScope()) is True
    assert compile_condition(said.text).evaluate(PageScope()) is True


def test_the_steps_of_the_page_can_be_published() -> None:
    (block,) = blocks(PAGE, "yaml", "steps")
    plan = compile_definition(parse_definition({"name": "shown", "steps": yaml.safe_load(block.text)}))

    assert set(plan.steps) == {"check", "route", "grant"}


def test_every_block_of_the_page_is_run_or_read() -> None:
    known = {(language, "") for language in COMPILERS}
    known |= {("json", "data"), ("yaml", "steps"), ("yaml", "condition"), ("cel", "condition")}

    assert {(block.language, block.title) for block in blocks(PAGE)} == known


def test_an_example_ends_with_its_result() -> None:
    assert split('a +\n  b  // 3\n\n"http://x"  // "http://x"') == [("a +\n  b", "3"), ('"http://x"', '"http://x"')]
    with pytest.raises(ValueError, match="without a result"):
        split("a  // 1\nb")


@pytest.mark.parametrize(
    ("result", "expected", "same"),
    [
        ("1", "1", True),
        ("1.0", "1", False),
        ("true", "1", False),
        ('{"a": 1, "b": [2]}', '{"a": 1, "b": [2]}', True),
        ("error: division by zero", "error: division", True),
        ("error: division by zero", "refused: division", False),
        ("error: division by zero", "error: overflow", False),
        ("error: division by zero", "0", False),
        ('"error: x"', "error: x", False),
    ],
)
def test_a_result_is_compared_with_its_type(result: str, expected: str, *, same: bool) -> None:
    assert fits(result, expected) is same
