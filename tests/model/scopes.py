"""The worlds that are walked through, and the broken variants that must not survive in them.

For: `USUAL`, every scope of a normal run; `FULL`, larger ones for STEPWELL_MODEL=full (some minutes, and
one or two gigabytes of memory); `VARIANTS`, each rule of the protocol switched off in a small scope that
shows why it is there.
Must not: contain a scope that is cut off: each is walked to its end.
Invariants: every flag of `Rules` occurs in `VARIANTS` (a test compares), alone unless a comment says why.
"""

from __future__ import annotations

from typing import NamedTuple

from .rules import Rules, Scope

A = (("a", 0),)
AB = (("a", 0), ("b", 0))
CANCEL = (("x", 0),)

USUAL = (
    Scope("one effect and two mails", mails=AB),
    Scope("one effect, one cancel, a zombie", mails=CANCEL, zombies=1),
    Scope("two mails and a kill", mails=AB, kills=1),
    Scope("a mail, a kill, statements on the wire", mails=A, kills=1, wire=True),
    Scope("a mail, a kill, wire and locks", mails=A, kills=1, wire=True, fine=True, fine_rescue=True),
    Scope("a mail and a zombie", mails=A, zombies=1),
    Scope("a zombie, wire and locks", zombies=1, wire=True, fine=True, fine_rescue=True),
    Scope("a zombie and a frozen rescuer", zombies=1, kills=1, fine=True, fine_rescue=True),
    Scope("two workers rescue each other", zombies=2, fine=True, fine_rescue=True),
    Scope("a mail and a lost connection", mails=A, losts=1),
    Scope("a lost connection, wire and locks", losts=1, wire=True, fine=True, fine_rescue=True),
    Scope("a signal, a wait, a mail", ("W",), A, signal=True),
    Scope("a signal, a wait, a cancel", ("W",), CANCEL, signal=True),
    Scope("a signal, a wait, a kill, locks", ("W",), signal=True, kills=1, fine=True, fine_rescue=True),
    Scope("a signal, a wait, a zombie", ("W",), signal=True, zombies=1),
    Scope("a signal, a wait, a lost connection", ("W",), signal=True, losts=1),
    Scope("a signal, two waits, a kill", ("WW",), signal=True, kills=1),
    Scope("an effect, a wait, a cancel, a kill", ("EW",), CANCEL, signal=True, kills=1),
    Scope("a sleep, a mail, an early timer", ("T",), A, early_timers=1),
    Scope("a sleep, a kill, an early timer", ("T",), kills=1, early_timers=1, fine=True),
    Scope("late ticks, an effect, two mails", mails=AB, ticks=True, workers=1),
    Scope("late ticks, a signal, two mails", ("W",), AB, signal=True, ticks=True, workers=1),
    Scope("late ticks, a sleep, a mail", ("T",), A, ticks=True, early_timers=1, workers=1),
    Scope("late ticks, a mail, a kill", ("W",), A, ticks=True, kills=1),
    Scope("a give-back, a mail, a kill", mails=A, give_backs=1, kills=1),
    Scope("a give-back, a mail, locks", mails=A, give_backs=1, fine=True),
    Scope("a give-back, a cancel", mails=CANCEL, give_backs=1),
    Scope("a give-back, a kill, wire and locks", give_backs=1, kills=1, wire=True, fine=True, fine_rescue=True),
    Scope("a give-back, a zombie", give_backs=1, zombies=1),
    Scope("a give-back, a lost connection", give_backs=1, losts=1),
    Scope("a give-back, a sleep, an effect, an early timer", ("TE",), give_backs=1, early_timers=1),
    Scope("two give-backs, a refused flush", give_backs=2, reloads=1),
    Scope("two processes and a kill", ("E", "E"), kills=1),
    Scope("two processes, a kill, leases locked one by one", ("E", "E"), kills=1, locks=True, fine_rescue=True),
    Scope("two processes, a mail, leases locked one by one", ("E", "E"), A, locks=True),
    Scope("two empty processes, two mails, locks", ("", ""), (("a", 0), ("b", 1)), locks=True),
)

FULL = (
    Scope("late ticks, a sleep, two mails, two workers", ("T",), AB, ticks=True),
    Scope("a sleep, a mail, a kill, an early timer", ("T",), A, kills=1, early_timers=1),
    Scope("a mail, a zombie, a kill", mails=A, zombies=1, kills=1),
    Scope("a mail, a zombie, wire and locks", mails=A, zombies=1, wire=True, fine=True, fine_rescue=True),
    Scope("a mail, a lost connection, wire", mails=A, losts=1, wire=True),
    Scope("a kill and a lost connection, wire", kills=1, losts=1, wire=True),
    Scope("a signal, a wait, a zombie, a kill", ("W",), signal=True, zombies=1, kills=1, fine_rescue=True),
    Scope("a signal, a wait, a mail, a kill, locks", ("W",), A, signal=True, kills=1, fine=True),
    Scope("a give-back, a mail, a zombie", mails=A, give_backs=1, zombies=1),
    Scope("a give-back, a lost connection, wire", give_backs=1, losts=1, wire=True),
    Scope("a give-back, a cancel, a kill", mails=CANCEL, give_backs=1, kills=1),
    Scope("two give-backs, a refused flush, a kill", give_backs=2, reloads=1, kills=1),
    Scope("two give-backs, a mail, a kill", mails=A, give_backs=2, kills=1),
    Scope("two give-backs, a mail, a refused flush", mails=A, give_backs=2, reloads=1),
    Scope("two processes, a mail, a kill", ("E", "E"), A, kills=1),
    Scope("two processes, a zombie", ("E", "E"), zombies=1),
    Scope("two processes, a lost connection", ("E", "E"), losts=1),
)


class Variant(NamedTuple):
    """The right protocol with some rules off, where that shows, and a word of what must be found."""

    off: tuple[str, ...]
    scope: Scope
    finds: str

    def rules(self) -> Rules:
        """Return the broken rules."""
        return Rules(**dict.fromkeys(self.off, False))


MAIL = Scope("mail", mails=A)
MAILS = Scope("two mails", mails=AB, workers=1)
KILL = Scope("kill", mails=A, kills=1)
ZOMBIE = Scope("zombie", zombies=1)
ZOMBIE_FINE = Scope("zombie, locks", zombies=1, fine=True, fine_rescue=True)
ZOMBIE_WIRE = Scope("zombie, wire and locks", zombies=1, wire=True, fine=True, fine_rescue=True)
MUTUAL = Scope("mutual rescue", zombies=2, fine_rescue=True)
FROZEN = Scope("frozen rescuer", zombies=1, kills=1, fine_rescue=True)
LOST = Scope("lost connection", losts=1, wire=True)
WAIT = Scope("signal", ("W",), signal=True)
WAIT_FINE = Scope("signal, locks", ("W",), signal=True, fine=True)
WAIT_KILL = Scope("signal, kill", ("W",), signal=True, kills=1)
WAITS = Scope("signal, two waits", ("WW",), signal=True)
TIMER = Scope("early timer", ("T",), early_timers=1)
GIVE = Scope("give-back", give_backs=1, kills=1)
GIVE_ONLY = Scope("give-back, nothing else", give_backs=1)
GIVE_MAIL = Scope("give-back, a mail", mails=A, give_backs=1)
GIVE_RELOAD = Scope("give-back, a refused flush", give_backs=1, reloads=1)
GIVE_KILL_MAIL = Scope("a give-back, a mail, a kill", mails=A, give_backs=1, kills=1)
LOCKS = Scope("two empty processes, two mails, locks", ("", ""), (("a", 0), ("b", 1)), locks=True)
TICKS = Scope("late ticks", ("W",), AB, ticks=True, workers=1)

TWICE, STRANDED, UNREAD = "written twice", "its lease is stranded", "parked with unread mail"
NO_OUTCOME, NEVER_MET, FOR_EVER = "has no outcome", "never met the signal", "waits for ever"

VARIANTS = (
    Variant(("callers_write_mail_only",), MAIL, TWICE),
    Variant(("mail_and_ring_in_one_commit",), MAIL, UNREAD),
    # The net would clear up after an unfenced claim: it is the second line here and in three rescues below.
    Variant(("claim_is_fenced", "net_runs"), ZOMBIE, STRANDED),
    Variant(("claim_is_fenced", "net_runs"), LOST, STRANDED),
    Variant(("claim_fence_covers_the_jobs",), ZOMBIE, "it is lost"),
    Variant(("claim_groups_jobs",), MAIL, "a second time"),
    Variant(("claim_leaves_the_owner",), MAIL, "has no lease"),
    Variant(("ring_is_counted",), MAIL, UNREAD),
    Variant(("own_ring_is_no_hold",), MAIL, "nobody lost"),
    Variant(("load_is_its_own_statement",), WAIT_FINE, TWICE),
    Variant(("mail_is_decided_once",), MAIL, "two outcomes"),
    Variant(("inbox_is_deleted_by_id",), MAILS, NO_OUTCOME),
    Variant(("inbox_is_deleted_by_the_flush",), KILL, NO_OUTCOME),
    Variant(("answers_belong_to_their_hold",), TICKS, "two outcomes"),
    Variant(("park_answer_belongs_to_its_hold",), MAIL, STRANDED),
    Variant(("running_when_loaded_is_lost",), KILL, STRANDED),
    Variant(("flush_is_fenced",), ZOMBIE, TWICE),
    Variant(("flush_is_fenced",), LOST, TWICE),
    Variant(("flush_locks_its_fence",), ZOMBIE_FINE, TWICE),
    Variant(("flush_is_one_message",), KILL, FOR_EVER),
    Variant(("flush_orders_its_leases",), LOCKS, FOR_EVER),
    # Without a second writer nobody ever meets a foreign row: one has to be let in first.
    Variant(("history_is_inserted_plainly", "callers_write_mail_only"), MAIL, "not committed"),
    Variant(("effect_waits_for_the_flush",), MAIL, "its decision is not committed"),
    Variant(("execution_id_is_stable",), KILL, "different execution ids"),
    Variant(("park_checks_the_bell",), WAIT, UNREAD),
    Variant(("end_checks_the_bell",), MAIL, UNREAD),
    Variant(("refused_park_reads_again",), MAIL, STRANDED),
    Variant(("bell_is_read_with_the_inbox",), TICKS, UNREAD),
    Variant(("every_park_writes_the_timer",), TIMER, "no timer will wake it"),
    Variant(("give_back_is_one_commit",), GIVE, "it is lost"),
    Variant(("give_back_only_when_idle",), GIVE, "nobody lost"),
    # Only a give-back with an effect running can say of it that none has begun.
    Variant(("give_back_only_when_idle", "number_means_none_runs"), GIVE_ONLY, "began again"),
    Variant(("give_back_names_its_event",), GIVE_ONLY, "nobody lost"),
    Variant(("number_is_compared",), GIVE_KILL_MAIL, "began again"),
    Variant(("number_stays_out_of_the_lease",), GIVE, "began again"),
    Variant(("number_is_used_up",), GIVE_RELOAD, "began again"),
    Variant(("leaving_is_for_good",), GIVE_ONLY, STRANDED),
    Variant(("kept_states_are_durable",), GIVE_MAIL, "not committed"),
    Variant(("match_is_one_commit",), WAIT_KILL, NEVER_MET),
    Variant(("match_follows_the_send",), WAIT, NEVER_MET),
    Variant(("hold_looks_before_parking",), WAIT, NEVER_MET),
    Variant(("every_hold_looks",), WAIT_KILL, NEVER_MET),
    Variant(("look_follows_the_flush",), WAIT, NEVER_MET),
    Variant(("delivery_may_be_there",), WAIT_FINE, "deliver"),
    Variant(("signal_counts_once",), WAITS, "counted twice"),
    Variant(("rescue_is_one_transaction", "net_runs"), FROZEN, STRANDED),
    Variant(("rescue_takes_a_new_snapshot", "net_runs"), ZOMBIE_FINE, STRANDED),
    Variant(("rescue_deletes_the_row_first", "net_runs"), ZOMBIE_FINE, STRANDED),
    Variant(("rescue_is_one_message",), FROZEN, FOR_EVER),
    Variant(("rescuer_leaves_its_own_row",), MUTUAL, FOR_EVER),
    Variant(("worker_ids_are_fresh",), ZOMBIE_WIRE, STRANDED),
    Variant(("lost_connection_is_a_death",), LOST, STRANDED),
)

# With every other rule in force nothing is left for the net to do.
WITHOUT_NET = (KILL, ZOMBIE_WIRE, FROZEN, MUTUAL, LOST)
