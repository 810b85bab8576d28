-- Newlines, tabs, percent signs, shell and SQL fragments in every kind of name.
CREATE SCHEMA "sch
ema; DROP TABLE x; --";
SET search_path = "sch
ema; DROP TABLE x; --";
CREATE TYPE "en
um" AS ENUM ('new
line', 'tab	', '%s', '$(reboot)', '`id`');
CREATE TABLE "ta
ble
""%I""	%n" ("co
lumn %d" "en
um", "\." text, "../../x" text, "�" text, "-- no" int GENERATED ALWAYS AS IDENTITY);
INSERT INTO "ta
ble
""%I""	%n" ("co
lumn %d", "\.", "../../x") SELECT 'new
line', '\.' || i || '@corp.example', E'a\nb\\N' FROM generate_series(1, 50) i;
ALTER TABLE "ta
ble
""%I""	%n" ADD CONSTRAINT "con
straint;" CHECK ("-- no" > 0);
CREATE INDEX "in
dex" ON "ta
ble
""%I""	%n" ("\.");
CREATE SEQUENCE "se
quence" START 7;
SELECT nextval('"se
quence"');
CREATE FUNCTION "fu
nction"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER "tri
gger" BEFORE INSERT ON "ta
ble
""%I""	%n" FOR EACH ROW EXECUTE FUNCTION "fu
nction"();
CREATE MATERIALIZED VIEW "ma
trix" AS SELECT "\." FROM "ta
ble
""%I""	%n";
COMMENT ON TABLE "ta
ble
""%I""	%n" IS 'line one
-- line two; ''
\connect nowhere';
COMMENT ON SCHEMA "sch
ema; DROP TABLE x; --" IS E'\\! touch /tmp/nothing\n';
