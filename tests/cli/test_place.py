"""Which database and which API a command means, where nothing or several things name one."""

from pathlib import Path

import pytest

from engine.config import Settings
from engine.errors import OperatorError
from stepwell import connection, place
from stepwell.connection import Connection

OWNER = "postgresql://owner:pw@db.example:5432/stepwell"
KEPT = Connection(
    owner_url=OWNER,
    api_url="postgresql://api:pw@db.example:5432/stepwell",
    worker_url="postgresql://worker:pw@db.example:5432/stepwell",
    key="swk_kept",
    url="http://127.0.0.1:8080",
)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    connection.write(tmp_path, KEPT)
    return tmp_path


def test_the_owners_setting_goes_before_everything(kept: Path) -> None:
    with place.owner_url(Settings(data_dir=kept, owner_database_url="postgresql://elsewhere/x")) as url:
        assert url == "postgresql://elsewhere/x"


def test_what_up_left_is_used_where_nothing_is_set(kept: Path) -> None:
    with place.owner_url(Settings(data_dir=kept)) as url:
        assert url == OWNER


def test_what_up_left_is_used_for_the_same_database_only(kept: Path) -> None:
    with place.owner_url(Settings(data_dir=kept, database_url=KEPT.api_url)) as url:
        assert url == OWNER
    other = Settings(data_dir=kept, database_url="postgresql://api:pw@db.example:5432/other")
    with pytest.raises(OperatorError, match="which database"), place.owner_url(other):
        pass


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_program_uses_its_own_login(kept: Path, kind: str) -> None:
    with place.program(Settings(data_dir=kept), kind) as chosen:
        assert chosen.database_url == getattr(KEPT, f"{kind}_url")


def test_a_program_without_any_database_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="STEPWELL_DATABASE_URL"), place.program(Settings(data_dir=tmp_path), "api"):
        pass


@pytest.mark.parametrize(
    ("settings", "url", "key", "wanted"),
    [
        ({}, None, None, ("http://127.0.0.1:8080", "swk_kept")),
        ({"url": "https://prod.example"}, None, None, ("https://prod.example", None)),
        ({"api_key": "swk_set"}, None, None, ("http://127.0.0.1:8080", "swk_set")),
        ({"url": "https://prod.example"}, "https://test.example", None, ("https://test.example", None)),
        ({"api_key": "swk_set"}, None, "swk_option", ("http://127.0.0.1:8080", "swk_option")),
    ],
)
def test_the_kept_key_goes_to_the_api_it_was_made_for_and_to_no_other(
    kept: Path, settings: dict[str, str], url: str | None, key: str | None, wanted: tuple[str, str | None]
) -> None:
    chosen = Settings(data_dir=kept, url=settings.get("url", Settings().url), api_key=settings.get("api_key"))

    assert place.api(chosen, url, key) == wanted


def test_another_port_of_the_embedded_server_is_put_into_every_connection_string() -> None:
    moved = place.at_port(KEPT, 6000)

    assert all(":6000/" in url for url in (moved.owner_url, moved.api_url, moved.worker_url))


def test_a_damaged_connection_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / connection.NAME).write_text("{")

    with pytest.raises(OperatorError, match="is damaged"):
        connection.read(tmp_path)


def test_the_connection_file_is_readable_by_its_owner_only(kept: Path) -> None:
    assert (kept / connection.NAME).stat().st_mode & 0o777 == 0o600
