-- What /metrics tells of the whole installation: how much is waiting, and since when. All tenants together, numbers only;
-- for the programs, which are trusted with all tenants. Asked at most every few seconds by each program.
--
-- Nothing is counted beyond 10,001: these tables are empty one minute and millions of rows the next. The depth of a
-- longer queue is an estimate, rows per page as of the last vacuum times the pages of now. Ages come from ids, whose high
-- bits are milliseconds; the head of a queue is the first row of its index.
--
-- Indexes: job pk, timer_in_order, signal_job pk, inbox pk, lease_by_worker, worker pk.
-- Rows: at most 10,001 of each; of `job` beside that the first of at most 1,000 (priority, lane).
create or replace function stepwell.measure() returns jsonb
  language plpgsql stable security definer
  set search_path = stepwell, pg_temp
  set enable_seqscan = off -- as in stepwell.tick
  set jit = off
as $$
declare
  most  constant integer := 10001;
  wall  timestamptz := clock_timestamp(); -- ids have the wall clock, never the test clock
  clock timestamptz := stepwell.now();
  depth bigint;
  first bigint;
  late  record;
  sent  record;
begin
  select count(*) into depth from (select from stepwell.job limit most) j;
  if depth = most then
    select greatest(most, (pg_relation_size(c.oid) / current_setting('block_size')::integer
                           * case when c.relpages > 0 then c.reltuples / c.relpages else 100 end)::bigint)
    into depth
    from pg_class c
    where c.oid = 'stepwell.job'::regclass;
  end if;

  with recursive head as (
    (select j.priority, j.lane, j.id from stepwell.job j order by j.priority, j.lane, j.id limit 1)
    union all
    select n.priority, n.lane, n.id
    from head h,
    lateral (
      select j.priority, j.lane, j.id
      from stepwell.job j
      where (j.priority, j.lane) > (h.priority, h.lane)
      order by j.priority, j.lane, j.id
      limit 1
    ) n
  )
  select min(h.id) into first from (select id from head limit 1000) h;

  select count(*) as number, min(t.due_at) as since
  into late
  from (select due_at from stepwell.timer where due_at <= clock order by due_at limit most) t;

  select count(*) as number, min(s.id) as first
  into sent
  from (select id from stepwell.signal_job order by id limit most) s;

  return jsonb_build_object(
    'queue_depth_jobs', depth,
    'queue_oldest_age_seconds', stepwell.age_s(first, wall),
    'timers_overdue', late.number,
    'timers_overdue_age_seconds', coalesce(extract(epoch from clock - late.since), 0),
    'signals_unmatched', sent.number,
    'signals_unmatched_age_seconds', stepwell.age_s(sent.first, wall),
    'inbox_mails', (select count(*) from (select from stepwell.inbox limit most) i),
    'held_processes', (select count(*) from (select from stepwell.lease l where l.worker_id > 0 limit most) l),
    'quarantined_processes', (select count(*) from (select from stepwell.lease l where l.worker_id = 0 limit most) l),
    'registered_workers', (select count(*) from (select from stepwell.worker limit most) w),
    'partitions_ahead_months', stepwell.months_ahead());
end
$$;

-- How long ago an id was made, in seconds; 0 for none.
create or replace function stepwell.age_s(id bigint, wall timestamptz) returns numeric
  language sql immutable parallel safe
as $$
  select coalesce(greatest(0, extract(epoch from wall) - (id >> 20) / 1000.0), 0)
$$;

-- For how many months after this one, without a gap, history has a partition. Catalogue only.
create or replace function stepwell.months_ahead() returns integer
  language plpgsql stable
as $$
declare
  months integer := 0;
begin
  while months < 60 and to_regclass('stepwell.history_' || to_char(
      date_trunc('month', clock_timestamp() at time zone 'UTC') + make_interval(months => months + 1), 'YYYY_MM'
    )) is not null
  loop
    months := months + 1;
  end loop;
  return months;
end
$$;

revoke all on function stepwell.measure(), stepwell.age_s(bigint, timestamptz), stepwell.months_ahead() from public;
grant execute on function stepwell.measure() to stepwell_api, stepwell_worker;
