-- Make the partitions of this month and `ahead` more. Each table is created aside and then attached: `create … partition
-- of` would wait for every open caller transaction and block each insert behind it; attaching takes a lock that goes
-- with inserts. Called by migrate and by every worker's own loop; a row lock makes callers take turns. It waits no longer
-- for a lock than migrate does, and for the same reason: less than deadlock_timeout (1 s).
create or replace function stepwell.ensure_partitions(ahead integer default 3) returns integer
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '500ms'
  set timezone = 'UTC' -- months are added to moments: in another zone they would not begin where months do
as $$
declare
  parent text;
  key    text;
  month  timestamptz;
  low    bigint;
  high   bigint;
  child  text;
  made   integer := 0;
begin
  -- One at a time; a row that only the owner can lock, since anybody could take an advisory lock.
  perform from installation where one for update skip locked;
  if not found then
    return 0;
  end if;
  foreach parent in array array['process', 'history', 'payload', 'process_label'] loop
    key := case parent when 'process' then 'id' else 'process_id' end;
    for step in 0 .. ahead loop
      month := date_trunc('month', clock_timestamp()) + make_interval(months => step);
      low := first_id(month);
      high := first_id(month + interval '1 month');
      child := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      continue when to_regclass('stepwell.' || child) is not null;
      execute format('create table stepwell.%I (like stepwell.%I including defaults including constraints including indexes)',
                     child, parent);
      execute format('alter table stepwell.%I add constraint bounds check (%I >= %s and %I < %s)', child, key, low, key, high);
      execute format('alter table stepwell.%I enable row level security', child);
      if parent = 'process' then
        -- Rows are updated at status changes: room on the page keeps those updates off the indexes where it can.
        execute format('alter table stepwell.%I set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)', child);
      else
        execute format('alter table stepwell.%I set (autovacuum_vacuum_insert_scale_factor = 0.1)', child);
      end if;
      execute format('alter table stepwell.%I attach partition stepwell.%I for values from (%s) to (%s)',
                     parent, child, low, high);
      execute format('alter table stepwell.%I drop constraint bounds', child);
      made := made + 1;
    end loop;
  end loop;
  return made;
end
$$;
revoke all on function stepwell.ensure_partitions(integer) from public;
grant execute on function stepwell.ensure_partitions(integer) to stepwell_worker;
