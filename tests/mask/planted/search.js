// Searches files byte by byte for planted addresses, in whatever spelling.
//
//   node search.js MANIFEST OUT.tsv PATH...     OUT.tsv: number, carrier, form, named, file, what stood there
//   TRACES=yes node search.js ...               every local part counts, whatever follows it: nothing may be left
//
// The number is "-" where an at-sign and the planted domain stand behind something else.
//
// A PATH is a file, a folder with everything below it, or wal:FOLDER: a folder of write-ahead log, whose
// records are put together again across its pages.
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const WAL_PAGE = 8192, WAL_HEADER = 24, WAL_HEADER_FIRST = 40; // XLogPageHeaderData, XLogLongPageHeaderData
const BLOCK = 512;
const LOCAL_MAX = 80; // bytes of a planted local part, however it is encoded within the view at hand
const DEPTH_MAX = 4; // of encodings within each other

// ---------------------------------------------------------------- views: the same bytes, decoded

const ESCAPE = new RegExp(["%(?:u00)?([0-9a-f]{2})", "=([0-9a-f]{2})", "\\\\+u(?:0000)?00([0-9a-f]{2})", "\\\\+u\\{0*([0-9a-f]{2})\\}",
  "\\\\+x([0-9a-f]{2})", "&(?:amp;)*#0*(\\d{1,3});", "&(?:amp;)*#x0*([0-9a-f]{1,2});"].join("|"), "gi");
const NAMES = { commat: "@", period: ".", hyphen: "-", dash: "-" };

const SAME = {
  "\xef\xbc\xa0": "@", // U+FF20, U+FF0E, U+3002 as UTF-8
  "\xef\xbc\x8e": ".",
  "\xe3\x80\x82": ".",
};

function unescape(text) {
  return text
    .replace(ESCAPE, (all, ...groups) => {
      const at = groups.findIndex((g, i) => i < 7 && g !== undefined);
      const code = parseInt(groups[at], at === 5 ? 10 : 16);
      return code < 256 ? String.fromCharCode(code) : all;
    })
    .replace(/&(?:amp;)*(commat|period|hyphen|dash);/g, (_, name) => NAMES[name])
    .replace(/\xef\xbc[\xa0\x8e]|\xe3\x80\x82/g, (bytes) => SAME[bytes]);
}

/** Without the soft line breaks of quoted-printable. */
const unfold = (text) => text.replace(/=(?:\r|\\+r)?(?:\n|\\+n)/g, "");

/** What a word is in base64, at each place in a group of three: only characters that are certain. */
const inBase64 = (word) => [0, 1, 2].map((skip) => {
  const whole = Buffer.from(`${"\0".repeat(skip)}${word}`).toString("base64");
  return { skip, core: whole.slice(Math.ceil((skip * 8) / 6), Math.floor(((skip + word.length) * 8) / 6)) };
});
const ONCE = inBase64("planted-");
const BASE64 = [...ONCE, ...ONCE.flatMap(({ core }) => inBase64(core))];

/** Runs around every hit of core, from where a group begins. */
function* runsAround(text, core, inRun) {
  for (let at = text.indexOf(core), end = 0; at >= 0; at = text.indexOf(core, Math.max(at + 1, end))) {
    let from = at;
    while (from > 0 && inRun(text.charCodeAt(from - 1))) from -= 1;
    end = at + core.length;
    while (end < text.length && inRun(text.charCodeAt(end))) end += 1;
    yield { from, at, end };
  }
}

const isWord = (c) => (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122);
const isBase64 = (c) => isWord(c) || c === 43 || c === 47 || c === 45 || c === 95; // + / - _

function fromBase64(text) {
  const joined = text.replace(/[\r\n]|\\+[rn]/g, "");
  const found = [];
  for (const { skip, core } of BASE64) {
    for (const { from, at, end } of runsAround(joined, core, isBase64)) {
      const group = at - Math.ceil((skip * 8) / 6); // the word begins in the group that begins here
      const first = group - 4 * Math.max(0, Math.floor((group - from) / 4));
      found.push(Buffer.from(joined.slice(first, end), "base64").toString("latin1"));
    }
  }
  return found.join("\n");
}

/** As dumps write bytes. */
function fromHex(text) {
  const found = [];
  for (const [, digits] of text.matchAll(/\\+x((?:[0-9a-f]{2}){16,})/g)) found.push(Buffer.from(digits, "hex").toString("latin1"));
  return found.join("\n");
}

/** Calls look(text) for the text and for whatever it may stand for. */
function views(text, look, depth = 0) {
  look(text);
  if (depth === DEPTH_MAX) return;
  const unfolded = unfold(text);
  const plain = unescape(unfolded);
  if (plain !== text) views(plain, look, depth + 1);
  for (const inner of [fromBase64(text), fromHex(text)]) {
    if (inner) views(inner, look, depth + 1);
  }
}

// ---------------------------------------------------------------- finding

// A planted local part, and before the next one its domain: masked, "_" and no at-sign is between.
// What follows may be of something else: the bytes of a log, say, which look like a digit now and then.
const ADDRESS = /planted-(\d{5})((?:(?!planted-)[^]){1,160}?)(secret-company|192\.0\.2\.1|ipv6:2001:db8)/gi;
const OPEN = /@(?:[a-z0-9\x80-\xff-]+\.)*\[?$/i;
// An at-sign and one of the domains, whatever stands before it. In indexes a number can look like an at-sign
// and a letter before a word that begins later in the domain.
const DOMAIN = /@(?:mail\.eu\.|m[^@.]{1,12}nchen\.|xn--mnchen-3ya\.)?secret-company/gi;

function find(text, found) {
  if (process.env.TRACES) {
    for (const m of text.matchAll(/planted-(\d{5})-/gi)) found(m[1], text.substr(m.index, 80));
  }
  for (const m of text.matchAll(ADDRESS)) {
    if (OPEN.test(m[2]) || !m[2].includes("_")) found(m[1], m[0]);
  }
  for (const m of text.matchAll(DOMAIN)) {
    const before = unfold(text.slice(Math.max(0, m.index - 160), m.index));
    const owner = before.match(/planted-(\d{5})(?:(?!planted-)[^])*$/i);
    // Of a local part that the header of a page or a chunk cuts off there are others, which are whole.
    const cut = before.length < LOCAL_MAX || before.slice(-LOCAL_MAX).includes("\0");
    if (owner || !cut) found(owner ? owner[1] : "-", before.slice(-60) + m[0]);
  }
}

// ---------------------------------------------------------------- files

function* filesBelow(place) {
  if (!fs.statSync(place).isDirectory()) {
    yield place;
    return;
  }
  for (const name of fs.readdirSync(place).sort()) yield* filesBelow(path.join(place, name));
}

/** Log as one stream of records: without the header each page begins with. */
function readWal(folder) {
  const parts = [];
  for (const name of fs.readdirSync(folder).filter((n) => /^[0-9A-F]{24}$/.test(n)).sort()) {
    const bytes = fs.readFileSync(path.join(folder, name));
    for (let at = 0; at < bytes.length; at += WAL_PAGE) {
      parts.push(bytes.subarray(at + (at === 0 ? WAL_HEADER_FIRST : WAL_HEADER), at + WAL_PAGE));
    }
  }
  return Buffer.concat(parts);
}

/** Bytes as text, one character each, without the blocks that hold nothing. */
function textOf(bytes) {
  const nothing = Buffer.alloc(BLOCK), parts = [];
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    if (block.length < BLOCK || !block.equals(nothing)) parts.push(block);
  }
  return Buffer.concat(parts).toString("latin1");
}

function* contents(places) {
  const seen = new Set(); // the databases a cluster comes with are the same files several times
  for (const place of places) {
    if (place.startsWith("wal:")) {
      yield { file: place, bytes: readWal(place.slice(4)) };
      continue;
    }
    for (const file of filesBelow(place)) {
      const bytes = fs.readFileSync(file);
      const digest = crypto.createHash("sha1").update(bytes).digest("hex");
      if (!seen.has(digest)) yield { file, bytes };
      seen.add(digest);
    }
  }
}

const [, , manifestFile, out, ...places] = process.argv;
if (places.length === 0) {
  process.stderr.write("usage: search.js MANIFEST OUT.tsv PATH...\n");
  process.exit(2);
}
const planted = new Map(fs.readFileSync(manifestFile, "utf8").trim().split("\n").map((line) => {
  const [number, carrier, form, , named] = line.split("\t");
  return [number, { carrier, form, named }];
}));
const found = new Map();
let files = 0, size = 0;
for (const { file, bytes } of contents(places)) {
  files += 1;
  size += bytes.length;
  views(textOf(bytes), (text) => find(text, (number, what) => {
    const known = planted.get(number);
    const key = known ? number : `- ${what}`;
    if (!found.has(key)) {
      const shown = what.replace(/[^\x20-\x7e]/g, "?");
      found.set(key, [number, known?.carrier ?? "-", known?.form ?? "-", known?.named ?? "", file, shown].join("\t"));
    }
  }));
}
fs.writeFileSync(out, [...found.values()].sort().map((line) => `${line}\n`).join(""));
const addresses = [...found.keys()].filter((key) => planted.has(key)).length;
process.stdout.write(`${addresses} of ${planted.size} found in ${files} files, ${(size / 1e6).toFixed(0)} MB\n`);
