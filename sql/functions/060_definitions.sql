-- Publish a checked document: a new definition of that name, or its next version. The caller (the API, the owner) has
-- validated it; SQL callers cannot reach this. Locks: the definition's row.
create or replace function stepwell.publish_definition(document jsonb, by text) returns bigint
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  mine    record := scope();
  moment  timestamptz := stepwell.now();
  made    definition;
  enabled boolean := coalesce((document ->> 'enabled')::boolean, true);
begin
  insert into definition as d (id, tenant_id, environment_id, name, enabled, latest_version, created_at, updated_at)
  values (new_id(), mine.tenant_id, mine.environment_id, document ->> 'name', enabled, 1, moment, moment)
  on conflict (tenant_id, environment_id, name) where deleted_at is null
    do update set latest_version = d.latest_version + 1, enabled = excluded.enabled, updated_at = moment
  returning d.* into made;
  perform add_version(made, document, by);
  return made.id;
end
$$;

-- Publish a checked document as the next version of one definition, whatever name it says. Returns the definition's id.
-- Locks: the definition's row.
create or replace function stepwell.publish_version(definition_id bigint, document jsonb, by text) returns bigint
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  known definition := definition_by_id(definition_id);
  made  definition;
begin
  update definition d
  set name = document ->> 'name',
      enabled = coalesce((document ->> 'enabled')::boolean, true),
      latest_version = d.latest_version + 1,
      updated_at = stepwell.now()
  where d.id = known.id
    and d.deleted_at is null
  returning d.* into made;
  if not found then
    perform definition_by_id(definition_id); -- deleted while this waited for its row: says so
  end if;
  perform add_version(made, document, by);
  return made.id;
exception
  when unique_violation then
    raise exception 'another definition has the name %', document ->> 'name'
      using errcode = 'SW415', detail = '/name', hint = 'Choose another name, or publish under the id of that definition.';
end
$$;

-- The version that a row of `definition` has just been counted up to, and its audit row.
create or replace function stepwell.add_version(made stepwell.definition, document jsonb, by text) returns void
  language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
begin
  insert into definition_version (definition_id, version, tenant_id, environment_id, document, created_at, created_by)
  values (made.id, made.latest_version, made.tenant_id, made.environment_id, document, made.updated_at, by);
  perform note_change(made, 'definition.published', by, null, jsonb_build_object('version', made.latest_version));
end
$$;

-- The audit row of a change to a definition; the name is part of it.
create or replace function stepwell.note_change(
  changed stepwell.definition, action text, by text, reason text, data jsonb default '{}'
) returns void
  language sql security definer
  set search_path = stepwell, pg_temp
as $$
  insert into audit (id, tenant_id, environment_id, at, actor, action, subject, reason, data)
  values (new_id(), changed.tenant_id, changed.environment_id, stepwell.now(), by, action, public_id('wf', changed.id), reason,
          jsonb_build_object('name', changed.name) || data)
$$;

-- A definition of the caller's scope that is not deleted, by its id alone: a name can look like an id.
create or replace function stepwell.definition_by_id(wanted bigint) returns stepwell.definition
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
as $$
declare
  mine record := scope();
  found_row definition;
begin
  select d.* into found_row
  from definition d
  where d.id = wanted
    and d.tenant_id = mine.tenant_id
    and d.environment_id = mine.environment_id
    and d.deleted_at is null;
  if not found then
    raise exception 'no definition with this id in this tenant and environment' using errcode = 'SW404',
      hint = 'Check the id, and that the key belongs to the same tenant and environment.';
  end if;
  return found_row;
end
$$;

-- Let a definition take new processes, or none. What is so already is left as it is, and noted nowhere. A start whose
-- transaction saw the definition before this commit still counts. Locks: the definition's row.
create or replace function stepwell.enable_definition(definition_id bigint, enabled boolean, by text, reason text default null)
  returns void language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  known   definition := definition_by_id(definition_id);
  changed definition;
begin
  perform check_who(by, reason);
  update definition d
  set enabled = enable_definition.enabled,
      updated_at = stepwell.now()
  where d.id = known.id
    and d.deleted_at is null
    and d.enabled <> enable_definition.enabled
  returning d.* into changed;
  if found then
    perform note_change(changed, case when enabled then 'definition.enabled' else 'definition.disabled' end, by, reason);
  else
    perform definition_by_id(definition_id); -- deleted while this waited for its row: says so
  end if;
end
$$;

-- Delete a definition: it takes no new processes and is in no list; its versions stay for the processes it has. Refused while
-- processes of it run, unless with `force`: then each of them is sent a cancel. Returns how many that were.
-- Locks: the definition's advisory lock, exclusively: a start holds it shared until its commit, so that either the start sees
-- that the definition is gone, or this sees the process. READ COMMITTED only: what was committed while this waited must be
-- seen. Then the definition's row.
create or replace function stepwell.delete_definition(
  definition_id bigint, force boolean, by text, reason text default null
) returns integer
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  gone      definition := definition_by_id(definition_id); -- first: no lock is taken on an id of somebody else
  running   integer := 0;
  cancelled integer := 0;
begin
  perform check_who(by, reason);
  perform pg_advisory_xact_lock(gone.id);
  gone := definition_by_id(definition_id);
  if force then
    cancelled := cancel_running(gone, by, coalesce(reason, 'the definition was deleted'));
  else
    running := count_running(gone, 1000);
  end if;
  if running > 0 then
    raise exception 'processes of the definition % have not ended: %', gone.name,
      case running when 1000 then '1,000 or more' else running::text end
      using errcode = 'SW414', detail = 'running ' || running,
      hint = 'Wait for their end, or delete with force=true, which cancels them.';
  end if;
  update definition d
  set deleted_at = stepwell.now()
  where d.id = gone.id;
  perform note_change(gone, 'definition.deleted', by, reason, jsonb_build_object('cancelled', cancelled));
  return cancelled;
end
$$;

-- How many processes of a definition have not ended, counted up to `most`. Planned for the definition at hand.
-- Index: process_by_status or process_by_definition, whichever has fewer rows to read, or both.
create or replace function stepwell.count_running(of_definition stepwell.definition, most integer) returns integer
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
  set plan_cache_mode = force_custom_plan
  set enable_seqscan = off -- status and definition depend on each other, which the planner cannot know
as $$
declare
  found_rows integer;
begin
  select count(*) into found_rows
  from (
    select
    from process p
    where p.tenant_id = of_definition.tenant_id
      and p.environment_id = of_definition.environment_id
      and p.definition_id = of_definition.id
      and p.status in ('CREATED', 'IN_PROGRESS', 'WAITING')
    limit most
  ) as few;
  return found_rows;
end
$$;

-- Send every process of a definition that has not ended what cancel_process sends one. Index: as count_running.
-- Rows: a mail and a job for each.
create or replace function stepwell.cancel_running(of_definition stepwell.definition, by text, reason text) returns integer
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set plan_cache_mode = force_custom_plan
  set enable_seqscan = off -- as in count_running
as $$
declare
  the_order jsonb := jsonb_build_object('kind', 'cancel', 'by', signed(by), 'reason', reason);
  sent      integer;
begin
  with running as materialized (
    select p.id, p.priority, new_id() as mail_id
    from process p
    where p.tenant_id = of_definition.tenant_id
      and p.environment_id = of_definition.environment_id
      and p.definition_id = of_definition.id
      and p.status in ('CREATED', 'IN_PROGRESS', 'WAITING')
  ),
  mail as (
    insert into inbox (process_id, id, tenant_id, environment_id, command)
    select r.id, r.mail_id, of_definition.tenant_id, of_definition.environment_id, the_order
    from running r
  )
  insert into job (priority, lane, id, process_id, tenant_id, environment_id)
  select r.priority, of_definition.tenant_id, r.mail_id, r.id, of_definition.tenant_id, of_definition.environment_id
  from running r;
  get diagnostics sent = row_count;
  perform wake_workers();
  return sent;
end
$$;

-- Who an API key speaks for. Only the API may ask; the key itself is never stored, only its SHA-256.
create or replace function stepwell.authenticate(key_hash bytea)
  returns table (key_id bigint, key_name text, tenant_id integer, environment_id integer, tenant text, environment text, scopes text[])
  language sql stable security definer
  set search_path = stepwell, pg_temp
as $$
  select k.id, k.name, k.tenant_id, k.environment_id, t.name, e.name, k.scopes
  from api_key k
  join tenant t on t.id = k.tenant_id
  join environment e on e.id = k.environment_id
  where k.hash = key_hash
    and k.revoked_at is null
$$;
revoke all on function
  stepwell.publish_definition(jsonb, text),
  stepwell.publish_version(bigint, jsonb, text),
  stepwell.add_version(stepwell.definition, jsonb, text),
  stepwell.note_change(stepwell.definition, text, text, text, jsonb),
  stepwell.definition_by_id(bigint),
  stepwell.enable_definition(bigint, boolean, text, text),
  stepwell.delete_definition(bigint, boolean, text, text),
  stepwell.count_running(stepwell.definition, integer),
  stepwell.cancel_running(stepwell.definition, text, text),
  stepwell.authenticate(bytea) from public;
grant execute on function
  stepwell.publish_definition(jsonb, text),
  stepwell.publish_version(bigint, jsonb, text),
  stepwell.enable_definition(bigint, boolean, text, text),
  stepwell.delete_definition(bigint, boolean, text, text),
  stepwell.authenticate(bytea) to stepwell_api;
