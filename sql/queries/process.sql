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
  reason => %(reason)s,
  labels => %(labels)s::jsonb,
  trigger => %(trigger)s::jsonb,
  traceparent => %(traceparent)s)

-- :name process.start_many
-- Rows: as many of each as there are inputs, at most 10,000.
select stepwell.start_processes(
  definition => %(definition)s,
  inputs => %(inputs)s::jsonb,
  version => %(version)s,
  priority => %(priority)s,
  by => %(by)s,
  reason => %(reason)s,
  labels => %(labels)s::jsonb,
  traceparent => %(traceparent)s)

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
       p.ended_at,
       p.labels::text,
       p.error_code,
       p.failed_step
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
       p.labels::text,
       p.error_code,
       p.failed_step,
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
-- Newest first. Index: process_by_status, process_by_definition, process_by_business_key, process_by_error,
-- process_by_failed_step, process pk or process_in_order, whichever the filters given allow:
-- planned anew each time, with the values known, so that absent filters vanish. The page is found in the one table, in
-- order, before anything is joined to it: autovacuum analyzes no partitioned parent and no small table, and a join whose
-- rows the planner cannot guess makes it read and sort the whole scope. Ids are time-ordered: low and high bound them where
-- the caller knows bounds, and so prune partitions. Labels: each by process_label pk, for each row found.
-- Rows: limit + 1 matching ones.
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
       p.labels::text,
       p.error_code,
       p.failed_step
from (
  select p.*
  from stepwell.process p
  where p.tenant_id = %(tenant_id)s
    and p.environment_id = %(environment_id)s
    and p.id < %(before)s
    and p.id >= %(low)s
    and p.id < %(high)s
    and (%(status)s::text is null or p.status = %(status)s)
    and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
    and (%(business_key)s::text is null or p.business_key = %(business_key)s)
    and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
    and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
    and (%(ended_after)s::timestamptz is null or p.ended_at >= %(ended_after)s)
    and (%(ended_before)s::timestamptz is null or p.ended_at < %(ended_before)s)
    and (%(error_code)s::text is null or p.error_code = %(error_code)s)
    and (%(failed_step)s::text is null or p.failed_step = %(failed_step)s)
    and (%(ids)s::bigint[] is null or p.id = any(%(ids)s))
    and (%(label_names)s::text[] = '{}' or not exists (
      select from unnest(%(label_names)s::text[], %(label_values)s::text[]) as wanted(name, value)
      where (
        select true
        from stepwell.process_label o
        where o.tenant_id = %(tenant_id)s
          and o.environment_id = %(environment_id)s
          and o.name = wanted.name
          and o.value = wanted.value
          and o.process_id = p.id) is null))
  order by p.id desc
  limit %(limit)s
) as p
join stepwell.definition d on d.id = p.definition_id
order by p.id desc

-- :name process.list_by_label
-- The same where a label is asked for: one label leads, by its index and in order; the others and all else narrow it down,
-- by primary key, row by row (a limit in the lateral query keeps it so, whatever the statistics).
-- A statement of its own, since a label as one more optional filter above would be checked row by row. Index: process_label
-- pk, process pk, definition pk. Rows: limit + 1 matching ones.
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
       p.labels::text,
       p.error_code,
       p.failed_step
from (
  select p.*
  from stepwell.process_label l
  cross join lateral (
    select p.*
    from stepwell.process p
    where p.id = l.process_id
      and (%(status)s::text is null or p.status = %(status)s)
      and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
      and (%(business_key)s::text is null or p.business_key = %(business_key)s)
      and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
      and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
      and (%(ended_after)s::timestamptz is null or p.ended_at >= %(ended_after)s)
      and (%(ended_before)s::timestamptz is null or p.ended_at < %(ended_before)s)
      and (%(error_code)s::text is null or p.error_code = %(error_code)s)
      and (%(failed_step)s::text is null or p.failed_step = %(failed_step)s)
      and (%(ids)s::bigint[] is null or p.id = any(%(ids)s))
    limit 1
  ) as p
  where l.tenant_id = %(tenant_id)s
    and l.environment_id = %(environment_id)s
    and l.name = %(label_name)s
    and l.value = %(label_value)s
    and l.process_id < %(before)s
    and l.process_id >= %(low)s
    and l.process_id < %(high)s
    and (%(label_names)s::text[] = '{}' or not exists (
      select from unnest(%(label_names)s::text[], %(label_values)s::text[]) as wanted(name, value)
      where (
        select true
        from stepwell.process_label o
        where o.tenant_id = %(tenant_id)s
          and o.environment_id = %(environment_id)s
          and o.name = wanted.name
          and o.value = wanted.value
          and o.process_id = l.process_id) is null))
  order by l.process_id desc
  limit %(limit)s
) as p
join stepwell.definition d on d.id = p.definition_id
order by p.id desc

-- :name process.label_reach
-- How far back the 1,000 newest with a label reach: the id of the last of them, 0 where there are fewer. For choosing what
-- leads a search by several filters: the further back, the rarer. Index: process_label pk. Rows: at most 1,000.
select coalesce(min(l.process_id), 0)
from (
  select l.process_id
  from stepwell.process_label l
  where l.tenant_id = %(tenant_id)s
    and l.environment_id = %(environment_id)s
    and l.name = %(label_name)s
    and l.value = %(label_value)s
    and l.process_id < %(before)s
    and l.process_id >= %(low)s
    and l.process_id < %(high)s
  order by l.process_id desc
  offset 999
  limit 1
) as l

-- :name process.reach
-- The same of the filters that are columns of the process and have an index. Index: as process.list.
-- Rows: 1,000 matching ones at most.
select coalesce(min(p.id), 0)
from (
  select p.id
  from stepwell.process p
  where p.tenant_id = %(tenant_id)s
    and p.environment_id = %(environment_id)s
    and p.id < %(before)s
    and p.id >= %(low)s
    and p.id < %(high)s
    and (%(status)s::text is null or p.status = %(status)s)
    and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
    and (%(business_key)s::text is null or p.business_key = %(business_key)s)
    and (%(error_code)s::text is null or p.error_code = %(error_code)s)
    and (%(failed_step)s::text is null or p.failed_step = %(failed_step)s)
    and (%(ids)s::bigint[] is null or p.id = any(%(ids)s))
  order by p.id desc
  offset 999
  limit 1
) as p

-- :name process.clock_may_move
-- Whether created_at may be of another time than ids are. No index: 1 row.
select test
from stepwell.installation

-- :name process.executions
-- A page of processes, newest first, each as process.get has it, in one snapshot: what is known of a process and the filter
-- it passed cannot differ. Planned anew each time, with the values known: the parts not asked for vanish. With states wanted,
-- at most two, each is read in its own order, so that those of two cost no more than those of one; each is a part of its
-- own, since of a state it does not know the planner would not know how rare it is. The page is found before anything
-- is joined to it, and joined row by row (a limit in the lateral query keeps it so, whatever the statistics).
-- Index: process_by_status, process_by_definition or process_in_order for the ids; process pk, definition pk, history pk.
-- Rows: offset + limit ids, once per state wanted; limit processes, each with at most some hundred history rows.
select p.id,
       p.definition_id,
       d.name,
       p.version,
       p.snapshot::text,
       (
         select jsonb_agg(jsonb_build_array(h.seq, h.at, h.type, h.v, h.path, h.attempt, h.data) order by h.seq)::text
         from stepwell.history h
         where h.process_id = p.id
           and h.seq > p.snapshot_seq
       ) as history
from (
  (
    select p.id
    from stepwell.process p
    where %(statuses)s::text[] is null
      and p.tenant_id = %(tenant_id)s
      and p.environment_id = %(environment_id)s
      and p.id < %(before)s
      and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
    order by p.id desc
    limit %(offset)s + %(limit)s
  )
  union all
  (
    select p.id
    from stepwell.process p
    where p.status = (%(statuses)s::text[])[1]
      and p.tenant_id = %(tenant_id)s
      and p.environment_id = %(environment_id)s
      and p.id < %(before)s
      and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
    order by p.id desc
    limit %(offset)s + %(limit)s
  )
  union all
  (
    select p.id
    from stepwell.process p
    where p.status = (%(statuses)s::text[])[2]
      and p.tenant_id = %(tenant_id)s
      and p.environment_id = %(environment_id)s
      and p.id < %(before)s
      and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
    order by p.id desc
    limit %(offset)s + %(limit)s
  )
  order by id desc
  limit %(limit)s
  offset %(offset)s
) as page
cross join lateral (
  select p.*
  from stepwell.process p
  where p.id = page.id
  limit 1
) as p
join stepwell.definition d on d.id = p.definition_id
order by page.id desc

-- :name process.count
-- How many match the same filters. Index: as process.list. Rows: all that match; ends at the statement timeout.
select count(*)
from stepwell.process p
where p.tenant_id = %(tenant_id)s
  and p.environment_id = %(environment_id)s
  and p.id >= %(low)s
  and p.id < %(high)s
  and (%(status)s::text is null or p.status = %(status)s)
  and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
  and (%(business_key)s::text is null or p.business_key = %(business_key)s)
  and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
  and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
  and (%(ended_after)s::timestamptz is null or p.ended_at >= %(ended_after)s)
  and (%(ended_before)s::timestamptz is null or p.ended_at < %(ended_before)s)
  and (%(error_code)s::text is null or p.error_code = %(error_code)s)
  and (%(failed_step)s::text is null or p.failed_step = %(failed_step)s)
  and (%(ids)s::bigint[] is null or p.id = any(%(ids)s))
  and (%(label_names)s::text[] = '{}' or not exists (
    select from unnest(%(label_names)s::text[], %(label_values)s::text[]) as wanted(name, value)
    where (
      select true
      from stepwell.process_label o
      where o.tenant_id = %(tenant_id)s
        and o.environment_id = %(environment_id)s
        and o.name = wanted.name
        and o.value = wanted.value
        and o.process_id = p.id) is null))

-- :name process.count_by_label
-- How many match the same filters. Index: as process.list_by_label. Rows: all with the label, and a process for each where
-- `of_process` says that there are filters of the process itself; ends at the statement timeout.
select count(*)
from stepwell.process_label l
where l.tenant_id = %(tenant_id)s
  and l.environment_id = %(environment_id)s
  and l.name = %(label_name)s
  and l.value = %(label_value)s
  and l.process_id >= %(low)s
  and l.process_id < %(high)s
  and (%(label_names)s::text[] = '{}' or not exists (
    select from unnest(%(label_names)s::text[], %(label_values)s::text[]) as wanted(name, value)
    where (
      select true
      from stepwell.process_label o
      where o.tenant_id = %(tenant_id)s
        and o.environment_id = %(environment_id)s
        and o.name = wanted.name
        and o.value = wanted.value
        and o.process_id = l.process_id) is null))
  and (not %(of_process)s or (
    select true
    from stepwell.process p
    where p.id = l.process_id
      and (%(status)s::text is null or p.status = %(status)s)
      and (%(definition_id)s::bigint is null or p.definition_id = %(definition_id)s)
      and (%(business_key)s::text is null or p.business_key = %(business_key)s)
      and (%(created_after)s::timestamptz is null or p.created_at >= %(created_after)s)
      and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
      and (%(ended_after)s::timestamptz is null or p.ended_at >= %(ended_after)s)
      and (%(ended_before)s::timestamptz is null or p.ended_at < %(ended_before)s)
      and (%(error_code)s::text is null or p.error_code = %(error_code)s)
      and (%(failed_step)s::text is null or p.failed_step = %(failed_step)s)
      and (%(ids)s::bigint[] is null or p.id = any(%(ids)s))))

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
-- Values over 8 KB, of one process or of several; found one by one, whatever the statistics. Index: payload pk.
-- Rows: as many as asked.
select p.process_id,
       p.n,
       p.body::text
from unnest(%(ids)s::bigint[], %(numbers)s::integer[]) as wanted(process_id, n)
cross join lateral (
  select p.*
  from stepwell.payload p
  where p.process_id = wanted.process_id
    and p.n = wanted.n
  limit 1
) as p

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

-- :name process.resume
-- Rows: 1 mail, 1 job.
select stepwell.resume_activity(
  process => %(process)s,
  activity => %(activity)s,
  output => %(output)s::jsonb,
  by => %(by)s,
  reason => %(reason)s)

-- :name process.retry_many
-- Index: process pk. Rows: at most 1,000 processes, a mail and a job for each.
select process,
       command,
       code,
       detail
from stepwell.retry_processes(%(processes)s::text[], %(by)s, %(reason)s)

-- :name process.quarantined
-- Index: lease_by_worker, in the function. Rows: 1, an array of all that are set aside.
select stepwell.quarantined()

-- :name process.release
-- Rows: 1 lease, 1 loss, 1 job, 1 audit row. Locks: the lease, which nobody holds.
select stepwell.release_process(process => %(process)s, by => %(by)s, reason => %(reason)s)

-- :name process.signal
-- Rows: 1 signal, 1 signal_job, and 1 idempotency_key where the sender gave an id.
select stepwell.send_signal(
  name => %(name)s,
  data => %(data)s::jsonb,
  correlation_key => %(correlation_key)s,
  id => %(id)s,
  ttl_seconds => %(ttl_seconds)s,
  by => %(by)s)
