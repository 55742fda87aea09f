-- Statements of the API about a request itself: its transaction, and who is asking. Role: stepwell_api.

-- :name api.begin
-- Opens a request's transaction: all rows it sees and writes belong to this tenant and environment. The settings end
-- with the transaction, so a pooled connection carries nothing over to the next request. Parameters are bound by the
-- client: several statements in one message. Without sequential scans: a plan made while a partition is empty would have
-- them, and be kept while it fills. Without jit: the surcharge for a scan that cannot be avoided would switch it on.
begin isolation level read committed;
set local stepwell.tenant_id = %(tenant_id)s;
set local stepwell.environment_id = %(environment_id)s;
set local lock_timeout = '2s';
set local enable_seqscan = off;
set local jit = off;
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
