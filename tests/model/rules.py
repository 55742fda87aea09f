"""What may be switched: the rules of the protocol, and the size of the world it is tried in.

For: naming each rule of design section 4 once, so that a broken variant is "the right protocol, except
this rule", and saying how small or large a world (a scope) the checker walks through.
Must not: contain behaviour. The modules that act read these flags and nothing else decides.
Invariants: every flag of `Rules` is True in the right protocol; `Scope` is finite in every direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Rules:
    """One flag per rule; True is the design, False the way of breaking it named in the comment."""

    # Rule 1: callers write mail only.
    callers_write_mail_only: bool = True  # else a caller appends the outcome to history itself
    mail_and_ring_in_one_commit: bool = True  # else the ring is committed first, the mail later
    # Rule 2: claim.
    claim_is_fenced: bool = True  # else it never looks at its own worker row
    claim_fence_covers_the_jobs: bool = True  # else only the insert of the lease joins `me`
    claim_groups_jobs: bool = True  # else two jobs of one process reach one upsert
    claim_leaves_the_owner: bool = True  # else (lease keyed by worker and process) both get a hold
    ring_is_counted: bool = True  # else a ring for a held process is dropped
    own_ring_is_no_hold: bool = True  # else a worker that rings itself starts a second hold
    load_is_its_own_statement: bool = True  # else history and inbox come from the claim's snapshot
    # Rule 3: the holder.
    mail_is_decided_once: bool = True  # else a late tick's mail is decided again
    inbox_is_deleted_by_id: bool = True  # else everything up to the highest id goes
    inbox_is_deleted_by_the_flush: bool = True  # else already when it is read
    answers_belong_to_their_hold: bool = True  # else a late tick is given to the next hold
    park_answer_belongs_to_its_hold: bool = True  # else a late park answer ends the next hold
    running_when_loaded_is_lost: bool = True  # else the new holder waits for an outcome
    # Rule 4: flush.
    flush_is_fenced: bool = True  # else it does not look at the worker row
    flush_locks_its_fence: bool = True  # else it reads the row and does not lock it
    flush_is_one_message: bool = True  # else begin, statement, commit
    flush_orders_its_leases: bool = True  # else it locks them in the order of the plan
    history_is_inserted_plainly: bool = True  # else `on conflict do nothing` is the fence
    effect_waits_for_the_flush: bool = True  # else it starts when the flush is sent
    execution_id_is_stable: bool = True  # else it is made from seq
    # Rule 5: park and give-back.
    park_checks_the_bell: bool = True
    end_checks_the_bell: bool = True
    refused_park_reads_again: bool = True  # else only a changed bell makes it read
    bell_is_read_with_the_inbox: bool = True  # else after it
    every_park_writes_the_timer: bool = True  # else only the flush that registers it
    give_back_is_one_commit: bool = True  # else lease delete first, job later
    give_back_only_when_idle: bool = True  # else also with an effect running
    give_back_names_its_event: bool = True  # else its job has no number, and what has not begun is taken for lost
    number_means_none_runs: bool = True  # else it is written with an effect running, too
    number_is_compared: bool = True  # else it is believed whatever the loaded history ends with
    number_stays_out_of_the_lease: bool = True  # else rescue copies it from there into its job
    number_is_used_up: bool = True  # else a hold that begins anew believes it again
    leaving_is_for_good: bool = True  # else a hold that has declined to start an effect may stay after all
    kept_states_are_durable: bool = True  # else with what was decided while the last flush was on its way
    # Rule 6: signal meets wait.
    match_is_one_commit: bool = True  # else the signal_job is deleted first
    match_follows_the_send: bool = True  # else it is part of the sender's transaction
    hold_looks_before_parking: bool = True  # else only the match looks
    every_hold_looks: bool = True  # else only the one that registered the wait
    look_follows_the_flush: bool = True  # else while the registering flush is in flight
    delivery_may_be_there: bool = True  # else match and look collide on (signal, process)
    signal_counts_once: bool = True  # else accepted signal ids are not in the state
    # Rule 7: rescue.
    rescue_is_one_transaction: bool = True  # else the row in one commit, the leases in another
    rescue_takes_a_new_snapshot: bool = True  # else one statement deletes row and leases
    rescue_deletes_the_row_first: bool = True  # else the leases
    rescue_is_one_message: bool = True  # else a frozen rescuer leaves it open for ever
    rescuer_leaves_its_own_row: bool = True  # else it locks its own fence first
    net_runs: bool = True
    worker_ids_are_fresh: bool = True  # else a worker comes back under its old id
    # Rule 8: lost connection.
    lost_connection_is_a_death: bool = True  # else it reloads its leases under the old id


@dataclass(frozen=True)
class Scope:
    """The size of one world.

    `scripts` holds one string per process: E an effect, W a wait for the signal, T a sleep. `mails` are
    (id, process); id `x` cancels, all others only want an outcome. The remaining numbers are budgets.
    """

    name: str
    scripts: tuple[str, ...] = ("E",)
    mails: tuple[tuple[str, int], ...] = ()
    signal: bool = False
    workers: int = 2
    kills: int = 0
    zombies: int = 0
    losts: int = 0
    give_backs: int = 0
    reloads: int = 0  # holds that begin anew because PostgreSQL refused what they wanted to write
    early_timers: int = 0
    wire: bool = False  # a statement may be on its way to the server
    fine: bool = False  # claim, flush and match hold their locks for a while before they commit
    fine_rescue: bool = False  # the same for rescue
    ticks: bool = False  # a tick's answer may overtake or trail everything else
    locks: bool = False  # leases are locked one by one


class Model(NamedTuple):
    """A scope under a set of rules: all that the transition functions need to know."""

    scope: Scope
    rules: Rules
