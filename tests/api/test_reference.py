"""GET /docs: the reference as a page."""

import base64
import hashlib
from html.parser import HTMLParser
from typing import Any

from api.document import document
from api.markup import VOID
from api.reference import render
from api.surface import curl, surface
from engine.codes import FAILURES, FINDINGS, REJECTIONS
from engine.errors import OperatorError, tree
from tests.api.client import Api, problem

EVIL = "</code></style><script>alert('`x`')</script>&amp;\" onload=\"x"


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


async def read(api: Api) -> tuple[Page, dict[str, str]]:
    response = await (await api.stranger()).get("/docs")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text), dict(response.headers)


async def test_the_page_needs_no_key_and_shows_every_operation_object_and_code(api: Api) -> None:
    page, _ = await read(api)
    described = surface(document(api.app))
    text = "".join(page.text)

    assert {one.id for one in described.operations} <= set(page.all("id"))
    assert {f"object-{one.name}" for one in described.objects} <= set(page.all("id"))
    for one in described.operations:
        assert f"{one.method}{one.path}" in text
        assert curl(one) in text
    codes = {error.code for error in tree() if not issubclass(error, OperatorError)}
    assert {code for code in (*codes, *FAILURES, *FINDINGS, *REJECTIONS) if code not in text} == set()


async def test_the_page_loads_nothing_and_runs_nothing(api: Api) -> None:
    page, headers = await read(api)

    assert {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "form", "base"} == set()
    assert page.all("src") == []
    assert {link for link in page.all("href") if not link.startswith("#")} == {"/openapi.json", "data:,"}
    assert [a for _, attributes in page.tags for a in attributes if a.startswith("on") or a == "style"] == []
    (style,) = [text for text in page.text if "color-scheme" in text]
    assert "url(" not in style
    assert "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert f"style-src 'sha256-{digest}'" in policy
    assert not [part for part in policy if part.startswith("script-src")]
    assert headers["x-content-type-options"] == "nosniff"


async def test_every_link_of_the_page_leads_to_a_place_of_its_own(api: Api) -> None:
    page, _ = await read(api)
    places = page.all("id")

    assert len(places) == len(set(places))
    assert {link[1:] for link in page.all("href") if link.startswith("#")} <= set(places)


async def test_a_browser_that_has_the_page_is_not_sent_it_again(api: Api) -> None:
    _, headers = await read(api)
    client = await api.stranger()

    again = await client.get("/docs", headers={"If-None-Match": f'"other", {headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == headers["etag"]
    assert (await client.get("/docs", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_page_takes_no_parameters_and_no_other_method(api: Api) -> None:
    client = await api.stranger()

    problem(await client.get("/docs?x=1"), 400, "invalid_parameter")
    problem(await client.post("/docs"), 405, "method_not_allowed")


def _hostile(value: Any) -> Any:
    """Return a document in which every text that is shown could break out."""
    shown = ("summary", "description", "default", "example", "title", "operationId")
    if isinstance(value, dict):
        return {key: EVIL if key in shown and isinstance(v, str) else _hostile(v) for key, v in value.items()}
    return [_hostile(one) for one in value] if isinstance(value, list) else value


async def test_whatever_a_description_or_an_example_holds_is_only_text(api: Api) -> None:
    honest = Page(render(surface(document(api.app))))
    page = Page(render(surface(_hostile(document(api.app)))))

    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in honest.tags}
    assert {name for _, attributes in page.tags for name in attributes} == {
        name for _, attributes in honest.tags for name in attributes
    }
    assert f"#{EVIL}" in page.all("href")
    assert EVIL in "".join(page.text)
