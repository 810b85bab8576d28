-- Which of these blobs are stored already. Read only.
-- $1 hashes, comma separated
SELECT hash FROM cloner.script_blob WHERE hash = ANY (string_to_array($1::text, ','))
