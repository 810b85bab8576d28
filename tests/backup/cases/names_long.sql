-- 63 bytes each, in one-byte and in three-byte characters; the archive's file names grow from them.
CREATE SCHEMA abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk;
CREATE SCHEMA "ééééééééééééééééééééééééééééééé";
CREATE TABLE abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (
    abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk text PRIMARY KEY,
    abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijl serial);
INSERT INTO abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk
    SELECT 'x' || i || '@corp.example' FROM generate_series(1, 20) i;
CREATE TABLE "ééééééééééééééééééééééééééééééé"."あああああああああああああああああああああ" ("いいいいいいいいいいいいいいいいいいいいい" text);
CREATE TABLE "ééééééééééééééééééééééééééééééé"."""""""""""""""""""""""""""""""""""""""""""""""""""""""""""""" (a int);
INSERT INTO "ééééééééééééééééééééééééééééééé"."あああああああああああああああああああああ" VALUES ('ü@corp.example');
INSERT INTO "ééééééééééééééééééééééééééééééé"."""""""""""""""""""""""""""""""""""""""""""""""""""""""""""""" VALUES (1);
CREATE INDEX ON "ééééééééééééééééééééééééééééééé"."あああああああああああああああああああああ" (lower("いいいいいいいいいいいいいいいいいいいいい"));
