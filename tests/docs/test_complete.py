"""The pages name everything there is, and nothing that is not."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.routes import HTTPRoute

from api.app import create_app
from engine.config import SECRET_PREFIX, SETTINGS, Settings
from engine.core.document import CONFIGS, DOCUMENT, STEP_FIELDS
from engine.errors import SQLSTATES, tree
from engine.executors.http_outcome import _CODES
from engine.observe import Observation
from tests.docs.pages import DOCS, PAGES, ROOT, first_cells, path_of, text_of, words
from tests.house import House

NEEDS = {"A": 121, "T": 133, "P": 57, "W": 127, "UC": 15, "EC": 8, "S": 99, "C": 29, "D": 19}  # ids by source
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


def test_every_setting_is_in_the_configuration_page_with_its_default() -> None:
    shown = {name.strip("`"): row for row in first_cells_of_three("docs/configuration.md") for name in row[:1]}
    defaults = Settings()
    expected = {}
    for name in SETTINGS:
        value = getattr(defaults, name)
        written = "none" if value in (None, (), {}) else f"`{str(value).lower() if isinstance(value, bool) else value}`"
        expected[f"STEPWELL_{name.upper()}"] = written
    expected[f"{SECRET_PREFIX}…"] = "none"

    assert {name: row[2] for name, row in shown.items()} == expected


def first_cells_of_three(name: str) -> list[tuple[str, ...]]:
    rows = re.findall(r"^\| (`STEPWELL_.+) \|$", text_of(name), re.MULTILINE)
    return [tuple(cell.strip() for cell in row.split(" | ")) for row in rows]


def test_every_error_of_the_tree_is_in_the_errors_page_with_its_status() -> None:
    shown = {
        (code, status) for codes, status in first_cells("docs/errors.md") for code in re.findall(r"`(\w+)`", codes)
    }

    assert {(error.code, str(error.status)) for error in tree()} - shown == set()


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    for name in sorted(modules(*folders)):
        for node in ast.walk(ast.parse(path_of(name).read_text())):
            if isinstance(node, ast.Call):
                callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield callee, node


def written_codes(callee: str, place: int, *folders: str) -> set[str]:
    """Return the constant codes given to a function, by position or as `code`."""
    given = [
        next((k.value for k in call.keywords if k.arg == "code"), None)
        or (call.args[place] if len(call.args) > place else None)
        for name, call in calls(*folders)
        if name == callee
    ]
    return {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_a_process_can_fail_with_is_in_the_errors_page() -> None:
    codes = written_codes("Failure", 1, "engine") | written_codes("failed", 1, "engine/executors")
    codes |= written_codes("_timeout", 0, "engine/core") | set(_CODES.values())
    codes |= set(re.findall(r'return "(\w+)"', path_of("engine/executors/http_outcome.py").read_text()))
    codes |= set(re.findall(r'else "(\w+_status)"', path_of("engine/executors/http_outcome.py").read_text()))
    shown = {
        code
        for cells, _ in first_cells("docs/errors.md", below="## Why an activity or a process failed")
        for code in re.findall(r"`(\w+)`", cells)
    }

    assert len(codes) > 20
    assert codes - shown == set()
    assert shown - codes == {"output_too_large"}  # composed


def test_every_code_a_command_can_be_rejected_with_is_in_the_errors_page() -> None:
    shown = {cell.strip("`") for cell, _ in first_cells("docs/errors.md", below="## Why a command was rejected")}

    assert shown - {"code", "---", "data_…"} == written_codes("_reject", 3, "engine/core")


def test_every_finding_is_in_the_definitions_page() -> None:
    codes = written_codes("add", 3, "engine/core") | written_codes("SchemaFault", 3, "engine/core")
    codes -= {"invalid"}
    shown = {
        code
        for cells, _ in first_cells("docs/definitions.md", below="## What is checked")
        for code in re.findall(r"`(\w+)`", cells)
    }

    assert codes - shown == set()


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
        own = set(kind.__struct_fields__) - set(Observation.__struct_fields__)
        assert set(re.split(r",\s*", shown.get(f"`{event}`", ""))) == own, event
    assert {name.strip("`") for name in shown} - {"event", "---"} == set(kinds)


def test_every_route_is_in_the_api_page_with_its_scopes() -> None:
    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/nowhere"))
    routes = {
        (f"{method} {re.sub(r'{[^}]*}', '{id}', route.path)}", frozenset(handler.opt.get("rights", ())))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method in ("GET", "POST", "PUT", "DELETE") and route.path not in ("/", "/openapi.json")
    }
    shown = {
        (request.strip("`"), frozenset(re.findall(r"`([\w:]+)`", scopes)))
        for request, scopes in first_cells("docs/api.md")
        if request.startswith("`")
    }

    assert shown == routes


def test_the_sql_page_names_exactly_the_functions_that_callers_may_call(house: House) -> None:
    granted = house.rows(
        "select p.proname, p.proargnames, p.pronargs from pg_proc p "
        "where p.pronamespace = 'stepwell'::regnamespace "
        "and has_function_privilege('stepwell_caller', p.oid, 'execute')"
    )
    shown = [cell for cell, _ in first_cells("docs/sql.md", below="### Functions")]
    named = {name: arguments for cell in shown for name, arguments in re.findall(r"`(\w+)\((.*?)\)`", cell)}

    assert set(named) == {name for name, _, _ in granted}
    for name, arguments, count in granted:
        said = [part.split()[0] for part in named[name].split(", ") if part]
        assert said == (arguments or [])[:count], name


def test_every_sqlstate_the_functions_raise_is_in_the_sql_page() -> None:
    functions = "\n".join(path.read_text() for path in path_of("sql/functions").glob("*.sql"))
    raised = {*re.findall(r"errcode = '(SW\w{3})'", functions), *SQLSTATES}

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
