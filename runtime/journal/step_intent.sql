-- A step is about to be tried. Fenced; the run row gives the sequence number.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 title, $6 armed or none
WITH f AS (
  UPDATE cloner.run SET next_seq = next_seq + 1 WHERE run_id = $1::uuid AND epoch = $2::bigint AND owner = $3::uuid
  AND state = 'running'
  RETURNING run_id, next_seq - 1 AS seq)
INSERT INTO cloner.step AS s (run_id, step_key, seq, title, state, epoch, worker_id, undo_state)
SELECT f.run_id, $4::text, f.seq, $5::text, 'started', $2::bigint, $3::uuid, $6::text FROM f
ON CONFLICT (run_id, step_key) DO UPDATE SET state = 'started', attempts = s.attempts + 1,
  title = excluded.title, epoch = excluded.epoch, worker_id = excluded.worker_id,
  undo_state = excluded.undo_state, started_at = now(), finished_at = NULL, progress = NULL
RETURNING s.attempts
