-- Statements of the worker, in the order a hold meets them. Role: stepwell_worker.

-- :name worker.register
-- A new row for a writing connection; its id is new, so nobody else's leases name it. Index: none. Rows: 1.
-- The session advisory lock on that id dies with the connection: others see the loss at once in pg_locks.
insert into stepwell.worker (id, seen_at, started_at, host, pid, release)
select id, clock_timestamp(), clock_timestamp(), %(host)s, %(pid)s, %(release)s
from (select stepwell.new_id() as id offset 0) as made
returning id, stepwell.now() as now

-- :name worker.lock
-- Index: none. Rows: 1.
select pg_advisory_lock(%(me)s)

-- :name worker.listen
-- What stepwell.wake_workers notifies.
listen stepwell_job

-- :name worker.tick
-- Indexes and rows: see sql/functions/040_tick.sql.
select stepwell.tick(%(me)s, %(slots)s, %(lanes)s::jsonb, %(whole)s, %(sleeping)s, %(held)s, %(net)s, %(old)s)::text

-- :name worker.flush
-- Indexes and rows: see sql/functions/041_flush.sql.
select stepwell.flush(%(me)s, %(doc)s::jsonb)::text

-- :name worker.look_for_signals
-- Indexes and rows: see sql/functions/042_look_for_signals.sql.
select stepwell.look_for_signals(%(me)s, %(waits)s::jsonb)::text

-- :name worker.load
-- Indexes and rows: see sql/functions/043_load.sql.
select * from stepwell.load(%(me)s, %(ids)s, %(alone)s, %(known)s::integer[])

-- :name worker.history
-- The whole history of one process, for a hold whose snapshot this release cannot read. Index: history pk.
select jsonb_agg(jsonb_build_array(h.seq, h.at, h.type, h.v, h.path, h.attempt, h.data) order by h.seq)::text
from stepwell.history h
where h.process_id = %(id)s

-- :name worker.inbox
-- Indexes and rows: see sql/functions/043_load.sql.
select * from stepwell.read_mail(%(me)s, %(ids)s)

-- :name worker.payload
-- One value over 8 KB. Index: payload pk. Rows: 1.
select body::text from stepwell.payload where process_id = %(id)s and n = %(n)s

-- :name worker.definition
-- Index: definition_version pk. Rows: 1.
select v.document::text
from stepwell.definition_version v
where v.definition_id = %(definition_id)s
  and v.version = %(version)s

-- :name worker.watch
-- All worker rows, and whether their session lock is held. Rows: one per writing connection of the installation.
-- bigint advisory locks appear in pg_locks as (classid, objid) = high and low 32 bits with objsubid 1. Looked at once for all
-- rows: each look at pg_locks stops everybody who takes a lock.
with held as materialized (
  select (k.classid::bigint << 32) | k.objid::bigint as id
  from pg_locks k
  where k.locktype = 'advisory'
    and k.database = (select oid from pg_database where datname = current_database())
    and k.objsubid = 1
    and k.granted
)
select w.id, w.beat, w.id in (select id from held) as locked
from stepwell.worker w

-- :name worker.rescue
-- Indexes and rows: see sql/functions/040_tick.sql.
select stepwell.rescue(%(dead)s, %(others)s)::text

-- :name worker.ensure_partitions
select stepwell.ensure_partitions()

-- :name worker.expire
-- Upkeep, once a minute, again until nothing is left: at most 1,000 rows of each kind a time. A signal that nobody has
-- matched yet is spared: its wait may have been open when it was sent. Indexes: signal_by_expiry, signal_delivery_by_expiry,
-- idempotency_key_by_age.
with old_signal as (
  delete from stepwell.signal
  where id = any(array(
    select id from stepwell.signal s
    where s.expires_at < stepwell.now()
      and (select true from stepwell.signal_job j where j.id = s.id) is null
    order by s.expires_at
    limit 1000 for update skip locked))
  returning 1
),
old_delivery as (
  delete from stepwell.signal_delivery
  where ctid = any(array(
    select ctid from stepwell.signal_delivery
    where expires_at < stepwell.now()
    order by expires_at
    limit 1000 for update skip locked))
  returning 1
),
old_key as (
  delete from stepwell.idempotency_key
  where ctid = any(array(
    select ctid from stepwell.idempotency_key
    where created_at < stepwell.now() - interval '24 hours'
    order by created_at
    limit 1000 for update skip locked))
  returning 1
)
select greatest((select count(*) from old_signal), (select count(*) from old_delivery), (select count(*) from old_key))

-- :name worker.quarantine
-- Set aside one held process that can neither go on nor fail: its lease goes to worker 0, where rings do no harm and
-- no net frees it, and operators see it. Index: lease pk, loss pk. Rows: 1 each.
with shut as (
  update stepwell.lease set worker_id = 0
  where process_id = %(id)s and worker_id = %(me)s
  returning process_id, tenant_id, environment_id
)
insert into stepwell.loss as l (process_id, losses, quarantined_at, tenant_id, environment_id)
select process_id, 0, stepwell.now(), tenant_id, environment_id from shut
on conflict (process_id) do update set quarantined_at = excluded.quarantined_at
