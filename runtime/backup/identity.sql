-- Which database this is, whatever it is called and however it was reached.
SELECT (SELECT system_identifier FROM pg_control_system()) AS system, d.oid, d.datname,
       current_setting('server_version') AS version, current_setting('server_version_num') AS number
  FROM pg_database d
 WHERE d.datname = current_database()
