-- Event triggers, enabled, disabled and always: none may fire (or forbid) while the copy is made.
CREATE TABLE t (id int PRIMARY KEY, mail text);
INSERT INTO t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t;
CREATE INDEX ON t (mail);
CREATE TABLE log (what text);
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (tg_tag); RAISE 'no % here', tg_tag; END $$;
CREATE FUNCTION quiet() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "No Drop" ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP INDEX') EXECUTE FUNCTION forbid();
CREATE EVENT TRIGGER quiet_end ON ddl_command_end EXECUTE FUNCTION quiet();
CREATE EVENT TRIGGER rewrite ON table_rewrite EXECUTE FUNCTION quiet();
ALTER EVENT TRIGGER rewrite DISABLE;
ALTER EVENT TRIGGER quiet_end ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER "No Drop" IS 'no';
CREATE EVENT TRIGGER nothing ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE', 'COMMENT') EXECUTE FUNCTION forbid();
