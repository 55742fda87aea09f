-- Processes that are to come out of the quarantine. Written by release_process, in a caller's transaction; read and deleted by
-- the next sweep of any worker, which then touches lease and loss: a claim writes those rows, so no caller may lock them.
create table stepwell.release (
  process_id     bigint  not null,
  id             bigint  not null,
  tenant_id      integer not null,
  environment_id integer not null,
  primary key (process_id, id)
);
alter table stepwell.release enable row level security;
create policy worker_spans_tenants on stepwell.release to stepwell_worker using (true) with check (true);
create policy one_scope on stepwell.release to stepwell_api, stepwell_caller, stepwell_report
  using (tenant_id = (select stepwell.current_tenant())
    and environment_id = (select stepwell.current_environment()));
grant select, update, delete on stepwell.release to stepwell_worker;
