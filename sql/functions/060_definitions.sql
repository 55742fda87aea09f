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
  insert into definition_version (definition_id, version, tenant_id, environment_id, document, created_at, created_by)
  values (made.id, made.latest_version, mine.tenant_id, mine.environment_id, document, moment, by);
  insert into audit (id, tenant_id, environment_id, at, actor, action, subject, data)
  values (new_id(), mine.tenant_id, mine.environment_id, moment, by, 'definition.published', public_id('wf', made.id),
          jsonb_build_object('name', made.name, 'version', made.latest_version));
  return made.id;
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
revoke all on function stepwell.publish_definition(jsonb, text), stepwell.authenticate(bytea) from public;
grant execute on function stepwell.publish_definition(jsonb, text), stepwell.authenticate(bytea) to stepwell_api;
