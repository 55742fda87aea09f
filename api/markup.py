"""HTML that cannot be broken by what it shows: every text is escaped unless it was made here.

Invariant: a `Html` is only made by `element` and `page`; whatever else is put into one is escaped.
"""

from __future__ import annotations

from html import escape

VOID = frozenset({"meta", "link", "br"})


class Html(str):
    """Markup, escaped where it has to be."""

    __slots__ = ()


def element(name: str, /, *inside: str | None, **attributes: str) -> Html:
    """Return an element. A trailing _ in the name of an attribute is dropped (`class_`), others become hyphens."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{together(*inside)}</{name}>")


def together(*parts: str | None) -> Html:
    """Return the parts one after the other; None is left out."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts if part is not None))


def page(head: Html, body: Html) -> Html:
    """Return a whole page in English."""
    return Html(f'<!doctype html>\n<html lang="en">{element("head", head)}{element("body", body)}</html>\n')


def style(text: str) -> Html:
    """Return a style sheet of our own. Raises ValueError if it would end the element."""
    if "<" in text:
        raise ValueError("a style sheet has no markup")
    return Html(f"<style>{text}</style>")


def code_words(text: str) -> Html:
    """Return a text in which what stands in backquotes is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return together(text)
    return together(*(element("code", part) if place % 2 else part for place, part in enumerate(parts)))
