"""Each test has a fresh database, cloned from a template on the session's one server."""

import psycopg
import pytest


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_never_sees_what_another_left(turn: int, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select to_regclass('left_behind')").fetchone() == (None,)
        connection.execute("create table left_behind ()")


def test_the_fixture_connection_is_to_the_same_database(
    postgresql: "psycopg.Connection[tuple[str]]", database_url: str
) -> None:
    here = postgresql.execute("select current_database()").fetchone()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select current_database()").fetchone() == here
