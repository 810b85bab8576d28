-- Composites in composites, row types of tables as columns, arrays of them, NULLs inside, odd text.
CREATE TYPE inner_t AS (a text, b timestamptz);
CREATE TYPE outer_t AS (i inner_t, l inner_t[], n numeric(10, 2) , "odd Name" text COLLATE "C");
CREATE TABLE row_source (id int, mail text);
CREATE TABLE comp (id int PRIMARY KEY, o outer_t, os outer_t[], r row_source, rs row_source[]);
INSERT INTO comp SELECT i, ROW(ROW('in' || i || '@corp.example', '2026-01-01')::inner_t, ARRAY[('l@corp.example', NULL)::inner_t, NULL], i, 'a,"b"\(c)')::outer_t,
    ARRAY[NULL, (NULL, NULL, NULL, NULL)::outer_t], ROW(i, 'row' || i || '@corp.example')::row_source, ARRAY[(1, NULL)::row_source] FROM generate_series(1, 150) i;
INSERT INTO comp VALUES (0, NULL, NULL, NULL, NULL), (-1, NULL, '{}', NULL, '{}');
CREATE INDEX ON comp (((r).mail));
