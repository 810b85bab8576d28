-- Gives a run back: ready (interrupted) or paused (needs a person). Fenced; saying it twice is
-- harmless.
-- $1 run, $2 epoch, $3 owner, $4 state, $5 error
UPDATE cloner.run SET state = $4::text, error = $5::jsonb, owner = NULL
WHERE run_id = $1::uuid AND epoch = $2::bigint
  AND (owner = $3::uuid AND state = 'running' OR owner IS NULL AND state = $4::text)
RETURNING state
