-- Starts a run, owned by its creator. A live run of the same target key makes it fail (23505).
-- $1 run, $2 name, $3 title, $4 bundle, $5 target key, $6 idempotency key, $7 parent, $8 params,
-- $9 owner, $10 number of steps
INSERT INTO cloner.run (run_id, name, title, bundle_hash, target_key, idempotency_key,
  parent_run_id, params, state, owner, epoch, claims, steps_total)
SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::uuid, $8::jsonb, 'running',
  worker_id, 1, 1, $10::int
FROM cloner.worker WHERE worker_id = $9::uuid AND stopped_at IS NULL
ON CONFLICT (run_id) DO UPDATE SET name = excluded.name
RETURNING epoch
