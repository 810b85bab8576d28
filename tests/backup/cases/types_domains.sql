-- Domains over domains, arrays and composites; checks by functions; NOT NULL; collations and defaults.
CREATE FUNCTION is_mail(t text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT t LIKE '%@%' $$;
CREATE DOMAIN mail AS varchar(60) CHECK (is_mail(value)) DEFAULT 'none@corp.example';
CREATE DOMAIN work_mail AS mail NOT NULL CONSTRAINT no_blank CHECK (value !~ ' ');
CREATE DOMAIN mails AS work_mail[] CHECK (cardinality(value) < 5);
CREATE TYPE pair AS (a mail, b int);
CREATE DOMAIN checked_pair AS pair CHECK ((value).b > 0);
CREATE DOMAIN late AS int;
CREATE DOMAIN c_text AS text COLLATE "C";
CREATE TABLE d (id int, a mail, b work_mail, c mails, d checked_pair, e late, f c_text, g mails[], h late[]);
INSERT INTO d SELECT i, 'a' || i || '@corp.example', 'b' || i || '@corp.example', ARRAY['c1@corp.example', 'c2@corp.example'],
    ROW('p' || i || '@corp.example', i)::pair, i - 2, 'C' || i, ARRAY[ARRAY['g@corp.example']::mails], '{1,2,NULL}' FROM generate_series(1, 200) i;
ALTER DOMAIN late ADD CONSTRAINT later CHECK (value > 0) NOT VALID;
COMMENT ON DOMAIN mail IS 'a mail';
COMMENT ON CONSTRAINT no_blank ON DOMAIN work_mail IS 'no blanks';
