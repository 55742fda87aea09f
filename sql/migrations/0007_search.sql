-- What a process is searched by, beside its status, definition, business key and times: labels, and why it failed.

-- Written at start; never updated; dropped by retention. Labels have a table of their own, for an index on jsonb or on an
-- array cannot be used under row-level security (its operators are not leakproof).
create table stepwell.process_label (
  tenant_id      integer not null,
  environment_id integer not null,
  name           text    not null,
  value          text    not null,
  process_id     bigint  not null,
  primary key (tenant_id, environment_id, name, value, process_id)
) partition by range (process_id);
alter table stepwell.process_label enable row level security;
create policy worker_spans_tenants on stepwell.process_label to stepwell_worker using (true) with check (true);
create policy one_scope on stepwell.process_label to stepwell_api, stepwell_caller, stepwell_report
  using (tenant_id = (select stepwell.current_tenant())
    and environment_id = (select stepwell.current_environment()));
grant select on stepwell.process_label to stepwell_api, stepwell_report, stepwell_caller;

-- `labels`: the same, for whoever reads the row. `error_code`, `failed_step`: while FAILED, else null.
alter table stepwell.process
  add column labels jsonb,
  add column error_code text,
  add column failed_step text;

-- Only failed processes are in them: nothing is written to them by a process that goes well. `on only`: migrate builds the
-- parts beside the writers.
create index process_by_error on only stepwell.process (tenant_id, environment_id, error_code, id)
  where error_code is not null;
create index process_by_failed_step on only stepwell.process (tenant_id, environment_id, failed_step, id)
  where failed_step is not null;
