-- Which tenant × environment a statement speaks for: the login's own row decides (session_user, which SECURITY DEFINER
-- does not change). A transaction-local setting counts only for the API's login; any other login can `set` what it
-- likes and gains nothing.
create or replace function stepwell.current_tenant() returns integer
  language sql stable parallel safe security definer
  set search_path = stepwell, pg_temp
as $$
  select case kind
           when 'api' then nullif(current_setting('stepwell.tenant_id', true), '')::integer
           else tenant_id
         end
  from login where role_name = session_user
$$;

create or replace function stepwell.current_environment() returns integer
  language sql stable parallel safe security definer
  set search_path = stepwell, pg_temp
as $$
  select case kind
           when 'api' then nullif(current_setting('stepwell.environment_id', true), '')::integer
           else environment_id
         end
  from login where role_name = session_user
$$;

-- The scope of the caller; refuses a login that has none.
create or replace function stepwell.scope(out tenant_id integer, out environment_id integer)
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
as $$
begin
  tenant_id := current_tenant();
  environment_id := current_environment();
  if tenant_id is null or environment_id is null then
    raise exception 'the login % speaks for no tenant and environment', session_user
      using errcode = 'SW403', hint = 'Make a login with: stepwell login create --kind caller NAME';
  end if;
end
$$;

-- Who asks: the API says it of its callers; what any other login says of itself is signed with the login's name.
create or replace function stepwell.signed(by text) returns text
  language sql stable security definer
  set search_path = stepwell, pg_temp
as $$
  select case
           when exists (select from login where role_name = session_user and kind = 'api') then by
           when by is null then session_user::text
           else by || ' (' || session_user || ')'
         end
$$;

-- Find a process of the caller's scope by its public id; refuses ids of another tenant exactly like unknown ones.
create or replace function stepwell.own_process(public text) returns stepwell.process
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
as $$
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
revoke all on function stepwell.current_tenant(), stepwell.current_environment(), stepwell.scope(), stepwell.own_process(text),
  stepwell.signed(text)
  from public;
grant execute on function stepwell.current_tenant(), stepwell.current_environment(), stepwell.scope()
  to stepwell_api, stepwell_report, stepwell_caller;
