"""Read what a person hands over: a JSON or YAML file, standard input, or JSON on the command line; write documents.

YAML is read as the API reads it: another spelling of JSON, in which `yes` and dates stay the texts they are.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import structs

from api.yaml_bodies import ADVICE, read_yaml
from engine.core.document import CONFIGS, DOCUMENT, STEP_FIELDS
from engine.errors import BadInput, UnreadableBody
from stepwell.output import UNSAFE, as_text, escaped

MAX_DEPTH = 64


def read_file(path: str) -> Any:
    """Return the document in a JSON or YAML file; '-' is standard input. Raises BadInput, naming the line."""
    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        text.encode()  # bytes that are no text came as surrogates, where the locale names no encoding
    except UnicodeError:
        raise BadInput(f"{name} is not UTF-8", advice="Save it as UTF-8.") from None
    except FileNotFoundError:
        raise BadInput(f"there is no file {name}", advice="Check the path.") from None
    return parse(text, name)


def parse(text: str, name: str) -> Any:
    """Return the value of a JSON or YAML text. Raises BadInput."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass  # then it is YAML; that message is better for a person, and JSON is YAML but for its tabs
    try:
        # There and back: keys become texts, and what JSON cannot say is refused.
        return json.loads(json.dumps(read_yaml(text, MAX_DEPTH), allow_nan=False))
    except UnreadableBody as error:
        raise _neither(name, error) from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} says what JSON cannot: {error}", advice="Write it as a text.") from None


def _neither(name: str, error: UnreadableBody) -> BadInput:
    """Return the refusal of a text: with the line and a caret under the place, where it has one."""
    message = f"{name} is neither JSON nor YAML"
    if not error.findings:
        fault = error.message.removeprefix("the body ").removeprefix("is not YAML: ")
        return BadInput(f"{message}: {fault}", advice="Correct that place.")
    advice = "Correct that place." if error.advice == ADVICE else error.advice
    finding = structs.replace(error.findings[0], code=BadInput.code)
    return BadInput(message, advice=advice, findings=(finding,))


def read_value(given: str | None, option: str) -> Any:
    """Return the value of an option: from a file, '-' or JSON itself; nothing given is {}."""
    if given is None:
        return {}
    if given != "-" and given.lstrip()[:1] in ("{", "[", '"'):
        try:
            return msgspec.json.decode(given)
        except UnicodeError:
            raise BadInput(f"{option} is not UTF-8", advice="Save it as UTF-8.") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadInput(f"{option} is not JSON: {error}", advice="Correct it, or name a file.") from None
    return read_file(given)


def in_order(document: Any) -> Any:
    """Return a definition with its fields in the order they are documented: a database keeps none."""
    steps = [
        {**step, "config": _sorted(step["config"], CONFIGS[step["type"]].fields)} if step["type"] in CONFIGS else step
        for step in document["steps"]
    ]
    return _sorted({**document, "steps": [_sorted(step, STEP_FIELDS) for step in steps]}, DOCUMENT.fields)


def _sorted(value: Any, fields: Iterable[str]) -> dict[str, Any]:
    known = [name for name in fields if name in value]
    return {name: value[name] for name in (*known, *(name for name in value if name not in known))}


def as_json(document: Any) -> str:
    """Return a document as indented JSON."""
    return as_text(document) + "\n"


def as_yaml(document: Any) -> str:
    """Return a document as YAML, which `read_yaml` reads as the same document. Nothing in it commands a terminal."""
    return escaped(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Puts every text in quotes that some reader of YAML, of 1.1 or 1.2, would take for something else."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out: what stands twice is there twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Write texts of several lines as such, and in double quotes what must be escaped."""
    style = '"' if _UNSEEN.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_UNSEEN = re.compile(rf"[\t\ufeff{UNSAFE.pattern[1:]}")
_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?(\.?[0-9]).*[eE]"), list("-+.0123456789"))
