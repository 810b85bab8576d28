-- One table without indexes, of a given size in GiB: psql -v gb=2 -f one_table.sql
--
-- For the question whether two jobs copy one table twice as fast as one job.
\set QUIET on
\set ON_ERROR_STOP on
begin;
set local synchronous_commit = off;
create schema crm;
create table crm.message (
    message_id  bigint not null,
    sender      text,
    body        text not null,
    created_at  timestamptz not null
);
insert into crm.message
select i, case when i % 3 = 0 then 'kari' || i || '@firma' || i % 5000 || '.example' end, t.body,
    timestamptz '2021-01-01 UTC' + i * interval '1 minute'
from generate_series(1, (:gb * 1250000)::bigint) i
cross join lateral (select repeat(md5(i::text) || ' er sendt, og vi venter; ', 13) as body) t;
commit;
vacuum (freeze, analyze);
