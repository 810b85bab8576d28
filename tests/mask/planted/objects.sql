-- Addresses that stand in definitions. A name in @{} becomes a planted address; what of them is known not to be
-- masked is listed, by these names, in known.txt. No row is made of them: that would be a leak, and told as one.

-- comments, of which each kind of object has its own
CREATE TABLE planted.commented (id integer PRIMARY KEY, value text);
COMMENT ON TABLE planted.commented IS 'ask @{comment_table}';
COMMENT ON COLUMN planted.commented.value IS 'ask @{comment_column}';
COMMENT ON INDEX planted.commented_pkey IS 'ask @{comment_index}';
COMMENT ON SCHEMA planted IS 'ask @{comment_schema}';
COMMENT ON TYPE planted.person IS 'ask @{comment_type}';
SELECT lo_from_bytea(4000000000, 'hello');
COMMENT ON LARGE OBJECT 4000000000 IS 'ask @{comment_large_object}';

-- expressions
CREATE TABLE planted.with_default (id integer, value text DEFAULT '@{default}');
CREATE TABLE planted.with_generated (id integer, value text GENERATED ALWAYS AS ('@{generated} ' || id) STORED);
CREATE DOMAIN planted.with_domain_default AS text DEFAULT '@{domain_default}';
CREATE DOMAIN planted.with_domain_check AS text CHECK (VALUE <> '@{domain_check}');
CREATE TABLE planted.with_check (value text CHECK (value <> '@{check}'));
CREATE TABLE planted.with_index (value text);
CREATE INDEX with_index_predicate ON planted.with_index (value) WHERE value <> '@{index_predicate}';
CREATE INDEX with_index_expression ON planted.with_index ((value = '@{index_expression}'));
CREATE STATISTICS planted.with_statistics ON (value || '@{statistics}'), value FROM planted.with_index;
CREATE TABLE planted.with_exclusion (id integer, value text, EXCLUDE (id WITH =) WHERE (value <> '@{exclusion}'));

-- bodies
CREATE VIEW planted.with_view AS SELECT '@{view}'::text AS value;
CREATE MATERIALIZED VIEW planted.with_view_materialized AS SELECT '@{view_materialized}'::text AS value WITH NO DATA;
CREATE FUNCTION planted.with_sql(to_whom text DEFAULT '@{function_default}') RETURNS text
    LANGUAGE sql IMMUTABLE AS $$ SELECT '@{function_sql}'::text $$;
CREATE FUNCTION planted.with_body() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT '@{function_body}'::text; END;
CREATE FUNCTION planted.with_plpgsql() RETURNS trigger
    LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'told @{function_plpgsql}'; RETURN NEW; END $$;
CREATE FUNCTION planted.with_setting() RETURNS text
    LANGUAGE sql SET planted.mail = '@{function_setting}' AS $$ SELECT current_setting('planted.mail') $$;
CREATE AGGREGATE planted.with_aggregate (text) (SFUNC = textcat, STYPE = text, INITCOND = '@{aggregate}');
CREATE TABLE planted.with_trigger (id integer, value text);
CREATE TRIGGER planted_when BEFORE INSERT ON planted.with_trigger FOR EACH ROW
    WHEN (NEW.value = '@{trigger_when}') EXECUTE FUNCTION planted.with_plpgsql('@{trigger_argument}');
CREATE TABLE planted.with_rule (value text);
CREATE RULE planted_rule AS ON INSERT TO planted.with_rule WHERE NEW.value = '@{rule}' DO INSTEAD NOTHING;
CREATE TABLE planted.with_policy (value text);
CREATE POLICY planted_policy ON planted.with_policy USING (value <> '@{policy}');

-- values that are part of the schema
CREATE TYPE planted.with_label AS ENUM ('none', '@{enum_label}');
CREATE TABLE planted.with_enum (value planted.with_label);
INSERT INTO planted.with_enum VALUES ('none');
CREATE TABLE planted.with_bound (value text) PARTITION BY LIST (value);
CREATE TABLE planted.with_bound_one PARTITION OF planted.with_bound FOR VALUES IN ('@{partition_bound}');
CREATE TABLE planted.with_bound_rest PARTITION OF planted.with_bound DEFAULT;
INSERT INTO planted.with_bound VALUES ('@{partition_row}');

-- other servers
CREATE FOREIGN DATA WRAPPER planted_wrapper OPTIONS (contact '@{wrapper_option}');
CREATE SERVER planted_server FOREIGN DATA WRAPPER planted_wrapper OPTIONS (contact '@{server_option}');
CREATE USER MAPPING FOR CURRENT_USER SERVER planted_server OPTIONS ("user" '@{mapping_option}');
CREATE FOREIGN TABLE planted.with_foreign (value text OPTIONS (contact '@{foreign_column_option}'))
    SERVER planted_server OPTIONS (contact '@{foreign_table_option}');
SET client_min_messages = error;
CREATE PUBLICATION planted_publication FOR TABLE planted.with_trigger WHERE (value <> '@{publication}') WITH (publish = 'insert');
CREATE SUBSCRIPTION planted_subscription CONNECTION 'dbname=none application_name=@{subscription}'
    PUBLICATION planted_publication WITH (connect = false, slot_name = NONE);

-- names
CREATE TABLE planted."@{name_table}" (id integer, "@{name_column}" text);
CREATE INDEX "@{name_index}" ON planted.with_index (value);
CREATE TABLE planted.named (id integer CONSTRAINT "@{name_constraint}" CHECK (id > 0));
CREATE FUNCTION planted."@{name_function}"() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE SCHEMA "@{name_schema}";
