-- What a database holds, as text: the same for a source and for every complete copy of it.
\set ON_ERROR_STOP on
select format('select %L, count(*) from %s', c.oid::regclass, c.oid::regclass) from pg_class c
where c.relkind = 'r' and c.relnamespace = 'crm'::regnamespace order by c.relname \gexec
select 'indexes', count(*) from pg_index i join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'crm'::regnamespace and i.indisvalid;
select 'constraints', count(*) from pg_constraint where connamespace = 'crm'::regnamespace and convalidated;
