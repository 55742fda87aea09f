"""Read what a person hands over: a JSON or YAML file, standard input, or JSON on the command line.

YAML is read as the API reads it: another spelling of JSON, in which `yes` and dates stay the texts they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from api.yaml_bodies import read_yaml
from engine.errors import BadInput, UnreadableBody

MAX_DEPTH = 64


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
    """Return the value of a JSON or YAML text. Raises BadInput."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass  # then it is YAML; that message is better for a person, and JSON is YAML but for its tabs
    try:
        # There and back: keys become texts, and what JSON cannot say is refused.
        return json.loads(json.dumps(read_yaml(text, MAX_DEPTH), allow_nan=False))
    except UnreadableBody as error:
        fault = error.message.removeprefix("the body ").removeprefix("is not YAML: ")
        raise BadInput(f"{name} is neither JSON nor YAML: {fault}", advice="Correct that place.") from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} says what JSON cannot: {error}", advice="Write it as a text.") from None


def read_value(given: str | None, option: str) -> Any:
    """Return the value of an option: from a file, '-' or JSON itself; nothing given is {}."""
    if given is None:
        return {}
    if given != "-" and given.lstrip()[:1] in ("{", "[", '"'):
        try:
            return msgspec.json.decode(given)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadInput(f"{option} is not JSON: {error}", advice="Correct it, or name a file.") from None
    return read_file(given)
