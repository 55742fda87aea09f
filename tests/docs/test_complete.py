"""The pages name everything there is, and nothing that is not."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.routes import HTTPRoute

from api import problems
from api.app import create_app
from api.meanings import MEANINGS
from engine.codes import FAILURES, FINDINGS, INADMISSIBLE, REFUSALS, REJECTIONS
from engine.config import SETTINGS, Settings
from engine.core.document import CONFIGS, DOCUMENT, STEP_FIELDS
from engine.core.model import Category
from engine.errors import GIVEN_UP, SQLSTATES, tree
from engine.executors.http_outcome import _code
from engine.observe import Observation, logged_fields
from tests.docs.made.api import NOWHERE, described
from tests.docs.made.cli import walk
from tests.docs.made.pages import PARTS, made
from tests.docs.pages import DOCS, PAGES, ROOT, first_cells, path_of, text_of, words
from tests.house import House

NEEDS = {"A": 121, "T": 133, "P": 57, "W": 127, "UC": 15, "EC": 8, "S": 99, "C": 29, "D": 19}  # ids by source
NOT_OPERATIONS = ("/", "/openapi.json", "/docs", "/metrics")  # the page says in words what they are
_FILE = re.compile(r"`([\w.-]+/[\w./-]*\w(?:/|\.\w+))(?:::(\w+))?`")


def modules(*folders: str) -> set[str]:
    found = {
        f"{folder}/{path.relative_to(path_of(folder))}"
        for folder in folders
        for path in path_of(folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    return found | {"sql/__init__.py"}


def test_the_architecture_page_names_every_module_and_function_file_and_none_that_is_gone() -> None:
    there = modules("engine", "api", "stepwell")
    there |= {f"sql/functions/{path.name}" for path in path_of("sql/functions").glob("*.sql")}
    named = {name for name, _ in (m for row in first_cells("docs/architecture.md") for m in _FILE.findall(row[0]))}

    assert there - named == set()
    assert {name for name in named if not path_of(name).exists()} == set()


def test_the_walk_of_one_activity_names_files_that_exist() -> None:
    walk = text_of("docs/architecture.md").split("## The path of one activity")[1].split("\n## ")[0]
    files = set(re.findall(r"\b(?:api|engine|sql)/[\w/]+\.(?:py|sql)", walk))

    assert len(files) > 10
    assert {name for name in files if not path_of(name).exists()} == set()


def tables() -> set[str]:
    scripts = path_of("sql/migrations").glob("*.sql")
    made = {
        name
        for script in scripts
        for name in re.findall(r"^create table stepwell\.(\w+)", script.read_text(), re.MULTILINE)
    }
    return made | {"migration"}  # made by migrate itself


@pytest.mark.parametrize("page", ["docs/glossary.md", "docs/architecture.md"])
def test_every_table_is_in_the_glossary_and_the_architecture_page(page: str) -> None:
    assert tables() - words(page) == set()


@pytest.mark.parametrize("name", PARTS)
def test_what_is_made_from_the_code_is_as_it_would_be_made_now(name: str) -> None:
    assert text_of(name) == made(name), "run: make docs"


def test_every_setting_of_the_program_is_made_into_the_page_of_settings() -> None:
    assert set(SETTINGS) == set(Settings.__struct_fields__) - {"secrets"}


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    for name in sorted(modules(*folders)):
        yield from calls_of(name)


def calls_of(name: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path_of(name).read_text())):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""), node


def written_codes(callee: str, place: int, *folders: str) -> set[str]:
    """Return the constant codes given to a function, by position or as `code`."""
    given = [
        next((k.value for k in call.keywords if k.arg == "code"), None)
        or (call.args[place] if len(call.args) > place else None)
        for name, call in calls(*folders)
        if name == callee
    ]
    return {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def failures() -> set[tuple[str, str, bool | None]]:
    """Return (code, category, retried) of each failure whose code stands in the code; retried None: elsewhere."""
    found = set()
    for callee, call in calls("engine"):
        given = [*call.args, *(k.value for k in call.keywords if k.arg in ("category", "code"))]
        category = next((g.attr for g in given if isinstance(g, ast.Attribute) and g.attr in Category.__members__), "")
        code = next((g.value for g in given if isinstance(g, ast.Constant) and isinstance(g.value, str)), "")
        if callee in ("Failure", "failed") and category and re.fullmatch(r"\w+", code):
            retried = next((k.value for k in call.keywords if k.arg == "retryable"), None)
            value = bool(retried.value) if isinstance(retried, ast.Constant) else None
            found.add((code, str(Category[category]), value))
    return found


def test_every_code_a_process_can_fail_with_has_its_meaning_category_and_whether_it_is_retried() -> None:
    for code, category, retried in failures():
        assert FAILURES[code].category == category, code
        assert retried in (None, FAILURES[code].retried), code


def test_every_failure_that_has_a_meaning_can_happen() -> None:
    sources = "\n".join(path_of(name).read_text() for name in modules("engine") if name != "engine/codes.py")

    assert [code for code in FAILURES if f'"{code}"' not in sources and code != "output_…"] == []


def test_an_answer_of_a_service_fails_with_a_code_that_has_a_meaning() -> None:
    assert {_code(status) for status in range(300, 600)} - set(FAILURES) == set()


def test_every_code_a_command_can_be_rejected_with_has_its_meaning() -> None:
    assert set(REJECTIONS) - {"data_…"} == written_codes("_reject", 3, "engine/core")


def test_every_finding_has_its_meaning() -> None:
    codes = written_codes("add", 3, "engine/core") | written_codes("SchemaFault", 3, "engine/core")
    codes |= written_codes("add_expression", 1, "engine/core")

    # What SchemaFault and add_expression are by default.
    assert set(FINDINGS) == (codes - {"invalid"}) | {"schema_invalid", "expression_invalid"}


def test_every_value_that_cannot_be_stored_is_told_why() -> None:
    assert set(INADMISSIBLE) == written_codes("Inadmissible", 0, "engine/core")


def test_every_code_that_an_error_of_the_api_is_given_has_its_meaning() -> None:
    classes = {error.code for error in tree()}
    codes = {
        node.value
        for name in modules("api")
        for _, call in calls_of(name)
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(node := keyword.value, ast.Constant) and isinstance(node.value, str)
    }

    assert codes <= set(REFUSALS)
    assert {*(code for code, _ in problems._PLAIN.values())} <= set(REFUSALS) | classes


def test_every_field_of_a_definition_is_in_the_definitions_page() -> None:
    shown = words("docs/definitions.md")
    fields = {
        *DOCUMENT.fields,
        *STEP_FIELDS,
        *CONFIGS,
        *(name for config in CONFIGS.values() for name in config.fields),
    }

    assert fields - shown == set()


def test_every_log_line_is_in_the_operations_page_with_its_fields() -> None:
    kinds = {str(kind.__struct_config__.tag): kind for kind in Observation.__subclasses__()}
    shown = dict(first_cells("docs/operations.md", below="## Logs"))

    for event, kind in kinds.items():
        own = set(logged_fields(kind)) - {"level"}
        assert set(re.split(r",\s*", shown.get(f"`{event}`", ""))) == own, event
    assert {name.strip("`") for name in shown} - {"event", "---"} == set(kinds)


def test_every_route_is_described_with_its_scopes() -> None:
    app = create_app(Settings(database_url=NOWHERE))
    routes = {
        (method, route.path_format, tuple(handler.opt.get("rights", ())))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS" and route.path not in NOT_OPERATIONS
    }

    assert {(one.method, one.path, one.scopes) for one in described().operations} == routes
    assert {path for path in NOT_OPERATIONS[1:] if f"`GET {path}`" not in text_of("docs/api.md")} == set()


def said() -> list[tuple[str, str, str]]:
    """Return (owner, field, meaning) of every parameter and of every field of an object."""
    surface = described()
    parameters = [(one.id, f.name, f.meaning) for one in surface.operations for f in one.parameters]
    return parameters + [(one.name, f.name, f.meaning) for one in surface.objects for f in one.fields]


def test_every_parameter_and_every_field_says_what_it_means() -> None:
    assert [f"{owner}.{name}" for owner, name, meaning in said() if not meaning] == []
    assert [one.name for one in described().objects if not one.meaning] == []


def test_no_meaning_is_written_that_nothing_has() -> None:
    used = {key for owner, name, meaning in said() for key in (f"{owner}.{name}", name) if MEANINGS.get(key) == meaning}

    assert set(MEANINGS) - used == set()


def commands() -> dict[str, set[str]]:
    """Return the options of every command that is shown, by its full name."""
    shown = text_of("docs/cli.md")
    sections = re.split(r"^#{2,3} (stepwell.*)$", shown, flags=re.MULTILINE)[1:]
    return {name: set(re.findall(r"--[a-z-]+", text)) for name, text in zip(sections[::2], sections[1::2], strict=True)}


def test_every_command_and_option_that_help_shows_is_in_the_command_line_page() -> None:
    shown = commands()
    for name, context in walk():
        told = context.command.get_help(context)
        assert set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", told, re.MULTILINE)) - {"--help"} <= shown[name], name


def test_the_sql_page_names_exactly_the_functions_that_callers_may_call(house: House) -> None:
    granted = house.rows(
        "select p.proname, p.proargnames, p.pronargs from pg_proc p "
        "where p.pronamespace = 'stepwell'::regnamespace "
        "and has_function_privilege('stepwell_caller', p.oid, 'execute')"
    )
    shown = [cell for cell, _ in first_cells("docs/sql.md", below="### Functions")]
    named = {
        (name, *(part.split()[0] for part in arguments.split(", ") if part))
        for cell in shown
        for name, arguments in re.findall(r"`(\w+)\((.*?)\)`", cell)
    }

    assert named == {(name, *(arguments or [])[:count]) for name, arguments, count in granted}


def test_every_sqlstate_the_functions_raise_is_in_the_sql_page() -> None:
    functions = "\n".join(path.read_text() for path in path_of("sql/functions").glob("*.sql"))
    raised = {*re.findall(r"errcode = '(SW\w{3})'", functions), *SQLSTATES, *GIVEN_UP}

    assert {state for state in raised if state not in text_of("docs/sql.md")} == set()


def test_the_requirements_page_names_each_need_once_and_only_files_and_tests_that_exist() -> None:
    page = text_of("docs/requirements.md")
    ids = re.findall(r"^\| ([A-Z][A-Za-z0-9.-]*\d[a-z]?) \|", page, re.MULTILINE)
    by_source = Counter(found[0] for i in ids if (found := re.match(r"[A-Z]+", i)))

    assert [i for i, count in Counter(ids).items() if count > 1] == []
    assert by_source == NEEDS
    gone = [(name, test) for name, test in _FILE.findall(page) if not holds(path_of(name), test)]
    assert gone == []


def holds(path: Path, test: str) -> bool:
    return path.exists() and (not test or f"def {test}(" in path.read_text())


def test_a_need_that_is_built_names_where_and_a_test() -> None:
    page = text_of("docs/requirements.md")
    tests = {int(n) for n in re.findall(r"^(\d+)\. `", page, re.MULTILINE)}
    rows = re.findall(r"^\| [A-Z]\S* \| .+? \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    states = Counter(state.split(":")[0].split(" ")[0] for _, _, state in rows)

    assert set(states) == {"built", "later", "kept", "decided"}
    assert [row for row in rows if row[2] == "built" and not (row[0] and row[1])] == []
    assert {int(n) for row in rows for n in re.findall(r"\[(\d+)\]", row[1])} == tests


def test_decisions_are_numbered_without_gaps_and_have_the_same_three_parts() -> None:
    pages = sorted((DOCS / "decisions").glob("0*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert re.findall(r"^#+ .*", page.read_text(), re.MULTILINE)[1:] == [
            "## Context",
            "## Decision",
            "## Consequences",
        ], page.name


def headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            if path.is_relative_to(ROOT):
                path = path_of(str(path.relative_to(ROOT)))
            if not leads(path, anchor):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def leads(path: Path, anchor: str) -> bool:
    if path.parent == ROOT and not (ROOT / "LICENSE").exists():
        return True  # the tests of the wheel run without the checkout's top folder
    return path.exists() and (not anchor or anchor in headings(path))
