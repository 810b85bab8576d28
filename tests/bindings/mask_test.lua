-- mask: rules and single values, then whole databases with and without real addresses in them.
local t = require "tap"
local crypto = require "crypto"
local db = require "db"
local json = require "json"
local mask = require "mask"
local secret = require "secret"
local time = require "time"

local SINK = "@mailinator.com"
local DSN = secret.reveal(secret "env:TEST_DSN")

t.test("email follows the rule", function()
  t.eq(mask.email("john.doe@company.com"), "john.doe_company.com" .. SINK)
  t.eq(mask.email("john.doe@company.com", "test.example"), "john.doe_company.com@test.example")
  t.eq(mask.email("john.doe_company.com" .. SINK), "john.doe_company.com" .. SINK)
  t.eq(mask.email("no address\0 here"), "no address\0 here")
  local rules = mask.rules { sink_domain = "sink.example", allow = { "Own.example" } }
  t.eq(mask.email("a@own.example b@x.own.example c@c.no", rules),
    "a@own.example b@x.own.example c_c.no@sink.example")
end)

t.test("find lists what would be masked, decoded", function()
  t.eq(mask.find("<a@b.no>, c%40d.no, e" .. SINK .. ", @f"), { "a@b.no", "c@d.no" })
  t.eq(mask.find(mask.email("<a@b.no>, c%40d.no")), {})
  t.eq(mask.find(""), {})
end)

t.test("rules describe themselves", function()
  local rules = mask.rules { allow = { "B.example", "a.example" }, empty = { "crm7.email_item" },
    keep = { { table = "crm7.associate", column = "username", values = { "a@b.no", "c@d.no" },
      reason = "sign-in names" } } }
  local d = rules:describe()
  t.eq(d.sink_domain, "mailinator.com")
  t.eq(d.allow, { "a.example", "b.example" })
  t.eq(d.empty, { "crm7.email_item" })
  t.eq(d.keep, { { table = "crm7.associate", column = "username", count = 2, reason = "sign-in names" } })
  t.eq(d.hash, rules:hash())
  t.eq(#d.hash, 64)
  t.ok(d.hash ~= mask.rules():hash())
  t.eq(mask.rules():hash(), mask.rules { sink_domain = "Mailinator.COM", allow = {} }:hash())
end)

t.test("wrong rules name what is wrong", function()
  local function refused(spec, match)
    t.raises(function() mask.rules(spec) end, { class = "invalid", match = match })
  end
  refused({ sink_domain = "nodot" }, "nodot")
  refused({ allow = { "x@y.no" } }, "x@y.no")
  refused({ sink = "x.no" }, "sink")
  refused({ allow = "x.no" }, "allow")
  refused({ keep = { { table = "crm7.a", column = "b", values = {} } } }, "reason")
  refused({ keep = { { table = "a", column = "b", values = {}, reason = "x" } } }, "schema.table")
  refused({ empty = { "a" } }, "schema.table")
  local twice = { table = "crm7.a", column = "b", values = {}, reason = "x" }
  refused({ keep = { twice, twice } }, "twice")
end)

-- ---------------------------------------------------------------- methods

local KEY = "0123456789abcdef"

t.test("a method alone, on one value", function()
  t.eq(mask.apply(mask.redact(), "Bjørn"), "*****")
  t.eq(mask.apply(mask.redact { length = 2, fill = "x" }, "Bjørn"), "xx")
  t.eq(mask.apply(mask.constant "a@b.no", "x"), "a_b.no" .. SINK)
  t.eq(mask.apply(mask.constant { value = 7 }, "x"), "7")
  t.eq(mask.apply(mask.null(), "x"), nil)
  t.eq(mask.apply(mask.null(), nil), nil)
  t.eq(mask.apply(mask.partial { first = 1, last = 2 }, "secret"), "s***et")
  t.eq(mask.apply(mask.generalise { bucket = 10 }, 37), "30")
  t.eq(mask.apply(mask.generalise { to = "year" }, "2024-02-29"), "2024-01-01")
  t.eq(mask.apply(mask.dictionary { map = { [1] = "one" }, default = "many" }, 1), "one")
  t.eq(mask.apply(mask.dictionary { map = { [1] = "one" }, default = "many" }, "2"), "many")
  t.eq(mask.apply(mask.json { ["$.a[*]"] = mask.redact { length = 1 }, ["b"] = mask.null() },
    '{"a":[1,"x"],"b":{"c":true},"d":"e@f.no"}'), '{"a":["*","*"],"b":{"c":null},"d":"e_f.no' .. SINK .. '"}')
end)

t.test("keyed methods say the same for the same key alone", function()
  for name, method in pairs { hash = mask.hash(), letters = mask.hash { form = "letters", length = 20 },
    name = mask.fake "full_name", phone = mask.fake "phone", date = mask.date_shift { days = 20000 },
    noise = mask.noise { percent = 12.5 } } do
    local value = name == "date" and "2024-02-29" or name == "noise" and 123456.78 or "22 33 44 55"
    local one = mask.apply(method, value, KEY)
    t.eq(mask.apply(method, value, KEY), one, name)
    t.ok(mask.apply(method, value, KEY:reverse()) ~= one, name)
    t.ok(one ~= tostring(value), name)
    t.raises(function() mask.apply(method, value) end, { code = "E_KEY" })
  end
  t.eq(#mask.apply(mask.hash(), "x", KEY), 32)
end)

t.test("a shuffle is of rows, not of single values", function()
  t.raises(function() mask.apply(mask.shuffle(), "x") end, { code = "E_KEY" })
  t.raises(function() mask.apply(mask.shuffle { unit = "name" }, "x", KEY) end, { code = "E_SHUFFLE" })
end)

t.test("modes of the sink", function()
  t.eq(mask.email("a@b.no", mask.rules { mode = "invalid" }), "a_b.no@masked.invalid")
  t.eq(mask.email("a@b.no", mask.rules { mode = "invalid", sink_domain = "corp.test" }), "a_b.no@corp.test.invalid")
  t.eq(mask.email("a@b.no", mask.rules { mode = "invalid", sink_domain = "corp.invalid" }), "a_b.no@corp.invalid")
  local rules = mask.rules { mode = "hash", key = KEY, sink_domain = "sink.test" }
  local hidden = mask.email("Ask <john.doe@company.com>.", rules)
  t.like(hidden, "^Ask <h[a-z2-7]+@sink%.test>%.$")
  t.eq(#hidden, 27 + #"Ask <@sink.test>.")
  t.eq(mask.email(hidden, rules), hidden)
  t.ok(mask.email("Ask <john.doe@company.com>.", mask.rules { mode = "hash", key = KEY:reverse(),
    sink_domain = "sink.test" }) ~= hidden)
  t.raises(function() mask.rules { mode = "hash" } end, { code = "E_KEY" })
  t.raises(function() mask.rules { mode = "rot13" } end, { class = "invalid", match = "rot13" })
end)

t.test("wrong methods name column, line and what is wrong", function()
  local function refused(columns, match)
    t.raises(function() mask.rules { key = KEY, columns = columns } end, { class = "invalid", match = match })
  end
  refused({ ["a.b.c"] = mask.hash { size = 3 } }, "mask_test%.lua:%d+: a%.b%.c: .*size")
  refused({ ["a.b.c"] = mask.date_shift {} }, "mask_test%.lua:%d+: a%.b%.c: .*days")
  refused({ ["a.b"] = mask.null() }, "schema%.table%.column")
  refused({ ["a.b.c"] = "redact" }, "a%.b%.c: not a method")
  refused({ ["a.b.c"] = mask.json { ["$..x"] = mask.null() } }, "path")
  t.raises(function() mask.rules { columns = { ["a.b.c"] = mask.hash() } } end, { code = "E_KEY", match = "a%.b%.c" })
  t.raises(function() mask.rules { key = "short", columns = {} } end, { code = "E_KEY" })
  refused({ ["a.b.c"] = mask.hash "hex" }, "mask_test%.lua:%d+: a%.b%.c: .*options")
  refused({ ["a.b.c"] = mask.constant { value = {} } }, "mask_test%.lua:%d+: a%.b%.c: .*value")
  refused({ ["a.b.c"] = mask.dictionary {} }, "mask_test%.lua:%d+: a%.b%.c: .*map")
  refused({ ["a.b.c"] = mask.lua "upper" }, "mask_test%.lua:%d+: a%.b%.c: .*function")
  refused({ ["a.b.c"] = mask.json { ["$.x"] = 7 } }, "mask_test%.lua:%d+: a%.b%.c: path '$%.x': not a method")
  refused({ ["a.b.c"] = mask.json { ["$.x"] = mask.hash "hex" } }, "a%.b%.c: path '$%.x': .*options")
  refused({ ["a.b.c"] = mask.json { ["$.x"] = mask.lua(function(v) return v end) } },
    "mask_test%.lua:%d+: a%.b%.c: path '$%.x': a function of mask%.lua cannot stand at a path")
  t.raises(function() mask.apply(mask.hash "hex", "x") end, { match = "mask_test%.lua:%d+: apply: .*options" })
end)

t.test("methods and keys are part of the rules' hash", function()
  local function hash(columns, key) return mask.rules { key = key or KEY, columns = columns }:hash() end
  t.eq(hash { ["a.b.c"] = mask.null() }, hash { ["a.b.c"] = mask.null() })
  t.ok(hash { ["a.b.c"] = mask.null() } ~= hash { ["a.b.d"] = mask.null() })
  t.ok(hash { ["a.b.c"] = mask.null() } ~= hash {})
  t.ok(hash({}, KEY) ~= hash({}, KEY:reverse()))
  t.ok(hash { ["a.b.c"] = mask.hash() } ~= hash { ["a.b.c"] = mask.hash { length = 20 } })
end)

-- ---------------------------------------------------------------- databases

--- A new database and its connection string; both end with the test.
local function fresh(sql)
  local name = "mask_" .. crypto.uuid():gsub("-", "")
  do
    local admin <close> = db.connect { dsn = DSN }
    admin:exec("CREATE DATABASE " .. db.ident(name))
  end
  local dsn = DSN:gsub("dbname=%S+", "dbname=" .. name)
  local conn <close> = db.connect { dsn = dsn }
  conn:script(sql)
  return setmetatable({ dsn = dsn, name = name }, { __close = function()
    local admin <close> = db.connect { dsn = DSN }
    admin:exec(("DROP DATABASE %s WITH (FORCE)"):format(db.ident(name)))
  end })
end

local LEAKY = [[
  CREATE EXTENSION citext; CREATE EXTENSION hstore;
  CREATE DOMAIN blob AS bytea; CREATE DOMAIN mail AS varchar(100); CREATE DOMAIN doc AS jsonb;
  CREATE TYPE card AS (id int, note text);
  CREATE TYPE span AS RANGE (subtype = text);
  CREATE TYPE bits AS RANGE (subtype = bytea);
  CREATE TYPE file AS (id int, body bytea[]);
  CREATE TABLE t (id int, c_text text, c_varchar varchar(50), c_char char(20), c_name name, c_citext citext,
    c_json json, c_jsonb jsonb, c_key jsonb, c_xml xml, c_hstore hstore, c_domain mail, c_doc doc,
    c_array text[], c_varchars varchar(30)[], c_card card, c_cards card[], c_mails mail[], c_span span,
    c_vector tsvector, c_bytes bytea, c_blob blob, c_list bytea[], c_file file, c_bits bits,
    c_uuid uuid, c_time timestamptz, c_number numeric);
  INSERT INTO t VALUES (1, 'x <text@a.no>', 'varchar@a.no', 'char@a.no', 'name@a.no', 'citext@a.no',
    '{"k":"json\u0040a.no"}', '{"k":[{"d":"jsonb@a.no"}]}', '{"key@a.no":1}', '<a b="xml@a.no"/>',
    'm=>hstore@a.no', 'domain@a.no', '["doc@a.no"]', '{"array@a.no","second@a.no"}', '{varchars@a.no}',
    row(1, 'card@a.no'), array[row(1, 'cards@a.no')::card], '{mails@a.no}', '[span@a.no,)',
    'vector@a.no', 'bytes@a.no', '\x00ff00' || convert_to('blob.of@a.no', 'UTF8') || '\x00', '{list@a.no}',
    row(1, ARRAY['file@a.no'::bytea]), bits(NULL, 'bits@a.no'),
    gen_random_uuid(), now(), 1.5);
  INSERT INTO t (id) VALUES (2);
  CREATE SCHEMA "Odd ""Schema";
  CREATE TABLE "Odd ""Schema"."Ta.ble" (id int, "Co""l" text);
  INSERT INTO "Odd ""Schema"."Ta.ble" VALUES (1, 'a@b.no'), (2, 'a@b.no c@D.no');
  CREATE TABLE part (id int, m text) PARTITION BY RANGE (id);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
  INSERT INTO part VALUES (1, 'part@a.no');
  CREATE TABLE parent (m text); CREATE TABLE child () INHERITS (parent);
  INSERT INTO parent VALUES ('parent@a.no'); INSERT INTO child VALUES ('child@a.no');
  CREATE MATERIALIZED VIEW copied AS SELECT m FROM part;
  CREATE VIEW seen AS SELECT m FROM part;
  COMMENT ON TABLE t IS 'ask comment@a.no';
  SELECT lo_from_bytea(0, 'large@a.no'), lo_from_bytea(0, '\x00ff00' || convert_to('binary@large.no', 'UTF8')),
    lo_from_bytea(0, '\x00ff0040');
]]

local function count_in(certificate, name)
  local count = 0
  for _, p in ipairs(certificate.places) do
    if ("%s.%s.%s"):format(p.schema, p.table, p.column) == name then count = count + p.count end
  end
  return count
end

t.test("columns lists what can hold text", function()
  local base <close> = fresh("CREATE TABLE a (id int, t text, j jsonb, b bytea, v varchar(9)); CREATE TABLE b (t text)")
  local conn <close> = db.connect { dsn = base.dsn }
  local function list(tables)
    local lines = {}
    for i, c in ipairs(mask.columns(conn, tables)) do
      lines[i] = ("%s.%s.%s %s %s"):format(c.schema, c.table, c.column, c.type, c.kind)
    end
    table.sort(lines)
    return lines
  end
  t.eq(list { "public.a" }, { "public.a.b bytea text", "public.a.j jsonb text", "public.a.t text text",
    "public.a.v character varying text" })
  t.eq(#list(), 5)
end)

t.test("a scan finds every kind of text, and says what it did not read", function()
  local leaky <close> = fresh(LEAKY)
  local c = mask.scan { dsn = leaky.dsn, jobs = 3 }
  local expected = { ["public.part_1.m"] = 1, ["public.copied.m"] = 1, ["public.parent.m"] = 1,
    ["public.child.m"] = 1, ["public.t.c_bytes"] = 1, ["public.t.c_blob"] = 1,
    ["pg_catalog.pg_largeobject.data"] = 2, ['Odd "Schema.Ta.ble.Co"l'] = 3 }
  for _, kind in ipairs { "text", "varchar", "char", "name", "citext", "json", "jsonb", "key", "xml",
    "hstore", "domain", "doc", "varchars", "card", "cards", "mails", "span", "vector", "list", "file", "bits" } do
    expected["public.t.c_" .. kind] = 1
  end
  expected["public.t.c_array"] = 2
  local total, found = 0, {}
  for name, count in pairs(expected) do
    t.eq(count_in(c, name), count, name)
    total = total + count
  end
  for _, p in ipairs(c.places) do
    t.ok(p.sample:find("…@", 1, true) and not p.sample:find(p.domain, 1, true), p.sample)
    found[#found + 1] = p.column .. "/" .. p.domain
  end
  t.eq(c.leaks, total)
  t.like(table.concat(found, " "), 'Co"l/b.no Co"l/d.no')
  t.eq(json.encode(c.not_scanned), "[]")
  t.eq(c.definitions, { { kind = "comment", object = "public.t", domain = "a.no", sample = "co…@a…", count = 1 } })
  t.eq(c.scanned.large_objects, 3)
  t.eq(c.scanned.tables, 6)
  t.eq(c.database.name, leaky.name)
  t.ok(#c.database.system_identifier > 0 and #c.snapshot > 0)
  t.eq(c.rules.hash, mask.rules():hash())
  json.encode(c)
end)

t.test("a clean database has a clean certificate", function()
  local clean <close> = fresh([[
    CREATE TABLE a (m text, j jsonb); CREATE TABLE none (n int); CREATE TABLE hollow (m text);
    INSERT INTO a SELECT 'john.doe_company.com@mailinator.com, git@host', '{"a":"x@sub.mailinator.com"}'
      FROM generate_series(1, 1000);
  ]])
  local c = mask.scan { dsn = clean.dsn }
  t.eq(c.leaks, 0)
  t.eq(c.scanned.tables, 2)
  t.eq(c.scanned.columns, 3)
  t.eq(c.scanned.rows, 1000)
  t.eq(c.scanned.values, 2000)
  t.eq(json.encode(c.places), "[]")
  t.eq(mask.scan { dsn = clean.dsn, rules = mask.rules { sink_domain = "other.example" } }.leaks, 2000)
end)

t.test("kept values are counted, not reported", function()
  local kept <close> = fresh([[
    CREATE SCHEMA crm7; CREATE TABLE crm7.associate (username text, email text);
    INSERT INTO crm7.associate VALUES ('a@b.no', 'a@b.no'), ('c@d.no', NULL), ('e@f.no', NULL);
  ]])
  local rules = mask.rules { keep = { { table = "crm7.associate", column = "username",
    values = { "a@b.no", "c@d.no", "gone@x.no" }, reason = "sign-in names" } } }
  local c = mask.scan { dsn = kept.dsn, rules = rules }
  t.eq(c.leaks, 2)
  t.eq(count_in(c, "crm7.associate.username"), 1)
  t.eq(count_in(c, "crm7.associate.email"), 1)
  t.eq(#c.kept, 1)
  t.eq(c.kept[1].count, 2)
  t.eq(c.kept[1].reason, "sign-in names")
end)

t.test("only the tables named are read", function()
  local some <close> = fresh("CREATE TABLE a (m text); CREATE TABLE b (m text);" ..
    "INSERT INTO a VALUES ('a@a.no'); INSERT INTO b VALUES ('b@b.no')")
  t.eq(mask.scan { dsn = some.dsn, tables = { "public.b" } }.leaks, 1)
  t.eq(mask.scan { dsn = some.dsn, tables = {} }.scanned.tables, 0)
  t.eq(mask.scan { dsn = some.dsn }.leaks, 2)
end)

t.test("addresses in the schema are named one by one", function()
  local role = "role." .. crypto.uuid() .. "@a.no"
  local _ <close> = setmetatable({}, { __close = function() -- after its database
    local admin <close> = db.connect { dsn = DSN }
    admin:exec("DROP ROLE IF EXISTS " .. db.ident(role))
  end })
  local schema <close> = fresh([[
    CREATE TYPE who AS ENUM ('enum@a.no', 'nobody');
    CREATE DOMAIN named AS text DEFAULT 'domain@a.no' CHECK (VALUE <> 'checked@a.no');
    CREATE TABLE t (id int, m text DEFAULT 'default@a.no', CONSTRAINT c CHECK (m <> 'check@a.no'));
    CREATE TABLE p (m text) PARTITION BY LIST (m);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN ('bound@a.no');
    CREATE VIEW v AS SELECT 'view@a.no'::text AS one, 'other@b.no'::text AS two, 'third@b.no'::text AS three;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN RETURN NULL; /* body@a.no */ END$f$;
    CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f('trigger@a.no');
    CREATE RULE r AS ON DELETE TO t WHERE old.m = 'rule@a.no' DO INSTEAD NOTHING;
    CREATE POLICY s ON t USING (m <> 'policy@a.no');
    CREATE INDEX i ON t (id) WHERE m <> 'index@a.no';
    CREATE FOREIGN DATA WRAPPER w OPTIONS (o 'wrapper@a.no');
    CREATE SERVER server FOREIGN DATA WRAPPER w OPTIONS (o 'server@a.no');
    CREATE FOREIGN TABLE ft (m text OPTIONS (o 'column@a.no')) SERVER server OPTIONS (o 'foreign@a.no');
    COMMENT ON COLUMN t.m IS 'comment@a.no, masked_a.no@mailinator.com';
    CREATE VIEW bytes AS SELECT convert_to('', 'UTF8') || '\x746f206279746573406f662e6e6f'::bytea AS of_no;
    CREATE TABLE late (id int);
    ALTER TABLE late ADD m text DEFAULT 'late@a.no';
    ALTER TABLE late ALTER m DROP DEFAULT;
    CREATE TABLE keyed (m text) PARTITION BY LIST ((m = 'key@a.no'));
    CREATE STATISTICS st ON (m || 'statistics@a.no'), id FROM t;
    CREATE AGGREGATE ag (text) (SFUNC = textcat, STYPE = text, INITCOND = 'aggregate@a.no');
    CREATE PUBLICATION pb FOR TABLE t WHERE (m <> 'publication@a.no') WITH (publish = 'insert');
    CREATE TABLE "table@a.no" ("column@a.no" int, "other-column" int,
      CONSTRAINT "constraint@a.no" CHECK ("other-column" > 0));
    CREATE INDEX "index@a.no" ON t (id);
    CREATE FUNCTION "function@a.no"(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE SCHEMA "schema@a.no";
    CREATE ROLE ]] .. db.ident(role) .. "; GRANT SELECT ON t TO " .. db.ident(role))
  local c = mask.scan { dsn = schema.dsn }
  local found = {}
  for _, one in ipairs(c.definitions) do
    local name = one.kind .. ": " .. one.object
    found[name] = (found[name] or "") .. one.domain .. "/" .. one.count .. " "
    t.ok(not one.sample:find(one.domain, 1, true), one.sample)
  end
  t.eq(found["view definition: public.v"] == "a.no/1 b.no/2 " or found["view definition: public.v"]
    == "b.no/2 a.no/1 ", true)
  found["view definition: public.v"] = nil
  t.eq(found, { ["enum label: public.who"] = "a.no/1 ", ["domain default: public.named"] = "a.no/1 ",
    ["check constraint: public.named"] = "a.no/1 ", ["check constraint: public.t"] = "a.no/1 ",
    ["default or generated expression: public.t"] = "a.no/1 ", ["partition bound: public.p1"] = "a.no/1 ",
    ["function: public.f()"] = "a.no/1 ", ["trigger: public.t"] = "a.no/1 ", ["rule: public.t"] = "a.no/1 ",
    ["policy: public.t"] = "a.no/1 ", ["index definition: public.i"] = "a.no/1 ",
    ["foreign data wrapper: w"] = "a.no/1 ", ["foreign server: server"] = "a.no/1 ",
    ["foreign table: public.ft"] = "a.no/1 ", ["foreign table column: public.ft.m"] = "a.no/1 ",
    ["comment: public.t.m"] = "a.no/1 ", ["default of an added column: public.late.m"] = "a.no/1 ",
    ["view definition: public.bytes"] = "of.no/1 ",
    ["partition key: public.keyed"] = "a.no/1 ", ["extended statistics: public.st"] = "a.no/1 ",
    ["function: public.ag(text)"] = "a.no/1 ", ["publication: pb of public.t"] = "a.no/1 ",
    ['table name: public."table_a.no@mailinator.com"'] = "a.no/1 ",
    ['table column name: public."table_a.no@mailinator.com"."column_a.no@mailinator.com"'] = "a.no/1 ",
    ['table constraint name: "constraint_a.no@mailinator.com" on public."table_a.no@mailinator.com"'] = "a.no/1 ",
    ["index definition: public.index_a.no@mailinator.com"] = "a.no/1 ",
    ['index name: public."index_a.no@mailinator.com"'] = "a.no/1 ",
    ['function: public."function_a.no@mailinator.com"(text)'] = "a.no/1 ",
    ['function name: public."function_a.no@mailinator.com"(pg_catalog.text)'] = "a.no/1 ",
    ['schema name: "schema_a.no@mailinator.com"'] = "a.no/1 ",
    [('role name: "%s"'):format(mask.email(role))] = "a.no/1 " })
  t.eq(c.leaks, 0)
  t.eq(json.encode(c.not_scanned):find("subscription"), nil)
end)

t.test("a subscription's connection string is read by who may, else named as not scanned", function()
  local name = "reader_" .. crypto.uuid():gsub("-", "")
  local _ <close> = setmetatable({}, { __close = function()
    local admin <close> = db.connect { dsn = DSN }
    admin:exec("DROP ROLE IF EXISTS " .. name)
  end })
  local base <close> = fresh(("CREATE ROLE %s LOGIN PASSWORD 'reads'"):format(name))
  local conn <close> = db.connect { dsn = base.dsn }
  conn:exec([[CREATE SUBSCRIPTION "sub@a.no" CONNECTION 'dbname=none application_name=<sub&conninfo@a.no>'
    PUBLICATION p WITH (connect = false, slot_name = NONE)]])
  local function told(dsn)
    local c = mask.scan { dsn = dsn }
    local lines = {}
    for _, one in ipairs(c.definitions) do lines[#lines + 1] = one.kind .. " " .. one.object .. " " .. one.count end
    for _, gap in ipairs(c.not_scanned) do lines[#lines + 1] = "not: " .. gap.kind .. " " .. gap.name end
    return lines
  end
  local ok, all = pcall(told, base.dsn)
  local reader = base.dsn:gsub("user=%S+", "user=" .. name):gsub("password=%S+", "") .. " password=reads"
  local ok_reader, less = pcall(told, reader)
  conn:exec('DROP SUBSCRIPTION "sub@a.no"') -- else the database cannot be dropped
  t.ok(ok and ok_reader, all, less)
  t.eq(all, { "subscription sub_a.no@mailinator.com 2" }) -- its name counts
  t.eq(less, { "not: subscription sub_a.no@mailinator.com" })
end)

t.test("a table read in parts gives the same certificate", function()
  local large <close> = fresh([[
    CREATE TABLE a (id int, m text, b bytea);
    INSERT INTO a SELECT i, 'x' || i || '@d' || i % 7 || '.no ' || repeat('y', 900), sha256(i::text::bytea)
      FROM generate_series(1, 3000) i;
    CREATE TABLE hollow (m text);
  ]])
  local whole = mask.scan { dsn = large.dsn, jobs = 1 }
  local seen = 0
  local parts = mask.scan { dsn = large.dsn, jobs = 3, part_bytes = 200000,
    progress = function(p) seen = math.max(seen, p.done) end }
  t.eq(whole.leaks, 3000)
  t.eq(parts.leaks, 3000)
  t.eq(#parts.places, 7)
  for i, place in ipairs(parts.places) do
    t.eq(place.domain, whole.places[i].domain)
    t.eq(place.count, whole.places[i].count)
  end
  for _, name in ipairs { "tables", "columns", "rows", "values", "bytes" } do
    t.eq(parts.scanned[name], whole.scanned[name], name)
  end
  t.eq(mask.scan { dsn = large.dsn, jobs = 3, part_bytes = 200000, tables = { "public.a" } }.leaks, 3000)
  t.raises(function() mask.scan { dsn = large.dsn, part_bytes = -1 } end, { match = "part_bytes" })
end)

t.test("large objects are read when they are asked for", function()
  local blobs <close> = fresh("CREATE TABLE a (m text); SELECT lo_from_bytea(0, 'x@a.no')")
  t.eq(mask.scan { dsn = blobs.dsn, tables = { "public.a" } }.leaks, 0)
  t.eq(mask.scan { dsn = blobs.dsn, tables = { "pg_catalog.pg_largeobject" } }.leaks, 1)
  t.eq(mask.scan { dsn = blobs.dsn, tables = { "pg_catalog.pg_largeobject" }, since = 3 }.leaks, 1)
end)

t.test("a certificate is signed, and every change to it is seen", function()
  local one <close> = fresh("CREATE TABLE a (m text); INSERT INTO a VALUES ('a@a.no')")
  local keys, others = crypto.ed25519_generate(), crypto.ed25519_generate()
  local signed = mask.sign(mask.scan { dsn = one.dsn }, keys.private_pem)
  t.ok(mask.verify(signed, keys.public_pem))
  t.ok(mask.verify(signed, keys.private_pem))
  local again = json.decode(json.encode(signed, { pretty = true }))
  t.ok(mask.verify(again, keys.public_pem), "after it was written and read")
  t.eq({ mask.verify(signed, others.public_pem) }, { false, "it was signed with another key" })
  t.eq({ mask.verify(mask.scan { dsn = one.dsn }, keys.public_pem) }, { false, "it is not signed" })
  for name, change in pairs {
    leaks = function(c) c.leaks = 0 end,
    oid = function(c) c.database.oid = "1" end,
    places = function(c) c.places[1] = nil end,
    rules = function(c) c.rules.sink_domain = "x.no" end,
    more = function(c) c.comment = "fine" end,
    less = function(c) c.taken_at = nil end,
    value = function(c) c.signature.value = crypto.base64_encode(("x"):rep(64)) end,
    short = function(c) c.signature.value = "" end,
    odd = function(c) c.signature.value = "?" end,
  } do
    local changed = json.decode(json.encode(signed))
    change(changed)
    local valid, why = mask.verify(changed, keys.public_pem)
    t.eq(valid, false, name)
    t.like(why, "changed", name)
  end
  again.signature.algorithm = "none"
  t.eq((mask.verify(again, keys.public_pem)), false)
  t.raises(function() mask.sign(signed, "no key") end, { class = "invalid", code = "E_KEY" })
  t.raises(function() mask.sign(signed, crypto.rsa_generate().private_pem) end, { code = "E_KEY" })
  t.raises(function() mask.sign(signed, keys.public_pem) end, { code = "E_KEY" })
end)

t.test("many domains in one column are counted together past a limit", function()
  local many <close> = fresh([[CREATE TABLE a (m text);
    INSERT INTO a SELECT 'x@d' || i || '.no' FROM generate_series(1, 1500) i]])
  local c = mask.scan { dsn = many.dsn }
  t.eq(c.leaks, 1500)
  t.eq(#c.places, 1001)
end)

t.test("a scan reads one snapshot and leaves nothing behind", function()
  local one <close> = fresh("CREATE TABLE a (m text); INSERT INTO a VALUES ('a@a.no')")
  mask.scan { dsn = one.dsn, jobs = 4, progress = function() end }
  local conn <close> = db.connect { dsn = one.dsn }
  local left, deadline = 1, time.monotonic() + 10000
  while left > 0 and time.monotonic() < deadline do -- a server process ends a moment after its client
    left = conn:value([[SELECT count(*) FROM pg_stat_activity
      WHERE application_name = 'cloner scan' AND datname = current_database()]])
    time.sleep(20)
  end
  t.eq(left, 0)
end)

t.test("failures are error objects", function()
  t.raises(function() mask.scan { dsn = DSN:gsub("dbname=%S+", "dbname=no_such_database") } end,
    { class = "not_found" })
  local locked <close> = fresh("CREATE TABLE a (m text); INSERT INTO a VALUES ('not a date');" ..
    "CREATE ROLE mask_reader_" .. crypto.uuid():gsub("-", "_") .. " LOGIN PASSWORD 'x'")
  local conn <close> = db.connect { dsn = locked.dsn }
  local role = conn:value("SELECT rolname FROM pg_roles WHERE rolname LIKE 'mask\\_reader\\_%' LIMIT 1")
  local dsn = locked.dsn:gsub("user=%S+", "user=" .. role):gsub("password=%S+", "")
  t.raises(function() mask.scan { dsn = dsn, password = "x" } end,
    { class = "permission", match = "public%.a" })
  conn:exec("DROP ROLE " .. db.ident(role))
  t.raises(function() mask.scan { dsn = DSN, table_names = {} } end, { match = "table_names" })
end)

t.done()
