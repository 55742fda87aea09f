"""YAML as another way to write JSON: definitions are often kept in it.

Only what JSON can say is read: no dates, no `yes`/`no`, no merge keys (a chain of them doubles with every link), no
tags that make other things. Depth is counted on the flat stream of events before anything recursive runs.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from engine.errors import UnreadableBody

MAX_YAML = 1 << 20  # bytes; YAML is 50 times slower to read than JSON

_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
_ADVICE = "Send valid YAML that says no more than JSON can, or send JSON."


class _Loader(yaml.CSafeLoader):
    """The safe loader of libyaml with YAML 1.2's core types."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  pyyaml's own protocol

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave merge keys alone."""


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolve("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_resolve("float", r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
_Loader.yaml_implicit_resolvers.setdefault("", []).extend(_Loader.yaml_implicit_resolvers.get("\0", []))


def _float(_loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value)


_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def read_yaml(text: str, max_depth: int) -> Any:
    """Return the value of a YAML document. Raises UnreadableBody."""
    try:
        _check_depth(text, max_depth)
        return yaml.load(text, _Loader)  # noqa: S506  derived from the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise UnreadableBody(f"the body is not YAML: {problem}{place}", advice=_ADVICE) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableBody(f"the body is not YAML: {str(error)[:200]}", advice=_ADVICE) from None


def _check_depth(text: str, limit: int) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, _OPENS):
            depth += 1
            if depth > limit:
                raise UnreadableBody(f"the body is nested more than {limit} levels deep")
        elif isinstance(event, _CLOSES):
            depth -= 1
