"""Who is taken for dead: a row that stands still, and far sooner one whose session has ended."""

import psycopg

import sql
from engine.rescue import LOCK_SILENCE, STALL, Watch
from tests.house import House, eventually
from tests.protocol.test_fence import ByHand

LIMIT = 15.0  # seconds
HELD, NOT_HELD = True, False


def seen(worker: ByHand) -> list[tuple[int, int, bool]]:
    """Return what a worker sees of all: id, beat, whether the lock is held."""
    return worker.db.execute(sql.query("worker.watch")).fetchall()


def locks(worker: ByHand) -> dict[int, bool]:
    """Return of each worker whether its lock is held."""
    return {id_: held for id_, _, held in seen(worker)}


def lock(worker: ByHand) -> None:
    """Take the worker's session lock, as it does when it registers."""
    worker.db.execute(sql.query("worker.lock"), {"me": worker.me})


def test_a_session_lock_is_seen_for_as_long_as_its_session_lives(house: House) -> None:
    one, other, without = ByHand(house), ByHand(house), ByHand(house)
    lock(one)
    lock(other)
    assert locks(without) == {one.me: True, other.me: True, without.me: False}
    one.db.close()
    eventually(lambda: not locks(without)[one.me], what="the lock is gone with its session")
    assert locks(without) == {one.me: False, other.me: True, without.me: False}


def test_no_lock_of_another_kind_or_number_keeps_a_worker_alive(house: House) -> None:
    """Fails where half of a number is compared, or the kind of a lock is not, or its database."""
    worker, stranger = ByHand(house), house.connect("superuser")
    high, low = worker.me >> 32, worker.me & 0xFFFF_FFFF
    half = low - (1 << 32) if low >> 31 else low
    for sentence, numbers in (
        ("select pg_advisory_lock(%s, %s)", (high, half)),
        ("select pg_advisory_lock(%s)", (worker.me ^ 1 << 32,)),
        ("select pg_advisory_lock(%s)", (worker.me ^ 1,)),
    ):
        stranger.execute(sentence, numbers)
    with psycopg.connect(house.dsn("superuser"), dbname="postgres") as elsewhere:
        elsewhere.execute("select pg_advisory_lock(%s)", (worker.me,))
        assert locks(worker) == {worker.me: False}


def dead(worker: ByHand, *, after: float, probe_locks: bool = True) -> list[int]:
    """Let an observer judge the same rows each second; return who is dead to him in the end."""
    others, rows = Watch(LIMIT, probe_locks=probe_locks), seen(worker)
    return [others.judge(rows, float(second)) for second in range(int(after) + 1)][-1]


def test_a_row_that_stands_still_is_dead_soon_without_the_lock_and_with_it_only_at_the_limit(house: House) -> None:
    locked, without = ByHand(house), ByHand(house)
    lock(locked)

    assert dead(without, after=LOCK_SILENCE - 1) == []
    assert dead(without, after=LOCK_SILENCE) == [without.me]
    assert dead(without, after=LIMIT - 1) == [without.me]
    assert sorted(dead(without, after=LIMIT)) == [locked.me, without.me]


def test_where_locks_tell_nothing_silence_alone_does(house: House) -> None:
    without = ByHand(house)

    assert dead(without, after=LIMIT - 1, probe_locks=False) == []
    assert dead(without, after=LIMIT, probe_locks=False) == [without.me]


def test_a_row_that_changes_is_of_the_living_whatever_its_lock() -> None:
    others = Watch(LIMIT, probe_locks=True)

    assert [others.judge([(1, beat, NOT_HELD), (2, beat, HELD)], beat) for beat in range(40)] == [[]] * 40


def test_an_observer_that_stood_still_begins_anew() -> None:
    """Fails where an outage of the observer's own looks like everybody's death."""
    others, rows = Watch(LIMIT, probe_locks=True), [(1, 0, NOT_HELD), (2, 0, HELD)]
    back = LIMIT + STALL + 1

    assert others.judge(rows, 0.0) == []
    assert others.judge(rows, back) == []
    assert others.judge(rows, back + LOCK_SILENCE) == [1]
