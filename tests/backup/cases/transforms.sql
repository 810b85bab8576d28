-- Transforms, by functions of one's own.
CREATE TYPE tt AS (a int);
CREATE TABLE t (a tt, mail text);
INSERT INTO t SELECT ROW(i)::tt, 't' || i || '@corp.example' FROM generate_series(1, 20) i;
CREATE FUNCTION from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'oidrecv';
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION from_sql(internal));
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS 'a transform';
