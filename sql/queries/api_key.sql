-- Statements of the API about who is asking, and about requests it has answered before. Role: stepwell_api.

-- :name api.begin
-- Opens a request's transaction: all rows it sees and writes belong to this tenant and environment. The settings end
-- with the transaction, so a pooled connection carries nothing over to the next request. Parameters are bound by the
-- client: several statements in one message. Without sequential scans: a plan made while a partition is empty would have
-- them, and be kept while it fills.
begin isolation level read committed;
set local stepwell.tenant_id = %(tenant_id)s;
set local stepwell.environment_id = %(environment_id)s;
set local lock_timeout = '2s';
set local enable_seqscan = off;
set local statement_timeout = '10s';
set local timezone = 'UTC'

-- :name api.authenticate
-- Index: api_key_hash_key. Rows: 1.
select key_id, key_name, tenant_id, environment_id, tenant, environment, scopes
from stepwell.authenticate(%(hash)s)

-- :name api.schema
-- Whether this login can work on this schema. Index: none (one row). Rows: 1.
select one
from stepwell.installation

-- :name idempotency.claim
-- Takes the key for this request. A concurrent request with the same key waits here until the first has committed or
-- rolled back (lock_timeout). Index: idempotency_key pk. Rows: 1, or none where the key is known.
insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint)
values (%(tenant_id)s, %(environment_id)s, %(key)s, %(fingerprint)s)
on conflict do nothing
returning true

-- :name idempotency.get
-- Index: idempotency_key pk. Rows: 1.
select fingerprint,
       answer
from stepwell.idempotency_key
where tenant_id = %(tenant_id)s
  and environment_id = %(environment_id)s
  and key = %(key)s

-- :name idempotency.answer
-- Index: idempotency_key pk. Rows: 1.
update stepwell.idempotency_key
set answer = %(answer)s::jsonb
where tenant_id = %(tenant_id)s
  and environment_id = %(environment_id)s
  and key = %(key)s

-- :name idempotency.known
-- Which of some keys are taken. Index: idempotency_key pk. Rows: at most as many as there are keys.
select key
from stepwell.idempotency_key
where tenant_id = %(tenant_id)s
  and environment_id = %(environment_id)s
  and key = any(%(keys)s)

-- :name idempotency.keep
-- Takes keys and stores what was answered under them, in the order of the keys. Fails where one is taken; waits for a
-- transaction that holds one (lock_timeout). Rows: one a key.
insert into stepwell.idempotency_key (tenant_id, environment_id, key, fingerprint, answer)
select %(tenant_id)s, %(environment_id)s, key, fingerprint, answer::jsonb
from unnest(%(keys)s::text[], %(fingerprints)s::bytea[], %(answers)s::text[]) as t(key, fingerprint, answer)
