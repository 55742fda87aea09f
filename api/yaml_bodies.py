"""YAML as another way to write JSON: definitions are often kept in it.

Only what JSON can say is read: no dates, no `yes`/`no`, no merge keys (a chain of them doubles with every link), no
tags that make other things. Keys are texts, each once in its object: numbers could be chosen to collide as keys of a
dict. Depth and number are counted on the flat stream of events before anything recursive runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from api.yaml_faults import explain
from engine.errors import TooLarge, UnreadableBody

MAX_YAML = 1 << 20  # bytes; YAML is 50 times slower to read than JSON
MAX_EVENTS = 50_000  # begin and end of lists and objects, keys and values: some tenths of a second

_CORE = "tag:yaml.org,2002:"
_TEXT = _CORE + "str"
_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
ADVICE = "Send valid YAML that says no more than JSON can, or send JSON."


class _Loader(yaml.CSafeLoader):
    """The safe loader of libyaml with YAML 1.2's core types."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  pyyaml's own protocol
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Check the keys, before a dict is made of them; leave merge keys alone."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != _TEXT or not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key is not a text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value[:100]!r} is there twice", key.start_mark)
            seen.add(key.value)


def _scalar(name: str, pattern: str, first: str, make: Callable[[str], Any]) -> None:
    """Read scalars of this form as that type; also under its tag (!!int), under which others are refused.

    The safe loader's own makers know more (1:30:00 in base 60, of any length) and fail with a KeyError on what they do
    not know.
    """
    tag, form = _CORE + name, re.compile(pattern)

    def construct(_loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode) or not form.match(node.value):
            raise ConstructorError(None, None, f"this is not of the type {name}", node.start_mark)
        return make(node.value)

    _Loader.add_implicit_resolver(tag, form, list(first))
    _Loader.yaml_constructors[tag] = construct


_scalar("bool", r"^(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF", lambda text: text.lower() == "true")
_scalar("null", r"^(?:~|null|Null|NULL|)\Z", "~nN\0", lambda _: None)
_scalar("int", r"^[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789", int)
_scalar("float", r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z", "-+.0123456789", float)
_Loader.yaml_implicit_resolvers.setdefault("", []).extend(_Loader.yaml_implicit_resolvers.get("\0", []))
for _tag in (_TEXT, _CORE + "seq", _CORE + "map", None):  # None: all others are refused
    _Loader.yaml_constructors[_tag] = yaml.CSafeLoader.yaml_constructors[_tag]


def read_yaml(text: str, max_depth: int) -> Any:
    """Return the value of a YAML document. Raises UnreadableBody, TooLarge."""
    try:
        _check_events(text, max_depth)
        return yaml.load(text, _Loader)  # noqa: S506  derived from the safe loader
    except yaml.YAMLError as error:
        raise _unreadable(text, error) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableBody(f"the body is not YAML: {str(error)[:200]}", advice=ADVICE) from None


def _unreadable(text: str, error: yaml.YAMLError) -> UnreadableBody:
    fault = explain(text, error)
    if fault is None:
        return UnreadableBody("the body is not YAML: it cannot be parsed", advice=ADVICE)
    advice, findings = fault.advice or ADVICE, (fault.finding(UnreadableBody.code),)
    return UnreadableBody(f"the body is not YAML: {fault.message}", advice=advice, findings=findings)


def _check_events(text: str, max_depth: int) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, _Loader)):
        if count > MAX_EVENTS:
            message = f"a YAML body may have {MAX_EVENTS} parts: keys, values, begin and end of lists and objects"
            raise TooLarge(message, advice="Send it as JSON.")
        if isinstance(event, _OPENS):
            depth += 1
            if depth > max_depth:
                raise UnreadableBody(f"the body is nested more than {max_depth} levels deep")
        elif isinstance(event, _CLOSES):
            depth -= 1
