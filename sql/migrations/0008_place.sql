-- Where this database has lived, so that the feed's epoch rises when it is a copy or an earlier state of itself.
-- docs/decisions/0013-feed-epoch.md

-- One row for each server × database × timeline × run of the server, or a few of them: each transaction that finds itself
-- somewhere new adds one of its own, and none waits for another. Written and read by feed_epoch(); read by readers of the
-- feed; never updated or deleted.
create table stepwell.place (
  epoch             integer     not null,
  tx                xid8        not null default pg_current_xact_id(),
  system_identifier bigint      not null, -- of the cluster: another after initdb, so after a dump and restore elsewhere
  timeline          integer     not null, -- rises at each recovery to a point in time and at each failover
  database          oid         not null, -- another where a database was copied or restored beside the first
  relation          oid         not null, -- of this table: another where the schema was dropped and restored in place
  server_started    timestamptz not null default pg_postmaster_start_time(),
  at                timestamptz not null default clock_timestamp(),
  primary key (epoch, tx)
);
alter table stepwell.place enable row level security;
create policy worker_spans_tenants on stepwell.place to stepwell_worker using (true) with check (true);
grant select on stepwell.place to stepwell_worker;

-- History written by transactions that this server has not seen yet: the database was restored before it came to this
-- release. installation.feed_epoch is read by programs of release 0.1 only; a later release drops it.
insert into stepwell.place (epoch, system_identifier, timeline, database, relation)
select i.feed_epoch + exists (
         select from stepwell.history h
         where h.feed_epoch = i.feed_epoch
           and h.tx >= pg_snapshot_xmax(pg_current_snapshot()))::integer,
       c.system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer, d.oid,
       'stepwell.place'::regclass::oid
from stepwell.installation i, pg_control_system() c, pg_database d
where d.datname = current_database();

-- The audit is in the feed too, and in the same order as history: by an index that migrate builds beside the writers.
create function stepwell.feed_epoch() returns integer
  language sql as 'select null::integer';
alter table stepwell.audit add column feed_epoch integer not null default 1;
alter table stepwell.audit alter column feed_epoch set default stepwell.feed_epoch();
