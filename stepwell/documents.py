"""Read what a person hands over: a JSON or YAML file, standard input, or JSON on the command line.

YAML here is another spelling of JSON: `yes`, `on` and dates stay the texts they are, and a key that stands twice is an
error. (YAML 1.1, which the library follows by itself, would turn `on: no` into `{true: false}`.)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from engine.errors import BadInput


class JsonYaml(yaml.SafeLoader):
    """A loader that knows JSON's types only."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the library's own way to set it


for tag, pattern, first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    JsonYaml.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), first)


def _unique(loader: JsonYaml, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for name, _ in node.value:
        if name.value in seen and name.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(None, None, f"the key '{name.value}' stands twice", name.start_mark)
        seen.add(name.value)
    return loader.construct_mapping(node, deep=True)


JsonYaml.add_constructor("tag:yaml.org,2002:map", _unique)


def read_file(path: str) -> Any:
    """Return the document in a JSON or YAML file; '-' is standard input. Raises BadInput, naming the line."""
    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8", advice="Save it as UTF-8.") from None
    except FileNotFoundError:
        raise BadInput(f"there is no file {name}", advice="Check the path.") from None
    return parse(text, name)


def parse(text: str, name: str) -> Any:
    """Return the value of a JSON or YAML text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass  # then it is YAML; that message is better for a person, and JSON is YAML but for its tabs
    try:
        return yaml.load(text, Loader=JsonYaml)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is neither JSON nor YAML: {_where(error)}", advice="Correct that line.") from None
    except RecursionError:
        raise BadInput(f"{name} is nested too deeply", advice="Flatten it to 64 levels.") from None


def read_input(given: str | None) -> Any:
    """Return a process's input: from a file, '-' or JSON itself; nothing given is {}."""
    if given is None:
        return {}
    if given != "-" and given.lstrip()[:1] in ("{", "[", '"'):
        try:
            return msgspec.json.decode(given)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadInput(f"--input is not JSON: {error}", advice="Correct it, or name a file.") from None
    return read_file(given)


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).partition("\n")[0]
