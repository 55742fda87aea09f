-- Before a hold parks on open waits with a correlation key: take kept signals that no match gave to it. Must run in a
-- statement that starts after the flush that registered the waits has returned; a look before that can pass a sender.
--
-- waits = [{process_id, tenant_id, environment_id, name, correlation}]. The consuming wait takes the signal: row deleted,
-- delivery noted, mail inserted, one transaction. Waits for a signal row that a match holds; what the match has delivered
-- to the same process is then left out, and its mail is on its way.
-- Index: signal_by_name. Returns the processes that have mail now (ids only: see tick).
create or replace function stepwell.look_for_signals(me bigint, waits jsonb) returns jsonb
  language plpgsql
  set enable_seqscan = off -- as in tick
  set jit = off
as $$
declare
  wanted record;
  kept       stepwell.signal;
  candidates bigint[];
  served     jsonb := '[]';
begin
  perform from stepwell.worker w where w.id = me for key share;
  if not found then
    return served;
  end if;

  -- Only signals that were matched: one still to be matched belongs to every wait open then, ours among them, since its
  -- match begins after us. Whether it is still to be matched is known only with its job's row locked: a match in flight
  -- may have begun before our wait was there. Same lock order as match_signals: jobs by id, then signals by id.
  select array_agg(distinct s.id) into candidates
  from jsonb_to_recordset(waits) as w(tenant_id integer, environment_id integer, name text, correlation text)
  cross join lateral (
    select s.id
    from stepwell.signal s
    where (s.tenant_id, s.environment_id, s.name, s.correlation) = (w.tenant_id, w.environment_id, w.name, w.correlation)
    offset 0 -- keeps it one look into the index for each wait
  ) s;
  if candidates is null then
    return served;
  end if;
  perform from stepwell.signal_job j where j.id = any(candidates) order by j.id for update;
  perform from stepwell.signal s where s.id = any(candidates) order by s.id for update;

  for wanted in
    select w.*
    from jsonb_to_recordset(waits) as w(
      process_id bigint, tenant_id integer, environment_id integer, name text, correlation text)
    join stepwell.lease l using (process_id, tenant_id, environment_id)
    where l.worker_id = me
    order by w.process_id
  loop
    delete from stepwell.signal s
    where s.id = (
      select k.id
      from stepwell.signal k
      where k.id = any(candidates)
        and (k.tenant_id, k.environment_id, k.name, k.correlation)
          = (wanted.tenant_id, wanted.environment_id, wanted.name, wanted.correlation)
        and k.correlation <> ''
        and k.expires_at > stepwell.now()
        and not exists (select from stepwell.signal_job j where j.id = k.id)
        and not exists (
          select from stepwell.signal_delivery d where d.signal_id = k.id and d.process_id = wanted.process_id)
      order by k.id
      limit 1)
    returning s.* into kept;
    continue when not found;
    insert into stepwell.signal_delivery (signal_id, process_id, tenant_id, environment_id, expires_at)
    values (kept.id, wanted.process_id, kept.tenant_id, kept.environment_id, kept.expires_at);
    insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command)
    values (wanted.process_id, stepwell.new_id(), kept.tenant_id, kept.environment_id, kept.command);
    served := served || to_jsonb(wanted.process_id);
  end loop;
  return served;
end
$$;
revoke all on function stepwell.look_for_signals(bigint, jsonb) from public;
grant execute on function stepwell.look_for_signals(bigint, jsonb) to stepwell_worker;
