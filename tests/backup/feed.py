"""A reader of the feed as docs/backup.md describes one: it keeps a cursor, and never looks back."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.docs.pages import blocks
from tests.house import OWNER, House

Place = tuple[int, int, int, int]  # epoch, transaction, process, event
Event = tuple[int, int, int]  # epoch, process, event: what a consumer would take for the event's identity

(READ,) = blocks("docs/backup.md", "sql", "reader")


@dataclass
class Reader:
    """What was read so far, and up to where."""

    cursor: Place = (0, 0, 0, 0)
    seen: list[Event] = field(default_factory=list)

    def read(self, house: House, most: int = 1_000_000) -> int:
        """Read on; return how many events came."""
        with house.connect(OWNER, autocommit=False) as db:
            db.execute("set transaction read only")
            rows = db.execute(READ.text.encode(), (*self.cursor, most)).fetchall()
        self.seen += [(epoch, process, seq) for epoch, _, process, seq in rows]
        if rows:
            self.cursor = rows[-1]
        return len(rows)


def written(house: House) -> list[Event]:
    """Return the identities of all events there are."""
    return house.rows("select feed_epoch, process_id, seq from stepwell.history order by 1, 2, 3")


def epochs(house: House) -> list[int]:
    """Return the epochs that history knows."""
    return [epoch for (epoch,) in house.rows("select distinct feed_epoch from stepwell.history order by 1")]
