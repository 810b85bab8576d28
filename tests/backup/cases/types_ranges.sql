-- Built-in and own ranges and multiranges, with subtype functions, empty, unbounded, of text; arrays of them.
CREATE FUNCTION time_diff(a time, b time) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT extract(epoch FROM (a - b))::float8';
CREATE TYPE timerange AS RANGE (subtype = time, subtype_diff = time_diff, multirange_type_name = times);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TABLE r (id int, i int4range, n numrange, d daterange, ts tstzrange, t timerange, ts2 times, x textrange, m nummultirange, a int8range[], xm textmultirange);
INSERT INTO r SELECT i, int4range(i, i + 5, '[]'), numrange(NULL, i), 'empty', tstzrange('2026-01-01', 'infinity'), '[10:00,12:00)',
    '{[10:00,11:00),[12:00,13:00)}', '["a@corp.example","b@corp.example")', '{[1,2],(5,)}', ARRAY['[1,3)'::int8range, NULL, 'empty'],
    '{["c@corp.example","d@corp.example"]}' FROM generate_series(1, 150) i;
INSERT INTO r DEFAULT VALUES;
CREATE INDEX ON r USING gist (i, t);
