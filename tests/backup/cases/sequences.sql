-- Sequences of every kind, exactly where they stand: called or not, cycled, descending, at their ends, cached, owned, of each type.
CREATE SEQUENCE uncalled START 42;
CREATE SEQUENCE called; SELECT nextval('called'), nextval('called');
CREATE SEQUENCE down INCREMENT -7 MAXVALUE 100 MINVALUE -100 START 50; SELECT nextval('down'), nextval('down');
CREATE SEQUENCE cycled MAXVALUE 3 CYCLE; SELECT nextval('cycled') FROM generate_series(1, 5);
CREATE SEQUENCE at_end MAXVALUE 2; SELECT nextval('at_end'), nextval('at_end');
CREATE SEQUENCE cached CACHE 50; SELECT nextval('cached');
CREATE SEQUENCE tiny AS smallint START -5 MINVALUE -32768; SELECT setval('tiny', 32767);
CREATE SEQUENCE middle AS integer INCREMENT 1000; SELECT setval('middle', 2147483647, false);
CREATE SEQUENCE big; SELECT setval('big', 9223372036854775807);
CREATE SEQUENCE small_end INCREMENT -1 MINVALUE -9223372036854775808; SELECT setval('small_end', -9223372036854775808, true);
CREATE SEQUENCE "Odd "" seq"; SELECT setval('"Odd "" seq"', 17, false);
CREATE SEQUENCE restarted START 5; SELECT nextval('restarted'); ALTER SEQUENCE restarted RESTART;
CREATE TABLE owner_of (a int, b bigint DEFAULT nextval('big'));
CREATE SEQUENCE owned OWNED BY owner_of.a; SELECT setval('owned', 3);
CREATE SCHEMA other;
CREATE SEQUENCE other.far START 7; SELECT nextval('other.far');
COMMENT ON SEQUENCE down IS 'down';
BEGIN; SELECT nextval('called'); ROLLBACK;
