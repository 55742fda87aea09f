-- The quarantine: leases of worker 0, which nobody works on. An operator looks, and lets go.

-- The processes of the caller's scope that are set aside, the newest 10,000. Index: lease_by_worker.
create or replace function stepwell.quarantined() returns bigint[]
  language sql stable security definer
  set search_path = stepwell, pg_temp
as $$
  select array(
    select l.process_id
    from scope() as mine
    join lease l on (l.tenant_id, l.environment_id) = (mine.tenant_id, mine.environment_id)
    where l.worker_id = 0
    order by l.process_id desc
    limit 10000)
$$;

-- Ask for a process to be let out of the quarantine: the next whole tick of any worker does it. Locks: none; a row of its own
-- is inserted, since lease and loss are written by claims and the net, which a caller's open transaction must not stop.
-- Index: lease pk. Rows: 1 request, 1 audit row.
create or replace function stepwell.release_process(process text, by text default null, reason text default null) returns void
  language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  target process := own_process(process);
begin
  perform check_who(by, reason);
  if not exists (select from lease l where l.process_id = target.id and l.worker_id = 0)
      or exists (select from release r where r.process_id = target.id) then
    raise exception 'the process is not in quarantine, or is being let out' using errcode = 'SW412',
      hint = 'List those that are with: stepwell process list --quarantined';
  end if;
  insert into release (id, process_id, tenant_id, environment_id)
  values (new_id(), target.id, target.tenant_id, target.environment_id);
  insert into audit (id, tenant_id, environment_id, at, actor, action, subject, reason)
  values (new_id(), target.tenant_id, target.environment_id, stepwell.now(), signed(by), 'process.released', process, reason);
end
$$;
-- Let those out that were asked for: their losses are forgiven, or the next one would bring them back. Called by whole ticks.
-- Index: release pk, lease pk, loss pk. Rows: at most 100. Locks: skip locked throughout, it never waits.
create or replace function stepwell.let_out() returns integer
  language sql
as $$
  with asked as materialized (
    select r.id, r.process_id from stepwell.release r order by r.process_id, r.id limit 100 for update skip locked
  ),
  held as materialized (
    select l.process_id
    from stepwell.lease l
    where l.process_id = any(array(select process_id from asked))
      and l.worker_id = 0
    order by l.process_id
    for update skip locked
  ),
  freed as (
    delete from stepwell.lease l where l.process_id = any(array(select process_id from held))
    returning l.*
  ),
  forgiven as (
    delete from stepwell.loss s where s.process_id = any(array(select process_id from freed))
  ),
  rung as (
    insert into stepwell.job (priority, lane, id, process_id, tenant_id, environment_id)
    select priority, lane, stepwell.new_id(), process_id, tenant_id, environment_id from freed
  ),
  done as (
    delete from stepwell.release r
    using asked a
    where (r.process_id, r.id) = (a.process_id, a.id)
      and (a.process_id in (select process_id from held)
        or not exists (select from stepwell.lease l where l.process_id = a.process_id and l.worker_id = 0))
  )
  select count(*)::integer from freed
$$;

revoke all on function stepwell.let_out() from public;
grant execute on function stepwell.let_out() to stepwell_worker;
revoke all on function stepwell.quarantined(), stepwell.release_process(text, text, text) from public;
grant execute on function stepwell.quarantined(), stepwell.release_process(text, text, text) to stepwell_api;
