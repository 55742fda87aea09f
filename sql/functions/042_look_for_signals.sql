-- Before a hold parks on open waits with a correlation key: take kept signals that no match gave to it. Must run in a
-- statement that starts after the flush that registered the waits has returned; a look before that can pass a sender.
--
-- waits = [{process_id, tenant_id, environment_id, name, correlation}]. The consuming wait takes the signal: row deleted,
-- delivery noted, mail inserted, one statement. Waits for a signal row that a match holds; the delivery then conflicts,
-- and the match's mail is on its way.
-- Index: signal_by_name. Returns [[process_id, mail id, command]…].
create or replace function stepwell.look_for_signals(me bigint, waits jsonb) returns jsonb
  language sql
  set enable_seqscan = off -- as in tick
  set jit = off
as $$
  with me as materialized (
    select w.id from stepwell.worker w where w.id = look_for_signals.me for key share
  ),
  wanted as (
    select w.* from me, jsonb_to_recordset(waits) as w(
      process_id bigint, tenant_id integer, environment_id integer, name text, correlation text)
    join stepwell.lease l using (process_id, tenant_id, environment_id)
    where l.worker_id = me.id
  ),
  kept as materialized (
    select s.*
    from stepwell.signal s
    where (s.tenant_id, s.environment_id, s.name, s.correlation) in (
        select tenant_id, environment_id, name, correlation from wanted)
      and s.correlation <> ''
      and s.expires_at > stepwell.now()
    order by s.id
    for update
  ),
  given as (
    insert into stepwell.signal_delivery (signal_id, process_id, tenant_id, environment_id, expires_at)
    select distinct on (oldest.id) oldest.id, w.process_id, w.tenant_id, w.environment_id, oldest.expires_at
    from wanted w,
    lateral (
      -- One signal a wait: a second one would find the wait closed and be spent for nothing.
      select k.id, k.expires_at
      from kept k
      where (k.tenant_id, k.environment_id, k.name, k.correlation)
          = (w.tenant_id, w.environment_id, w.name, w.correlation)
        and not exists (
          select from stepwell.signal_delivery d where d.signal_id = k.id and d.process_id = w.process_id)
      order by k.id
      limit 1
    ) as oldest
    order by oldest.id, w.process_id
    on conflict do nothing
    returning signal_id, process_id
  ),
  spent as (
    delete from stepwell.signal s using given g where s.id = g.signal_id
  ),
  mail as (
    insert into stepwell.inbox (process_id, id, tenant_id, environment_id, command)
    select g.process_id, stepwell.new_id(), k.tenant_id, k.environment_id, k.command
    from given g
    join kept k on k.id = g.signal_id
    returning process_id, id, command
  )
  select coalesce(jsonb_agg(jsonb_build_array(process_id, id, command) order by id), '[]') from mail
$$;
revoke all on function stepwell.look_for_signals(bigint, jsonb) from public;
grant execute on function stepwell.look_for_signals(bigint, jsonb) to stepwell_worker;
