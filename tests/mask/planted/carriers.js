// Every kind of value an address is carried by. A carrier is one table, a row for each form.
"use strict";

const quote = (text) => `'${text.replace(/'/g, "''")}'`;
const json = (value) => quote(JSON.stringify(value));
const ascii = (text) => text.replace(/[^\x20-\x7e]|@/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Text with an address every few hundred bytes: some lie whole within a piece of a wide value. */
const wide = (text) => Array.from({ length: 24 }, (_, i) => `${text} ${"lorem ipsum ".repeat(20 + i)}`).join("\n");

const chars = (n) => (text) => [...text].length <= n;
const simple = (text, form) => ["plain", "url", "entity", "printable", "escape", "display"].includes(form);
const short = (text) => Buffer.byteLength(text) <= 300;

/**
 * Of each: name; type of its column; value(text): SQL that makes one; fits(text, form): which forms it can
 * hold (all); make(table, type): SQL that makes the table (an ordinary one); after(table): SQL behind the rows;
 * storage: how the server keeps wide values (EXTERNAL: never compressed, so that its files can be searched).
 */
module.exports.carriers = [
  { name: "text", type: "text", value: quote },
  { name: "varchar", type: "varchar(400)", value: quote, fits: chars(200) },
  { name: "char", type: "char(400)", value: quote, fits: chars(200) },
  { name: "citext", type: "citext", value: quote },
  { name: "name", type: "name", value: quote, fits: (text) => Buffer.byteLength(text) <= 63 },
  { name: "xml", type: "xml", value: (t) => `xmlelement(name m, ${quote(t)})` },
  { name: "xml_attribute", type: "xml", value: (t) => `xmlelement(name m, xmlattributes(${quote(t)} AS mail))`,
    fits: (text) => !text.includes("\n") },
  { name: "xml_cdata", type: "xml", value: (t) => `xmlparse(content ${quote(`<m><![CDATA[${t}]]></m>`)})` },
  { name: "xml_raw", type: "xml", value: (t) => `xmlparse(content ${quote(`<m>${t}</m>`)})`,
    fits: (t, form) => /^(entity|entity_padded|entity_hex|entity_all|entity_all_hex|entity_escaped)$/.test(form) },

  { name: "json", type: "json", value: (t) => json({ note: 1, mail: t }) },
  { name: "json_key", type: "json", value: (t) => json({ [t]: true }) },
  { name: "json_scalar", type: "json", value: json },
  { name: "json_ascii", type: "json", value: (t) => quote(ascii(JSON.stringify({ mail: [t] }))) },
  { name: "jsonb", type: "jsonb", value: (t) => json({ mail: t }) },
  { name: "jsonb_key", type: "jsonb", value: (t) => json({ [t]: { [`${t} `]: null } }) },
  { name: "jsonb_deep", type: "jsonb", value: (t) => json([1, { a: [[{ b: { c: [null, [t]] } }]] }]) },
  { name: "jsonb_text", type: "jsonb", value: (t) => json({ body: JSON.stringify({ mail: t }) }) },
  { name: "jsonpath", type: "jsonpath", value: (t) => quote(`$."mail" ? (@ == ${JSON.stringify(t)})`) },
  { name: "hstore", type: "hstore", value: (t) => `hstore('mail', ${quote(t)})` },
  { name: "hstore_key", type: "hstore", value: (t) => `hstore(${quote(t)}, NULL)` },
  { name: "tsvector", type: "tsvector", value: (t) => `array_to_tsvector(ARRAY[${quote(t)}])` },
  { name: "tsvector_words", type: "tsvector", value: (t) => `to_tsvector('simple', ${quote(`see ${t} there`)})`,
    fits: (t, form) => form === "plain" || form === "display" },
  { name: "tsquery", type: "tsquery",
    value: (t) => quote(`'${t.replace(/\\/g, "\\\\").replace(/'/g, "''")}' & other`) },

  { name: "text_array", type: "text[]", value: (t) => `ARRAY[NULL, ${quote(t)}, '{"}']` },
  { name: "text_grid", type: "text[][]", value: (t) => `ARRAY[['a', ${quote(t)}], ['c', '']]` },
  { name: "varchar_array", type: "varchar(400)[]", value: (t) => `ARRAY[${quote(t)}]`, fits: chars(200) },
  { name: "citext_array", type: "citext[]", value: (t) => `ARRAY[${quote(t)}]::citext[]` },
  { name: "jsonb_array", type: "jsonb[]", value: (t) => `ARRAY[${json({ mail: t })}::jsonb]` },
  { name: "xml_array", type: "xml[]", value: (t) => `ARRAY[xmlelement(name m, ${quote(t)})]` },
  { name: "hstore_array", type: "hstore[]", value: (t) => `ARRAY[hstore('mail', ${quote(t)})]` },
  { name: "composite", type: "planted.person", value: (t) => `ROW(1, ${quote(t)}, ARRAY['a'])` },
  { name: "composite_within", type: "planted.team",
    value: (t) => `ROW('a', ROW(1, ${quote(t)}, ARRAY[${quote(t)}]), ARRAY[ROW(2, ${quote(t)}, NULL)::planted.person])` },
  { name: "composite_array", type: "planted.person[]",
    value: (t) => `ARRAY[ROW(1, 'a', ARRAY['b', ${quote(t)}])::planted.person]` },
  { name: "composite_jsonb", type: "planted.document", value: (t) => `ROW(1, ${json({ mail: t })}::jsonb)` },
  { name: "domain", type: "planted.mail", value: quote },
  { name: "domain_varchar", type: "planted.mail_short", value: quote, fits: chars(200) },
  { name: "domain_array", type: "planted.mails", value: (t) => `ARRAY[${quote(t)}]` },
  { name: "domain_jsonb", type: "planted.settings", value: (t) => json({ mail: t }) },
  { name: "domain_composite", type: "planted.anybody", value: (t) => `ROW(1, ${quote(t)}, NULL)` },
  { name: "range", type: "planted.textrange", value: (t) => `planted.textrange(${quote(t)}, ${quote(t)}, '[]')` },
  { name: "range_open", type: "planted.textrange", value: (t) => `planted.textrange(${quote(t)}, NULL)` },
  { name: "range_array", type: "planted.textrange[]", value: (t) => `ARRAY[planted.textrange(NULL, ${quote(t)})]` },
  { name: "multirange", type: "planted.textmultirange",
    value: (t) => `planted.textmultirange(planted.textrange(${quote(t)}, ${quote(t)}, '[]'))` },

  // where rows lie
  { name: "wide", type: "text", value: (t) => quote(wide(t)), fits: short },
  { name: "wide_jsonb", type: "jsonb", value: (t) => json({ body: wide(t), mail: t }), fits: short },
  { name: "wide_array", type: "text[]", value: (t) => `ARRAY[${quote(wide(t))}, ${quote(t)}]`, fits: simple },
  { name: "wide_compressed", type: "text", value: (t) => quote(wide(t)), fits: simple, storage: "EXTENDED" },
  { name: "wide_main", type: "text", value: (t) => quote(wide(t).slice(0, 6000)), fits: simple, storage: "MAIN" },
  { name: "unlogged", type: "text", value: quote, unlogged: true,
    make: (table, type) => `CREATE UNLOGGED TABLE ${table} (form text, value ${type});` },
  { name: "partitioned_hash", type: "text", value: quote, fits: short,
    make: (table, type) => `CREATE TABLE ${table} (form text, value ${type}) PARTITION BY HASH (value);
      CREATE TABLE ${table}_0 PARTITION OF ${table} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE ${table}_1 PARTITION OF ${table} FOR VALUES WITH (MODULUS 2, REMAINDER 1);` },
  { name: "partitioned_range", type: "text", value: quote, fits: short,
    make: (table, type) => `CREATE TABLE ${table} (form text, value ${type}) PARTITION BY RANGE (value);
      CREATE TABLE ${table}_low PARTITION OF ${table} FOR VALUES FROM (MINVALUE) TO ('planted-02');
      CREATE TABLE ${table}_high PARTITION OF ${table} FOR VALUES FROM ('planted-02') TO (MAXVALUE);` },
  { name: "inherited", type: "text", value: quote,
    make: (table, type) => `CREATE TABLE ${table}_parent (form text);
      CREATE TABLE ${table} (value ${type}) INHERITS (${table}_parent);` },
  { name: "primary_key", type: "text", value: quote, fits: short,
    make: (table, type) => `CREATE TABLE ${table} (form text, value ${type} PRIMARY KEY, boss ${type} REFERENCES ${table});`,
    after: (table) => `UPDATE ${table} SET boss = value;
      CREATE TABLE ${table}_of (id integer GENERATED ALWAYS AS IDENTITY, value text REFERENCES ${table} ON UPDATE CASCADE);
      INSERT INTO ${table}_of (value) SELECT value FROM ${table};` },
  { name: "indexed", type: "citext", value: quote, fits: short,
    after: (table) => `CREATE UNIQUE INDEX ON ${table} (value);
      CREATE INDEX ON ${table} (lower(value)) INCLUDE (value);
      CREATE INDEX ON ${table} USING gin (to_tsvector('simple', value::text));
      CREATE INDEX ON ${table} USING hash (value);` },
  { name: "generated", type: "text", value: quote, fits: short,
    make: (table, type) => `CREATE TABLE ${table} (form text, value ${type}, again ${type} GENERATED ALWAYS AS (value || ' ') STORED);` },
  { name: "view_materialized", type: "text", value: quote, fits: short,
    after: (table) => `CREATE MATERIALIZED VIEW ${table}_of AS SELECT form, value, length(value) FROM ${table};
      CREATE UNIQUE INDEX ON ${table}_of (value);` },
  { name: "large_object", value: (t) => `convert_to(${quote(t)}, 'UTF8')`, large_object: true },

  // bytes
  { name: "bytea", type: "bytea", value: (t) => `convert_to(${quote(t)}, 'UTF8')` },
  { name: "bytea_array", type: "bytea[]", value: (t) => `ARRAY[convert_to(${quote(t)}, 'UTF8')]` },
  { name: "bytea_domain_array", type: "planted.body[]", value: (t) => `ARRAY[convert_to(${quote(t)}, 'UTF8')]::planted.body[]` },
  { name: "domain_bytea_array", type: "planted.bodies", value: (t) => `ARRAY[NULL, convert_to(${quote(t)}, 'UTF8')]` },
  { name: "bytea_composite_array", type: "planted.attachment[]",
    value: (t) => `ARRAY[ROW(${quote(t)}, convert_to(${quote(t)}, 'UTF8'))::planted.attachment]` },
  { name: "bytea_range", type: "planted.bytearange", value: (t) => `planted.bytearange(convert_to(${quote(t)}, 'UTF8'), NULL)` },
  { name: "bytea_composite", type: "planted.attachment", value: (t) => `ROW(${quote("a.eml")}, convert_to(${quote(t)}, 'UTF8'))` },
  { name: "bytea_binary", type: "bytea", value: (t) => `'\\x00ff'::bytea || convert_to(${quote(t)}, 'UTF8')`, fits: simple },
  { name: "large_object_binary", value: (t) => `'\\x00ff'::bytea || convert_to(${quote(t)}, 'UTF8')`, large_object: true,
    fits: simple },
];

module.exports.quote = quote;
