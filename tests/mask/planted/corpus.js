// Writes the planted corpus: every carrier x every form, and the objects of objects.sql.
//
//   node corpus.js FOLDER     FOLDER/corpus.sql for psql, FOLDER/manifest.tsv: number, carrier, form, where, named,
//                           line of known.txt
//
// where: any (files, WAL, dump), unlogged (not the WAL), dump (no file of the server holds it as bytes). named: empty for what
// must not be found in a masked copy, else the known.txt's word on it.
"use strict";

const fs = require("fs");
const path = require("path");
const { forms, DOMAIN } = require("./forms.js");
const { carriers, quote } = require("./carriers.js");

const known = fs.readFileSync(path.join(__dirname, "known.txt"), "utf8").split("\n")
  .filter((line) => line.trim() && !line.startsWith("#"))
  .map((line) => {
    const [, pattern, named] = line.match(/^(\S+)\s+(.*\S)\s*$/);
    const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
    return { pattern: new RegExp(`^${escaped}$`), named, line: pattern };
  });

const knownAs = (carrier, form) => known.find((k) => k.pattern.test(`${carrier}/${form}`));

const manifest = [];

/** What makes the planted addresses of one carrier and form. */
function planter(carrier, form, where) {
  return (at = "@", tail = "", domain = DOMAIN) => {
    const number = String(manifest.length + 1).padStart(5, "0");
    const listed = knownAs(carrier, form);
    manifest.push([number, carrier, form, where, listed?.named.replace("%", carrier) ?? "", listed?.line ?? ""].join("\t"));
    return `planted-${number}-${carrier.replace(/_/g, "-")}${tail}${at}${domain}`;
  };
}

function fits(carrier, form) {
  const text = forms[form]((at = "@", tail = "", domain = DOMAIN) =>
    `planted-00000-${carrier.name}${tail}${at}${domain}`);
  return !carrier.fits || carrier.fits(text, form);
}

function where(carrier) {
  return carrier.storage ? "dump" : carrier.unlogged ? "unlogged" : "any";
}

function plantLargeObjects(carrier) {
  return Object.keys(forms).filter((form) => fits(carrier, form)).map((form) =>
    `SELECT lo_from_bytea(0, ${carrier.value(forms[form](planter(carrier.name, form, where(carrier))))});`);
}

function ordinary(table, type) {
  return `CREATE TABLE ${table} (form text, value ${type});`;
}

/** One table of a carrier with these forms. */
function plantTable(carrier, table, names) {
  if (names.length === 0) return [];
  const rows = names.map((form) =>
    `(${quote(form)}, ${carrier.value(forms[form](planter(carrier.name, form, where(carrier))))})`);
  return [
    (carrier.make ?? ordinary)(table, carrier.type),
    `SELECT pg_temp.storage('${table}', '${carrier.storage ?? "EXTERNAL"}');`,
    ...rows.map((row) => `INSERT INTO ${table} (form, value) VALUES ${row};`),
    carrier.after?.(table) ?? "",
  ];
}

function plant(carrier) {
  if (carrier.large_object) return plantLargeObjects(carrier);
  const names = Object.keys(forms).filter((form) => fits(carrier, form));
  const isKnown = (form) => knownAs(carrier.name, form) !== undefined;
  return [
    ...plantTable(carrier, `planted.${carrier.name}`, names.filter((form) => !isKnown(form))),
    ...plantTable(carrier, `planted.${carrier.name}__known`, names.filter(isKnown)),
  ];
}

function plantObjects() {
  const sql = fs.readFileSync(path.join(__dirname, "objects.sql"), "utf8");
  return sql.replace(/@\{(\w+)\}/g, (_, name) => planter(name, "object", "dump")());
}

const folder = process.argv[2];
const sql = [
  "BEGIN;",
  fs.readFileSync(path.join(__dirname, "types.sql"), "utf8"),
  ...carriers.flatMap(plant),
  plantObjects(),
  "COMMIT;",
];
fs.writeFileSync(path.join(folder, "corpus.sql"), `${sql.join("\n")}\n`);
fs.writeFileSync(path.join(folder, "manifest.tsv"), `${manifest.join("\n")}\n`);
