-- Everything a new hold needs, in a snapshot younger than the claim. A process that was lost twice or more comes without
-- its history unless asked for alone, so that what kills a worker kills it with nobody else in hand.
-- `history` = [[seq, at, type, v, path, attempt, data]…] after the snapshot, `inbox` = [[mail id, command]…].
-- `known`: for each of `ids` the seq up to which the caller still has its state, 0 for none; where no later snapshot is
-- there, the row has none, and the history after that seq.
-- Indexes: process pk, history pk (from the snapshot on), inbox pk, loss pk, lease pk. Rows: as many as claimed.
drop function if exists stepwell.load(bigint, bigint[], boolean); -- of release 0.1
create or replace function stepwell.load(me bigint, ids bigint[], alone boolean, known integer[] default '{}')
  returns table (id bigint, definition_id bigint, version integer, snapshot text, snapshot_seq integer, losses integer,
                 history text, inbox text, bell integer)
  language sql stable
  set enable_seqscan = off -- as in tick
  set jit = off
  set plan_cache_mode = force_generic_plan -- else it is planned anew for each list of ids, for 0.3 ms and the same plan
as $$
  select p.id, p.definition_id, p.version, case when p.snapshot_seq > coalesce(k.seq, 0) then p.snapshot::text end,
         p.snapshot_seq, coalesce(s.losses, 0),
         case when coalesce(s.losses, 0) < 2 or alone then (
           select json_agg(json_build_array(h.seq, h.at, h.type, h.v, h.path, h.attempt, h.data) order by h.seq)::text
           from stepwell.history h
           where h.process_id = p.id and h.seq > greatest(p.snapshot_seq, k.seq)
         ) end,
         (
           select jsonb_agg(jsonb_build_array(i.id, i.command) order by i.id)::text
           from stepwell.inbox i
           where i.process_id = p.id
         ),
         l.bell
  -- One look into each key for each id, whatever the planner believes about the length of the lists: `offset 0`.
  from unnest(ids, known) as k(id, seq)
  cross join lateral (
    select p.id, p.definition_id, p.version, p.snapshot, p.snapshot_seq from stepwell.process p where p.id = k.id offset 0
  ) p
  cross join lateral (
    select l.bell from stepwell.lease l where l.process_id = k.id and l.worker_id = me offset 0
  ) l
  left join lateral (
    select s.losses from stepwell.loss s where s.process_id = k.id offset 0
  ) s on true
$$;
revoke all on function stepwell.load(bigint, bigint[], boolean, integer[]) from public;
grant execute on function stepwell.load(bigint, bigint[], boolean, integer[]) to stepwell_worker;

-- Bell and mail of held processes, in one snapshot and without a lock. `inbox` as in load.
-- Indexes: lease pk, inbox pk. Rows: as many as rung.
create or replace function stepwell.read_mail(me bigint, ids bigint[])
  returns table (process_id bigint, bell integer, inbox text)
  language sql stable
  set enable_seqscan = off -- as in tick
  set jit = off
as $$
  select l.process_id, l.bell, (
    select coalesce(jsonb_agg(jsonb_build_array(i.id, i.command) order by i.id), '[]')::text
    from stepwell.inbox i
    where i.process_id = l.process_id)
  from stepwell.lease l
  where l.process_id = any(ids)
    and l.worker_id = me
$$;
revoke all on function stepwell.read_mail(bigint, bigint[]) from public;
grant execute on function stepwell.read_mail(bigint, bigint[]) to stepwell_worker;
