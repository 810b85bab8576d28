// Is what was found in a masked copy what the certificates say of it?
//
//   node judge.js MANIFEST FOUND.tsv CERTIFICATE.json...
//
// Fails for each address found that is not known, each known one that a certificate does not name as it should,
// and each leak or definition a certificate names that nobody knows of.
"use strict";

const fs = require("fs");

const [, , manifestFile, foundFile, ...certificateFiles] = process.argv;
const rows = (file) => fs.readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => line.split("\t"));

const certificates = certificateFiles.map((file) => {
  const c = JSON.parse(fs.readFileSync(file, "utf8"));
  return {
    file,
    gaps: c.not_scanned.map((gap) => `${gap.kind} ${gap.name}`),
    definitions: c.definitions.map((one) => `${one.kind} ${one.object}`),
    leaks: c.places.map((place) => `${place.schema}.${place.table}.${place.column}`),
  };
});
const manifest = rows(manifestFile);
const names = [...new Set(manifest.map((row) => row[4]).filter((named) => named && named !== "-"))]
  .map((named) => new RegExp(named));
const problems = new Set();

for (const [number, carrier, form, named, file, what] of rows(foundFile)) {
  if (!named) {
    problems.add(`${number} ${carrier}/${form} is in ${file}: ${what}`);
  } else if (named !== "-") {
    for (const c of certificates) {
      // Whoever can read it may as well count it as a leak.
      const told = [...c.gaps, ...c.definitions].some((line) => new RegExp(named).test(line)) || c.leaks.includes(`planted.${carrier}__known.value`);
      if (!told) problems.add(`${c.file} does not name ${carrier} by ${named}`);
    }
  }
}
for (const c of certificates) {
  for (const place of c.leaks.filter((name) => !/__known(_\w+)?\./.test(name))) problems.add(`${c.file}: leaks in ${place}`);
  for (const line of c.definitions.filter((one) => !names.some((name) => name.test(one)))) {
    problems.add(`${c.file} names what known.txt does not: ${line}`);
  }
}

for (const problem of problems) process.stdout.write(`${problem}\n`);
process.exit(problems.size > 0 ? 1 : 0);
