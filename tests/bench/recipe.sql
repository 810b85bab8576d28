-- The recipe people use: restore, then UPDATE. One statement a table, every text and JSON column
-- through regexp_replace, rows without an at sign left alone.
\set QUIET on
\set ON_ERROR_STOP on
select format('update %s set %s where %s', c.oid::regclass,
    string_agg(format(case when t.typname in ('json', 'jsonb')
        then '%1$I = regexp_replace(%1$I::text, %3$L, %4$L, ''g'')::%2$s'
        else '%1$I = regexp_replace(%1$I, %3$L, %4$L, ''g'')' end, a.attname, t.typname,
        '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+', 'masked@mailinator.com'), ', '),
    string_agg(format('%I::text like ''%%@%%''', a.attname), ' or '))
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'crm'::regnamespace and c.relkind = 'r'
    and t.typname in ('text', 'varchar', 'json', 'jsonb')
group by c.oid
order by pg_table_size(c.oid) desc
\gexec
