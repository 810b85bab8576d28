-- db: against the PostgreSQL of TEST_DSN, a role that may create tables and end other sessions.
local db = require "db"
local errors = require "errors"
local http = require "http"
local json = require "json"
local secret = require "secret"
local t = require "tap"
local testing = require "testing"
local time = require "time"

local task = testing.task

local dsn = secret "env:TEST_DSN"

local function open(options)
  options = options or {}
  options.dsn = options.dsn or dsn
  return db.connect(options)
end

-- Polls until fn() is true; no test waits longer than this.
local function eventually(what, fn)
  local deadline = time.monotonic() + 10000
  while not fn() do
    if time.monotonic() > deadline then error(what .. ": not within 10 s", 2) end
    time.sleep(10)
  end
end

local cancelled = errors.new("cancelled", "E_TEST", "cancelled by the test")

local conn = open { application = "db_test" }

t.test("integers are exact, floats are floats, numeric is text", function()
  local row = conn:row [[SELECT 32767::int2 AS a, (-2147483648)::int4 AS b,
    9223372036854775807::int8 AS c, (-9223372036854775808)::int8 AS d, 4294967295::oid AS e,
    1.5::float4 AS f, 0.1::float8 AS g, 'NaN'::float8 AS h, '-Infinity'::float8 AS i,
    12345678901234567890.123456789::numeric AS j, 3::float8 AS k]]
  t.eq(row.a, 32767)
  t.eq(row.b, -2147483648)
  t.eq(row.c, math.maxinteger)
  t.eq(row.d, math.mininteger)
  t.eq(row.e, 4294967295)
  t.eq(row.f, 1.5)
  t.eq(row.g, 0.1)
  t.ok(row.h ~= row.h)
  t.eq(row.i, -1 / 0)
  t.eq(row.j, "12345678901234567890.123456789")
  t.eq(row.k, 3.0)
end)

t.test("text, boolean, dates and the rest", function()
  local row = conn:row [[SELECT 'é'::text AS a, ''::text AS b, true AS c, false AS d,
    '2026-02-24 13:05:09.123+01'::timestamptz AS e, '2026-02-24'::date AS f,
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS g, 'x'::char(3) AS h]]
  t.eq({ row.a, row.b, row.c, row.d }, { "é", "", true, false })
  t.eq(row.e, "2026-02-24 12:05:09.123+00")
  t.eq(row.f, "2026-02-24")
  t.eq(row.g, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
  t.eq(row.h, "x  ")
end)

t.test("NULL is nil, a column that is not there raises", function()
  local rows = conn:query("SELECT 1 AS a, NULL::int AS b")
  t.eq(rows[1].b, nil)
  t.raises(function() return rows[1].missing end, { match = "no column 'missing'; it has: a, b" })
  t.eq(rows.columns, { "a", "b" })
  t.eq(rows.affected, 1)
  t.eq(#rows, 1)
  t.eq(json.encode(rows), '[{"a":1}]')
  t.raises(function() conn:query("SELECT 1 AS a, 2 AS a") end, { class = "invalid", match = "'a'" })
end)

t.test("no row", function()
  local rows = conn:query("SELECT 1 AS a WHERE false")
  t.eq(#rows, 0)
  t.eq(rows.columns, { "a" })
  t.eq(json.encode(rows), "[]")
  t.eq(conn:row("SELECT 1 WHERE false"), nil)
  t.eq(conn:value("SELECT 1 WHERE false"), nil)
  t.eq(conn:value("SELECT NULL::int"), nil)
end)

t.test("bytea with every byte", function()
  local every = {}
  for c = 0, 255 do every[#every + 1] = string.char(c) end
  local bytes = table.concat(every)
  t.eq(conn:value("SELECT $1::bytea", db.bytea(bytes)), bytes)
  t.eq(conn:value("SELECT octet_length($1)", db.bytea(bytes)), 256)
  t.eq(conn:value("SELECT ''::bytea"), "")
  t.eq(conn:value("SELECT $1::bytea[]", db.array { db.bytea(bytes), db.bytea "" }), { bytes, "" })
end)

t.test("json comes decoded, with its null and its integers", function()
  t.eq(conn:value [[SELECT '{"a":[1,2.5,null,9007199254740993],"b":{}}'::jsonb]],
    { a = { 1, 2.5, json.null, 9007199254740993 }, b = {} })
  t.eq(conn:value("SELECT 'null'::json"), json.null)
  t.eq(conn:value("SELECT NULL::json"), nil)
  t.eq(conn:value("SELECT '[]'::json"), json.array {})
  t.raises(function() conn:row("SELECT '[1e400, 99999999999999999999]'::jsonb AS big") end,
    { class = "invalid", match = "column 'big'" })
  local value = { name = 'O"Brien\\', list = { 1, json.null, {} }, empty = json.array {} }
  t.eq(conn:value("SELECT $1::jsonb", db.json(value)), value)
  t.eq(conn:value("SELECT $1->>'name'", db.json(value)), 'O"Brien\\')
  t.eq(conn:value("SELECT ARRAY['{\"a\": 1}', NULL]::jsonb[]"), { { a = 1 }, db.null })
end)

t.test("arrays, nested, with NULL, quotes and lower bounds", function()
  t.eq(conn:value("SELECT ARRAY[1,NULL,3]"), { 1, db.null, 3 })
  t.eq(conn:value("SELECT ARRAY[[1,2],[3,4]]::int8[]"), { { 1, 2 }, { 3, 4 } })
  t.eq(conn:value("SELECT '[0:2]={1,2,3}'::int[]"), { 1, 2, 3 })
  t.eq(conn:value("SELECT '{}'::text[]"), {})
  t.eq(json.encode(conn:value("SELECT '{}'::text[]")), "[]")
  t.eq(conn:value([[SELECT ARRAY['a"b', 'c\d', '{e}', 'f,g', '', 'NULL', NULL, ' h ']::text[] ]]),
    { 'a"b', "c\\d", "{e}", "f,g", "", "NULL", db.null, " h " })
  t.eq(conn:value("SELECT ARRAY[true,false]"), { true, false })
  t.eq(conn:value("SELECT ARRAY[1.50]::numeric[]"), { "1.50" })
  t.eq(conn:value("SELECT ARRAY[0.5]::float8[]"), { 0.5 })
  local list = { 'a"b', "c\\d", "{e}", "f,g", "", "NULL", db.null, " h ", "é" }
  t.eq(conn:value("SELECT $1::text[]", db.array(list)), list)
  t.eq(conn:value("SELECT $1::int[]", db.array { { 1, 2 }, { 3, db.null } }),
    { { 1, 2 }, { 3, db.null } })
  t.eq(conn:value("SELECT $1::float8[]", db.array { 0.1, 1 / 0 }), { 0.1, 1 / 0 })
  t.eq(conn:value("SELECT 2 = ANY ($1)", db.array { 1, 2 }), true)
  t.eq(conn:value("SELECT cardinality($1::text[])", db.array {}), 0)
  t.raises(function() db.array { 1, nil, 3, x = 1 } end, { match = "holes" })
  t.raises(function() db.array { print } end, { match = "function" })
end)

t.test("types of users: arrays of enums and domains", function()
  conn:script [[CREATE SCHEMA IF NOT EXISTS db_test; SET search_path = db_test, public;
    CREATE TYPE mood AS ENUM ('sad', 'ok, fine'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE typed(m mood, ms mood[], p positive, ps positive[])]]
  conn:exec("INSERT INTO typed VALUES ($1, $2, $3, $4)", "sad", db.array { "sad", "ok, fine" }, 1,
    db.array { 1, 2 })
  local row = conn:row("SELECT * FROM typed")
  t.eq(row.m, "sad")
  t.eq(row.ms, { "sad", "ok, fine" })
  t.eq(row.p, 1)
  t.eq(row.ps, { 1, 2 })
  conn:script("DROP SCHEMA db_test CASCADE; RESET search_path")
end)

t.test("parameters have the types of their values", function()
  local row = conn:row([[SELECT pg_typeof($1)::text AS a, pg_typeof($2)::text AS b,
    pg_typeof($3)::text AS c, pg_typeof($4)::text AS d, pg_typeof($5)::text AS e,
    $6::text AS f, $7::int AS g]], 1, 1 << 40, 0.5, true, db.json {}, nil, db.null)
  t.eq({ row.a, row.b, row.c, row.d, row.e }, { "integer", "bigint", "double precision", "boolean",
    "jsonb" })
  t.eq(row.f, nil)
  t.eq(row.g, nil)
  t.eq(conn:value("SELECT $1::int8", math.mininteger), math.mininteger)
  t.eq(conn:value("SELECT date '2026-01-01' + $1", 1), "2026-01-02")
  t.eq(conn:value("SELECT $1::float8", 1 / 3), 1 / 3)
  t.eq(conn:value("SELECT $1", "'; DROP TABLE x; --"), "'; DROP TABLE x; --")
  t.raises(function() conn:query("SELECT $1", { 1 }) end, { match = "db.json, db.array" })
  t.raises(function() conn:query("SELECT $1", print) end, { match = "PostgreSQL knows" })
  t.raises(function() conn:query("SELECT $1", "a\0b") end, { match = "zero byte" })
  t.raises(function() conn:query("SELECT $1, $2", 1) end, { class = "invalid" })
  t.raises(function() conn:query("SELECT 1; SELECT 2") end, { class = "invalid", code = "42601" })
  t.eq(conn:value("SELECT 1"), 1)
end)

t.test("errors have class, code and the server's text", function()
  local e = t.raises(function() conn:query("SELECT * FROM nowhere") end,
    { class = "not_found", code = "42P01", match = '^relation "nowhere" does not exist$' })
  t.eq(e.retryable, false)
  conn:script("CREATE TEMP TABLE uniq(id int PRIMARY KEY)")
  conn:exec("INSERT INTO uniq VALUES (1)")
  e = t.raises(function() conn:exec("INSERT INTO uniq VALUES ($1)", 1) end,
    { class = "conflict", code = "23505" })
  t.like(e.detail, "already exists")
  t.raises(function() conn:value("SELECT 1/0") end, { class = "invalid", code = "22012" })
  t.raises(function() conn:script("SELECT 1; SELECT * FROM nowhere; SELECT 2") end,
    { class = "not_found" })
  t.eq(conn:value("SELECT 1"), 1)
end)

-- A token that a check constraint refused came back in the server's DETAIL, whole row and all, and
-- stayed in the journal.
t.test("errors hold no rows", function()
  conn:script("CREATE TEMP TABLE vault(id int NOT NULL, token text CHECK (token <> 's3cret-token'))")
  local e = t.raises(function() conn:exec("INSERT INTO vault VALUES ($1, $2)", 1, "s3cret-token") end,
    { class = "conflict", code = "23514", match = "violates check constraint" })
  t.ok(not tostring(e.detail):find("s3cret", 1, true))
  e = t.raises(function() conn:exec("INSERT INTO vault VALUES ($1, $2)", nil, "s3cret-other") end,
    { code = "23502", match = 'column "id"' })
  t.ok(not tostring(e.detail):find("s3cret", 1, true))
end)

t.test("affected rows", function()
  conn:script("CREATE TEMP TABLE nums(n int)")
  t.eq(conn:exec("INSERT INTO nums SELECT generate_series(1, 10)"), 10)
  t.eq(conn:exec("UPDATE nums SET n = n + 1 WHERE n > $1", 8), 2)
  t.eq(conn:exec("CREATE TEMP TABLE other()"), 0)
  t.eq(conn:query("DELETE FROM nums WHERE n < 3 RETURNING n").affected, 2)
end)

t.test("transactions commit, roll back and nest", function()
  conn:script("CREATE TEMP TABLE tx(a int)")
  local a, b = conn:transaction(function(c)
    c:exec("INSERT INTO tx VALUES (1)")
    return "x", nil
  end)
  t.eq({ a, b }, { "x" })
  t.raises(function()
    conn:transaction(function()
      conn:exec("INSERT INTO tx VALUES (2)")
      errors.raise("conflict", "E_MINE", "mine")
    end)
  end, { class = "conflict", code = "E_MINE" })
  local e = t.raises(function() conn:transaction(function() error("a string") end) end,
    { class = "bug", match = "a string" })
  t.like(e.traceback, "db_test")
  conn:transaction(function()
    conn:exec("INSERT INTO tx VALUES (3)")
    t.raises(function()
      conn:transaction(function()
        conn:exec("INSERT INTO tx VALUES (4)")
        conn:transaction(function() conn:exec("INSERT INTO tx VALUES (5)") end)
        conn:exec("SELECT 1/0")
      end)
    end, { code = "22012" })
    conn:transaction(function() conn:exec("INSERT INTO tx VALUES (6)") end)
  end)
  t.eq(conn:value("SELECT array_agg(a ORDER BY a) FROM tx"), { 1, 3, 6 })
end)

t.test("a transaction with a swallowed error is no success", function()
  t.raises(function()
    conn:transaction(function()
      conn:exec("INSERT INTO tx VALUES (7)")
      pcall(conn.exec, conn, "SELECT 1/0")
    end)
  end, { class = "bug", match = "swallowed" })
  t.raises(function()
    conn:transaction(function()
      conn:transaction(function() pcall(conn.exec, conn, "SELECT 1/0") end)
    end)
  end, { class = "bug", match = "swallowed" })
  t.raises(function() conn:transaction(function() conn:script("COMMIT") end) end,
    { class = "bug", match = "ended by its own function" })
  t.eq(conn:value("SELECT count(*) FROM tx"), 3)
  t.eq(conn:value("SELECT 1"), 1)
end)

t.test("a constraint checked at commit is the error of the transaction", function()
  conn:script [[CREATE TEMP TABLE parent(id int PRIMARY KEY);
    CREATE TEMP TABLE child(id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)]]
  t.raises(function()
    conn:transaction(function() conn:exec("INSERT INTO child VALUES (1)") end)
  end, { class = "conflict", code = "23503" })
  t.eq(conn:value("SELECT count(*) FROM child"), 0)
end)

t.test("isolation and read-only transactions", function()
  conn:transaction(function()
    t.eq(conn:value("SHOW transaction_isolation"), "serializable")
    t.eq(conn:value("SHOW transaction_read_only"), "on")
    t.raises(function() conn:transaction(print, { readonly = true }) end, { match = "outer" })
  end, { isolation = "serializable", readonly = true })
  t.raises(function() conn:transaction(print, { isolation = "none" }) end, { match = "isolation" })
end)

t.test("a read-only connection writes nothing", function()
  local ro <close> = open { readonly = true }
  t.eq(ro:value("SHOW default_transaction_read_only"), "on")
  t.raises(function() ro:exec("CREATE TABLE never(a int)") end,
    { class = "permission", code = "25006" })
  t.raises(function() ro:script("BEGIN READ  WRITE; CREATE TABLE never(a int); COMMIT") end,
    { class = "permission", code = "E_NOT_READONLY" })
  t.raises(function() ro:exec("SET default_transaction_read_only = off") end,
    { class = "permission", code = "E_NOT_READONLY" })
  t.eq(ro:value("SELECT to_regclass('never')::text"), nil)
  t.eq(ro:is_open(), true)
  -- a way around the guard is noticed after the fact, and ends the connection
  t.raises(function()
    ro:script("DO $$ BEGIN EXECUTE 'S' || 'ET default_transaction_' || 'read_only = off'; END $$")
  end, { class = "permission", code = "E_NOT_READONLY" })
  t.eq(ro:is_open(), false)
end)

t.test("COPY in and out, large", function()
  conn:script("CREATE TEMP TABLE bulk(id int, body text)")
  local rows, i = 200000, 0
  local count = conn:copy_in("COPY bulk FROM STDIN", function()
    if i >= rows then return nil end
    local lines = {}
    for _ = 1, 1000 do
      i = i + 1
      lines[#lines + 1] = i .. "\t" .. ("x"):rep(50) .. "\n"
    end
    return table.concat(lines)
  end)
  t.eq(count, rows)
  local bytes, chunks, last = 0, 0, nil
  conn:copy_out("COPY (SELECT * FROM bulk ORDER BY id) TO STDOUT", function(chunk)
    bytes, chunks, last = bytes + #chunk, chunks + 1, chunk
    t.eq(chunk:sub(-1), "\n")
  end)
  t.eq(bytes, conn:value("SELECT sum(length(id::text) + 52) FROM bulk"))
  t.ok(chunks > 10)
  t.like(last, "200000\tx+\n$")
  t.eq(conn:copy_in("COPY bulk FROM STDIN", ("7\ty\n"):rep(300000)), 300000)
  t.eq(conn:copy_in("COPY bulk FROM STDIN", ""), 0)
  t.eq(conn:value("SELECT count(*) FROM bulk"), 500000)
end)

t.test("COPY that fails", function()
  conn:script("CREATE TEMP TABLE few(id int)")
  local e = t.raises(function() conn:copy_in("COPY few FROM STDIN", "1\nx\n2\n") end,
    { class = "invalid", code = "22P02" })
  t.like(e.detail, "COPY few, line 2, column id")
  local pieces = 0
  t.raises(function() -- more to send after the server has given up
    conn:copy_in("COPY few FROM STDIN", function()
      pieces = pieces + 1
      return pieces < 500 and ("x\n"):rep(10000) or nil
    end)
  end, { code = "22P02" })
  t.raises(function()
    local n = 0
    conn:copy_in("COPY few FROM STDIN", function()
      n = n + 1
      if n > 3 then error("no more") end
      return "1\n"
    end)
  end, { class = "bug", match = "no more" })
  t.eq(conn:value("SELECT count(*) FROM few"), 0)
  t.raises(function() conn:copy_in("SELECT 1", "") end, { class = "invalid", code = "E_COPY" })
  t.raises(function() conn:copy_out("SELECT * FROM nowhere", print) end, { code = "42P01" })
  t.raises(function() conn:copy_in("COPY few FROM STDIN", 1) end, { match = "iterator" })
  t.eq(conn:is_open(), true)
  t.eq(conn:value("SELECT 1"), 1)
end)

t.test("COPY through the wrong call closes the connection", function()
  for _, sql in ipairs { "COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN" } do
    local c <close> = open()
    t.raises(function() c:query(sql) end, { class = "invalid", code = "E_COPY" })
    t.eq(c:is_open(), false)
  end
  local c <close> = open()
  t.raises(function()
    c:copy_out("COPY (SELECT generate_series(1, 1000000)) TO STDOUT",
      function() error("enough") end)
  end, { match = "enough" })
  t.eq(c:is_open(), false)
end)

t.test("notifications", function()
  local listener <close> = open()
  listener:listen("Odd channel")
  t.eq(listener:notification(0), nil)
  conn:notify("Odd channel", "first")
  conn:notify("Odd channel")
  local n = listener:notification(5000)
  t.eq(n, { channel = "Odd channel", payload = "first",
    pid = conn:value("SELECT pg_backend_pid()") })
  t.eq(listener:notification(5000).payload, "")
  local began = time.monotonic()
  t.eq(listener:notification(30), nil)
  t.ok(time.monotonic() - began >= 25)
  local waiting = task.spawn(function() return listener:notification().payload end)
  conn:notify("Odd channel", "later")
  local ok, payload = waiting:join(5000)
  t.eq({ ok, payload }, { true, "later" })
  conn:notify("Odd channel", "while idle")
  eventually("idle notification", function()
    local got = listener:notification(0)
    return got and got.payload == "while idle"
  end)
end)

t.test("wrong password, unknown database, nobody there", function()
  local e = t.raises(function() open { password = "certainly not this" } end,
    { class = "permission", code = "28P01", match = "password authentication failed" })
  t.ok(not tostring(e):find("certainly"))
  local safe = db.safe_dsn(secret.reveal(dsn))
  t.ok(not safe:find("password"))
  t.raises(function() open { dsn = secret.reveal(dsn) .. " dbname=nowhere_at_all" } end,
    { class = "not_found", code = "3D000", match = "dbname=nowhere_at_all" })
  e = t.raises(function() open { dsn = "host=127.0.0.1 port=1 dbname=x user=u" } end,
    { class = "transient", match = "host=127.0.0.1 port=1 dbname=x user=u" })
  t.like(e.detail, "check that the server runs")
  t.raises(function() open { dsn = "nonsense" } end, { class = "invalid", code = "E_DSN" })
  t.raises(function() open { hots = "x" } end, { match = "no option 'hots'" })
end)

t.test("a session ended by the server is transient and closes the connection", function()
  local victim <close> = open()
  local pid = victim:value("SELECT pg_backend_pid()")
  local running = task.spawn(function() victim:value("SELECT pg_sleep(60)") end)
  eventually("the query runs", function()
    return conn:value("SELECT state = 'active' AND query LIKE '%pg_sleep%' FROM pg_stat_activity "
      .. "WHERE pid = $1", pid)
  end)
  conn:exec("SELECT pg_terminate_backend($1)", pid)
  local ok, e = running:join(5000)
  t.eq(ok, false)
  t.eq({ e.class, e.code, e.retryable }, { "transient", "57P01", true })
  t.eq(victim:is_open(), false)
  t.raises(function() victim:value("SELECT 1") end, { class = "bug", code = "E_CLOSED" })
end)

t.test("a session ended while idle is transient too", function()
  local victim <close> = open()
  local pid = victim:value("SELECT pg_backend_pid()")
  conn:exec("SELECT pg_terminate_backend($1)", pid)
  eventually("it is gone", function()
    return conn:value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
  end)
  t.raises(function() victim:value("SELECT 1") end, { class = "transient" })
  t.eq(victim:is_open(), false)
  local inside <close> = open()
  pid = inside:value("SELECT pg_backend_pid()")
  t.raises(function()
    inside:transaction(function()
      conn:exec("SELECT pg_terminate_backend($1)", pid)
      eventually("it is gone", function()
        return conn:value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
      end)
    end)
  end, { class = "transient", code = "08007", match = "unknown" })
end)

local function is_running(mark)
  return conn:value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
    .. "AND query LIKE $1 AND pid <> pg_backend_pid()", "%" .. mark .. "%") > 0
end

t.test("a cancelled task stops its query on the server within a second", function()
  local victim <close> = open()
  local sleeper = task.spawn(function()
    victim:transaction(function() victim:value("SELECT pg_sleep(60) /* cancel me */") end)
  end)
  eventually("the query runs", function() return is_running("cancel me") end)
  local began = time.monotonic()
  sleeper:cancel(cancelled)
  local ok, e = sleeper:join(5000)
  t.eq({ ok, e.class, e.code }, { false, "cancelled", "E_TEST" })
  t.ok(time.monotonic() - began < 1000)
  eventually("the server stopped", function() return not is_running("cancel me") end)
  t.ok(time.monotonic() - began < 1000)
  t.eq(victim:is_open(), false)
end)

t.test("a task cancelled between statements of a transaction rolls it back", function()
  local victim <close> = open()
  local inside = false
  local sleeper = task.spawn(function()
    victim:transaction(function()
      victim:script("LOCK TABLE pg_catalog.pg_description IN SHARE MODE")
      inside = true
      time.sleep(60000)
    end)
  end)
  eventually("the transaction runs", function() return inside end)
  sleeper:cancel(cancelled)
  local _, e = sleeper:join(5000)
  t.eq(e.class, "cancelled")
  t.eq(victim:is_open(), false)
  eventually("the lock is gone", function()
    return conn:value [[SELECT count(*) FROM pg_locks
      WHERE relation = 'pg_catalog.pg_description'::regclass AND mode = 'ShareLock']] == 0
  end)
end)

t.test("a task cancelled while connecting", function()
  -- An HTTP server waits for a line that a PostgreSQL client never sends.
  local silent <close> = http.serve { handler = function() return {} end }
  local connecting = task.spawn(function()
    open { dsn = ("host=127.0.0.1 port=%d dbname=x user=u"):format(silent.port) }
  end)
  time.sleep(1)
  connecting:cancel(cancelled)
  local ok, e = connecting:join(5000)
  t.eq({ ok, e.class }, { false, "cancelled" })
end)

t.test("a time limit cancels the statement", function()
  local impatient <close> = open { timeout_ms = 200 }
  t.eq(impatient:value("SELECT 1"), 1)
  t.raises(function() impatient:value("SELECT pg_sleep(60) /* too long */") end,
    { class = "timeout", code = "E_TIMEOUT", match = "200 ms" })
  t.eq(impatient:is_open(), false)
  eventually("the server stopped", function() return not is_running("too long") end)
end)

t.test("one operation at a time", function()
  local shared <close> = open()
  local first = task.spawn(function() return shared:value("SELECT pg_sleep(0.3) IS NULL") end)
  local second = task.spawn(function() return shared:value("SELECT 2") end)
  local ok, e = second:join(5000)
  t.eq({ ok, e.class, e.code }, { false, "bug", "E_BUSY" })
  t.eq({ first:join(5000) }, { true, false })
  t.eq(shared:value("SELECT 3"), 3)
end)

t.test("a transaction belongs to its task", function()
  local shared <close> = open()
  shared:transaction(function()
    local other = task.spawn(function() return shared:value("SELECT 1") end)
    local ok, e = other:join(5000)
    t.eq({ ok, e.class, e.code }, { false, "bug", "E_BUSY" })
    t.eq(shared:value("SELECT 2"), 2)
  end)
  local other = task.spawn(function() return shared:value("SELECT 1") end)
  t.eq({ other:join(5000) }, { true, 1 })
end)

t.test("use after close raises, closing twice does not", function()
  local c = open()
  t.eq(c:is_open(), true)
  t.like(tostring(c), "open")
  c:close()
  c:close()
  t.eq(c:is_open(), false)
  for _, f in ipairs { function() c:query("SELECT 1") end, function() c:script("SELECT 1") end,
    function() c:transaction(print) end, function() c:copy_in("COPY x FROM STDIN", "") end,
    function() c:notification(1) end, function() c:listen("x") end } do
    t.raises(f, { class = "bug", code = "E_CLOSED" })
  end
end)

t.test("closing under a waiting task wakes it", function()
  local c = open()
  local sleeper = task.spawn(function() c:value("SELECT pg_sleep(60) /* closed under */") end)
  eventually("the query runs", function() return is_running("closed under") end)
  c:close()
  local ok, e = sleeper:join(5000)
  t.eq({ ok, e.class, e.code }, { false, "bug", "E_CLOSED" })
  eventually("the server stopped", function() return not is_running("closed under") end)
end)

t.test("quoting", function()
  t.eq(db.ident("a"), '"a"')
  t.eq(db.ident('A "b"', "c"), '"A ""b"""."c"')
  t.eq(db.literal("it's"), "'it''s'")
  for _, text in ipairs { "", "'", "\\", "\\'", "a\nb", "é" } do
    t.eq(conn:value("SELECT " .. db.literal(text)), text)
  end
  t.raises(function() db.ident("") end, { match = "name" })
  t.raises(function() db.literal("\0") end, { match = "zero" })
end)

t.test("a collected connection is closed", function()
  local pid
  do
    local c = open()
    pid = c:value("SELECT pg_backend_pid()")
  end
  testing.collect()
  eventually("the session is gone", function()
    testing.collect()
    return conn:value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
  end)
end)

t.test("many connections at once", function()
  local tasks = {}
  for i = 1, 20 do
    tasks[i] = task.spawn(function()
      local c <close> = open()
      return c:value("SELECT $1::int * 2", i)
    end)
  end
  for i = 1, 20 do t.eq({ tasks[i]:join(20000) }, { true, 2 * i }) end
end)

conn:close()
t.done()
