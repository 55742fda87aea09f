-- What /metrics asks. Roles: stepwell_api, stepwell_worker.

-- :name metrics.measure
-- Indexes and rows: see sql/functions/070_measure.sql.
select stepwell.measure()::text
