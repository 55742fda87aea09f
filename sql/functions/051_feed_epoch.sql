-- The epoch of the feed: rows are ordered by (feed_epoch, tx, …), and tx counts the transactions of one server's one
-- past. Where that past is another than the rows', after a restore or a failover, the epoch is a higher one.
-- docs/decisions/0013-feed-epoch.md

-- Where this database is now. Primary server only. Catalogue pg_database by name, and the control file. Rows: 1.
create or replace function stepwell.here(
  out system_identifier bigint, out timeline integer, out database oid, out relation oid
)
  language sql volatile security definer
  set search_path = stepwell, pg_temp
as $$
  select c.system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer, d.oid,
         'stepwell.place'::regclass::oid
  from pg_control_system() c, pg_database d
  where d.datname = current_database()
$$;

-- The epoch in which this transaction writes. Called by whatever writes history or audit, before its first row.
-- Somewhere new it is noted in a row of this transaction's own, so that no row of an epoch is ever committed without that
-- note; whoever does not see it yet comes to the same number by the same rule. So nobody waits: a caller's transaction
-- that was the first after a restore may stay open for an hour. Index: place pk, backwards. Rows: the newest.
--
-- A note of this server's present run needs no look at the control file: server and timeline are the same as long as it
-- runs, for it writes nothing before a promotion. After a restart the same epoch is noted once more.
create or replace function stepwell.feed_epoch() returns integer
  language plpgsql volatile security definer
  set search_path = stepwell, pg_temp
as $$
declare
  last record;
  mine record;
begin
  select p.*,
         p.relation = p.tableoid
         and p.server_started = pg_postmaster_start_time()
         -- The number of this database, as our files have it in their path: a look into pg_database costs more.
         and p.database = split_part(pg_relation_filepath('stepwell.place'), '/', -2)::oid as is_here
  into last
  from place p
  order by p.epoch desc, p.tx desc
  limit 1;
  if last.is_here then
    return last.epoch;
  end if;

  mine := here();
  insert into place (epoch, system_identifier, timeline, database, relation)
  values (
    case
      when last.epoch is null then -- the notes are lost: above all that was ever written
        greatest((select max(h.feed_epoch) from history h), (select max(a.feed_epoch) from audit a), 0) + 1
      when (last.system_identifier, last.database, last.relation)
          <> (mine.system_identifier, mine.database, mine.relation) then last.epoch + 1
      when last.timeline = mine.timeline then last.epoch
      -- By as much as the timeline rose: of two recoveries of one backup the later has the higher epoch. And a thousandfold,
      -- so that it is above those that were raised by one in the time that is lost, by hand or in another place.
      else last.epoch + greatest(1, 1000 * (mine.timeline - last.timeline))
    end,
    mine.system_identifier, mine.timeline, mine.database, mine.relation)
  returning epoch into last.epoch;
  return last.epoch;
end
$$;

-- Raise the epoch by hand, to `at_least` or more: for what cannot be noticed, as a disk snapshot that was started again, or a
-- second restore of one dump. For the owner, while neither API nor workers run. Returns the new epoch.
create or replace function stepwell.raise_feed_epoch(at_least integer default 1) returns integer
  language sql volatile security definer
  set search_path = stepwell, pg_temp
as $$
  insert into place (epoch, system_identifier, timeline, database, relation)
  select greatest(raise_feed_epoch.at_least, feed_epoch() + 1), h.* from here() h
  returning epoch
$$;

revoke all on function stepwell.here(), stepwell.feed_epoch(), stepwell.raise_feed_epoch(integer) from public;
grant execute on function stepwell.feed_epoch() to stepwell_worker;
