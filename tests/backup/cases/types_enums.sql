-- Enums with values put between, renamed, of odd content; arrays, defaults, indexes and ranges of them.
CREATE TYPE mood AS ENUM ('sad', 'happy');
ALTER TYPE mood ADD VALUE 'so so' BEFORE 'happy';
ALTER TYPE mood ADD VALUE 'very "sad"' BEFORE 'sad';
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad; it''s';
CREATE TYPE no_values AS ENUM ();
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TABLE e (id serial, m mood DEFAULT 'so so', ms mood[], r moodrange, v no_values, mail text);
INSERT INTO e (m, ms, r, mail) SELECT (enum_range(NULL::mood))[1 + i % 4], enum_range('sad'::mood, NULL), '["sad","so so"]',
    'e' || i || '@corp.example' FROM generate_series(1, 200) i;
CREATE INDEX ON e (m);
CREATE INDEX ON e USING gist (r);
