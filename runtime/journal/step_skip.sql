-- A step is left out, and why. Fenced.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 title, $6 reason
WITH f AS (
  UPDATE cloner.run SET next_seq = next_seq + 1 WHERE run_id = $1::uuid AND epoch = $2::bigint AND owner = $3::uuid
  AND state = 'running'
  RETURNING run_id, next_seq - 1 AS seq)
INSERT INTO cloner.step AS s (run_id, step_key, seq, title, state, epoch, worker_id, reason,
  finished_at)
SELECT f.run_id, $4::text, f.seq, $5::text, 'skipped', $2::bigint, $3::uuid, $6::text, now() FROM f
ON CONFLICT (run_id, step_key) DO UPDATE SET state = 'skipped', reason = excluded.reason,
  finished_at = now()
RETURNING s.state
