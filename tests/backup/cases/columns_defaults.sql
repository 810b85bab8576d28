-- Defaults and NOT NULL of every make; a load must not use them.
CREATE SEQUENCE shared_seq START 100;
CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'a default was evaluated'; END $$;
CREATE TABLE defaults (
    id bigint DEFAULT nextval('shared_seq') NOT NULL,
    a int DEFAULT boom(),
    t timestamptz DEFAULT now(),
    u text DEFAULT ('x' || current_user::text),
    arr int[] DEFAULT '{1,2}',
    n text DEFAULT NULL
);
INSERT INTO defaults (a, u, t) SELECT i, 'u' || i || '@corp.example', '2026-01-01 00:00:00+00' FROM generate_series(1, 200) i;
INSERT INTO defaults VALUES (DEFAULT, NULL, NULL, NULL, NULL, NULL);
ALTER TABLE defaults ALTER n SET DEFAULT 'later';
