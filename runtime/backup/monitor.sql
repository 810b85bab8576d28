-- How far the indexes are that the server processes $1 build.
SELECT
    p.pid,
    pg_catalog.replace(p.phase, 'building index: ', '') AS phase,
    CASE
        WHEN p.tuples_total > 0 THEN least(100, 100 * p.tuples_done / p.tuples_total)
        WHEN p.blocks_total > 0 THEN least(100, 100 * p.blocks_done / p.blocks_total)
    END AS percent
FROM pg_catalog.pg_stat_progress_create_index p
WHERE p.pid = ANY ($1::integer[])
