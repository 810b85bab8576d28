-- Rules of every kind, enabled always, for replicas, disabled; none acts on rows that are loaded.
CREATE TABLE t (id int, mail text);
CREATE TABLE log (what text, at int);
CREATE TABLE silent (a int);
INSERT INTO t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 300) i;
INSERT INTO silent VALUES (1), (2);
CREATE RULE also AS ON INSERT TO t DO ALSO INSERT INTO log VALUES ('insert', new.id);
CREATE RULE instead AS ON INSERT TO silent DO INSTEAD NOTHING;
CREATE RULE "when" AS ON UPDATE TO t WHERE old.id > 5 DO ALSO (INSERT INTO log VALUES ('it''s', old.id); DELETE FROM log WHERE at = 0);
CREATE RULE off AS ON DELETE TO t DO INSTEAD NOTHING;
ALTER TABLE t DISABLE RULE off;
ALTER TABLE t ENABLE ALWAYS RULE also;
ALTER TABLE t ENABLE REPLICA RULE "when";
CREATE VIEW v AS SELECT id, mail FROM t;
CREATE RULE v_ins AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (new.id, new.mail) RETURNING t.id, t.mail;
COMMENT ON RULE also ON t IS 'also';
