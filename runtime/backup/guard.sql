-- What the guard asks the source each second. $1: the server process that holds the snapshot.
--
-- lag_ms is NULL where this role may not see it. On a standby it is the age of the last transaction
-- replayed, unless all that has come is replayed and more may come: then nothing is behind. Neither
-- that age (there was no transaction yet) nor a primary's replay_lag (of the last answer) says all, so
-- the guard also compares what was written (on a standby: came) with what was replayed; both as
-- bytes. A base backup is no replica.
WITH replica AS (
    SELECT r.state IS NOT NULL AS visible, r.replay_lag, r.replay_lsn
    FROM pg_catalog.pg_stat_replication r
    WHERE r.state IS DISTINCT FROM 'backup')
SELECT
    pg_catalog.pg_is_in_recovery() AS standby,
    CASE
        WHEN NOT pg_catalog.pg_is_in_recovery() THEN
            (SELECT CASE
                WHEN count(*) = 0 THEN 0
                WHEN bool_and(r.visible) THEN
                    coalesce(max(extract(epoch FROM r.replay_lag)) * 1000, 0)
                END
            FROM replica r)
        WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
            AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) THEN 0
        ELSE coalesce(
            extract(epoch FROM pg_catalog.clock_timestamp()
                - pg_catalog.pg_last_xact_replay_timestamp()) * 1000,
            CASE WHEN pg_catalog.pg_last_wal_receive_lsn() IS NOT NULL THEN 0 END)
    END::bigint AS lag_ms,
    (CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE (SELECT min(r.replay_lsn) FROM replica r)
    END - '0/0'::pg_lsn)::bigint AS replayed,
    (CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
        ELSE pg_catalog.pg_current_wal_lsn()
    END - '0/0'::pg_lsn)::bigint AS written,
    CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_is_wal_replay_paused()
        ELSE false
    END AS paused,
    (SELECT pg_catalog.age(a.backend_xmin)
    FROM pg_catalog.pg_stat_activity a
    WHERE a.pid = $1::integer) AS xmin_age
