-- Ends what a killed process of ours still has running here; counts what is left.
SELECT count(pg_terminate_backend(pid))
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name = $1
   AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user)
   AND pid <> pg_backend_pid()
