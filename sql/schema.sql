-- The schema as all migrations and functions make it. Written by `stepwell schema dump`; do not edit.

CREATE SCHEMA stepwell;

ALTER SCHEMA stepwell OWNER TO stepwell_owner;

CREATE TABLE stepwell.definition (
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    name text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    latest_version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT definition_name_is_short CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

ALTER TABLE stepwell.definition OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.add_version(made stepwell.definition, document jsonb, by text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
begin
  insert into definition_version (definition_id, version, tenant_id, environment_id, document, created_at, created_by)
  values (made.id, made.latest_version, made.tenant_id, made.environment_id, document, made.updated_at, by);
  perform note_change(made, 'definition.published', by, null, jsonb_build_object('version', made.latest_version));
end
$$;

ALTER FUNCTION stepwell.add_version(made stepwell.definition, document jsonb, by text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.age_s(id bigint, wall timestamp with time zone) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  select coalesce(greatest(0, extract(epoch from wall) - (id >> 20) / 1000.0), 0)
$$;

ALTER FUNCTION stepwell.age_s(id bigint, wall timestamp with time zone) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.all_written(doc jsonb, kind text, written integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
begin
  if written <> jsonb_array_length(doc -> kind) then
    raise exception 'flush: % of % rows of % written', written, jsonb_array_length(doc -> kind), kind
      using errcode = 'SW002';
  end if;
end
$$;

ALTER FUNCTION stepwell.all_written(doc jsonb, kind text, written integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.assign_task(task text, by text, "to" text DEFAULT NULL::text, reason text DEFAULT NULL::text, claim boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.assign_task(task text, by text, "to" text, reason text, claim boolean) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.authenticate(key_hash bytea) RETURNS TABLE(key_id bigint, key_name text, tenant_id integer, environment_id integer, tenant text, environment text, scopes text[])
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select k.id, k.name, k.tenant_id, k.environment_id, t.name, e.name, k.scopes
  from api_key k
  join tenant t on t.id = k.tenant_id
  join environment e on e.id = k.environment_id
  where k.hash = key_hash
    and k.revoked_at is null
$$;

ALTER FUNCTION stepwell.authenticate(key_hash bytea) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.cancel_process(process text, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
begin
  perform check_who(by, reason);
  return post_mail(own_process(process), jsonb_strip_nulls(jsonb_build_object(
    'kind', 'cancel', 'by', signed(by), 'reason', reason)));
end
$$;

ALTER FUNCTION stepwell.cancel_process(process text, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.cancel_running(of_definition stepwell.definition, by text, reason text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.cancel_running(of_definition stepwell.definition, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_labels(labels jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
declare
  label record;
begin
  if labels is null then
    return;
  end if;
  if jsonb_typeof(labels) <> 'object' or (select count(*) from jsonb_object_keys(labels)) > 16 then
    raise exception 'labels must be an object of at most 16 texts' using errcode = 'SW400', detail = '/labels',
      hint = 'Pass them like {"region": "eu"}.';
  end if;
  for label in select key, value from jsonb_each(labels) loop
    if label.key !~ '^[A-Za-z0-9_.-]{1,63}$' then
      raise exception 'the name of a label has 1 to 63 letters, digits and _ . - only; % has not', left(label.key, 100)
        using errcode = 'SW400', detail = '/labels', hint = 'Rename it.';
    end if;
    if jsonb_typeof(label.value) <> 'string' or (label.value #>> '{}') !~ '^[^\x01-\x1f\x7f-\x9f]{1,200}$' then
      raise exception 'the label % must be a text of 1 to 200 characters, none of them a control character', label.key
        using errcode = 'SW400', detail = '/labels/' || label.key, hint = 'Shorten or fill it.';
    end if;
  end loop;
end
$_$;

ALTER FUNCTION stepwell.check_labels(labels jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_number(value integer, low integer, high integer, pointer text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
begin
  if value is null or value not between low and high then
    raise exception '% must be between % and %', substr(pointer, 2), low, high
      using errcode = 'SW400', detail = pointer, hint = 'Leave the argument out for its default.';
  end if;
end
$$;

ALTER FUNCTION stepwell.check_number(value integer, low integer, high integer, pointer text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_origin(trigger jsonb, traceparent text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
begin
  if trigger is not null and (jsonb_typeof(trigger) <> 'object' or octet_length(trigger::text) > 2000
      or coalesce(trigger ->> 'type', '') not in ('event', 'scheduled', 'manual', 'api', 'webhook')) then
    raise exception 'trigger must be an object with a type: event, scheduled, manual, api or webhook'
      using errcode = 'SW400', detail = '/trigger', hint = 'Leave the argument out.';
  end if;
  if traceparent is not null and traceparent !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then
    raise exception 'traceparent is no W3C trace context' using errcode = 'SW400', detail = '/traceparent',
      hint = 'Leave the argument out.';
  end if;
end
$_$;

ALTER FUNCTION stepwell.check_origin(trigger jsonb, traceparent text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_text(value text, longest integer, pointer text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
begin
  if value is null or length(value) not between 1 and longest or octet_length(value) > 2 * longest then
    raise exception '% must have 1 to % characters and at most % bytes', substr(pointer, 2), longest, 2 * longest
      using errcode = 'SW400', detail = pointer, hint = 'Shorten or fill the field.';
  end if;
end
$$;

ALTER FUNCTION stepwell.check_text(value text, longest integer, pointer text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_value(value jsonb, pointer text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
declare
  size integer := octet_length(value::text);
begin
  if size > 1048576 then
    raise exception 'the value is larger than 1 MiB' using errcode = 'SW413', detail = pointer,
      hint = 'Keep large content elsewhere and pass a reference to it.';
  end if;
  if size < 128 then -- neither 64 levels nor 309 digits fit into that
    return;
  end if;
  if jsonb_path_exists(value, '$.**{64 to last}') then
    raise exception 'the value is deeper than 64 levels' using errcode = 'SW400', detail = pointer,
      hint = 'Flatten the document.';
  end if;
  if jsonb_path_exists(value, '$.** ? (@.type() == "number" && (@ > 1e308 || @ < -1e308))') then
    raise exception 'the value holds a number beyond ±1e308' using errcode = 'SW400', detail = pointer,
      hint = 'Send such numbers as strings.';
  end if;
end
$_$;

ALTER FUNCTION stepwell.check_value(value jsonb, pointer text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.check_who(by text, reason text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
begin
  if by is not null then
    perform stepwell.check_text(by, 200, '/by');
  end if;
  if reason is not null then
    perform stepwell.check_text(reason, 2000, '/reason');
  end if;
end
$$;

ALTER FUNCTION stepwell.check_who(by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.claim(me bigint, slots integer, lanes jsonb) RETURNS jsonb
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.claim(me bigint, slots integer, lanes jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.complete_task(task text, by text, data jsonb DEFAULT '{}'::jsonb, reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.complete_task(task text, by text, data jsonb, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.count_running(of_definition stepwell.definition, most integer) RETURNS integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.count_running(of_definition stepwell.definition, most integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.current_environment() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select case kind
           when 'api' then nullif(current_setting('stepwell.environment_id', true), '')::integer
           else environment_id
         end
  from login where role_name = session_user
$$;

ALTER FUNCTION stepwell.current_environment() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.current_tenant() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select case kind
           when 'api' then nullif(current_setting('stepwell.tenant_id', true), '')::integer
           else tenant_id
         end
  from login where role_name = session_user
$$;

ALTER FUNCTION stepwell.current_tenant() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.definition_by_id(wanted bigint) RETURNS stepwell.definition
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.definition_by_id(wanted bigint) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.definition_of(wanted text, in_tenant integer, in_environment integer) RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
declare
  found_id bigint;
begin
  if wanted like 'wf\_%' then
    select d.id into found_id
    from definition d
    where d.id = private_id('wf', wanted)
      and (d.tenant_id, d.environment_id) = (in_tenant, in_environment)
      and d.deleted_at is null;
  end if;
  if found_id is null then
    select d.id into found_id
    from definition d
    where (d.tenant_id, d.environment_id, d.name) = (in_tenant, in_environment, wanted)
      and d.deleted_at is null;
  end if;
  if found_id is null then
    raise exception 'no definition % in this tenant and environment', left(wanted, 200)
      using errcode = 'SW404', detail = '/definition', hint = 'List them with: stepwell definition list';
  end if;
  return found_id;
end
$$;

ALTER FUNCTION stepwell.definition_of(wanted text, in_tenant integer, in_environment integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.delete_definition(definition_id bigint, force boolean, by text, reason text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.delete_definition(definition_id bigint, force boolean, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.enable_definition(definition_id bigint, enabled boolean, by text, reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.enable_definition(definition_id bigint, enabled boolean, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.ensure_partitions(ahead integer DEFAULT 3) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '500ms'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  parent text;
  key    text;
  month  timestamptz;
  low    bigint;
  high   bigint;
  child  text;
  made   integer := 0;
begin
  -- One at a time; a row that only the owner can lock, since anybody could take an advisory lock.
  perform from installation where one for update skip locked;
  if not found then
    return 0;
  end if;
  foreach parent in array array['process', 'history', 'payload', 'process_label'] loop
    key := case parent when 'process' then 'id' else 'process_id' end;
    for step in 0 .. ahead loop
      month := date_trunc('month', clock_timestamp()) + make_interval(months => step);
      low := first_id(month);
      high := first_id(month + interval '1 month');
      child := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      continue when to_regclass('stepwell.' || child) is not null;
      execute format('create table stepwell.%I (like stepwell.%I including defaults including constraints including indexes)',
                     child, parent);
      execute format('alter table stepwell.%I add constraint bounds check (%I >= %s and %I < %s)', child, key, low, key, high);
      execute format('alter table stepwell.%I enable row level security', child);
      if parent = 'process' then
        -- Rows are updated at status changes: room on the page keeps those updates off the indexes where it can.
        execute format('alter table stepwell.%I set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)', child);
      else
        execute format('alter table stepwell.%I set (autovacuum_vacuum_insert_scale_factor = 0.1)', child);
      end if;
      execute format('alter table stepwell.%I attach partition stepwell.%I for values from (%s) to (%s)',
                     parent, child, low, high);
      execute format('alter table stepwell.%I drop constraint bounds', child);
      made := made + 1;
    end loop;
  end loop;
  return made;
end
$$;

ALTER FUNCTION stepwell.ensure_partitions(ahead integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.feed_epoch() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
declare
  last record;
  mine record;
begin
  select p.*,
         p.relation = p.tableoid
         and p.server_started = pg_postmaster_start_time()
         -- The number of this database, as our files have it in their path: a look into pg_database costs more.
         and p.database = split_part(pg_relation_filepath('stepwell.place'), '/', -2)::oid as is_here
  into last
  from place p
  order by p.epoch desc, p.tx desc
  limit 1;
  if last.is_here then
    return last.epoch;
  end if;

  mine := here();
  insert into place (epoch, system_identifier, timeline, database, relation)
  values (
    case
      when last.epoch is null then -- the notes are lost: above all that was ever written
        greatest((select max(h.feed_epoch) from history h), (select max(a.feed_epoch) from audit a), 0) + 1
      when (last.system_identifier, last.database, last.relation)
          <> (mine.system_identifier, mine.database, mine.relation) then last.epoch + 1
      when last.timeline = mine.timeline then last.epoch
      -- By as much as the timeline rose: of two recoveries of one backup the later has the higher epoch. And a thousandfold,
      -- so that it is above those that were raised by one in the time that is lost, by hand or in another place.
      else last.epoch + greatest(1, 1000 * (mine.timeline - last.timeline))
    end,
    mine.system_identifier, mine.timeline, mine.database, mine.relation)
  returning epoch into last.epoch;
  return last.epoch;
end
$$;

ALTER FUNCTION stepwell.feed_epoch() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.fire_timers(most integer, floor timestamp with time zone) RETURNS integer
    LANGUAGE sql
    AS $$
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

ALTER FUNCTION stepwell.fire_timers(most integer, floor timestamp with time zone) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.first_id(moment timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  select (extract(epoch from moment) * 1000)::bigint << 20
$$;

ALTER FUNCTION stepwell.first_id(moment timestamp with time zone) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.flush(me bigint, doc jsonb) RETURNS jsonb
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.flush(me bigint, doc jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.free_leases() RETURNS integer
    LANGUAGE sql
    AS $$
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

ALTER FUNCTION stepwell.free_leases() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.here(OUT system_identifier bigint, OUT timeline integer, OUT database oid, OUT relation oid) RETURNS record
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select c.system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer, d.oid,
         'stepwell.place'::regclass::oid
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;

ALTER FUNCTION stepwell.here(OUT system_identifier bigint, OUT timeline integer, OUT database oid, OUT relation oid) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.let_out() RETURNS integer
    LANGUAGE sql
    AS $$
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

ALTER FUNCTION stepwell.let_out() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.load(me bigint, ids bigint[], alone boolean, known integer[] DEFAULT '{}'::integer[]) RETURNS TABLE(id bigint, definition_id bigint, version integer, snapshot text, snapshot_seq integer, losses integer, history text, inbox text, bell integer)
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

ALTER FUNCTION stepwell.load(me bigint, ids bigint[], alone boolean, known integer[]) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.look_for_signals(me bigint, waits jsonb) RETURNS jsonb
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.look_for_signals(me bigint, waits jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.match_signals(most integer, floor bigint) RETURNS integer
    LANGUAGE sql
    AS $$
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

ALTER FUNCTION stepwell.match_signals(most integer, floor bigint) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.measure() RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
declare
  most  constant integer := 10001;
  wall  timestamptz := clock_timestamp(); -- ids have the wall clock, never the test clock
  clock timestamptz := stepwell.now();
  depth bigint;
  first bigint;
  late  record;
  sent  record;
begin
  select count(*) into depth from (select from stepwell.job limit most) j;
  if depth = most then
    select greatest(most, (pg_relation_size(c.oid) / current_setting('block_size')::integer
                           * case when c.relpages > 0 then c.reltuples / c.relpages else 100 end)::bigint)
    into depth
    from pg_class c
    where c.oid = 'stepwell.job'::regclass;
  end if;

  with recursive head as (
    (select j.priority, j.lane, j.id from stepwell.job j order by j.priority, j.lane, j.id limit 1)
    union all
    select n.priority, n.lane, n.id
    from head h,
    lateral (
      select j.priority, j.lane, j.id
      from stepwell.job j
      where (j.priority, j.lane) > (h.priority, h.lane)
      order by j.priority, j.lane, j.id
      limit 1
    ) n
  )
  select min(h.id) into first from (select id from head limit 1000) h;

  select count(*) as number, min(t.due_at) as since
  into late
  from (select due_at from stepwell.timer where due_at <= clock order by due_at limit most) t;

  select count(*) as number, min(s.id) as first
  into sent
  from (select id from stepwell.signal_job order by id limit most) s;

  return jsonb_build_object(
    'queue_depth_jobs', depth,
    'queue_oldest_age_seconds', stepwell.age_s(first, wall),
    'timers_overdue', late.number,
    'timers_overdue_age_seconds', coalesce(extract(epoch from clock - late.since), 0),
    'signals_unmatched', sent.number,
    'signals_unmatched_age_seconds', stepwell.age_s(sent.first, wall),
    'inbox_mails', (select count(*) from (select from stepwell.inbox limit most) i),
    'held_processes', (select count(*) from (select from stepwell.lease l where l.worker_id > 0 limit most) l),
    'quarantined_processes', (select count(*) from (select from stepwell.lease l where l.worker_id = 0 limit most) l),
    'registered_workers', (select count(*) from (select from stepwell.worker limit most) w),
    'partitions_ahead_months', stepwell.months_ahead());
end
$$;

ALTER FUNCTION stepwell.measure() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.months_ahead() RETURNS integer
    LANGUAGE plpgsql STABLE
    AS $$
declare
  months integer := 0;
begin
  while months < 60 and to_regclass('stepwell.history_' || to_char(
      date_trunc('month', clock_timestamp() at time zone 'UTC') + make_interval(months => months + 1), 'YYYY_MM'
    )) is not null
  loop
    months := months + 1;
  end loop;
  return months;
end
$$;

ALTER FUNCTION stepwell.months_ahead() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.new_id() RETURNS bigint
    LANGUAGE sql PARALLEL SAFE
    AS $$
  select ((extract(epoch from clock_timestamp()) * 1000)::bigint << 20) | nextval('stepwell.id')
$$;

ALTER FUNCTION stepwell.new_id() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.note_change(changed stepwell.definition, action text, by text, reason text, data jsonb DEFAULT '{}'::jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  insert into audit (id, tenant_id, environment_id, at, actor, action, subject, reason, data)
  values (new_id(), changed.tenant_id, changed.environment_id, stepwell.now(), by, action, public_id('wf', changed.id), reason,
          jsonb_build_object('name', changed.name) || data)
$$;

ALTER FUNCTION stepwell.note_change(changed stepwell.definition, action text, by text, reason text, data jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select clock_timestamp() + clock_offset from installation where one
$$;

ALTER FUNCTION stepwell.now() OWNER TO stepwell_owner;

CREATE TABLE stepwell.process (
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    definition_id bigint NOT NULL,
    version integer NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    status text NOT NULL,
    business_key text,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    snapshot_seq integer DEFAULT 0 NOT NULL,
    snapshot jsonb,
    key_id integer,
    labels jsonb,
    error_code text,
    failed_step text,
    CONSTRAINT ended_means_a_terminal_status CHECK (((ended_at IS NOT NULL) = (status = ANY (ARRAY['COMPLETED'::text, 'FAILED'::text, 'CANCELLED'::text])))),
    CONSTRAINT priority_is_small CHECK (((priority >= '-100'::integer) AND (priority <= 100))),
    CONSTRAINT process_status_is_known CHECK ((status = ANY (ARRAY['CREATED'::text, 'IN_PROGRESS'::text, 'WAITING'::text, 'COMPLETED'::text, 'FAILED'::text, 'CANCELLED'::text])))
)
PARTITION BY RANGE (id);

ALTER TABLE stepwell.process OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.own_process(public text) RETURNS stepwell.process
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
declare
  mine record := scope();
  found_row process;
begin
  select p.* into found_row
  from process p
  where p.id = private_id('prc', public)
    and p.tenant_id = mine.tenant_id
    and p.environment_id = mine.environment_id;
  if not found then
    raise exception 'no process % in this tenant and environment', left(public, 100)
      using errcode = 'SW404', hint = 'Check the id, and that key or login belong to the same tenant and environment.';
  end if;
  return found_row;
end
$$;

ALTER FUNCTION stepwell.own_process(public text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.own_task(task text, OUT target stepwell.process, OUT path text, OUT run integer) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.own_task(task text, OUT target stepwell.process, OUT path text, OUT run integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.parse_execution_id(prefix text, public text, OUT process_id bigint, OUT run integer, OUT path text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
declare
  digits text := substr(public, length(prefix) + 2);
  held bigint := 0;
  bits integer := 0;
  bytes bytea := '';
begin
  if length(digits) not between 18 and 800 or public !~ ('^' || prefix || '_[0-9a-hjkmnp-tv-z]+$') then
    return;
  end if;
  for place in 1 .. length(digits) loop
    held := (held << 5) | (strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(digits, place, 1)) - 1);
    bits := bits + 5;
    if bits >= 8 then
      bits := bits - 8;
      bytes := bytes || set_byte('\x00'::bytea, 0, ((held >> bits) & 255)::integer);
      held := held & ((1 << bits) - 1);
    end if;
  end loop;
  if get_byte(bytes, 0) > 127 then
    return;
  end if;
  process_id := ('x' || encode(substr(bytes, 1, 8), 'hex'))::bit(64)::bigint;
  run := get_byte(bytes, 8) * 256 + get_byte(bytes, 9);
  path := convert_from(substr(bytes, 11), 'UTF8');
exception
  when character_not_in_repertoire or untranslatable_character then
    process_id := null; run := null; path := null;
end
$_$;

ALTER FUNCTION stepwell.parse_execution_id(prefix text, public text, OUT process_id bigint, OUT run integer, OUT path text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.post_mail(target stepwell.process, command jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.post_mail(target stepwell.process, command jsonb) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.private_id(prefix text, public text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
  select case when public ~ ('^' || prefix || '_[0-7][0-9a-hjkmnp-tv-z]{12}$') then (
    select sum((strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(public, length(prefix) + 2 + place, 1)) - 1)::bigint
               << (5 * (12 - place)))::bigint
    from generate_series(0, 12) as place
  ) end
$_$;

ALTER FUNCTION stepwell.private_id(prefix text, public text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.public_id(prefix text, id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
  select prefix || '_'
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 60) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 55) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 50) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 45) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 40) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 35) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 30) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 25) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 20) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 15) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 10) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 5) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 0) & 31)::integer + 1, 1)
$$;

ALTER FUNCTION stepwell.public_id(prefix text, id bigint) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.publish_definition(document jsonb, by text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.publish_definition(document jsonb, by text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.publish_version(definition_id bigint, document jsonb, by text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.publish_version(definition_id bigint, document jsonb, by text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.quarantined() RETURNS bigint[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select array(
    select l.process_id
    from scope() as mine
    join lease l on (l.tenant_id, l.environment_id) = (mine.tenant_id, mine.environment_id)
    where l.worker_id = 0
    order by l.process_id desc
    limit 10000)
$$;

ALTER FUNCTION stepwell.quarantined() OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.raise_feed_epoch(at_least integer DEFAULT 1) RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  insert into place (epoch, system_identifier, timeline, database, relation)
  select greatest(raise_feed_epoch.at_least, feed_epoch() + 1), h.* from here() h
  returning epoch
$$;

ALTER FUNCTION stepwell.raise_feed_epoch(at_least integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.read_mail(me bigint, ids bigint[]) RETURNS TABLE(process_id bigint, bell integer, inbox text)
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
  select l.process_id, l.bell, (
    select coalesce(jsonb_agg(jsonb_build_array(i.id, i.command) order by i.id), '[]')::text
    from stepwell.inbox i
    where i.process_id = l.process_id)
  from stepwell.lease l
  where l.process_id = any(ids)
    and l.worker_id = me
$$;

ALTER FUNCTION stepwell.read_mail(me bigint, ids bigint[]) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.reject_task(task text, by text, reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
declare
  named record := own_task(task);
begin
  perform check_who(coalesce(by, ''), reason);
  return post_mail(named.target, jsonb_strip_nulls(jsonb_build_object(
    'kind', 'reject_task', 'path', named.path, 'run', named.run, 'by', signed(by), 'reason', reason)));
end
$$;

ALTER FUNCTION stepwell.reject_task(task text, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.release_process(process text, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.release_process(process text, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.rescue(dead bigint[], others boolean) RETURNS jsonb
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.rescue(dead bigint[], others boolean) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.resume_activity(process text, activity text, output jsonb DEFAULT '{}'::jsonb, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
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

ALTER FUNCTION stepwell.resume_activity(process text, activity text, output jsonb, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.retry_process(process text, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.retry_process(process text, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.retry_processes(processes text[], by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS TABLE(process text, command bigint, code text, detail text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
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

ALTER FUNCTION stepwell.retry_processes(processes text[], by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
begin
  tenant_id := current_tenant();
  environment_id := current_environment();
  if tenant_id is null or environment_id is null then
    raise exception 'the login % speaks for no tenant and environment', session_user
      using errcode = 'SW403', hint = 'Make a login with: stepwell login create --kind caller NAME';
  end if;
end
$$;

ALTER FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.send_signal(name text, data jsonb DEFAULT '{}'::jsonb, correlation_key text DEFAULT NULL::text, id text DEFAULT NULL::text, ttl_seconds integer DEFAULT 604800, by text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  mine      record := scope();
  signal_id bigint := new_id();
  moment    timestamptz := stepwell.now();
  known     text;
begin
  perform check_text(name, 200, '/name');
  perform check_value(coalesce(data, 'null'), '/data');
  if correlation_key is not null then
    perform check_text(correlation_key, 500, '/correlation_key');
  end if;
  perform check_number(ttl_seconds, 1, 31536000, '/ttl_seconds');
  perform check_who(by, null);
  if id is not null then
    perform check_text(id, 200, '/id');
    begin
      insert into idempotency_key (tenant_id, environment_id, key, fingerprint, answer)
      values (mine.tenant_id, mine.environment_id, 'signal:' || id, '', to_jsonb(public_id('sig', signal_id)))
      on conflict do nothing;
      known := case when not found then 'sent before' end;
    exception when lock_not_available then
      raise exception 'another open transaction is sending the signal with id %', id using errcode = 'SW409',
        detail = '/id', hint = 'Try again when it has ended; the signal is sent once.';
    end;
    if known is not null then
      select k.answer #>> '{}' into known
      from idempotency_key k
      where k.tenant_id = mine.tenant_id and k.environment_id = mine.environment_id and k.key = 'signal:' || send_signal.id;
      return known;
    end if;
  end if;
  insert into signal (id, tenant_id, environment_id, name, correlation, command, expires_at)
  values (signal_id, mine.tenant_id, mine.environment_id, name, coalesce(correlation_key, ''),
          jsonb_strip_nulls(jsonb_build_object(
            'kind', 'signal', 'signal_id', signal_id, 'name', name, 'correlation', correlation_key,
            'by', signed(by))) || jsonb_build_object('data', data),
          moment + make_interval(secs => ttl_seconds));
  insert into signal_job (id, signal_id, tenant_id, environment_id)
  values (signal_id, signal_id, mine.tenant_id, mine.environment_id);
  perform wake_workers();
  return public_id('sig', signal_id);
end
$$;

ALTER FUNCTION stepwell.send_signal(name text, data jsonb, correlation_key text, id text, ttl_seconds integer, by text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.signed(by text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
  select case
           when exists (select from login where role_name = session_user and kind = 'api') then by
           when by is null then session_user::text
           else by || ' (' || session_user || ')'
         end
$$;

ALTER FUNCTION stepwell.signed(by text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.start_all(definition text, inputs jsonb[], business_key text, version integer, priority integer, by text, reason text, pointer text, labels jsonb, trigger jsonb, traceparent text) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  mine   record := scope();
  number bigint := definition_of(definition, mine.tenant_id, mine.environment_id);
  wanted record;
  epoch  integer;
  moment timestamptz := stepwell.now();
  common jsonb; -- what all first events say
  large  boolean := false;
  ids    bigint[];
begin
  if start_all.business_key is not null then
    perform check_text(start_all.business_key, 200, '/business_key');
  end if;
  perform check_number(start_all.priority, -100, 100, '/priority');
  -- Serialises with deletion of the definition only; row locks would cost 15 % and make multixacts.
  perform pg_advisory_xact_lock_shared(number);
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    -- What this transaction sees may be older than the lock: this fails (40001) where the definition was changed since.
    perform from definition d where d.id = number for share;
  end if;
  select d.id, d.name, d.enabled, v.version -- by its number: the name may be another definition's by now
  into wanted
  from definition d
  left join definition_version v on v.definition_id = d.id and v.version = coalesce(start_all.version, d.latest_version)
  where d.id = number
    and d.deleted_at is null;
  if not found then
    perform definition_by_id(number); -- deleted since: says so
  end if;
  if not wanted.enabled then
    raise exception 'the definition % is disabled', wanted.name using errcode = 'SW411', detail = '/definition',
      hint = 'Enable the definition first.';
  end if;
  if wanted.version is null then
    raise exception 'the definition % has no version %', wanted.name, start_all.version using errcode = 'SW404',
      detail = '/version', hint = 'Leave version out to use the latest.';
  end if;
  perform check_who(by, reason);
  perform check_labels(labels);
  perform check_origin(trigger, traceparent);
  for place in 1 .. cardinality(inputs) loop
    perform check_value(coalesce(inputs[place], 'null'),
                        pointer || case when pointer = '/inputs' then '/' || place - 1 else '' end);
    large := large or octet_length(inputs[place]::text) > 8192;
  end loop;
  common := jsonb_strip_nulls(jsonb_build_object(
    'definition_id', wanted.id, 'version', wanted.version,
    'priority', nullif(start_all.priority, 0),
    'business_key', start_all.business_key,
    'by', signed(start_all.by), 'reason', start_all.reason, 'labels', start_all.labels,
    'trigger', start_all.trigger, 'traceparent', start_all.traceparent));
  epoch := feed_epoch();
  ids := array(select new_id() from generate_series(1, cardinality(inputs)));

  if start_all.business_key is not null then
    perform take_business_key(mine.tenant_id, mine.environment_id, wanted.id, start_all.business_key, ids[1]);
  end if;

  insert into process (id, tenant_id, environment_id, definition_id, version, priority, status, business_key, created_at,
                       labels)
  select id, mine.tenant_id, mine.environment_id, wanted.id, wanted.version, start_all.priority, 'CREATED',
         start_all.business_key, moment, start_all.labels
  from unnest(ids) as id;

  if large then -- an insert of no rows costs a tenth of a start
    insert into payload (process_id, n, tenant_id, environment_id, body)
    select t.id, 0, mine.tenant_id, mine.environment_id, t.input
    from unnest(ids, inputs) as t(id, input)
    where octet_length(t.input::text) > 8192;
  end if;

  insert into history (process_id, seq, tenant_id, environment_id, v, feed_epoch, at, type, data)
  select t.id, 1, mine.tenant_id, mine.environment_id, 1, epoch, moment, 'process.created',
         common
         || case when octet_length(t.input::text) > 8192 then '{"input_ref": 0}'::jsonb
                 else jsonb_build_object('input', coalesce(t.input, 'null')) end
  from unnest(ids, inputs) as t(id, input);

  if start_all.labels is not null then
    insert into process_label (tenant_id, environment_id, name, value, process_id)
    select mine.tenant_id, mine.environment_id, l.key, l.value, t.id
    from unnest(ids) as t(id), jsonb_each_text(start_all.labels) as l;
  end if;

  insert into job (priority, lane, id, process_id, tenant_id, environment_id)
  select start_all.priority, mine.tenant_id, id, id, mine.tenant_id, mine.environment_id
  from unnest(ids) as id;
  perform wake_workers();

  return array(select public_id('prc', id) from unnest(ids) with ordinality as t(id, place) order by place);
end
$$;

ALTER FUNCTION stepwell.start_all(definition text, inputs jsonb[], business_key text, version integer, priority integer, by text, reason text, pointer text, labels jsonb, trigger jsonb, traceparent text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.start_process(definition text, input jsonb DEFAULT '{}'::jsonb, business_key text DEFAULT NULL::text, version integer DEFAULT NULL::integer, priority integer DEFAULT 0, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return (start_all(definition, array[input], business_key, version, priority, by, reason, '/input', null, null, null))[1];
end
$$;

ALTER FUNCTION stepwell.start_process(definition text, input jsonb, business_key text, version integer, priority integer, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.start_process(definition text, input jsonb, labels jsonb, business_key text DEFAULT NULL::text, version integer DEFAULT NULL::integer, priority integer DEFAULT 0, by text DEFAULT NULL::text, reason text DEFAULT NULL::text, trigger jsonb DEFAULT NULL::jsonb, traceparent text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return (start_all(definition, array[input], business_key, version, priority, by, reason, '/input', labels, trigger,
                    traceparent))[1];
end
$$;

ALTER FUNCTION stepwell.start_process(definition text, input jsonb, labels jsonb, business_key text, version integer, priority integer, by text, reason text, trigger jsonb, traceparent text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.start_processes(definition text, inputs jsonb, version integer DEFAULT NULL::integer, priority integer DEFAULT 0, by text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS text[]
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  select start_processes(definition, inputs, labels => null::jsonb, version => version, priority => priority, by => by,
                         reason => reason)
$$;

ALTER FUNCTION stepwell.start_processes(definition text, inputs jsonb, version integer, priority integer, by text, reason text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.start_processes(definition text, inputs jsonb, labels jsonb, version integer DEFAULT NULL::integer, priority integer DEFAULT 0, by text DEFAULT NULL::text, reason text DEFAULT NULL::text, traceparent text DEFAULT NULL::text) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if jsonb_typeof(inputs) is distinct from 'array' or jsonb_array_length(inputs) not between 1 and 10000 then
    raise exception 'inputs must be an array of 1 to 10,000 values' using errcode = 'SW400', detail = '/inputs',
      hint = 'Split the list.';
  end if;
  return start_all(definition, array(select value from jsonb_array_elements(inputs)), null, version, priority, by, reason,
                   '/inputs', labels, null, traceparent);
end
$$;

ALTER FUNCTION stepwell.start_processes(definition text, inputs jsonb, labels jsonb, version integer, priority integer, by text, reason text, traceparent text) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.take_business_key(in_tenant integer, in_environment integer, in_definition bigint, wanted text, taker bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
declare
  owner bigint;
begin
  for attempt in 1 .. 2 loop
    -- Waits for an open transaction that holds the same key: only its end tells whether the key is taken.
    insert into business_key (tenant_id, environment_id, definition_id, key, process_id)
    values (in_tenant, in_environment, in_definition, wanted, taker)
    on conflict do nothing;
    if found then
      return;
    end if;
    select k.process_id into owner
    from business_key k
    where (k.tenant_id, k.environment_id, k.definition_id, k.key) = (in_tenant, in_environment, in_definition, wanted);
    if owner = taker then
      return;
    end if;
    -- Left behind by a retry that came too late: nobody writes this row any more.
    delete from business_key k
    where (k.tenant_id, k.environment_id, k.definition_id, k.key) = (in_tenant, in_environment, in_definition, wanted)
      and (select p.status from process p where p.id = k.process_id) in ('COMPLETED', 'CANCELLED');
  end loop;
  raise exception 'a process with business key % is still running', wanted
    using errcode = 'SW410', hint = 'Use the running process, or another business key.',
    detail = '/business_key ' || coalesce(public_id('prc', owner), '');
exception
  when lock_not_available then
    raise exception 'another open transaction is starting a process with business key %', wanted
      using errcode = 'SW409', detail = '/business_key', hint = 'Try again when it has ended.';
end
$$;

ALTER FUNCTION stepwell.take_business_key(in_tenant integer, in_environment integer, in_definition bigint, wanted text, taker bigint) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.tick(me bigint, slots integer, lanes jsonb DEFAULT NULL::jsonb, whole boolean DEFAULT true, sleeping boolean DEFAULT false, held bigint[] DEFAULT NULL::bigint[], net boolean DEFAULT true, old boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

ALTER FUNCTION stepwell.tick(me bigint, slots integer, lanes jsonb, whole boolean, sleeping boolean, held bigint[], net boolean, old boolean) OWNER TO stepwell_owner;

CREATE FUNCTION stepwell.wake_workers() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'stepwell', 'pg_temp'
    AS $$
begin
  if exists (select from worker where asleep) then
    notify stepwell_job;
  end if;
end
$$;

ALTER FUNCTION stepwell.wake_workers() OWNER TO stepwell_owner;

CREATE TABLE stepwell.api_key (
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT scopes_are_known CHECK ((scopes <@ ARRAY['workflows:read'::text, 'workflows:write'::text, 'workflows:execute'::text, 'tasks:act'::text, 'admin'::text]))
);

ALTER TABLE stepwell.api_key OWNER TO stepwell_owner;

CREATE TABLE stepwell.audit (
    id bigint NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text,
    data jsonb,
    feed_epoch integer DEFAULT stepwell.feed_epoch() NOT NULL
);

ALTER TABLE stepwell.audit OWNER TO stepwell_owner;

CREATE TABLE stepwell.business_key (
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    definition_id bigint NOT NULL,
    key text NOT NULL,
    process_id bigint NOT NULL
);

ALTER TABLE stepwell.business_key OWNER TO stepwell_owner;

CREATE TABLE stepwell.definition_version (
    definition_id bigint NOT NULL,
    version integer NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    document jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL
);

ALTER TABLE stepwell.definition_version OWNER TO stepwell_owner;

CREATE TABLE stepwell.environment (
    id integer NOT NULL,
    tenant_id integer NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT environment_name_is_a_slug CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text))
);

ALTER TABLE stepwell.environment OWNER TO stepwell_owner;

ALTER TABLE stepwell.environment ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME stepwell.environment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE stepwell.history (
    process_id bigint NOT NULL,
    seq integer NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    attempt integer,
    v smallint NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    feed_epoch integer NOT NULL,
    key_id integer,
    at timestamp with time zone NOT NULL,
    type text NOT NULL,
    path text,
    data jsonb NOT NULL
)
PARTITION BY RANGE (process_id);

ALTER TABLE stepwell.history OWNER TO stepwell_owner;

CREATE SEQUENCE stepwell.id
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    MAXVALUE 1048575
    CACHE 1
    CYCLE;

ALTER SEQUENCE stepwell.id OWNER TO stepwell_owner;

CREATE TABLE stepwell.idempotency_key (
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE stepwell.idempotency_key OWNER TO stepwell_owner;

CREATE TABLE stepwell.inbox (
    process_id bigint NOT NULL,
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    command jsonb NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE stepwell.inbox OWNER TO stepwell_owner;

CREATE TABLE stepwell.installation (
    one boolean DEFAULT true NOT NULL,
    feed_epoch integer DEFAULT 1 NOT NULL,
    test boolean DEFAULT false NOT NULL,
    clock_offset interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT installation_has_one_row CHECK (one),
    CONSTRAINT only_a_test_moves_the_clock CHECK ((test OR (clock_offset = '00:00:00'::interval)))
);

ALTER TABLE stepwell.installation OWNER TO stepwell_owner;

CREATE TABLE stepwell.job (
    priority integer NOT NULL,
    lane integer NOT NULL,
    id bigint NOT NULL,
    process_id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    seq integer
)
WITH (fillfactor='90', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000');

ALTER TABLE stepwell.job OWNER TO stepwell_owner;

CREATE TABLE stepwell.lease (
    process_id bigint NOT NULL,
    worker_id bigint NOT NULL,
    priority integer NOT NULL,
    lane integer NOT NULL,
    bell integer DEFAULT 0 NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000');

ALTER TABLE stepwell.lease OWNER TO stepwell_owner;

CREATE TABLE stepwell.login (
    role_name text NOT NULL,
    kind text NOT NULL,
    tenant_id integer,
    environment_id integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customers_logins_have_a_scope CHECK (((kind = ANY (ARRAY['caller'::text, 'report'::text])) = ((tenant_id IS NOT NULL) AND (environment_id IS NOT NULL)))),
    CONSTRAINT login_kind_is_known CHECK ((kind = ANY (ARRAY['api'::text, 'worker'::text, 'caller'::text, 'report'::text])))
);

ALTER TABLE stepwell.login OWNER TO stepwell_owner;

CREATE TABLE stepwell.loss (
    process_id bigint NOT NULL,
    losses integer NOT NULL,
    quarantined_at timestamp with time zone,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL
);

ALTER TABLE stepwell.loss OWNER TO stepwell_owner;

CREATE TABLE stepwell.migration (
    kind text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT kind_is_known CHECK ((kind = ANY (ARRAY['migration'::text, 'function'::text])))
);

ALTER TABLE stepwell.migration OWNER TO stepwell_owner;

CREATE TABLE stepwell.payload (
    process_id bigint NOT NULL,
    n integer NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    key_id integer,
    body jsonb NOT NULL
)
PARTITION BY RANGE (process_id);

ALTER TABLE stepwell.payload OWNER TO stepwell_owner;

CREATE TABLE stepwell.place (
    epoch integer NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    system_identifier bigint NOT NULL,
    timeline integer NOT NULL,
    database oid NOT NULL,
    relation oid NOT NULL,
    server_started timestamp with time zone DEFAULT pg_postmaster_start_time() NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE stepwell.place OWNER TO stepwell_owner;

CREATE TABLE stepwell.process_label (
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    process_id bigint NOT NULL
)
PARTITION BY RANGE (process_id);

ALTER TABLE stepwell.process_label OWNER TO stepwell_owner;

CREATE TABLE stepwell.release (
    process_id bigint NOT NULL,
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL
);

ALTER TABLE stepwell.release OWNER TO stepwell_owner;

CREATE TABLE stepwell.signal (
    id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    name text NOT NULL,
    correlation text NOT NULL,
    command jsonb NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE stepwell.signal OWNER TO stepwell_owner;

CREATE TABLE stepwell.signal_delivery (
    signal_id bigint NOT NULL,
    process_id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE stepwell.signal_delivery OWNER TO stepwell_owner;

CREATE TABLE stepwell.signal_job (
    id bigint NOT NULL,
    signal_id bigint NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE stepwell.signal_job OWNER TO stepwell_owner;

CREATE TABLE stepwell.task (
    process_id bigint NOT NULL,
    path text NOT NULL,
    run integer NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    definition_id bigint NOT NULL,
    title text NOT NULL,
    assignee text,
    "group" text,
    form jsonb,
    due_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE stepwell.task OWNER TO stepwell_owner;

CREATE TABLE stepwell.tenant (
    id integer NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenant_name_is_a_slug CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text))
);

ALTER TABLE stepwell.tenant OWNER TO stepwell_owner;

ALTER TABLE stepwell.tenant ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME stepwell.tenant_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE stepwell.timer (
    process_id bigint NOT NULL,
    due_at timestamp with time zone NOT NULL,
    priority integer NOT NULL,
    lane integer NOT NULL,
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE stepwell.timer OWNER TO stepwell_owner;

CREATE TABLE stepwell.wait (
    tenant_id integer NOT NULL,
    environment_id integer NOT NULL,
    name text NOT NULL,
    correlation text NOT NULL,
    process_id bigint NOT NULL,
    path text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE stepwell.wait OWNER TO stepwell_owner;

CREATE TABLE stepwell.worker (
    id bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat bigint DEFAULT 0 NOT NULL,
    asleep boolean DEFAULT false NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    release text NOT NULL,
    CONSTRAINT worker_zero_is_the_quarantine CHECK ((id > 0))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');

ALTER TABLE stepwell.worker OWNER TO stepwell_owner;

ALTER TABLE ONLY stepwell.api_key
    ADD CONSTRAINT api_key_hash_key UNIQUE (hash);

ALTER TABLE ONLY stepwell.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.business_key
    ADD CONSTRAINT business_key_pkey PRIMARY KEY (tenant_id, environment_id, definition_id, key);

ALTER TABLE ONLY stepwell.definition
    ADD CONSTRAINT definition_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.definition_version
    ADD CONSTRAINT definition_version_pkey PRIMARY KEY (definition_id, version);

ALTER TABLE ONLY stepwell.environment
    ADD CONSTRAINT environment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.environment
    ADD CONSTRAINT environment_tenant_id_name_key UNIQUE (tenant_id, name);

ALTER TABLE ONLY stepwell.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (process_id, seq);

ALTER TABLE ONLY stepwell.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, environment_id, key);

ALTER TABLE ONLY stepwell.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (process_id, id);

ALTER TABLE ONLY stepwell.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (one);

ALTER TABLE ONLY stepwell.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (priority, lane, id);

ALTER TABLE ONLY stepwell.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (process_id);

ALTER TABLE ONLY stepwell.login
    ADD CONSTRAINT login_pkey PRIMARY KEY (role_name);

ALTER TABLE ONLY stepwell.loss
    ADD CONSTRAINT loss_pkey PRIMARY KEY (process_id);

ALTER TABLE ONLY stepwell.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (kind, name);

ALTER TABLE ONLY stepwell.payload
    ADD CONSTRAINT payload_pkey PRIMARY KEY (process_id, n);

ALTER TABLE ONLY stepwell.place
    ADD CONSTRAINT place_pkey PRIMARY KEY (epoch, tx);

ALTER TABLE ONLY stepwell.process_label
    ADD CONSTRAINT process_label_pkey PRIMARY KEY (tenant_id, environment_id, name, value, process_id);

ALTER TABLE ONLY stepwell.process
    ADD CONSTRAINT process_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.release
    ADD CONSTRAINT release_pkey PRIMARY KEY (process_id, id);

ALTER TABLE ONLY stepwell.signal_delivery
    ADD CONSTRAINT signal_delivery_pkey PRIMARY KEY (signal_id, process_id);

ALTER TABLE ONLY stepwell.signal_job
    ADD CONSTRAINT signal_job_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.signal
    ADD CONSTRAINT signal_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (process_id, path);

ALTER TABLE ONLY stepwell.tenant
    ADD CONSTRAINT tenant_name_key UNIQUE (name);

ALTER TABLE ONLY stepwell.tenant
    ADD CONSTRAINT tenant_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stepwell.timer
    ADD CONSTRAINT timer_pkey PRIMARY KEY (process_id);

ALTER TABLE ONLY stepwell.wait
    ADD CONSTRAINT wait_pkey PRIMARY KEY (tenant_id, environment_id, name, correlation, process_id, path);

ALTER TABLE ONLY stepwell.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);

CREATE INDEX audit_in_feed_order ON stepwell.audit USING btree (feed_epoch, tx, id);

CREATE UNIQUE INDEX definition_by_name ON stepwell.definition USING btree (tenant_id, environment_id, name) WHERE (deleted_at IS NULL);

CREATE INDEX definition_in_order ON stepwell.definition USING btree (tenant_id, environment_id, id);

CREATE INDEX history_in_commit_order ON ONLY stepwell.history USING btree (feed_epoch, tx, process_id, seq);

CREATE INDEX idempotency_key_by_age ON stepwell.idempotency_key USING btree (created_at);

CREATE INDEX lease_by_worker ON stepwell.lease USING btree (worker_id, process_id);

CREATE INDEX process_by_business_key ON ONLY stepwell.process USING btree (tenant_id, environment_id, business_key, id) WHERE (business_key IS NOT NULL);

CREATE INDEX process_by_definition ON ONLY stepwell.process USING btree (tenant_id, environment_id, definition_id, id);

CREATE INDEX process_by_error ON ONLY stepwell.process USING btree (tenant_id, environment_id, error_code, id) WHERE (error_code IS NOT NULL);

CREATE INDEX process_by_failed_step ON ONLY stepwell.process USING btree (tenant_id, environment_id, failed_step, id) WHERE (failed_step IS NOT NULL);

CREATE INDEX process_by_status ON ONLY stepwell.process USING btree (tenant_id, environment_id, status, id);

CREATE INDEX process_in_order ON ONLY stepwell.process USING btree (tenant_id, environment_id, id);

CREATE INDEX signal_by_expiry ON stepwell.signal USING btree (expires_at);

CREATE INDEX signal_by_name ON stepwell.signal USING btree (tenant_id, environment_id, name, correlation, id);

CREATE INDEX signal_delivery_by_expiry ON stepwell.signal_delivery USING btree (expires_at);

CREATE INDEX task_in_order ON stepwell.task USING btree (tenant_id, environment_id, process_id, path);

CREATE INDEX timer_in_order ON stepwell.timer USING btree (due_at, process_id);

CREATE INDEX worker_asleep ON stepwell.worker USING btree (id) WHERE asleep;

ALTER TABLE ONLY stepwell.api_key
    ADD CONSTRAINT api_key_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES stepwell.environment(id);

ALTER TABLE ONLY stepwell.api_key
    ADD CONSTRAINT api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES stepwell.tenant(id);

ALTER TABLE ONLY stepwell.definition
    ADD CONSTRAINT definition_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES stepwell.environment(id);

ALTER TABLE ONLY stepwell.definition
    ADD CONSTRAINT definition_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES stepwell.tenant(id);

ALTER TABLE ONLY stepwell.definition_version
    ADD CONSTRAINT definition_version_definition_id_fkey FOREIGN KEY (definition_id) REFERENCES stepwell.definition(id);

ALTER TABLE ONLY stepwell.environment
    ADD CONSTRAINT environment_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES stepwell.tenant(id);

ALTER TABLE ONLY stepwell.login
    ADD CONSTRAINT login_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES stepwell.environment(id);

ALTER TABLE ONLY stepwell.login
    ADD CONSTRAINT login_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES stepwell.tenant(id);

ALTER TABLE stepwell.api_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.audit ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.business_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.definition ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.definition_version ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.environment ENABLE ROW LEVEL SECURITY;

CREATE POLICY everybody ON stepwell.installation TO stepwell_api, stepwell_report, stepwell_caller USING (true);

CREATE POLICY everybody ON stepwell.migration TO stepwell_api, stepwell_report, stepwell_caller USING (true);

ALTER TABLE stepwell.history ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.idempotency_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.inbox ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.installation ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.job ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.lease ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.login ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.loss ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.migration ENABLE ROW LEVEL SECURITY;

CREATE POLICY one_scope ON stepwell.api_key TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.audit TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.business_key TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.definition TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.definition_version TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.history TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.idempotency_key TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.inbox TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.job TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.lease TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.loss TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.payload TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.process TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.process_label TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.release TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.signal TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.signal_delivery TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.signal_job TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.task TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.timer TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY one_scope ON stepwell.wait TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (environment_id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY own_environment ON stepwell.environment TO stepwell_api, stepwell_report, stepwell_caller USING (((tenant_id = ( SELECT stepwell.current_tenant() AS current_tenant)) AND (id = ( SELECT stepwell.current_environment() AS current_environment))));

CREATE POLICY own_tenant ON stepwell.tenant TO stepwell_api, stepwell_report, stepwell_caller USING ((id = ( SELECT stepwell.current_tenant() AS current_tenant)));

ALTER TABLE stepwell.payload ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.place ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.process ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.process_label ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.release ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.signal ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.signal_delivery ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.signal_job ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.task ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.tenant ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.timer ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.wait ENABLE ROW LEVEL SECURITY;

ALTER TABLE stepwell.worker ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker_spans_tenants ON stepwell.api_key TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.audit TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.business_key TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.definition TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.definition_version TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.environment TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.history TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.idempotency_key TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.inbox TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.installation TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.job TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.lease TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.login TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.loss TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.migration TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.payload TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.place TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.process TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.process_label TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.release TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.signal TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.signal_delivery TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.signal_job TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.task TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.tenant TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.timer TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.wait TO stepwell_worker USING (true) WITH CHECK (true);

CREATE POLICY worker_spans_tenants ON stepwell.worker TO stepwell_worker USING (true) WITH CHECK (true);

GRANT USAGE ON SCHEMA stepwell TO stepwell_api;
GRANT USAGE ON SCHEMA stepwell TO stepwell_worker;
GRANT USAGE ON SCHEMA stepwell TO stepwell_report;
GRANT USAGE ON SCHEMA stepwell TO stepwell_caller;

GRANT SELECT ON TABLE stepwell.definition TO stepwell_api;
GRANT SELECT ON TABLE stepwell.definition TO stepwell_report;
GRANT SELECT ON TABLE stepwell.definition TO stepwell_caller;
GRANT SELECT ON TABLE stepwell.definition TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.add_version(made stepwell.definition, document jsonb, by text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.age_s(id bigint, wall timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.all_written(doc jsonb, kind text, written integer) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.all_written(doc jsonb, kind text, written integer) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.assign_task(task text, by text, "to" text, reason text, claim boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.assign_task(task text, by text, "to" text, reason text, claim boolean) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.assign_task(task text, by text, "to" text, reason text, claim boolean) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.authenticate(key_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.authenticate(key_hash bytea) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.cancel_process(process text, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.cancel_process(process text, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.cancel_process(process text, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.cancel_running(of_definition stepwell.definition, by text, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_labels(labels jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_number(value integer, low integer, high integer, pointer text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_origin(trigger jsonb, traceparent text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_text(value text, longest integer, pointer text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_value(value jsonb, pointer text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.check_who(by text, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.claim(me bigint, slots integer, lanes jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.claim(me bigint, slots integer, lanes jsonb) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.complete_task(task text, by text, data jsonb, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.complete_task(task text, by text, data jsonb, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.complete_task(task text, by text, data jsonb, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.count_running(of_definition stepwell.definition, most integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.current_environment() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.current_environment() TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.current_environment() TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.current_environment() TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.current_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.current_tenant() TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.current_tenant() TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.current_tenant() TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.definition_by_id(wanted bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.definition_of(wanted text, in_tenant integer, in_environment integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.delete_definition(definition_id bigint, force boolean, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.delete_definition(definition_id bigint, force boolean, by text, reason text) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.enable_definition(definition_id bigint, enabled boolean, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.enable_definition(definition_id bigint, enabled boolean, by text, reason text) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.ensure_partitions(ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.ensure_partitions(ahead integer) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.feed_epoch() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.feed_epoch() TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.fire_timers(most integer, floor timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.fire_timers(most integer, floor timestamp with time zone) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.first_id(moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.first_id(moment timestamp with time zone) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.flush(me bigint, doc jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.flush(me bigint, doc jsonb) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.free_leases() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.free_leases() TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.here(OUT system_identifier bigint, OUT timeline integer, OUT database oid, OUT relation oid) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.let_out() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.let_out() TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.load(me bigint, ids bigint[], alone boolean, known integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.load(me bigint, ids bigint[], alone boolean, known integer[]) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.look_for_signals(me bigint, waits jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.look_for_signals(me bigint, waits jsonb) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.match_signals(most integer, floor bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.match_signals(most integer, floor bigint) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.measure() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.measure() TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.measure() TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.months_ahead() FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.new_id() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.new_id() TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.note_change(changed stepwell.definition, action text, by text, reason text, data jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.now() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.now() TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.now() TO stepwell_worker;
GRANT ALL ON FUNCTION stepwell.now() TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.now() TO stepwell_caller;

GRANT SELECT ON TABLE stepwell.process TO stepwell_api;
GRANT SELECT ON TABLE stepwell.process TO stepwell_report;
GRANT SELECT ON TABLE stepwell.process TO stepwell_caller;
GRANT SELECT,UPDATE ON TABLE stepwell.process TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.own_process(public text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.own_task(task text, OUT target stepwell.process, OUT path text, OUT run integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.parse_execution_id(prefix text, public text, OUT process_id bigint, OUT run integer, OUT path text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.post_mail(target stepwell.process, command jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.private_id(prefix text, public text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.private_id(prefix text, public text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.private_id(prefix text, public text) TO stepwell_worker;
GRANT ALL ON FUNCTION stepwell.private_id(prefix text, public text) TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.private_id(prefix text, public text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.public_id(prefix text, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.public_id(prefix text, id bigint) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.public_id(prefix text, id bigint) TO stepwell_worker;
GRANT ALL ON FUNCTION stepwell.public_id(prefix text, id bigint) TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.public_id(prefix text, id bigint) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.publish_definition(document jsonb, by text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.publish_definition(document jsonb, by text) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.publish_version(definition_id bigint, document jsonb, by text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.publish_version(definition_id bigint, document jsonb, by text) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.quarantined() FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.quarantined() TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.raise_feed_epoch(at_least integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.read_mail(me bigint, ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.read_mail(me bigint, ids bigint[]) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.reject_task(task text, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.reject_task(task text, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.reject_task(task text, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.release_process(process text, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.release_process(process text, by text, reason text) TO stepwell_api;

REVOKE ALL ON FUNCTION stepwell.rescue(dead bigint[], others boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.rescue(dead bigint[], others boolean) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.resume_activity(process text, activity text, output jsonb, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.resume_activity(process text, activity text, output jsonb, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.resume_activity(process text, activity text, output jsonb, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.retry_process(process text, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.retry_process(process text, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.retry_process(process text, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.retry_processes(processes text[], by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.retry_processes(processes text[], by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.retry_processes(processes text[], by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) TO stepwell_report;
GRANT ALL ON FUNCTION stepwell.scope(OUT tenant_id integer, OUT environment_id integer) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.send_signal(name text, data jsonb, correlation_key text, id text, ttl_seconds integer, by text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.send_signal(name text, data jsonb, correlation_key text, id text, ttl_seconds integer, by text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.send_signal(name text, data jsonb, correlation_key text, id text, ttl_seconds integer, by text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.signed(by text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.start_all(definition text, inputs jsonb[], business_key text, version integer, priority integer, by text, reason text, pointer text, labels jsonb, trigger jsonb, traceparent text) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, business_key text, version integer, priority integer, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, business_key text, version integer, priority integer, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, business_key text, version integer, priority integer, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, labels jsonb, business_key text, version integer, priority integer, by text, reason text, trigger jsonb, traceparent text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, labels jsonb, business_key text, version integer, priority integer, by text, reason text, trigger jsonb, traceparent text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.start_process(definition text, input jsonb, labels jsonb, business_key text, version integer, priority integer, by text, reason text, trigger jsonb, traceparent text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, version integer, priority integer, by text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, version integer, priority integer, by text, reason text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, version integer, priority integer, by text, reason text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, labels jsonb, version integer, priority integer, by text, reason text, traceparent text) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, labels jsonb, version integer, priority integer, by text, reason text, traceparent text) TO stepwell_api;
GRANT ALL ON FUNCTION stepwell.start_processes(definition text, inputs jsonb, labels jsonb, version integer, priority integer, by text, reason text, traceparent text) TO stepwell_caller;

REVOKE ALL ON FUNCTION stepwell.take_business_key(in_tenant integer, in_environment integer, in_definition bigint, wanted text, taker bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION stepwell.tick(me bigint, slots integer, lanes jsonb, whole boolean, sleeping boolean, held bigint[], net boolean, old boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION stepwell.tick(me bigint, slots integer, lanes jsonb, whole boolean, sleeping boolean, held bigint[], net boolean, old boolean) TO stepwell_worker;

REVOKE ALL ON FUNCTION stepwell.wake_workers() FROM PUBLIC;

GRANT SELECT ON TABLE stepwell.business_key TO stepwell_api;
GRANT SELECT ON TABLE stepwell.business_key TO stepwell_report;
GRANT SELECT ON TABLE stepwell.business_key TO stepwell_caller;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.business_key TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.definition_version TO stepwell_api;
GRANT SELECT ON TABLE stepwell.definition_version TO stepwell_report;
GRANT SELECT ON TABLE stepwell.definition_version TO stepwell_caller;
GRANT SELECT ON TABLE stepwell.definition_version TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.environment TO stepwell_api;
GRANT SELECT ON TABLE stepwell.environment TO stepwell_report;
GRANT SELECT ON TABLE stepwell.environment TO stepwell_caller;
GRANT SELECT ON TABLE stepwell.environment TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.history TO stepwell_api;
GRANT SELECT ON TABLE stepwell.history TO stepwell_report;
GRANT SELECT ON TABLE stepwell.history TO stepwell_caller;
GRANT SELECT,INSERT ON TABLE stepwell.history TO stepwell_worker;

GRANT USAGE ON SEQUENCE stepwell.id TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.idempotency_key TO stepwell_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.idempotency_key TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.inbox TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.installation TO stepwell_api;
GRANT SELECT ON TABLE stepwell.installation TO stepwell_report;
GRANT SELECT ON TABLE stepwell.installation TO stepwell_caller;
GRANT SELECT ON TABLE stepwell.installation TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.job TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.lease TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.loss TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.migration TO stepwell_api;
GRANT SELECT ON TABLE stepwell.migration TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.payload TO stepwell_api;
GRANT SELECT ON TABLE stepwell.payload TO stepwell_report;
GRANT SELECT ON TABLE stepwell.payload TO stepwell_caller;
GRANT SELECT,INSERT ON TABLE stepwell.payload TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.place TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.process_label TO stepwell_api;
GRANT SELECT ON TABLE stepwell.process_label TO stepwell_report;
GRANT SELECT ON TABLE stepwell.process_label TO stepwell_caller;

GRANT SELECT,DELETE,UPDATE ON TABLE stepwell.release TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.signal TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.signal_delivery TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.signal_job TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.task TO stepwell_api;
GRANT SELECT ON TABLE stepwell.task TO stepwell_report;
GRANT SELECT ON TABLE stepwell.task TO stepwell_caller;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.task TO stepwell_worker;

GRANT SELECT ON TABLE stepwell.tenant TO stepwell_api;
GRANT SELECT ON TABLE stepwell.tenant TO stepwell_report;
GRANT SELECT ON TABLE stepwell.tenant TO stepwell_caller;
GRANT SELECT ON TABLE stepwell.tenant TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.timer TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.wait TO stepwell_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE stepwell.worker TO stepwell_worker;
