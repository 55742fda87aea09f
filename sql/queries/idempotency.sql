-- Statements of the API about requests it has answered before. Role: stepwell_api.

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
