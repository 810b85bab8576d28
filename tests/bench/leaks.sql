-- How many values still hold an address of the generator's: 0 in a masked copy.
\set ON_ERROR_STOP on
select 'select ' || string_agg(format('(select count(*) from %s where %I::text ~ ''@[a-z0-9.-]+\.example'')',
    a.attrelid::regclass, a.attname), ' + ')
from pg_attribute a
join pg_class c on c.oid = a.attrelid and c.relkind = 'r' and c.relnamespace = 'crm'::regnamespace
join pg_type t on t.oid = a.atttypid and t.typname in ('text', 'varchar', 'json', 'jsonb')
where a.attnum > 0 and not a.attisdropped
\gexec
