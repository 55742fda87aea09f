-- Heartbeat, match signals, claim; and, if `whole`, what three times a second is enough for: fire timers, let out of the
-- quarantine, read the bells of what is `held`. With the `net` it also frees leases without a worker. `old`: signals and timers
-- due for more than 10 s are looked for, too. While a snapshot is held, net and old walk over the dead entries of all rows
-- since: the longer that takes, the more seldom they are asked for.
-- One autocommitted transaction. Up to 16 claimed processes are loaded at once, which spares an idle worker a round trip:
-- in a statement of its own, whose snapshot is newer than the claim (in one with it, a claim that waited for the last holder's
-- park would read a stale tail). More than 16, or 32 KB, are loaded by the next statement.
--
-- Lock order (all of it, so that no two ticks and no flush can wait in a circle): own worker row (a beat) → signal
-- jobs (skip locked) → signals by id → timers (skip locked) → jobs (skip locked) → leases by process id → leases of the
-- net (skip locked, never waits).
--
-- Indexes: worker pk, signal_job pk, wait pk, timer_in_order, job pk, lease pk, inbox pk; lease_by_worker with the net, and
-- where `held` is null, as in release 0.1.
-- Rows: at most 500 timers, 500 signals, `slots` jobs; the leases of what is held.
--
-- slots: how many jobs to take at most. lanes: see claim. sleeping: whether callers should wake us (see wake_workers).
-- Returns {alive, now, took, claimed, loaded, rung: [[process, bell, has mail]…], more, taken, waiting}; claimed, taken and
-- waiting as claim returns them; took: seconds; loaded: rows of load, for all that is claimed or for none. alive = false: the
-- worker row is gone; drop everything and register anew. more: as many as asked; only workers of release 0.1 read it.
-- Bells only, no mail: the answer is sent before the commit, and a large one to a client that does not read would keep the
-- transaction and its locks open. `has mail` is looked up only where jobs may be left unclaimed (no slots, or a backlog):
-- there a ring may not have reached its lease yet.
drop function if exists stepwell.tick(bigint, integer); -- of release 0.1
drop function if exists stepwell.claim(bigint, integer); -- ours alone
create or replace function stepwell.tick(
  me bigint, slots integer, lanes jsonb default null, whole boolean default true, sleeping boolean default false,
  held bigint[] default null, net boolean default true, old boolean default true
) returns jsonb
  language plpgsql
  -- These tables are empty one minute and large the next, and plans are kept: a plan made while a table was empty must not
  -- scan it all later. (Without jit: the surcharge for a scan that cannot be avoided would switch it on.)
  set enable_seqscan = off
  set jit = off
as $$
declare
  begun timestamptz := clock_timestamp();
  claim jsonb := '{"claimed": [], "rung": [], "taken": [], "waiting": []}';
  loaded jsonb := '[]';
  taken integer := 0;
  rung  jsonb;
  told  boolean; -- what our row says is still true
  since bigint := case when old then 0 else stepwell.first_id(clock_timestamp() - interval '10 s') end;
begin
  -- Not locked here: what follows is anybody's to do, but for the claim, which locks it.
  select w.asleep = sleeping
         and w.seen_at between clock_timestamp() - interval '0.9 s' and clock_timestamp() -- else the clock was set back
  into told
  from stepwell.worker w
  where w.id = me;
  if not found then
    return jsonb_build_object('alive', false);
  end if;
  if not told then -- at most once a second: it writes the row, and the row is what the others watch
    update stepwell.worker set seen_at = clock_timestamp(), beat = beat + 1, asleep = sleeping where id = me;
  end if;

  if (select true from stepwell.signal_job j where j.id > since order by j.id limit 1) then
    perform stepwell.match_signals(500, since);
  end if;
  if whole then
    perform stepwell.fire_timers(500, case when old then '-infinity' else stepwell.now() - interval '10 s' end);
  end if;
  if slots > 0 or lanes is not null then
    claim := stepwell.claim(me, slots, lanes);
    select coalesce(sum((lane ->> 2)::integer), 0) into taken from jsonb_array_elements(claim -> 'taken') as lane;
  end if;
  if lanes is not null and jsonb_array_length(claim -> 'claimed') between 1 and 16 then
    begin
      select coalesce(jsonb_agg(jsonb_build_array(l.id, l.definition_id, l.version, l.snapshot, l.snapshot_seq, l.losses, l.history,
                                                  l.inbox, l.bell)), '[]')
      into loaded
      from stepwell.load(me, array(select (c ->> 0)::bigint from jsonb_array_elements(claim -> 'claimed') as c), false) l;
    exception when others then
      loaded := '[]'; -- the claim stands, so that what cannot be read is counted as lost and set aside in the end
    end;
    if octet_length(loaded::text) > 32768 then
      loaded := '[]'; -- the answer is sent before the commit: see above
    end if;
  end if;
  rung := claim -> 'rung';
  if whole and net then
    perform stepwell.free_leases();
  end if;
  if whole then
    perform stepwell.let_out();
    select coalesce(jsonb_agg(jsonb_build_array(l.process_id, l.bell, l.mail)), '[]') into rung
    from (
      select l.process_id, l.bell,
             taken >= slots and (select true from stepwell.inbox i where i.process_id = l.process_id limit 1) is true as mail
      from stepwell.lease l
      where l.worker_id = me
        and (held is null or l.process_id = any(held))
    ) l
    where l.bell > 0 or l.mail;
  end if;
  return claim || jsonb_build_object(
    'alive', true, 'now', stepwell.now(), 'took', extract(epoch from clock_timestamp() - begun), 'loaded', loaded,
    'more', taken >= slots, 'rung', rung);
end
$$;

-- Take up to `slots` jobs and turn them into leases of `me`. Without the worker row (empty `me`) nothing is touched.
-- Inserted (bell 0) = a new hold of mine: returned. Updated = rung, whoever owns it: its owner reads it at its whole tick.
--
-- lanes = {known: [[priority, lane, floor, most]…], others, caps: {lane: most}}. Each known lane gives at most `most`
-- jobs, its most urgent first, of those above the floor of their priority: what lies below was claimed, and walking over
-- its dead entries is what makes a claim slow while a snapshot is held. With `others` it is a sweep: every lane that has a
-- job, without a floor, each at most `others` or what `caps` says of it. null: a sweep without bounds. All lanes together,
-- one after the other in turn.
--
-- Index: job pk, one range for each lane and priority; lease pk. Rows: `slots`, and at most 1,000 ranges of a sweep.
-- Returns {claimed: [[process, tenant, environment, seq]…], rung: [[process, bell, true]…] of mine,
-- taken: [[priority, lane, count, first id, last id]…], waiting: [lane…] that a sweep has found}. seq: see job.seq.
create or replace function stepwell.claim(me bigint, slots integer, lanes jsonb) returns jsonb
  language sql
  set enable_seqscan = off -- as in tick
  set jit = off
as $$
  with recursive head as ( -- the lanes that are not empty: one look into the index each
    (select j.priority, j.lane, j.id, 1 as place
     from stepwell.job j
     where lanes is null or lanes ? 'others'
     order by j.priority, j.lane, j.id
     limit 1)
    union all
    select n.priority, n.lane, n.id, h.place + 1
    from head h,
    lateral (
      select j.priority, j.lane, j.id
      from stepwell.job j
      where (j.priority, j.lane) > (h.priority, h.lane)
      order by j.priority, j.lane, j.id
      limit 1
    ) n
    where h.place < 1000
  ),
  asked as materialized (
    select (k ->> 0)::integer as priority, (k ->> 1)::integer as lane, (k ->> 2)::bigint as floor, (k ->> 3)::integer as most
    from jsonb_array_elements(lanes -> 'known') k
    union all
    select h.priority, h.lane, h.id - 1, -- dead entries are walked over once
           least(coalesce((lanes -> 'caps' ->> h.lane::text)::integer, (lanes ->> 'others')::integer, slots),
                 greatest(1, slots / (select count(distinct lane)::integer from head)))
    from head h
  ),
  me as materialized ( -- locked only where there is something to claim: a lock is a write, and idle workers ask all the time
    select w.id
    from stepwell.worker w
    where w.id = claim.me
      and slots > 0
      and (
        select true
        from asked a,
        lateral (
          select from stepwell.job j
          where j.priority = a.priority
            and j.lane = a.lane
            and j.id > a.floor
            and a.most > 0
          order by j.priority, j.lane, j.id
          limit 1
        ) j
        limit 1)
    for key share
  ),
  chosen as materialized (
    select c.at
    from me,
    lateral (
      select j.at
      from (select a.lane, max(a.most) as most from asked a where me.id > 0 group by a.lane) l, -- me first: the lock order
      lateral (
        select r.priority, r.at, row_number() over (order by r.priority, r.id) as place
        from (
          select j.*
          from (select a.priority, a.floor from asked a where a.lane = l.lane order by a.priority) p,
          lateral (
            select j.priority, j.id, j.ctid as at
            from stepwell.job j
            where j.priority = p.priority
              and j.lane = l.lane
              and j.id > p.floor
            order by j.priority, j.lane, j.id
            limit l.most
            for update skip locked
          ) j
          order by p.priority
          limit l.most -- so that the less urgent are not even locked
        ) r
      ) j
      order by j.place, j.priority, l.lane -- in turn: a tenant's priorities are its own affair
      limit slots
    ) c
  ),
  gone as (
    -- By place: a join on the key, planned while statistics were of an empty table, would read all of it. A job is never
    -- updated, and these are locked: each is where it was.
    delete from stepwell.job j
    where j.ctid = any(array(select c.at from chosen c))
    returning j.*
  ),
  ringing as materialized (
    select g.process_id, min(g.priority) as priority, min(g.lane) as lane, min(g.tenant_id) as tenant_id,
           min(g.environment_id) as environment_id, max(g.seq) as seq
    from gone g
    group by g.process_id
  ),
  held as (
    insert into stepwell.lease as l (process_id, worker_id, priority, lane, tenant_id, environment_id)
    select r.process_id, (select id from me), r.priority, r.lane, r.tenant_id, r.environment_id
    from ringing r
    order by r.process_id
    on conflict (process_id) do update set bell = l.bell + 1
    returning l.process_id, l.worker_id, l.bell
  )
  select jsonb_build_object(
    'claimed', (
      select coalesce(jsonb_agg(jsonb_build_array(r.process_id, r.tenant_id, r.environment_id, r.seq)), '[]')
      from held h
      join ringing r using (process_id)
      where h.bell = 0),
    'rung', (
      select coalesce(jsonb_agg(jsonb_build_array(h.process_id, h.bell, true)), '[]')
      from held h
      where h.bell > 0 and h.worker_id = claim.me),
    'taken', (
      select coalesce(jsonb_agg(jsonb_build_array(t.priority, t.lane, t.jobs, t.first, t.last)), '[]')
      from (
        select g.priority, g.lane, count(*) as jobs, min(g.id) as first, max(g.id) as last
        from gone g
        group by g.priority, g.lane
      ) t),
    'waiting', (select coalesce(jsonb_agg(distinct h.lane), '[]') from head h))
$$;

drop function if exists stepwell.fire_timers(integer); -- of release 0.1; ours alone
-- Turn timers that are due, later than `floor`, into jobs. Skip locked: a parking holder that replaces a timer is left alone.
create or replace function stepwell.fire_timers(most integer, floor timestamptz) returns integer
  language sql
as $$
  with due as materialized (
    select t.process_id
    from stepwell.timer t
    where t.due_at <= stepwell.now()
      and t.due_at > floor
    order by t.due_at
    limit most
    for update skip locked
  ),
  gone as (
    delete from stepwell.timer t
    where t.process_id = any(array(select d.process_id from due d))
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
-- Of signals with an id above `floor`.
drop function if exists stepwell.match_signals(integer); -- of release 0.1; ours alone
create or replace function stepwell.match_signals(most integer, floor bigint) returns integer
  language sql
as $$
  with jobs as materialized (
    select j.id from stepwell.signal_job j where j.id > floor order by j.id limit most for update skip locked
  ),
  taken as (
    delete from stepwell.signal_job j
    where j.id = any(array(select id from jobs))
    returning j.signal_id
  ),
  sent as materialized (
    select s.* from stepwell.signal s
    where s.id = any(array(select signal_id from taken))
    order by s.id
    for update
  ),
  delivery as (
    insert into stepwell.signal_delivery (signal_id, process_id, tenant_id, environment_id, expires_at)
    select distinct s.id, w.process_id, s.tenant_id, s.environment_id, s.expires_at
    from sent s
    cross join lateral (
      select w.process_id
      from stepwell.wait w
      where (w.tenant_id, w.environment_id, w.name, w.correlation) = (s.tenant_id, s.environment_id, s.name, s.correlation)
      offset 0 -- keeps it one look into the index for each signal
    ) w
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
    select coalesce((select p.priority from stepwell.process p where p.id = m.process_id), 0), m.tenant_id, m.id, m.process_id,
           m.tenant_id, m.environment_id
    from mail m
  ),
  spent as (
    delete from stepwell.signal s
    where s.id = any(array(select id from sent where correlation = ''))
  )
  select count(*)::integer from taken
$$;

-- Turn leases whose worker row is missing into jobs, and count the loss; at five losses into quarantine (worker 0),
-- where rings hit the lease and nobody works on it. Skip locked: it never waits.
drop function if exists stepwell.sweep(); -- of release 0.1; ours alone
create or replace function stepwell.free_leases() returns integer
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
  theirs as materialized ( -- apart: in the order of process ids all leases would be read
    select l.process_id from stepwell.lease l where l.worker_id = any(array(select worker_id from dead))
  ),
  lost as materialized (
    select l.* from stepwell.lease l
    where l.process_id = any(array(select process_id from theirs))
      and l.worker_id = any(array(select worker_id from dead))
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
    where l.process_id = any(array(select process_id from counted where losses >= 5))
  ),
  freed as (
    delete from stepwell.lease l
    where l.process_id = any(array(select process_id from counted where losses < 5))
    returning l.*
  ),
  rung as (
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id from freed
  )
  select count(*)::integer from counted
$$;

-- Bury dead workers and turn their leases into jobs, in one message: a rescuer that froze between two would keep the
-- victim's row locked for ever. Two statements with a snapshot each (plpgsql, volatile, READ COMMITTED): the net sees
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
    with theirs as materialized (
      select l.process_id from stepwell.lease l where l.worker_id = any(dead)
    ),
    left_over as materialized (
      select l.process_id
      from stepwell.lease l
      where l.process_id = any(array(select process_id from theirs))
        and l.worker_id = any(dead)
      order by l.process_id
      for update
    ),
    freed as (
      delete from stepwell.lease l
      where l.process_id = any(array(select process_id from left_over))
      returning l.*
    )
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id from freed;
    get diagnostics freed_own = row_count;
  end if;
  return jsonb_build_array(coalesce(to_jsonb(gone), '[]'), freed_own + stepwell.free_leases());
end
$$;

revoke all on function stepwell.tick(bigint, integer, jsonb, boolean, boolean, bigint[], boolean, boolean), stepwell.claim(bigint, integer, jsonb),
  stepwell.fire_timers(integer, timestamptz),
  stepwell.match_signals(integer, bigint), stepwell.free_leases(), stepwell.rescue(bigint[], boolean) from public;
grant execute on function stepwell.tick(bigint, integer, jsonb, boolean, boolean, bigint[], boolean, boolean), stepwell.claim(bigint, integer, jsonb),
  stepwell.fire_timers(integer, timestamptz),
  stepwell.match_signals(integer, bigint), stepwell.free_leases(), stepwell.rescue(bigint[], boolean) to stepwell_worker;
