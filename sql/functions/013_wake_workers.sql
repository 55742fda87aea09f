-- Wake idle workers when this transaction commits, if any of them is asleep. Called by those who make work from outside
-- (start, mail, signals), never by a worker's flush: commits that notify wait for each other, throughout the database.
-- While all workers are busy nobody notifies; a worker that goes to sleep looks again several times, since a caller may
-- have found it awake and commit later. Without this (transaction-mode pooler) its tick finds the work.
-- Index: worker_asleep. Rows: 1.
create or replace function stepwell.wake_workers() returns void
  language plpgsql security definer
  set search_path = stepwell, pg_temp
as $$
begin
  if exists (select from worker where asleep) then
    notify stepwell_job;
  end if;
end
$$;
revoke all on function stepwell.wake_workers() from public;
