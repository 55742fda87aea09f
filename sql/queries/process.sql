-- Statements of the API about processes. Role: stepwell_api, under row-level security: only rows of the request's tenant
-- and environment are visible, whatever the statement says; the equality on both is for the index.

-- :name process.start
-- Rows: 1 process, 1 history row, 1 job. Locks: see sql/functions/030_start_process.sql.
select stepwell.start_process(
  definition => %(definition)s,
  input => %(input)s::jsonb,
  business_key => %(business_key)s,
  version => %(version)s,
  priority => %(priority)s,
  by => %(by)s,
  reason => %(reason)s)

-- :name process.start_many
-- Rows: as many of each as there are inputs, at most 10,000.
select stepwell.start_processes(
  definition => %(definition)s,
  inputs => %(inputs)s::jsonb,
  version => %(version)s,
  priority => %(priority)s,
  by => %(by)s,
  reason => %(reason)s)

-- :name process.row
-- The narrow row alone. Index: process pk, definition pk. Rows: 1.
select p.id,
       p.definition_id,
       d.name,
       p.version,
       p.status,
       p.business_key,
       p.priority,
       p.created_at,
       p.started_at,
       p.ended_at
from stepwell.process p
join stepwell.definition d on d.id = p.definition_id
where p.id = %(id)s

-- :name process.get
-- Row, snapshot and the history since, in one snapshot of the database. Index: process pk, definition pk, history pk.
-- Rows: 1, and at most some hundred history rows (a snapshot is written every 256).
select p.id,
       p.definition_id,
       d.name,
       p.version,
       p.status,
       p.business_key,
       p.priority,
       p.created_at,
       p.started_at,
       p.ended_at,
       p.snapshot::text,
       (
         select jsonb_agg(jsonb_build_array(h.seq, h.at, h.type, h.v, h.path, h.attempt, h.data) order by h.seq)::text
         from stepwell.history h
         where h.process_id = p.id
           and h.seq > p.snapshot_seq
       ) as history
from stepwell.process p
join stepwell.definition d on d.id = p.definition_id
where p.id = %(id)s

-- :name process.list
-- Newest first. Index: process_by_status, process_by_definition or process_in_order, whichever the filters given allow:
-- planned anew each time, with the values known, so that absent filters vanish. Ids are time-ordered: where times are
-- asked for, low and high bound the ids (with a margin) and so prune partitions; in a database marked test the clock
-- may be moved, and they bound nothing. Rows: limit + 1 matching ones.
select p.id,
       p.definition_id,
       d.name,
       p.version,
       p.status,
       p.business_key,
       p.priority,
       p.created_at,
       p.started_at,
       p.ended_at
from stepwell.process p
join stepwell.definition d on d.id = p.definition_id
where p.tenant_id = %(tenant_id)s
  and p.environment_id = %(environment_id)s
  and p.id < %(before)s
  and p.id >= (select case when test then 0 else %(low)s end from stepwell.installation)
  and p.id < (select case when test then 9223372036854775807 else %(high)s end from stepwell.installation)
  and (%(status)s::text is null or p.status = %(status)s)
  and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
  and (%(business_key)s::text is null or p.business_key = %(business_key)s)
  and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
  and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
order by p.id desc
limit %(limit)s

-- :name process.count
-- How many match the same filters. Index: as process.list. Rows: all that match; ends at the statement timeout.
select count(*)
from stepwell.process p
where p.tenant_id = %(tenant_id)s
  and p.environment_id = %(environment_id)s
  and p.id >= (select case when test then 0 else %(low)s end from stepwell.installation)
  and p.id < (select case when test then 9223372036854775807 else %(high)s end from stepwell.installation)
  and (%(status)s::text is null or p.status = %(status)s)
  and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
  and (%(business_key)s::text is null or p.business_key = %(business_key)s)
  and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
  and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)

-- :name process.history
-- Index: history pk. Rows: limit + 1.
select seq,
       at,
       type,
       v,
       path,
       attempt,
       data::text
from stepwell.history
where process_id = %(id)s
  and seq > %(after)s
order by seq
limit %(limit)s

-- :name process.exists
-- Index: process pk. Rows: 1.
select true
from stepwell.process
where id = %(id)s

-- :name process.payloads
-- Values over 8 KB. Index: payload pk. Rows: as many as asked.
select n,
       body::text
from stepwell.payload
where process_id = %(id)s
  and n = any(%(numbers)s)

-- :name process.last_seq
-- Index: history pk, read from its end. Rows: 1.
select seq
from stepwell.history
where process_id = %(id)s
order by seq desc
limit 1

-- :name process.outcome
-- The event that carries a command's id. Index: history pk, from the row seen before the command was sent.
-- Rows: the events of the last moments.
select type,
       v,
       path,
       data::text
from stepwell.history
where process_id = %(id)s
  and seq > %(after)s
  and data ->> 'command' = %(command)s
order by seq
limit 1

-- :name process.cancel
-- Rows: 1 mail, 1 job.
select stepwell.cancel_process(process => %(process)s, by => %(by)s, reason => %(reason)s)

-- :name process.retry
-- Rows: 1 mail, 1 job.
select stepwell.retry_process(process => %(process)s, by => %(by)s, reason => %(reason)s)

-- :name process.signal
-- Rows: 1 signal, 1 signal_job, and 1 idempotency_key where the sender gave an id.
select stepwell.send_signal(
  name => %(name)s,
  data => %(data)s::jsonb,
  correlation_key => %(correlation_key)s,
  id => %(id)s,
  ttl_seconds => %(ttl_seconds)s,
  by => %(by)s)
