-- Commands to a process: each inserts one mail and one job in the caller's transaction and touches no row that a holder
-- writes, so that an open caller transaction stalls nobody. The outcome is the event that carries the returned id.

create or replace function stepwell.post_mail(target stepwell.process, command jsonb) returns bigint
  language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  mail_id bigint := new_id();
begin
  insert into inbox (process_id, id, tenant_id, environment_id, command)
  values (target.id, mail_id, target.tenant_id, target.environment_id, command);
  insert into job (priority, lane, id, process_id, tenant_id, environment_id)
  values (target.priority, target.tenant_id, mail_id, target.id, target.tenant_id, target.environment_id);
  perform wake_workers();
  return mail_id;
end
$$;

create or replace function stepwell.cancel_process(process text, by text default null, reason text default null)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
begin
  perform check_who(by, reason);
  return post_mail(own_process(process), jsonb_strip_nulls(jsonb_build_object(
    'kind', 'cancel', 'by', signed(by), 'reason', reason)));
end
$$;

-- A failed process that is retried needs its business key again; if another process has it by now, that is refused.
create or replace function stepwell.retry_process(process text, by text default null, reason text default null)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  target process := own_process(process);
begin
  perform check_who(by, reason);
  if target.business_key is not null then
    if target.status <> 'FAILED' then
      -- Without this its key would be gone by the time the order is read: it is given up when the process fails.
      raise exception 'only a failed process is retried; this one is %', target.status
        using errcode = 'SW409', hint = 'Only what has FAILED can be retried; what is COMPLETED or CANCELLED stays so.';
    end if;
    perform take_business_key(target.tenant_id, target.environment_id, target.definition_id, target.business_key, target.id);
  end if;
  return post_mail(target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'retry', 'by', signed(by), 'reason', reason)));
end
$$;

-- The process a task id (tsk_…) belongs to; refuses what is not of the caller's scope.
create or replace function stepwell.own_task(task text, out target stepwell.process, out path text, out run integer)
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
as $$
declare
  named record;
begin
  select * into named from parse_execution_id('tsk', task);
  if named.process_id is null then
    raise exception 'no task % in this tenant and environment', left(task, 100) using errcode = 'SW404',
      hint = 'List open tasks with GET /api/v1/tasks.';
  end if;
  target := own_process(public_id('prc', named.process_id));
  path := named.path;
  run := named.run;
end
$$;

create or replace function stepwell.complete_task(task text, by text, data jsonb default '{}', reason text default null)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  named record := own_task(task);
begin
  perform check_who(coalesce(by, ''), reason);
  perform check_value(coalesce(data, 'null'), '/data');
  return post_mail(named.target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'complete_task', 'path', named.path, 'run', named.run, 'by', signed(by), 'reason', reason))
    || jsonb_build_object('data', data));
end
$$;

create or replace function stepwell.reject_task(task text, by text, reason text default null)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  named record := own_task(task);
begin
  perform check_who(coalesce(by, ''), reason);
  return post_mail(named.target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'reject_task', 'path', named.path, 'run', named.run, 'by', signed(by), 'reason', reason)));
end
$$;

-- Put a task into the hands of `to`; null: back to its group. `claim`: only if nobody else has it; `to` is `by` then, unless
-- another form of the same name is given.
create or replace function stepwell.assign_task(task text, by text, "to" text default null, reason text default null,
                                                claim boolean default false)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  named record := own_task(task);
begin
  perform check_who(coalesce(by, ''), reason);
  if "to" is not null then
    perform check_text("to", 200, '/to');
  end if;
  return post_mail(named.target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'assign_task', 'path', named.path, 'run', named.run, 'by', signed(by), 'reason', reason,
    'to', case when claim then coalesce("to", by) else "to" end, 'claim', claim)));
end
$$;

-- An operator ends a waiting activity, named by its path (for a plain step its id) or its execution id (exe_…), with an
-- output of his own.
create or replace function stepwell.resume_activity(process text, activity text, output jsonb default '{}', by text default null,
                                                    reason text default null)
  returns bigint language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
declare
  target process := own_process(process);
  named  record := parse_execution_id('exe', activity);
begin
  perform check_who(by, reason);
  perform check_text(activity, 800, '/activity');
  perform check_value(coalesce(output, 'null'), '/output');
  if named.process_id is not null and named.process_id <> target.id then
    raise exception 'the execution % is of another process', left(activity, 100) using errcode = 'SW404',
      detail = '/activity', hint = 'Read the process: each of its activities has its id.';
  end if;
  return post_mail(target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'resume', 'path', coalesce(named.path, activity), 'run', named.run, 'by', signed(by), 'reason', reason))
    || jsonb_build_object('output', output));
end
$$;

-- Retry up to 1,000 failed processes: each that can be is sent the order, for each other one it is said why not.
-- They are taken in the order of their business keys, which is what two calls of this can wait for: never in a ring.
create or replace function stepwell.retry_processes(processes text[], by text default null, reason text default null)
  returns table (process text, command bigint, code text, detail text)
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  mine   record := scope();
  target process;
begin
  perform check_who(by, reason);
  perform check_number(cardinality(processes), 1, 1000, '/ids');
  for process in
    select wanted.process
    from (select distinct w as process from unnest(processes) as w) as wanted
    left join lateral (
      select p.definition_id, p.business_key
      from process p
      where p.id = private_id('prc', wanted.process)
        and p.tenant_id = mine.tenant_id
        and p.environment_id = mine.environment_id
      limit 1
    ) p on true
    order by p.definition_id, p.business_key, wanted.process
  loop
    command := null;
    code := null;
    detail := null;
    select p.* into target
    from process p
    where p.id = private_id('prc', process)
      and p.tenant_id = mine.tenant_id
      and p.environment_id = mine.environment_id;
    if not found then
      code := 'not_found';
      detail := 'no such process in this tenant and environment';
    elsif target.status <> 'FAILED' then
      code := 'not_failed';
      detail := 'only a failed process is retried; this one is ' || target.status;
    elsif target.business_key is null then
      command := retry_process(process, by, reason);
    else
      begin
        command := retry_process(process, by, reason);
      exception
        when sqlstate 'SW410' then
          code := 'business_key_taken';
          detail := sqlerrm;
        when sqlstate 'SW409' then
          code := 'conflict';
          detail := sqlerrm;
      end;
    end if;
    return next;
  end loop;
end
$$;

revoke all on function
  stepwell.post_mail(stepwell.process, jsonb), stepwell.own_task(text),
  stepwell.cancel_process(text, text, text), stepwell.retry_process(text, text, text),
  stepwell.complete_task(text, text, jsonb, text), stepwell.reject_task(text, text, text),
  stepwell.assign_task(text, text, text, text, boolean), stepwell.resume_activity(text, text, jsonb, text, text),
  stepwell.retry_processes(text[], text, text) from public;
grant execute on function
  stepwell.cancel_process(text, text, text), stepwell.retry_process(text, text, text),
  stepwell.complete_task(text, text, jsonb, text), stepwell.reject_task(text, text, text),
  stepwell.assign_task(text, text, text, text, boolean), stepwell.resume_activity(text, text, jsonb, text, text),
  stepwell.retry_processes(text[], text, text)
  to stepwell_api, stepwell_caller;
