-- Which database this is, whatever it is called and however it was reached. Some managed servers
-- let nobody ask for the system identifier; when the server was started tells them apart, too.
SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may_ask, d.oid, d.datname,
       current_setting('server_version') AS version, current_setting('server_version_num') AS number,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started
  FROM pg_database d
 WHERE d.datname = current_database()
