-- Names that need quoting everywhere: blanks, capitals, keywords, dots, quotes of all kinds.
CREATE SCHEMA "My Schema";
CREATE SCHEMA "select";
CREATE TYPE "select"."Type of ""things""" AS ENUM ('it''s', 'say "so"', '', 'a,b', '{}', '\');
CREATE DOMAIN "My Schema"."a.b" AS text CHECK (value <> 'no''pe');
CREATE TABLE "My Schema"."a.b.c" ("a.b" "My Schema"."a.b", "group" int, "'" text, "T" "select"."Type of ""things""",
    "{x}" "select"."Type of ""things"""[], CONSTRAINT "a ""primary"" key" PRIMARY KEY ("a.b", "group"));
INSERT INTO "My Schema"."a.b.c" VALUES ('x@corp.example', 1, 'quote '' and " and \', 'say "so"', '{"it''s","",NULL,"a,b"}');
CREATE TABLE "select"."table" ("order" serial UNIQUE, "from" text DEFAULT 'it''s "here"');
INSERT INTO "select"."table" ("from") SELECT 'from' || i || '@corp.example' FROM generate_series(1, 30) i;
CREATE INDEX "an 'index'" ON "select"."table" (lower("from")) WHERE "from" <> '''';
CREATE TABLE "select"."$1" ("$1" int, "%s" text, "?" text, ":name" text, ":'x'" text);
INSERT INTO "select"."$1" VALUES (1, '%s%n%d', '?', ':name', 'E''\n''');
CREATE FUNCTION "select"."Fn $$ ()"("Arg 1" int) RETURNS int LANGUAGE sql AS $x$ SELECT "Arg 1" + length('$$') $x$;
CREATE VIEW "My Schema"."View" AS SELECT "order" AS "Order", "from" FROM "select"."table";
COMMENT ON COLUMN "My Schema"."a.b.c"."a.b" IS 'it''s "a" comment; with \ and $$ and -- dashes';
