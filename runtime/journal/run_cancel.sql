-- Asks for a run to be cancelled; its owner sees it at the next step or heartbeat.
-- $1 run, $2 reason
UPDATE cloner.run SET cancel_requested_at = coalesce(cancel_requested_at, now()),
  cancel_reason = $2::text
WHERE run_id = $1::uuid AND state <> 'done' RETURNING state
