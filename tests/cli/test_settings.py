"""A setting that cannot be used is refused before anything starts: by its name, in words, and never with a secret."""

from pathlib import Path

import pytest

from engine.config import read_settings
from engine.errors import SettingError
from tests.cli.program import run

MALFORMED = "postgres:/stepwell:hunter2secret@db/stepwell"


@pytest.mark.parametrize("command", ["api", "worker", "doctor", "migrate"])
@pytest.mark.parametrize("name", ["STEPWELL_DATABASE_URL", "STEPWELL_OWNER_DATABASE_URL"])
def test_a_malformed_connection_string_ends_every_program_and_is_never_shown(
    command: str, name: str, tmp_path: Path
) -> None:
    done = run(tmp_path, command, **{name: MALFORMED})

    assert done.returncode == 1
    assert name in done.stderr
    assert "hunter2secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 5


@pytest.mark.parametrize(
    "url",
    [
        MALFORMED,
        "bogus-secret",
        "postgresql://u:p@secret@h/d",
        "postgresql://u:p/secret@h/d",
        "postgresql://u:12/secret@h/d",
        "postgresql://h/d?pasword=secret",
        "password=a secret",
        "dbname=postgresql://u:secret@h/d",
    ],
)
def test_a_connection_string_of_which_libpq_would_show_a_piece_of_the_password_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="STEPWELL_DATABASE_URL") as refused:
        read_settings({"STEPWELL_DATABASE_URL": url})

    assert "secret" not in f"{refused.value.message} {refused.value.advice}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40s%2Fs@h:5433/d?sslmode=verify-full",
        "postgres://u@h1:1,h2:2/d",
        "postgresql:///d?host=/var/run/postgresql&user=u",
        "postgresql://u:p@h/a%2Fb",
        "postgresql://u:p@[::1]/d",
        "host=/var/run/postgresql dbname=a/b password='x @/ y'",
        "service=stepwell",
        "postgresql://u:12?x@h/d",
    ],
)
def test_every_form_of_a_connection_string_is_taken(url: str) -> None:
    assert read_settings({"STEPWELL_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("value", ["many", "9", "1000001", "10.5"])
def test_what_is_no_number_is_told_in_the_words_of_the_page_of_settings(value: str) -> None:
    with pytest.raises(SettingError, match="expected a whole number, 10 to 1,000,000"):
        read_settings({"STEPWELL_API_CONNECTIONS": value})


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf"])
def test_a_number_that_need_not_be_whole_is_not_called_so(value: str) -> None:
    with pytest.raises(SettingError, match="expected a number, 0 to 3,600"):
        read_settings({"STEPWELL_DRAIN_SECONDS": value})


@pytest.mark.parametrize("name", ["STEPWELL_OTLP_URL", "STEPWELL_URL"])
@pytest.mark.parametrize(
    "value", ["collector:4318", "ftp://collector", "http://", "//collector", "http://h:99999", "http://[::1"]
)
def test_a_url_without_scheme_or_host_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"{name} .*http://host:port"):
        read_settings({name: value})


@pytest.mark.parametrize("value", ["http://127.0.0.1:4318", "https://collector.example/base", "http://[::1]:4318/"])
def test_urls_of_services_are_taken(value: str) -> None:
    assert read_settings({"STEPWELL_OTLP_URL": value}).otlp_url == value


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_of_the_traces_receiver_that_cannot_be_read_are_refused_at_the_start(
    tmp_path: Path, content: str | None
) -> None:
    named = tmp_path / "ca.pem"
    if content is not None:
        named.write_text(content)
    settings = {
        "STEPWELL_DATABASE_URL": "host=127.0.0.1 port=1 dbname=x",
        "STEPWELL_OTLP_URL": "https://collector.example",
        "STEPWELL_OTLP_CA_FILE": str(named),
    }

    done = run(tmp_path, "worker", **settings)

    assert done.returncode == 1
    assert f"STEPWELL_OTLP_CA_FILE: {named} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
