-- Exclusion constraints: with btree_gist, of expressions, partial, deferrable, on domains of ranges.
CREATE EXTENSION btree_gist;
CREATE TABLE booking (room int, during tsrange, who text, cancelled boolean,
    CONSTRAINT no_clash EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT cancelled) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT by_who EXCLUDE USING gist (lower(who) WITH =, (room + 1) WITH =, during WITH -|-));
INSERT INTO booking SELECT i, tsrange(timestamp '2026-01-01' + i * interval '1 day', timestamp '2026-01-02' + i * interval '1 day'), 'w' || i || '@corp.example', false FROM generate_series(1, 300) i;
CREATE TABLE circles (c circle, EXCLUDE USING gist (c WITH &&) WITH (fillfactor = 70));
INSERT INTO circles SELECT circle(point(i * 10, 0), 1) FROM generate_series(1, 30) i;
COMMENT ON CONSTRAINT no_clash ON booking IS 'one at a time';
