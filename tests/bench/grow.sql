-- Makes a seeded tenant as big as wanted: psql -v gb=2 -f grow.sql
--
-- Every table of a thousand rows or more that nothing but its primary key forbids to hold them twice
-- gets copies of its rows under new keys, all tables by the same factor: a tenant like it, only larger.
\set QUIET on
\set ON_ERROR_STOP on
analyze;

create temp table growing as
select c.oid, c.oid::regclass as name, k.attname as key,
    (select string_agg(format('%I', a.attname), ', ') from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attnum <> k.attnum
            and a.attgenerated = '') as columns
from pg_class c
join pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1
join pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[0] and k.atttypid = 'int'::regtype
where c.relkind = 'r' and c.relnamespace = 'crm7'::regnamespace and c.reltuples >= 1000
    and (select count(*) from pg_index u where u.indrelid = c.oid and u.indisunique) = 1;

-- The keys that are there are up to so many, and are used so many times more.
select ((:gb * 1024 ^ 3 - pg_database_size(current_database())) / sum(pg_total_relation_size(oid)))::numeric as times
from growing \gset

set session_replication_role = replica;
set synchronous_commit = off;
select format('insert into %1$s (%2$I, %3$s) select %2$I + copy * stride, %3$s from %1$s,
    lateral (select max(%2$I) + 1 as stride from %1$s) m, generate_series(1, ceil(%4$s)::int) copy
    where copy <= %4$s or %2$I %% 1000 < 1000 * (%4$s - floor(%4$s))', name, key, columns, :times)
from growing where :times > 0 order by pg_total_relation_size(oid) desc
\gexec
select format('update crm7.sequence set next_id = (select max(%I) + 1 from %s) where tablename = %L',
    key, name, relname)
from growing join pg_class using (oid)
\gexec
select format('do $do$ begin perform setval(%L, (select max(%I) from %s)); end $do$',
    pg_get_serial_sequence(name::text, key), key, name)
from growing where pg_get_serial_sequence(name::text, key) is not null
\gexec
reset session_replication_role;
vacuum (analyze);
