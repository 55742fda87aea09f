"""A password is never shown, whatever way it is written."""

import pytest

from engine.config import mask_url, read_settings


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/d",
        "postgresql://u:p@secret@h/d",
        "postgresql://u:p/secret@h/d",
        "postgresql://u:12/secret@h/d",
        "postgresql://u:p?secret@h/d",
        "postgresql://h/d?password=secret",
        "postgresql://h/d?PASSWORD=secret",
        "postgresql://h/d?pass%77ord=secret",
        "postgresql://h/d?sslpassword=secret",
        "host=h password=secret",
        r"password='a b\' secret' host=h",
        r"password=a\ secret host=h",
        "password=a secret",
        "dbname=postgresql://u:secret@h/d",
        "secret",
    ],
)
def test_no_part_of_a_password_is_left(url: str) -> None:
    assert "secret" not in mask_url(url)
    assert "***" in mask_url(url)


def test_the_rest_stays_where_it_is_clear() -> None:
    masked = mask_url("postgresql://u:secret@h:5433/d?sslmode=require")

    assert set(masked.split()) == {"user=u", "password=***", "host=h", "port=5433", "dbname=d", "sslmode=require"}
    assert mask_url("host=/var/run/postgresql user=u") == "user=u host=/var/run/postgresql"


@pytest.mark.parametrize("name", ["STEPWELL_URL", "STEPWELL_OTLP_URL", "STEPWELL_HTTP_PROXY"])
def test_nor_the_user_in_the_address_of_a_service(name: str) -> None:
    shown = read_settings({name: "http://someone:secret@host:4318"}).masked()[name.removeprefix("STEPWELL_").lower()]

    assert shown == "http://host:4318"
