-- What the carriers of the planted corpus are made of.
CREATE SCHEMA planted;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE TYPE planted.person AS (id integer, mail text, tags text[]);
CREATE TYPE planted.team AS (name text, lead planted.person, members planted.person[]);
CREATE TYPE planted.document AS (id integer, body jsonb);
CREATE TYPE planted.attachment AS (name text, body bytea);
CREATE DOMAIN planted.body AS bytea;
CREATE DOMAIN planted.bodies AS bytea[];
CREATE TYPE planted.bytearange AS RANGE (subtype = bytea);
CREATE DOMAIN planted.mail AS text;
CREATE DOMAIN planted.mail_short AS varchar(400);
CREATE DOMAIN planted.mails AS text[];
CREATE DOMAIN planted.settings AS jsonb;
CREATE DOMAIN planted.anybody AS planted.person;
CREATE TYPE planted.textrange AS RANGE (subtype = text, collation = "C");

-- How the values of a table and of its partitions are stored.
CREATE FUNCTION pg_temp.storage(of_table regclass, storage text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s ALTER %I SET STORAGE %s', c.oid::regclass, a.attname, storage)
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid
          JOIN pg_type t ON t.oid = a.atttypid
         WHERE (c.oid = of_table OR c.oid IN (SELECT relid FROM pg_partition_tree(of_table)))
           AND a.attnum > 0 AND NOT a.attisdropped AND t.typstorage <> 'p'
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
