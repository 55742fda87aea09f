drop function if exists stepwell.start_all(text, jsonb[], text, integer, integer, text, text, text); -- of release 0.1; ours alone

-- Start one process in the caller's transaction: process (CREATED), history row 1, one job, together or not at all.
-- Locks: the definition's advisory lock, shared (deleting takes it exclusively); rows of the new id only.
-- `definition`: name or wf_… id. `labels`: what it is searched by. Returns the process's public id.
create or replace function stepwell.start_process(
  definition   text,
  input        jsonb,
  labels       jsonb,
  business_key text    default null,
  version      integer default null,
  priority     integer default 0,
  by           text    default null,
  reason       text    default null,
  trigger      jsonb   default null,
  traceparent  text    default null
) returns text
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return (start_all(definition, array[input], business_key, version, priority, by, reason, '/input', labels, trigger,
                    traceparent))[1];
end
$$;

-- The same without labels. A function of its own, as customers have built on it: since `labels` has no default above, no call
-- suits both.
create or replace function stepwell.start_process(
  definition   text,
  input        jsonb   default '{}',
  business_key text    default null,
  version      integer default null,
  priority     integer default 0,
  by           text    default null,
  reason       text    default null
) returns text
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return (start_all(definition, array[input], business_key, version, priority, by, reason, '/input', null, null, null))[1];
end
$$;

-- Start up to 10,000 processes of one definition, all or nothing. `inputs`: a JSON array; `labels`: of all of them.
create or replace function stepwell.start_processes(
  definition text,
  inputs     jsonb,
  labels     jsonb,
  version    integer default null,
  priority   integer default 0,
  by         text    default null,
  reason     text    default null,
  traceparent text   default null
) returns text[]
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if jsonb_typeof(inputs) is distinct from 'array' or jsonb_array_length(inputs) not between 1 and 10000 then
    raise exception 'inputs must be an array of 1 to 10,000 values' using errcode = 'SW400', detail = '/inputs',
      hint = 'Split the list.';
  end if;
  return start_all(definition, array(select value from jsonb_array_elements(inputs)), null, version, priority, by, reason,
                   '/inputs', labels, null, traceparent);
end
$$;

-- The same without labels.
create or replace function stepwell.start_processes(
  definition text,
  inputs     jsonb,
  version    integer default null,
  priority   integer default 0,
  by         text    default null,
  reason     text    default null
) returns text[]
  language sql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
  select start_processes(definition, inputs, labels => null::jsonb, version => version, priority => priority, by => by,
                         reason => reason)
$$;

drop function if exists stepwell.own_definition(text); -- of release 0.1; ours alone
-- The definition a caller means, of the caller's scope and not deleted: by public id, or by name. Returns its number.
create or replace function stepwell.definition_of(wanted text, in_tenant integer, in_environment integer) returns bigint
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
as $$
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

-- Give a business key to a process: unique among the processes of a definition that have not ended. Never locks a row
-- that a holder may still write: a foreign row is removed only where its process has ended for good.
create or replace function stepwell.take_business_key(
  in_tenant integer, in_environment integer, in_definition bigint, wanted text, taker bigint
) returns void
  language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
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

-- What set a process off ({"type": "manual"}), and the W3C trace context of whoever did.
create or replace function stepwell.check_origin(trigger jsonb, traceparent text) returns void
  language plpgsql immutable
as $$
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
$$;

-- Set-based body of both: one insert per table.
create or replace function stepwell.start_all(
  definition text, inputs jsonb[], business_key text, version integer, priority integer, by text, reason text, pointer text,
  labels jsonb, trigger jsonb, traceparent text
) returns text[]
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  -- With the lists' lengths known a plan looks cheaper each time, so all would be planned anew: a third of a start.
  set plan_cache_mode = force_generic_plan
as $$
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

revoke all on function
  stepwell.start_process(text, jsonb, text, integer, integer, text, text),
  stepwell.start_process(text, jsonb, jsonb, text, integer, integer, text, text, jsonb, text),
  stepwell.start_processes(text, jsonb, integer, integer, text, text),
  stepwell.start_processes(text, jsonb, jsonb, integer, integer, text, text, text),
  stepwell.start_all(text, jsonb[], text, integer, integer, text, text, text, jsonb, jsonb, text),
  stepwell.check_origin(jsonb, text),
  stepwell.take_business_key(integer, integer, bigint, text, bigint),
  stepwell.definition_of(text, integer, integer) from public;
grant execute on function
  stepwell.start_process(text, jsonb, text, integer, integer, text, text),
  stepwell.start_process(text, jsonb, jsonb, text, integer, integer, text, text, jsonb, text),
  stepwell.start_processes(text, jsonb, integer, integer, text, text),
  stepwell.start_processes(text, jsonb, jsonb, integer, integer, text, text, text)
  to stepwell_api, stepwell_caller;
