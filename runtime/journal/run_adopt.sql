-- Pins a run to other scripts, on purpose (resume --script). Fenced.
-- $1 run, $2 epoch, $3 owner, $4 bundle, $5 number of steps
UPDATE cloner.run SET bundle_hash = $4::text, steps_total = $5::int WHERE run_id = $1::uuid AND epoch = $2::bigint AND owner = $3::uuid
  AND state = 'running'
RETURNING bundle_hash
