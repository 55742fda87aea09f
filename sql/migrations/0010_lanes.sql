-- Lanes and hand-overs.

-- `lane` is the tenant from here on (it was 0): each tenant has its share of a worker's slots. Jobs, leases and timers
-- of the release before keep 0, a lane like any other, until they are gone.

-- Set where a holder gave the process back in good order: after event `seq` nothing has been started, so that what is
-- RUNNING in a state at that `seq` was not lost and may simply begin. null = any other ring.
alter table stepwell.job add column seq integer;

-- Who starts or signals looks whether anybody is asleep: of those alone, however many dead rows the beats leave behind while a
-- snapshot is held. A beat does not touch it.
create index worker_asleep on stepwell.worker (id) where asleep;
