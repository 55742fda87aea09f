-- Four times a second, for one writing connection: heartbeat, match signals, fire timers, claim, sweep, let out of the
-- quarantine, read rung leases.
-- One autocommitted transaction. The claim is thereby committed before its processes are loaded (a claim that loads in
-- its own statement reads a stale tail).
--
-- Lock order (all of it, so that no two ticks and no flush can wait in a circle): own worker row → signal
-- jobs (skip locked) → signals by id → timers (skip locked) → jobs (skip locked) → leases by process id → leases of the
-- sweep (skip locked, never waits).
--
-- Indexes: worker pk, signal_job pk, wait pk, timer_in_order, job pk, lease pk, lease_by_worker, inbox pk.
-- Rows: at most 500 timers, 500 signals, `slots` jobs; the rung leases of this worker.
--
-- Returns {alive, now, claimed: [[process, tenant, environment]…], rung: [[process, bell, has mail]…], more}.
-- alive = false: the worker row is gone; drop everything and register anew. more: claimed as many as asked.
-- Bells only, no mail: the answer is sent before the commit, and a large one to a client that does not read would keep the
-- transaction and its locks open. `has mail` is looked up only where jobs may be left unclaimed (no slots, or a backlog):
-- there a ring may not have reached its lease yet.
create or replace function stepwell.tick(me bigint, slots integer) returns jsonb
  language plpgsql
  -- These tables are empty one minute and large the next, and plans are kept: a plan made while a table was empty must not
  -- scan it all later. (Without jit: the surcharge for a scan that cannot be avoided would switch it on.)
  set enable_seqscan = off
  set jit = off
as $$
declare
  answer  jsonb;
  claimed jsonb := '[]';
  taken   integer := 0;
begin
  -- At most once a second: it writes the row, and the row is what the others watch.
  update stepwell.worker set seen_at = clock_timestamp(), beat = beat + 1
  where id = me
    and (seen_at < clock_timestamp() - interval '0.9 s' or seen_at > clock_timestamp()); -- the clock was set back
  perform from stepwell.worker where id = me for key share;
  if not found then
    return jsonb_build_object('alive', false);
  end if;

  perform stepwell.match_signals(500);
  perform stepwell.fire_timers(500);

  if slots > 0 then
    select coalesce(jsonb_agg(jsonb_build_array(process_id, tenant_id, environment_id)), '[]'), coalesce(max(jobs), 0)
    into claimed, taken
    from stepwell.claim(me, slots);
  end if;

  perform stepwell.sweep();
  perform stepwell.let_out();

  select jsonb_build_object(
    'alive', true, 'now', stepwell.now(), 'claimed', claimed, 'more', taken >= slots,
    'rung', coalesce(jsonb_agg(jsonb_build_array(l.process_id, l.bell, l.mail)), '[]'))
  into answer
  from (
    select l.process_id, l.bell,
           taken >= slots and exists (select from stepwell.inbox i where i.process_id = l.process_id) as mail
    from stepwell.lease l
    where l.worker_id = me
  ) l
  where l.bell > 0 or l.mail;
  return answer;
end
$$;

-- Take up to `slots` jobs and turn them into leases of `me`. Without the worker row (empty `me`) nothing is touched.
-- Inserted (bell 0) = a new hold of mine: returned. Updated = rung, whoever owns it: its owner reads it at its tick.
-- Each row also carries how many jobs were taken in all.
create or replace function stepwell.claim(me bigint, slots integer)
  returns table (process_id bigint, tenant_id integer, environment_id integer, jobs integer)
  language sql
as $$
  with me as materialized (
    select w.id from stepwell.worker w where w.id = claim.me for key share
  ),
  chosen as materialized (
    select j.*
    from me,
    lateral (
      select j.priority, j.lane, j.id
      from stepwell.job j
      order by j.priority, j.lane, j.id
      limit slots
      for update skip locked
    ) j
  ),
  gone as (
    delete from stepwell.job j using chosen c
    where (j.priority, j.lane, j.id) = (c.priority, c.lane, c.id)
    returning j.*
  ),
  held as (
    insert into stepwell.lease as l (process_id, worker_id, priority, lane, tenant_id, environment_id)
    select g.process_id, (select id from me), min(g.priority), min(g.lane), min(g.tenant_id), min(g.environment_id)
    from gone g
    group by g.process_id
    order by g.process_id
    on conflict (process_id) do update set bell = l.bell + 1
    returning l.process_id, l.tenant_id, l.environment_id, l.bell
  )
  select h.process_id, h.tenant_id, h.environment_id, (select count(*)::integer from gone)
  from held h
  where h.bell = 0
$$;

-- Turn due timers into jobs. Skip locked: a parking holder that replaces a timer is left alone.
create or replace function stepwell.fire_timers(most integer) returns integer
  language sql
as $$
  with due as materialized (
    select t.process_id
    from stepwell.timer t
    where t.due_at <= stepwell.now()
    order by t.due_at
    limit most
    for update skip locked
  ),
  gone as (
    delete from stepwell.timer t using due d
    where t.process_id = d.process_id
    returning t.*
  ),
  rung as (
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id
    from gone
    returning 1
  )
  select count(*)::integer from rung
$$;

-- Give waiting signals to the waits open now: per process one delivery, one mail, one job. A signal without a
-- correlation key ends here; one with a key stays for the first later wait (look_for_signals) until it expires.
-- One statement of a transaction that is not the sender's: a worker killed meanwhile leaves everything as it was.
create or replace function stepwell.match_signals(most integer) returns integer
  language sql
as $$
  with jobs as materialized (
    select j.id from stepwell.signal_job j order by j.id limit most for update skip locked
  ),
  taken as (
    delete from stepwell.signal_job j using jobs where j.id = jobs.id
    returning j.signal_id
  ),
  sent as materialized (
    select s.* from stepwell.signal s
    where s.id in (select signal_id from taken)
    order by s.id
    for update
  ),
  delivery as (
    insert into stepwell.signal_delivery (signal_id, process_id, tenant_id, environment_id, expires_at)
    select distinct s.id, w.process_id, s.tenant_id, s.environment_id, s.expires_at
    from sent s
    join stepwell.wait w using (tenant_id, environment_id, name, correlation)
    order by 1, 2
    on conflict do nothing
    returning signal_id, process_id
  ),
  mail as (
    insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command)
    select d.process_id, stepwell.new_id(), s.tenant_id, s.environment_id, s.command
    from delivery d
    join sent s on s.id = d.signal_id
    returning process_id, id, tenant_id, environment_id
  ),
  rung as (
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select coalesce(p.priority, 0), 0, m.id, m.process_id, m.tenant_id, m.environment_id
    from mail m
    left join stepwell.process p on p.id = m.process_id
  ),
  spent as (
    delete from stepwell.signal s using sent
    where s.id = sent.id and sent.correlation = ''
  )
  select count(*)::integer from taken
$$;

-- Turn leases whose worker row is missing into jobs, and count the loss; at five losses into quarantine (worker 0),
-- where rings hit the lease and nobody works on it. Skip locked: it never waits.
create or replace function stepwell.sweep() returns integer
  language sql
as $$
  with recursive owner as (
    (select l.worker_id from stepwell.lease l order by l.worker_id limit 1)
    union all
    select (select l.worker_id from stepwell.lease l where l.worker_id > o.worker_id order by l.worker_id limit 1)
    from owner o
    where o.worker_id is not null
  ),
  dead as materialized (
    select o.worker_id from owner o
    where o.worker_id > 0
      and not exists (select from stepwell.worker w where w.id = o.worker_id)
  ),
  lost as materialized (
    select l.* from stepwell.lease l
    where l.worker_id in (select worker_id from dead)
    order by l.process_id
    for update skip locked
  ),
  counted as (
    insert into stepwell.loss as s (process_id, losses, tenant_id, environment_id)
    select process_id, 1, tenant_id, environment_id from lost
    on conflict (process_id) do update
      set losses = s.losses + 1,
          quarantined_at = case when s.losses + 1 >= 5 then stepwell.now() end
    returning s.process_id, s.losses
  ),
  shut as (
    update stepwell.lease l set worker_id = 0
    from counted c
    where c.process_id = l.process_id and c.losses >= 5
  ),
  freed as (
    delete from stepwell.lease l using counted c
    where c.process_id = l.process_id and c.losses < 5
    returning l.*
  ),
  rung as (
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id from freed
  )
  select count(*)::integer from counted
$$;

-- Bury dead workers and turn their leases into jobs, in one message: a rescuer that froze between two would keep the
-- victim's row locked for ever. Two statements with a snapshot each (plpgsql, volatile, READ COMMITTED): the sweep sees
-- what the victim's last flush committed.
-- others = true: rows that a statement of their owner or another rescuer holds are skipped until the next round, so that
-- a rescuer cannot be made to look dead by waiting. others = false, for our own old row after a lost connection: waits
-- for the statement that connection may still be running; none can follow.
-- Returns [ids buried, leases freed].
create or replace function stepwell.rescue(dead bigint[], others boolean) returns jsonb
  language plpgsql
  set enable_seqscan = off
  set jit = off
as $$
declare
  gone      bigint[];
  freed_own integer := 0;
begin
  if others then
    with victim as (
      select id from stepwell.worker where id = any(dead) order by id for update skip locked
    ),
    buried as (
      delete from stepwell.worker w using victim v where w.id = v.id
      returning w.id
    )
    select array_agg(id) into gone from buried;
  else
    -- Our own end or our own lost connection is no process's fault: nothing is counted.
    delete from stepwell.worker where id = any(dead);
    gone := dead;
    with left_over as materialized (
      select l.process_id from stepwell.lease l where l.worker_id = any(dead) order by l.process_id for update
    ),
    freed as (
      delete from stepwell.lease l using left_over o where l.process_id = o.process_id
      returning l.*
    )
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id from freed;
    get diagnostics freed_own = row_count;
  end if;
  return jsonb_build_array(coalesce(to_jsonb(gone), '[]'), freed_own + stepwell.sweep());
end
$$;

revoke all on function stepwell.tick(bigint, integer), stepwell.claim(bigint, integer), stepwell.fire_timers(integer),
  stepwell.match_signals(integer), stepwell.sweep(), stepwell.rescue(bigint[], boolean) from public;
grant execute on function stepwell.tick(bigint, integer), stepwell.claim(bigint, integer), stepwell.fire_timers(integer),
  stepwell.match_signals(integer), stepwell.sweep(), stepwell.rescue(bigint[], boolean) to stepwell_worker;
