-- The engine's clock: real time, except in a database marked `test`, which may move it (installation.clock_offset).
-- Ids never use it; see new_id.
create or replace function stepwell.now() returns timestamptz
  language sql stable parallel safe security definer
  set search_path = stepwell, pg_temp
as $$
  select clock_timestamp() + clock_offset from installation where one
$$;
revoke all on function stepwell.now() from public;
grant execute on function stepwell.now() to stepwell_api, stepwell_worker, stepwell_report, stepwell_caller;
