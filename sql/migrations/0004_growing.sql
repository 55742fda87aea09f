-- What grows: append-only, range-partitioned by process id (ids are time-ordered, so one process lives in one month).
-- Partitions are made ahead by stepwell.ensure_partitions; retention detaches and drops whole months.
-- Nobody but the owner holds a grant on a partition: read directly, it would pass by the policies of its parent.

-- Written by start_process and the holder (flush); read by everybody; never updated; dropped by retention.
create table stepwell.history (
  process_id     bigint      not null,
  seq            integer     not null,
  tenant_id      integer     not null,
  environment_id integer     not null,
  attempt        integer,
  v              smallint    not null,
  tx             xid8        not null default pg_current_xact_id(),
  feed_epoch     integer     not null,
  key_id         integer,
  at             timestamptz not null,
  type           text        not null,
  path           text,
  data           jsonb       not null,
  primary key (process_id, seq)
) partition by range (process_id);
create index history_in_commit_order on stepwell.history (feed_epoch, tx, process_id, seq);

-- One row a process. Written at start, at a change of process status, and as a snapshot; never once per step.
create table stepwell.process (
  id             bigint      not null,
  tenant_id      integer     not null,
  environment_id integer     not null,
  definition_id  bigint      not null,
  version        integer     not null,
  priority       integer     not null default 0,
  status         text        not null,
  business_key   text,
  created_at     timestamptz not null,
  started_at     timestamptz,
  ended_at       timestamptz,
  snapshot_seq   integer     not null default 0,
  snapshot       jsonb,
  key_id         integer,
  primary key (id),
  constraint process_status_is_known check (
    status in ('CREATED', 'IN_PROGRESS', 'WAITING', 'COMPLETED', 'FAILED', 'CANCELLED')
  ),
  constraint ended_means_a_terminal_status check (
    (ended_at is not null) = (status in ('COMPLETED', 'FAILED', 'CANCELLED'))
  ),
  constraint priority_is_small check (priority between -100 and 100)
) partition by range (id);
create index process_in_order on stepwell.process (tenant_id, environment_id, id);
create index process_by_status on stepwell.process (tenant_id, environment_id, status, id);
create index process_by_definition on stepwell.process (tenant_id, environment_id, definition_id, id);
create index process_by_business_key on stepwell.process (tenant_id, environment_id, business_key, id)
  where business_key is not null;

-- Values over 8 KB, referred to by (process, n) from history and snapshots. 0 is the input.
create table stepwell.payload (
  process_id     bigint  not null,
  n              integer not null,
  tenant_id      integer not null,
  environment_id integer not null,
  key_id         integer,
  body           jsonb   not null,
  primary key (process_id, n)
) partition by range (process_id);

-- Plain tables: uniqueness cannot span partitions.

-- Held from start to end of the process; deleted by its terminal event.
create table stepwell.business_key (
  tenant_id      integer not null,
  environment_id integer not null,
  definition_id  bigint  not null,
  key            text    not null,
  process_id     bigint  not null,
  primary key (tenant_id, environment_id, definition_id, key)
);

-- What a request with this key was answered; kept for 24 hours.
create table stepwell.idempotency_key (
  tenant_id      integer     not null,
  environment_id integer     not null,
  key            text        not null,
  fingerprint    bytea       not null,
  answer         jsonb,
  created_at     timestamptz not null default now(),
  primary key (tenant_id, environment_id, key)
);
create index idempotency_key_by_age on stepwell.idempotency_key (created_at);
