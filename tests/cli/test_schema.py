"""sql/schema.sql is the schema: dumped the same each time, and a difference is shown."""

import pytest

from engine.errors import SchemaError
from stepwell import schema


def test_the_file_is_a_migrated_database_is_a_database_made_from_the_file() -> None:
    with schema.scratch() as server:
        found = schema.dump(schema.migrated(server))
        schema.compare(found, schema.dump(schema.restored(server, found)), "a database made from the file")

    schema.compare(schema.FILE.read_text("utf-8"), found, "a migrated database")


def test_the_dump_has_nothing_that_differs_from_day_to_day() -> None:
    text = schema.FILE.read_text("utf-8")

    assert "restrict" not in text.replace("restrictive", "")
    assert "Dumped" not in text
    assert "_20" not in text


def test_a_difference_is_shown_line_by_line() -> None:
    with pytest.raises(SchemaError) as told:
        schema.compare("a\nb\n", "a\nc\n", "a migrated database")

    assert "-b" in told.value.message
    assert "+c" in told.value.message
    assert "stepwell schema dump" in told.value.advice
