-- One run, with the process that owns it. Read only.
-- $1 run
SELECT * FROM cloner.run_overview r
WHERE r.run_id = $1::uuid
