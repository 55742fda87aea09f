"""The tutorial, followed from its first line to its last."""

import shutil
from pathlib import Path

import psycopg
import pytest

from tests.docs.pages import blocks
from tests.docs.reader import installed
from tests.docs.typist import Typist, lacks

PAGE = "docs/tutorial.md"
KNOWN = {"setup", "up", "beside", "do", "do exit 1", "look", "shown", "partner.py", "parcel.yaml"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's examples need curl")
def test_the_tutorial_can_be_followed_as_it_stands(database_url: str, tmp_path: Path) -> None:
    typist = Typist(tmp_path, database_url, STEPWELL_OWNER_DATABASE_URL=database_url)
    (up,) = blocks(PAGE, "sh", "up")

    with installed(typist, up.text):
        typist.follow(blocks(PAGE))

    with psycopg.connect(database_url) as db:
        ended = db.execute("select business_key, status, version from stepwell.process order by id").fetchall()
    assert ended == [(None, "COMPLETED", 1), ("P-2", "COMPLETED", 1)]


def test_every_block_of_the_tutorial_is_done_or_compared() -> None:
    assert {block.title for block in blocks(PAGE)} == KNOWN
    assert [b.text for b in blocks(PAGE, "sh", "setup")] == [
        "make setup\n. .venv/bin/activate\n"
    ]  # is what runs the tests


def test_what_a_page_shows_is_compared_line_by_line() -> None:
    output = "id  status\r\nprc_1m7z7aqkh000g  DONE in 1.2 s\r\n\x1b[1mend\x1b[0m\r\n"

    assert lacks(output, "prc_2222222222222  DONE in 30 ms\n…\nend") == []
    assert lacks(output, "prc_2222222222222  DONE …") == []
    assert lacks(output, "prc_2222222222222  LOST in 30 ms\nend") == ["prc_ LOST in long", "end"]
    assert lacks(output, "end\nid  status") == ["id status"]
