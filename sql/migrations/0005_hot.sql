-- What is hot: narrow, short-lived rows; no foreign keys, no payload, no status flags to flip.
-- Autovacuum by count, not by share of the table: between bursts these tables are empty.

-- A bare doorbell: this process wants a worker. Insert = ring, delete = claimed; extra rings are harmless.
-- `lane` is a tenant's share of the queue; 0 until lanes are given shares.
create table stepwell.job (
  priority       integer not null,
  lane           integer not null,
  id             bigint  not null,
  process_id     bigint  not null,
  tenant_id      integer not null,
  environment_id integer not null,
  primary key (priority, lane, id)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);

-- A worker's hold on a process. worker_id 0 is the quarantine. `bell` counts the rings since the hold began.
create table stepwell.lease (
  process_id     bigint  primary key,
  worker_id      bigint  not null,
  priority       integer not null,
  lane           integer not null,
  bell           integer not null default 0,
  tenant_id      integer not null,
  environment_id integer not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
create index lease_by_worker on stepwell.lease (worker_id, process_id);

-- How often a process was lost together with its worker; deleted at its first good park or end.
create table stepwell.loss (
  process_id     bigint      primary key,
  losses         integer     not null,
  quarantined_at timestamptz,
  tenant_id      integer     not null,
  environment_id integer     not null
);

-- Mail for a process. The flush that writes its outcome deletes it by exact id.
create table stepwell.inbox (
  process_id     bigint  not null,
  id             bigint  not null,
  tenant_id      integer not null,
  environment_id integer not null,
  command        jsonb   not null,
  primary key (process_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- When a parked process wants to be woken: one row each. Early, late or double firing is harmless.
create table stepwell.timer (
  process_id     bigint      primary key,
  due_at         timestamptz not null,
  priority       integer     not null,
  lane           integer     not null,
  tenant_id      integer     not null,
  environment_id integer     not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index timer_in_order on stepwell.timer (due_at, process_id);

-- What a parked activity waits for. correlation '' = none.
create table stepwell.wait (
  tenant_id      integer not null,
  environment_id integer not null,
  name           text    not null,
  correlation    text    not null,
  process_id     bigint  not null,
  path           text    not null,
  primary key (tenant_id, environment_id, name, correlation, process_id, path)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- A signal that was sent: until matched; with a correlation key also until a later wait consumes it or it expires.
create table stepwell.signal (
  id             bigint      primary key,
  tenant_id      integer     not null,
  environment_id integer     not null,
  name           text        not null,
  correlation    text        not null,
  command        jsonb       not null,
  expires_at     timestamptz not null
);
create index signal_by_name on stepwell.signal (tenant_id, environment_id, name, correlation, id);
create index signal_by_expiry on stepwell.signal (expires_at);

-- A signal nobody has matched against the open waits yet; id = signal_id.
create table stepwell.signal_job (
  id             bigint  primary key,
  signal_id      bigint  not null,
  tenant_id      integer not null,
  environment_id integer not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Each signal reaches each process once.
create table stepwell.signal_delivery (
  signal_id      bigint      not null,
  process_id     bigint      not null,
  tenant_id      integer     not null,
  environment_id integer     not null,
  expires_at     timestamptz not null,
  primary key (signal_id, process_id)
);
create index signal_delivery_by_expiry on stepwell.signal_delivery (expires_at);

-- An open manual activity. Deleted when it is completed, rejected, timed out or cancelled; history keeps it.
create table stepwell.task (
  process_id     bigint      not null,
  path           text        not null,
  run            integer     not null,
  tenant_id      integer     not null,
  environment_id integer     not null,
  definition_id  bigint      not null,
  title          text        not null,
  assignee       text,
  "group"        text,
  form           jsonb,
  due_at         timestamptz,
  created_at     timestamptz not null,
  primary key (process_id, path)
);
create index task_in_order on stepwell.task (tenant_id, environment_id, process_id, path);

-- One row per writing connection; the row is the fence: gone means drop everything. Ids are never reused.
create table stepwell.worker (
  id         bigint      primary key,
  seen_at    timestamptz not null,
  started_at timestamptz not null,
  beat       bigint      not null default 0,
  asleep     boolean     not null default false,
  host       text        not null,
  pid        integer     not null,
  release    text        not null,
  constraint worker_zero_is_the_quarantine check (id > 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
