-- Ends a run. Fenced; saying it twice is harmless.
-- $1 run, $2 epoch, $3 owner, $4 result, $5 output
UPDATE cloner.run SET state = 'done', result = $4::text, output = $5::jsonb, owner = NULL,
  error = NULL, finished_at = coalesce(finished_at, now())
WHERE run_id = $1::uuid AND epoch = $2::bigint
  AND (owner = $3::uuid AND state = 'running' OR state = 'done' AND result = $4::text)
RETURNING state
