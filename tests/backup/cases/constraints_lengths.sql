-- Constraints on nothing but the length of a text, of tables and of domains: addresses are shortened to fit.
CREATE TABLE lengths (id int PRIMARY KEY, mail text CHECK (length(mail) <= 30), "The Mail" varchar(200) UNIQUE
    CHECK (char_length("The Mail") BETWEEN 3 AND 32), less text CHECK (character_length(less) < 31),
    CHECK (length(mail) < 1000), either text CHECK (length(either) <= 30 OR id > 0));
INSERT INTO lengths SELECT i, 'somebody' || i || '@corp.example', 'someone.' || i || '@corp.example', 'o' || i || '.body@corp.example',
    'nobody.in.particular.' || i || '@corp.example' FROM generate_series(1, 200) i;
CREATE DOMAIN short AS text CHECK (length(VALUE) <= 30);
CREATE DOMAIN shorter AS short CHECK (VALUE <> '');
CREATE TABLE domain_lengths (mail shorter, no text CHECK (length(no) <= 28) NO INHERIT);
INSERT INTO domain_lengths SELECT 'anybody.' || i || '@corp.example', 'all.' || i || '@corp.example' FROM generate_series(1, 50) i;
