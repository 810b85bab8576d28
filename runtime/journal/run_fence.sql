-- Is the run still ours, and should it be cancelled? Fenced.
-- $1 run, $2 epoch, $3 owner
SELECT cancel_requested_at IS NOT NULL AS cancel_requested, cancel_reason FROM cloner.run
WHERE run_id = $1::uuid AND epoch = $2::bigint AND owner = $3::uuid
  AND state = 'running'
