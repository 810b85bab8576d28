-- Adds to a run's audit trail. Not fenced: people write here too.
-- $1 run, $2 step, $3 kind, $4 data
INSERT INTO cloner.event (run_id, step_key, kind, data)
VALUES ($1::uuid, $2::text, $3::text, $4::jsonb)
