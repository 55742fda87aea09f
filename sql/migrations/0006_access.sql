-- Row-level security on every table, and who may do what.
-- Customers (api, caller, report) see one tenant × environment; the worker spans all of them.
-- Writes of customers go through SECURITY DEFINER functions, which check the scope themselves.

create function stepwell.current_tenant() returns integer
  language sql stable parallel safe as 'select null::integer';
create function stepwell.current_environment() returns integer
  language sql stable parallel safe as 'select null::integer';

do $$
declare
  t record;
  scoped boolean;
begin
  for t in
    select c.oid, c.relname
    from pg_class c
    where c.relnamespace = 'stepwell'::regnamespace
      and c.relkind in ('r', 'p')
      and not c.relispartition
  loop
    execute format('alter table stepwell.%I enable row level security', t.relname);
    execute format('create policy worker_spans_tenants on stepwell.%I to stepwell_worker using (true) with check (true)', t.relname);
    select exists (
      select from pg_attribute
      where attrelid = t.oid and attname = 'environment_id' and t.relname <> 'login'
    ) into scoped;
    if scoped then
      execute format(
        'create policy one_scope on stepwell.%I to stepwell_api, stepwell_caller, stepwell_report '
        'using (tenant_id = (select stepwell.current_tenant()) '
        'and environment_id = (select stepwell.current_environment()))', t.relname);
    end if;
  end loop;
end
$$;

create policy own_tenant on stepwell.tenant to stepwell_api, stepwell_caller, stepwell_report
  using (id = (select stepwell.current_tenant()));
create policy own_environment on stepwell.environment to stepwell_api, stepwell_caller, stepwell_report
  using (tenant_id = (select stepwell.current_tenant()) and id = (select stepwell.current_environment()));
create policy everybody on stepwell.installation to stepwell_api, stepwell_caller, stepwell_report using (true);
create policy everybody on stepwell.migration to stepwell_api, stepwell_caller, stepwell_report using (true);

grant usage on schema stepwell to stepwell_api, stepwell_worker, stepwell_report, stepwell_caller;

-- What customers may read.
grant select on
  stepwell.installation, stepwell.tenant, stepwell.environment, stepwell.definition, stepwell.definition_version,
  stepwell.process, stepwell.history, stepwell.payload, stepwell.task, stepwell.business_key
  to stepwell_api, stepwell_report, stepwell_caller;
grant select, insert, update, delete on stepwell.idempotency_key to stepwell_api;

-- What the holder writes. history and audit are never updated or deleted but by the owner.
grant select on stepwell.migration to stepwell_api, stepwell_worker;
grant select on
  stepwell.installation, stepwell.tenant, stepwell.environment, stepwell.definition, stepwell.definition_version,
  stepwell.history, stepwell.process, stepwell.payload
  to stepwell_worker;
grant usage on sequence stepwell.id to stepwell_worker;
grant insert on stepwell.history, stepwell.payload to stepwell_worker;
grant update on stepwell.process to stepwell_worker;
grant select, insert, update, delete on
  stepwell.job, stepwell.lease, stepwell.loss, stepwell.inbox, stepwell.timer, stepwell.wait, stepwell.signal,
  stepwell.signal_job, stepwell.signal_delivery, stepwell.task, stepwell.worker, stepwell.business_key,
  stepwell.idempotency_key
  to stepwell_worker;

revoke all on all functions in schema stepwell from public;
-- Not `in schema`: that form cannot take away what the global default gives.
alter default privileges revoke execute on functions from public;
