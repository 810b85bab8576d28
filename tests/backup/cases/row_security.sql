--cluster: CREATE ROLE rls_reader
--cluster: CREATE ROLE rls_writer
-- Row security, forced, policies of every command and role; no row is lost to them.
CREATE TABLE t (id int, who text, mail text);
INSERT INTO t SELECT i, 'w' || i % 3, 't' || i || '@corp.example' FROM generate_series(1, 300) i;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON t FOR SELECT TO rls_reader USING (id < 10 AND who = current_user);
CREATE POLICY "write it" ON t AS RESTRICTIVE FOR INSERT TO rls_writer, rls_reader WITH CHECK (mail LIKE '%@%');
CREATE POLICY everyone ON t USING (false) WITH CHECK (EXISTS (SELECT FROM t x WHERE x.id = t.id));
CREATE TABLE off (a int);
CREATE POLICY sleeping ON off USING (true);
INSERT INTO off VALUES (1);
COMMENT ON POLICY readers ON t IS 'for readers';
