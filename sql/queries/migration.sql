-- Statements of migrate. Role: the owner. Rows: tens.

-- :name migration.patience
set lock_timeout = '30s'

-- :name migration.lock
-- Programs that migrate at once take turns.
select pg_advisory_lock(hashtext('stepwell.migrate'))

-- :name migration.unlock
select pg_advisory_unlock(hashtext('stepwell.migrate'))

-- :name migration.book
-- Bookkeeping comes before the first migration, so it cannot be one.
create schema if not exists stepwell;
create table if not exists stepwell.migration (
  kind       text        not null,
  name       text        not null,
  checksum   text        not null,
  applied_at timestamptz not null default now(),
  primary key (kind, name),
  constraint kind_is_known check (kind in ('migration', 'function'))
);

-- :name migration.quiet
set client_min_messages = warning

-- :name migration.exists
select to_regclass('stepwell.migration') is not null

-- :name migration.applied
select kind, name, checksum from stepwell.migration

-- :name migration.note
insert into stepwell.migration (kind, name, checksum)
values (%(kind)s, %(name)s, %(checksum)s)
on conflict (kind, name) do update
  set checksum = excluded.checksum,
      applied_at = now()

-- :name migration.partitions
select stepwell.ensure_partitions()
