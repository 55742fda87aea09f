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

-- Let a process out of the quarantine: its losses are forgiven, or the next one would bring it back. Locks: its lease, which
-- no holder has. Index: lease pk. Rows: 1 lease, 1 loss, 1 job, 1 audit row.
create or replace function stepwell.release_process(process text, by text default null, reason text default null) returns void
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  target process := own_process(process);
begin
  perform check_who(by, reason);
  delete from lease l where l.process_id = target.id and l.worker_id = 0;
  if not found then
    raise exception 'the process is not in quarantine' using errcode = 'SW412',
      hint = 'List those that are with: stepwell process list --quarantined';
  end if;
  delete from loss s where s.process_id = target.id;
  insert into job (priority, lane, id, process_id, tenant_id, environment_id)
  values (target.priority, 0, new_id(), target.id, target.tenant_id, target.environment_id);
  insert into audit (id, tenant_id, environment_id, at, actor, action, subject, reason)
  values (new_id(), target.tenant_id, target.environment_id, stepwell.now(), signed(by), 'process.released', process, reason);
end
$$;
revoke all on function stepwell.quarantined(), stepwell.release_process(text, text, text) from public;
grant execute on function stepwell.quarantined(), stepwell.release_process(text, text, text) to stepwell_api;
