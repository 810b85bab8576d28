-- Subscriptions that never connect: they come disabled and without a slot.
CREATE TABLE t (id int PRIMARY KEY, mail text);
INSERT INTO t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE SUBSCRIPTION "sub One" CONNECTION 'host=nowhere.invalid dbname=x password=it\''s' PUBLICATION a, "b c" WITH (connect = false, slot_name = 'slot_one', binary = true, synchronous_commit = 'off');
CREATE SUBSCRIPTION sub_two CONNECTION 'host=nowhere.invalid' PUBLICATION a WITH (connect = false, slot_name = NONE, streaming = on, two_phase = true, disable_on_error = true);
COMMENT ON SUBSCRIPTION sub_two IS 'two';
