-- A live run, other than one, that joined a run (see run:start). Read only.
-- $1 joined run, $2 the one that does not count
SELECT m.run_id FROM cloner.memo m JOIN cloner.run r ON r.run_id = m.run_id
WHERE m.key LIKE 'start:%' AND m.value -> 'v' ->> 'id' = $1::text AND m.run_id <> $2::uuid
  AND r.state <> 'done' AND r.phase = 'forward' LIMIT 1
