-- Marks workers whose lease ran out. Comparisons use the database's clock only.
UPDATE cloner.worker SET stopped_at = now() WHERE stopped_at IS NULL AND lease_expires_at < now()
