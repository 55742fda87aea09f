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

-- :name migration.epoch
-- After a restore, the first to notice.
select stepwell.feed_epoch()

-- :name migration.impatience
-- Shorter than deadlock_timeout (1 s): in a circle of waits it is the migration that gives way, and never a worker's flush.
set local lock_timeout = '500ms'

-- :name migration.long_patience
-- Of an index that is built concurrently: it waits for all transactions older than itself, and nobody waits for it.
set lock_timeout = '10min'

-- :name migration.holders
-- Transactions with a lock on any of our tables, the oldest first as far as this login may see; a prepared one has no
-- session. Rows: one a transaction.
select l.virtualtransaction,
       case
         when l.pid is null then 'a prepared transaction (see pg_prepared_xacts)'
         else format('session %s of %s (%s)', l.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), '?'))
       end
from (
  select distinct l.virtualtransaction, l.pid
  from pg_locks l
  join pg_class c on c.oid = l.relation
  where l.database = (select oid from pg_database where datname = current_database())
    and c.relnamespace = to_regnamespace('stepwell')
    and c.relkind in ('r', 'p')
    and l.granted
    and l.pid is distinct from pg_backend_pid()
) l
left join pg_stat_activity a on a.pid = l.pid
order by a.xact_start

-- :name migration.missing_indexes_text
-- What to execute, one by one and in autocommit, for the indexes that are built beside writers; null = not needed. What was
-- left invalid is dropped first. Catalogue. Rows: none, but after a migration that has such indexes.
-- 1. Partitions that lack their part of an index declared `on only` their parent.
-- 2. The index of an ordinary table that may be large; the one it replaces is dropped in the end.
select part.name,
       case when not found.indisvalid then format('drop index concurrently stepwell.%I', part.name) end as remove,
       case when found.indisvalid is not true then
         regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .*? ON ONLY .*? USING ',
                        format('create \1index concurrently %I on %s using ', part.name, p.oid::regclass)) end as build,
       format('alter index stepwell.%I attach partition stepwell.%I', x.relname, part.name) as finish
from pg_index i
join pg_class x on x.oid = i.indexrelid and x.relkind = 'I'
join pg_class t on t.oid = i.indrelid and t.relnamespace = to_regnamespace('stepwell')
join pg_inherits h on h.inhparent = t.oid
join pg_class p on p.oid = h.inhrelid
cross join lateral (select x.relname || substr(p.relname, length(t.relname) + 1) as name) as part
left join pg_index found on found.indrelid = p.oid and found.indexrelid = to_regclass(format('stepwell.%I', part.name))
where not exists (
  select
  from pg_index own
  join pg_inherits of_index on of_index.inhrelid = own.indexrelid and of_index.inhparent = i.indexrelid
  where own.indrelid = p.oid)
union all
select n.name,
       case when not found.indisvalid then format('drop index concurrently stepwell.%I', n.name) end,
       case when found.indisvalid is not true then
         format('create index concurrently %I on stepwell.%s', n.name, n.of) end,
       format('drop index concurrently if exists stepwell.%I', n.instead_of)
from (values
  ('audit_in_feed_order', 'audit (feed_epoch, tx, id)', 'audit_in_commit_order')) as n (name, of, instead_of)
left join pg_index found on found.indexrelid = to_regclass(format('stepwell.%I', n.name))
where found.indisvalid is not true
   or to_regclass(format('stepwell.%I', n.instead_of)) is not null
order by name
