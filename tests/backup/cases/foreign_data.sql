--cluster: CREATE ROLE fd_user
-- Foreign data wrappers, servers, tables with options, and user mappings with their passwords.
CREATE EXTENSION postgres_fdw;
CREATE FOREIGN DATA WRAPPER dummy OPTIONS (a 'it''s', "B c" 'x');
CREATE SERVER "Srv %" TYPE 'pg' VERSION '9''9' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'd''b');
CREATE SERVER plain FOREIGN DATA WRAPPER dummy;
CREATE USER MAPPING FOR fd_user SERVER "Srv %" OPTIONS (user 'u', password 'p''w');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (x 'y');
CREATE TABLE local_parent (id int, mail text) PARTITION BY RANGE (id);
CREATE TABLE local_part PARTITION OF local_parent FOR VALUES FROM (0) TO (100);
CREATE FOREIGN TABLE ft (id int OPTIONS (column_name 'i d') NOT NULL, mail text COLLATE "C" DEFAULT 'x', gone int, CHECK (id > 0)) SERVER "Srv %" OPTIONS (table_name 'it''s', schema_name 's');
ALTER FOREIGN TABLE ft DROP COLUMN gone;
CREATE FOREIGN TABLE ft_part PARTITION OF local_parent FOR VALUES FROM (100) TO (200) SERVER plain;
INSERT INTO local_part SELECT i, 'l' || i || '@corp.example' FROM generate_series(1, 90) i;
COMMENT ON SERVER plain IS 'plain';
COMMENT ON FOREIGN TABLE ft IS 'far';
COMMENT ON COLUMN ft.mail IS 'mail';
CREATE TABLE plain_parent (id int, mail text);
CREATE TABLE plain_child () INHERITS (plain_parent);
CREATE FOREIGN TABLE ft_child () INHERITS (plain_child) SERVER plain;
INSERT INTO plain_parent VALUES (1, 'parent@corp.example');
