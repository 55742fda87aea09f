"""The doctor tells where a database has come from."""

from stepwell.checks import BAD, OK, Finding, past
from tests.house import House

AHEAD = """
insert into stepwell.process (id, tenant_id, environment_id, definition_id, version, status, created_at)
values (stepwell.first_id(clock_timestamp() + interval '5 min'), 1, 1, 1, 1, 'CREATED', clock_timestamp())
"""


def test_the_doctor_names_the_epoch_and_finds_ids_that_are_ahead_of_the_servers_clock(house: House) -> None:
    """Fails where a restore to a server whose clock is behind goes unnoticed, or an ordinary one is found fault with."""
    house.value("select stepwell.feed_epoch()")
    assert [(f.area, f.state) for f in past(house.owner)] == [("feed", OK)]

    with house.connect("superuser") as db:
        db.execute(AHEAD)
    feed, clock = past(house.owner)

    assert feed.message.startswith("epoch 2, since 20")
    assert isinstance(clock, Finding)
    assert clock.state == BAD
    assert "ahead of the server's clock" in clock.message
