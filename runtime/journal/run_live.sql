-- The live run of a target key. Read only.
-- $1 target key
SELECT * FROM cloner.run_overview r
WHERE r.target_key = $1::text AND r.state <> 'done'
