-- Write what a worker decided for all the processes it is moving: one autocommitted statement, one document.
--
-- doc = {events: [{process_id, tenant_id, environment_id, seq, at, type, v, path, attempt, data}],
--        mail: [{process_id, id}], payloads: [{process_id, n, body}],
--        waits: [{process_id, name, correlation, path}], unwaits: [same],
--        tasks: [{process_id, path, run, definition_id, title, assignee, group, form, due_at, created_at}], untasks: [{process_id, path}],
--        assignments: [{process_id, path, assignee}],
--        processes: [{process_id, status, started_at, ended_at, error_code, failed_step}], snapshots: [{process_id, seq, state}],
--        undeliveries: [{process_id, signal_id, command}], ended: [{process_id, definition_id, business_key}], parks: [{process_id, bell, due_at}], give_backs: [{process_id, seq}]}; every key may be absent.
--
-- Fence: the own worker row, locked `for key share`; gone → SW001. Every row is joined to a lease of this worker with the
-- same process, tenant and environment: a row that names a foreign process is not written, and rows sent ≠ rows written
-- → SW002 (abort; the caller bisects, and that process alone is dropped and reloaded). A second (process, seq) → 23505.
--
-- Lock order: own worker row → inbox → timer → wait, task → process → lease (last, by process id); see tick.
-- Indexes: primary keys only. Rows: at most 500 events.
--
-- Returns {parked: [process ids whose lease was given up]}; a park that is not among them was rung meanwhile: read the
-- inbox again. Its timer is written all the same (harmless, and replaced by the next park).
create or replace function stepwell.flush(me bigint, doc jsonb) returns jsonb
  language plpgsql
  set enable_seqscan = off -- as in tick
  set jit = off
as $$
declare
  epoch   integer;
  written integer;
  parked  jsonb := '[]';
begin
  perform from stepwell.worker where id = me for key share;
  if not found then
    raise exception 'worker % is gone', me using errcode = 'SW001';
  end if;

  if doc ? 'events' then
    epoch := stepwell.feed_epoch();
    insert into stepwell.history (process_id, seq, tenant_id, environment_id, attempt, v, feed_epoch, at, type, path, data)
    select e.process_id, e.seq, e.tenant_id, e.environment_id, e.attempt, e.v, epoch, e.at, e.type, e.path, e.data
    from jsonb_to_recordset(doc -> 'events') as e(
      process_id bigint, tenant_id integer, environment_id integer, seq integer, at timestamptz, type text, v smallint,
      path text, attempt integer, data jsonb)
    join stepwell.lease l using (process_id, tenant_id, environment_id)
    where l.worker_id = me
    order by e.process_id, e.seq;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'events', written);
  end if;

  if doc ? 'mail' then
    delete from stepwell.inbox i
    using jsonb_to_recordset(doc -> 'mail') as m(process_id bigint, id bigint), stepwell.lease l
    where (i.process_id, i.id) = (m.process_id, m.id)
      and l.process_id = m.process_id
      and l.worker_id = me;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'mail', written);
  end if;

  if doc ? 'payloads' then
    insert into stepwell.payload (process_id, n, tenant_id, environment_id, body)
    select p.process_id, p.n, l.tenant_id, l.environment_id, p.body
    from jsonb_to_recordset(doc -> 'payloads') as p(process_id bigint, n integer, body jsonb)
    join stepwell.lease l on l.process_id = p.process_id and l.worker_id = me;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'payloads', written);
  end if;

  if doc ? 'parks' then
    insert into stepwell.timer as t (process_id, due_at, priority, lane, tenant_id, environment_id)
    select l.process_id, p.due_at, l.priority, l.lane, l.tenant_id, l.environment_id
    from jsonb_to_recordset(doc -> 'parks') as p(process_id bigint, due_at timestamptz)
    join stepwell.lease l on l.process_id = p.process_id and l.worker_id = me
    where p.due_at is not null
    order by l.process_id
    on conflict (process_id) do update set due_at = excluded.due_at;

    delete from stepwell.timer t
    where t.process_id = any(array(
      select l.process_id
      from jsonb_to_recordset(doc -> 'parks') as p(process_id bigint, due_at timestamptz)
      join stepwell.lease l on l.process_id = p.process_id and l.worker_id = me
      where p.due_at is null));
  end if;

  if doc ? 'unwaits' then
    delete from stepwell.wait w
    using jsonb_to_recordset(doc -> 'unwaits') as u(process_id bigint, name text, correlation text, path text), stepwell.lease l
    where l.process_id = u.process_id
      and l.worker_id = me
      and (w.tenant_id, w.environment_id, w.name, w.correlation, w.process_id, w.path)
        = (l.tenant_id, l.environment_id, u.name, u.correlation, u.process_id, u.path);
  end if;
  if doc ? 'waits' then
    insert into stepwell.wait (tenant_id, environment_id, name, correlation, process_id, path)
    select l.tenant_id, l.environment_id, w.name, w.correlation, w.process_id, w.path
    from jsonb_to_recordset(doc -> 'waits') as w(process_id bigint, name text, correlation text, path text)
    join stepwell.lease l on l.process_id = w.process_id and l.worker_id = me;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'waits', written);
  end if;

  -- A signal the process could not use is not delivered. With a correlation key it is kept again, if a look had taken it,
  -- and matched again: another wait may have come in between.
  if doc ? 'undeliveries' then
    with gone as (
      delete from stepwell.signal_delivery d
      using jsonb_to_recordset(doc -> 'undeliveries') as u(process_id bigint, signal_id bigint, command jsonb),
        stepwell.lease l
      where (d.signal_id, d.process_id) = (u.signal_id, u.process_id)
        and l.process_id = u.process_id
        and l.worker_id = me
      returning d.signal_id, d.tenant_id, d.environment_id, d.expires_at, u.command
    ),
    kept as (
      insert into stepwell.signal (id, tenant_id, environment_id, name, correlation, command, expires_at)
      select signal_id, tenant_id, environment_id, command ->> 'name', command ->> 'correlation', command, expires_at
      from gone
      where command ->> 'correlation' <> ''
      order by signal_id
      on conflict do nothing
      returning id, tenant_id, environment_id
    )
    insert into stepwell.signal_job (id, signal_id, tenant_id, environment_id)
    select id, id, tenant_id, environment_id from kept;
  end if;

  if doc ? 'untasks' then
    delete from stepwell.task t
    using jsonb_to_recordset(doc -> 'untasks') as u(process_id bigint, path text), stepwell.lease l
    where (t.process_id, t.path) = (u.process_id, u.path)
      and l.process_id = u.process_id
      and l.worker_id = me;
  end if;
  if doc ? 'tasks' then
    insert into stepwell.task (process_id, path, run, tenant_id, environment_id, definition_id, title, assignee, "group",
                               form, due_at, created_at)
    select t.process_id, t.path, t.run, l.tenant_id, l.environment_id, t.definition_id, t.title, t.assignee, t."group",
           t.form, t.due_at, t.created_at
    from jsonb_to_recordset(doc -> 'tasks') as t(
      process_id bigint, path text, run integer, definition_id bigint, title text, assignee text, "group" text,
      form jsonb, due_at timestamptz, created_at timestamptz)
    join stepwell.lease l on l.process_id = t.process_id and l.worker_id = me;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'tasks', written);
  end if;

  if doc ? 'assignments' then
    update stepwell.task t
    set assignee = a.assignee
    from jsonb_to_recordset(doc -> 'assignments') as a(process_id bigint, path text, assignee text), stepwell.lease l
    where (t.process_id, t.path) = (a.process_id, a.path)
      and l.process_id = a.process_id
      and l.worker_id = me;
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'assignments', written);
  end if;

  if doc ? 'processes' then
    update stepwell.process p
    set status = c.status,
        started_at = c.started_at,
        ended_at = c.ended_at,
        error_code = c.error_code,
        failed_step = c.failed_step
    from jsonb_to_recordset(doc -> 'processes') as c(
      process_id bigint, status text, started_at timestamptz, ended_at timestamptz, error_code text, failed_step text),
      stepwell.lease l
    where p.id = c.process_id
      and l.process_id = c.process_id
      and l.worker_id = me
      and (p.tenant_id, p.environment_id) = (l.tenant_id, l.environment_id);
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'processes', written);
  end if;
  if doc ? 'snapshots' then
    update stepwell.process p
    set snapshot = c.state,
        snapshot_seq = c.seq
    from jsonb_to_recordset(doc -> 'snapshots') as c(process_id bigint, seq integer, state jsonb), stepwell.lease l
    where p.id = c.process_id
      and l.process_id = c.process_id
      and l.worker_id = me
      and (p.tenant_id, p.environment_id) = (l.tenant_id, l.environment_id);
    get diagnostics written = row_count;
    perform stepwell.all_written(doc, 'snapshots', written);
  end if;
  if doc ? 'ended' then
    delete from stepwell.business_key k
    using jsonb_to_recordset(doc -> 'ended') as e(process_id bigint, definition_id bigint, business_key text), stepwell.lease l
    where l.process_id = e.process_id
      and l.worker_id = me
      and (k.tenant_id, k.environment_id, k.definition_id, k.key, k.process_id)
        = (l.tenant_id, l.environment_id, e.definition_id, e.business_key, e.process_id);
  end if;

  -- All leases this flush gives up are locked once, in one order: two ordered passes could wait in a circle with a claim.
  if doc ? 'give_backs' or doc ? 'parks' then
    perform from stepwell.lease l
    where l.worker_id = me
      and l.process_id in (
        select (row ->> 'process_id')::bigint
        from jsonb_array_elements(coalesce(doc -> 'give_backs', '[]') || coalesce(doc -> 'parks', '[]')) as row)
    order by l.process_id
    for update;
  end if;
  if doc ? 'give_backs' then
    with gone as (
      delete from stepwell.lease l
      using jsonb_to_recordset(doc -> 'give_backs') as g(process_id bigint, seq integer)
      where l.process_id = g.process_id
        and l.worker_id = me
      returning l.*, g.seq
    )
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id, seq)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id, seq from gone;
  end if;
  if doc ? 'parks' then
    with gone as (
      delete from stepwell.lease l
      using jsonb_to_recordset(doc -> 'parks') as p(process_id bigint, bell integer)
      where (l.process_id, l.bell) = (p.process_id, p.bell)
        and l.worker_id = me
      returning l.process_id
    ),
    forgiven as (
      delete from stepwell.loss s where s.process_id = any(array(select process_id from gone))
    )
    select coalesce(jsonb_agg(process_id), '[]') into parked from gone;
  end if;

  return jsonb_build_object('parked', parked);
end
$$;

-- Refuse a flush of which not every row of one kind was written.
create or replace function stepwell.all_written(doc jsonb, kind text, written integer) returns void
  language plpgsql immutable
as $$
begin
  if written <> jsonb_array_length(doc -> kind) then
    raise exception 'flush: % of % rows of % written', written, jsonb_array_length(doc -> kind), kind
      using errcode = 'SW002';
  end if;
end
$$;
revoke all on function stepwell.flush(bigint, jsonb), stepwell.all_written(jsonb, text, integer) from public;
grant execute on function stepwell.flush(bigint, jsonb), stepwell.all_written(jsonb, text, integer) to stepwell_worker;
