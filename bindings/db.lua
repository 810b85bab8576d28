-- db: PostgreSQL. Parameters are always bound, results are typed, one operation at a time a
-- connection.
--
-- A failure raises an error object: class by the table in runtime/pg/errors.c, code the SQLSTATE.
-- After a lost connection, a time limit or a cancelled wait the connection is closed.
local core = ...
local errors = require "errors"
local json = require "json"
local secret = require "secret"

local M = {}
local methods = core.methods

local JSONB, BYTEA, UNTYPED = 3802, 17, 0

--- SQL NULL, where nil cannot be: inside arrays, and as a parameter. The same value as json.null.
M.null = json.null

---@class db.connection
---@class db.rows list of rows, with columns (their names) and affected (how many)

---------------------------------------------------------------- connecting

local OPTIONS = { dsn = true, password = true, readonly = true, application = true,
  timeout_ms = true }

--- Opens a connection.
---@param options {dsn: string|secret, password: string|secret?, readonly: boolean?,
---  application: string?, timeout_ms: integer?}
---  dsn: a libpq connection string or URI; what it leaves out comes from the environment.
---  readonly: the server refuses writes. timeout_ms: for connecting to a host, and for every
---  operation after that (default: 10 s, and no limit).
---@return db.connection
function M.connect(options)
  if type(options) ~= "table" then error("db.connect needs a table {dsn = …}", 2) end
  for name in pairs(options) do
    if not OPTIONS[name] then error("db.connect has no option '" .. tostring(name) .. "'", 2) end
  end
  local password = options.password and secret.reveal(options.password)
  local conninfo = core.conninfo(secret.reveal(options.dsn or ""), password)
  return core.connect(conninfo, options.readonly, options.application, options.timeout_ms or 0,
    { types = {}, depth = 0, readonly = options.readonly })
end

--- The connection string without its password.
---@param dsn string
---@return string
function M.safe_dsn(dsn) return core.safe_dsn(dsn) end

---------------------------------------------------------------- values

--- An identifier, quoted; with two arguments schema.name.
---@param a string
---@param b string|nil
---@return string
function M.ident(a, b)
  if type(a) ~= "string" or a == "" or a:find("\0", 1, true) then
    error("db.ident needs a name", 2)
  end
  local quoted = '"' .. a:gsub('"', '""') .. '"'
  return b and quoted .. "." .. M.ident(b) or quoted
end

--- A string literal, quoted, for the few statements that take no parameters.
---@param text string
---@return string
function M.literal(text)
  if type(text) ~= "string" or text:find("\0", 1, true) then
    error("db.literal needs a string without zero bytes", 2)
  end
  local quoted = "'" .. text:gsub("'", "''") .. "'"
  return quoted:find("\\", 1, true) and " E" .. quoted:gsub("\\", "\\\\") or quoted
end

--- A parameter of type jsonb.
function M.json(value) return core.value(JSONB, 0, json.encode(value)) end

--- A parameter of type bytea.
---@param bytes string
function M.bytea(bytes) return core.value(BYTEA, 1, bytes) end

local array_text

local function element_text(v)
  local kind = type(v)
  if v == M.null then return "NULL" end
  if kind == "string" then
    if v:find("\0", 1, true) then error("text with a zero byte: use db.bytea", 4) end
    return '"' .. v:gsub('["\\]', "\\%0") .. '"'
  elseif math.type(v) == "integer" then
    return ("%d"):format(v)
  elseif kind == "number" then
    return v ~= v and "NaN" or v == 1 / 0 and "Infinity" or v == -1 / 0 and "-Infinity"
      or ("%.17g"):format(v)
  elseif kind == "boolean" then
    return v and "t" or "f"
  elseif kind == "table" then
    local bytes = core.bytes_of(v)
    if not bytes then return array_text(v) end
    return '"\\\\x' .. bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end) .. '"'
  end
  error("db.array cannot hold a " .. kind, 4)
end

function array_text(list)
  local parts, count = {}, 0
  for key in pairs(list) do
    count = count + 1
    if math.type(key) ~= "integer" or list[count] == nil then
      error("db.array needs a list without holes (use db.null)", 4)
    end
  end
  for i = 1, count do parts[i] = element_text(list[i]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- A parameter that is an array; its type follows from where it is used, or from a cast.
--- Elements: strings, numbers, booleans, db.null, db.bytea(), and lists of these.
---@param list table
function M.array(list)
  if type(list) ~= "table" then error("db.array needs a list", 2) end
  return core.value(UNTYPED, 0, array_text(list))
end

---------------------------------------------------------------- statements

-- P1: an accident guard on top of what the server enforces, which a statement could switch off.
local function check_readonly(conn, sql)
  if not core.state(conn).readonly then return end
  local text = sql:lower()
  if text:find("read%s+write") or (text:find("transaction_read_only", 1, true)
      and (text:find("%f[%w]set%f[%W]") or text:find("set_config", 1, true))) then
    errors.raise("permission", "E_NOT_READONLY",
      "a read-only connection is not made writable by a statement")
  end
end

local function run(conn, sql, ...)
  if type(sql) == "string" then check_readonly(conn, sql) end
  return core.query(conn, sql, ...)
end

local TYPES = [[
  SELECT t.oid, CASE WHEN t.typcategory = 'A' AND e.typdelim = ','
                     THEN coalesce(nullif(e.typbasetype, 0), e.oid) END AS element
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
   WHERE t.oid = ANY ($1::oid[])]]

-- Types of extensions and users: which are arrays, and of what? Asked once a connection and type.
local function learn(conn, types, unknown)
  local result <close> = core.query(conn, TYPES, M.array(unknown))
  for _, oid in ipairs(unknown) do types[oid] = false end
  local columns = core.describe(result)
  for _, row in ipairs(core.rows(result, {}, json.decode, {}, columns)) do
    types[row.oid] = row.element or false
  end
end

local function types_of(conn, result)
  local types = core.state(conn).types
  local unknown = core.unknown(result, types)
  if unknown then learn(conn, types, unknown) end
  return types
end

-- NULL reads as nil; a column the result does not have raises.
local function row_metatable(columns)
  local known = {}
  for _, name in ipairs(columns) do
    if known[name] then
      errors.raise("invalid", "E_COLUMN",
        ("two columns of the result are called '%s': name them apart with AS"):format(name))
    end
    known[name] = true
  end
  return { __index = function(_, key)
    if not known[key] then
      error(("the result has no column '%s'; it has: %s"):format(tostring(key),
        table.concat(columns, ", ")), 2)
    end
  end }
end

--- Runs one statement with bound parameters.
--- Rows read as row.column: NULL is nil, a column that does not exist raises. int, oid -> integer;
--- float -> number; boolean; bytea -> raw string; json -> decoded; arrays -> tables (NULL elements
--- are db.null); numeric, timestamps, uuid and the rest -> text.
---@param sql string
---@param ... any nil, boolean, number, string, db.null, db.json(), db.bytea(), db.array()
---@return db.rows
function methods.query(conn, sql, ...)
  local result <close> = run(conn, sql, ...)
  local columns, affected = core.describe(result)
  local types = types_of(conn, result)
  local rows = core.rows(result, types, json.decode, row_metatable(columns), columns)
  return setmetatable(rows, { __jsonarray = true,
    __index = { columns = columns, affected = affected } })
end

--- The first row, nil when there is none.
function methods.row(conn, sql, ...) return methods.query(conn, sql, ...)[1] end

--- The first column of the first row; nil when it is NULL or there is no row.
function methods.value(conn, sql, ...)
  local result <close> = run(conn, sql, ...)
  return core.first(result, types_of(conn, result), json.decode)
end

--- Runs one statement for its effect; returns how many rows it touched.
---@return integer
function methods.exec(conn, sql, ...)
  local result <close> = run(conn, sql, ...)
  local _, affected = core.describe(result)
  return affected
end

--- Runs any number of statements without parameters; the first that fails ends it.
---@param sql string
function methods.script(conn, sql)
  if type(sql) == "string" then check_readonly(conn, sql) end
  core.script(conn, sql)
end

---------------------------------------------------------------- transactions

local ISOLATION = { ["read committed"] = true, ["repeatable read"] = true, serializable = true }

local function begin_sql(options)
  local sql = "BEGIN"
  if options.isolation then
    if not ISOLATION[options.isolation] then
      error("no isolation level '" .. tostring(options.isolation) .. "'", 3)
    end
    sql = sql .. " ISOLATION LEVEL " .. options.isolation:upper()
  end
  if options.readonly then sql = sql .. " READ ONLY" end
  return sql
end

local function command(conn, sql)
  local result <close> = core.query(conn, sql)
  local _, _, tag = core.describe(result)
  return tag
end

-- A cancelled task cannot wait for ROLLBACK, and a lost connection has none: closing does it.
local function roll_back(conn, sql, e)
  if not conn:is_open() then return end
  if errors.is(e, "cancelled") or not pcall(core.script, conn, sql) then conn:close() end
end

local function with_traceback(e)
  if errors.is_object(e) then return e end
  local object = errors.from(e)
  object.traceback = debug.traceback("", 2) -- luacheck: ignore 113
  return object
end

local function check_state(conn, rollback)
  local state = core.transaction(conn)
  if state == "intrans" then return end
  if state == "inerror" then
    roll_back(conn, rollback)
    errors.raise("bug", "E_TRANSACTION",
      "a statement of the transaction had failed and its error was swallowed: rolled back")
  end
  errors.raise("bug", "E_TRANSACTION", conn:is_open()
    and "the transaction was ended by its own function: leave COMMIT and ROLLBACK to transaction()"
    or "the connection was closed inside its transaction")
end

local function commit(conn)
  local ok, tag = pcall(command, conn, "COMMIT")
  if not ok then
    if conn:is_open() or errors.is(tag, "cancelled", "bug") then error(tag, 0) end
    errors.raise("transient", "08007",
      "the connection was lost while committing; whether it was committed is unknown",
      { cause = tag })
  end
  if tag ~= "COMMIT" then
    errors.raise("bug", "E_TRANSACTION", "the server rolled the transaction back: " .. tag)
  end
end

local function finish(conn, level, ok, ...)
  if not ok then
    roll_back(conn, level.rollback, (...))
    error((...), 0)
  end
  check_state(conn, level.rollback)
  if level.commit then command(conn, level.commit) else commit(conn) end
  return ...
end

--- Runs fn(conn) in a transaction and returns its results; an error rolls back and is passed on.
--- Inside another transaction of the connection it is a savepoint.
---@param fn fun(conn: db.connection): any
---@param options {isolation: string|nil, readonly: boolean|nil}|nil
function methods.transaction(conn, fn, options)
  if type(fn) ~= "function" then error("transaction needs a function", 2) end
  local state = core.state(conn)
  local level = { rollback = "ROLLBACK" }
  local start = begin_sql(options or {})
  if state.depth > 0 then
    if options then error("isolation and readonly belong to the outer transaction", 2) end
    local name = "cloner_" .. state.depth
    start = "SAVEPOINT " .. name
    level.commit = "RELEASE SAVEPOINT " .. name
    level.rollback = "ROLLBACK TO SAVEPOINT " .. name .. "; " .. level.commit
  end
  core.lock(conn)
  local depth = state.depth
  local _ <close> = setmetatable({}, { __close = function()
    state.depth = depth
    core.unlock(conn)
  end })
  command(conn, start)
  state.depth = depth + 1
  return finish(conn, level, xpcall(fn, with_traceback, conn))
end

---------------------------------------------------------------- COPY

--- Runs COPY … TO STDOUT and hands fn the rows, some whole ones at a time. An error of fn closes
--- the connection: the rest of the data is on its way.
---@param sql string
---@param fn fun(chunk: string)
function methods.copy_out(conn, sql, fn)
  core.lock(conn)
  local complete = false
  local _ <close> = setmetatable({}, { __close = function()
    core.unlock(conn)
    if not complete and core.transaction(conn) == "active" then conn:close() end
  end })
  core.copy_out(conn, sql)
  while true do
    local chunk = core.copy_read(conn)
    if chunk == "" then break end
    fn(chunk)
  end
  complete = true
end

local function feed(conn, source)
  if type(source) == "string" then return core.copy_write(conn, source) end
  for chunk in source do core.copy_write(conn, chunk) end
end

--- Runs COPY … FROM STDIN with the bytes of source, a string or an iterator of strings (any
--- pieces).
--- An error of the iterator ends the COPY without effect. What the server finds wrong with the data
--- is raised at the end.
---@param sql string
---@param source string|fun(): string|nil
---@return integer rows
function methods.copy_in(conn, sql, source)
  if type(source) ~= "string" and type(source) ~= "function" then
    error("copy_in needs a string or an iterator", 2)
  end
  core.lock(conn)
  local _ <close> = setmetatable({}, { __close = function() core.unlock(conn) end })
  core.copy_in(conn, sql)
  local ok, e = xpcall(feed, with_traceback, conn, source)
  if not ok then
    if core.transaction(conn) == "active" then
      pcall(core.copy_end, conn, "the source of the data failed")
    end
    error(e, 0)
  end
  local result <close> = core.copy_end(conn)
  local _, rows = core.describe(result)
  return rows
end

---------------------------------------------------------------- notifications

--- Listens on a channel; see notification().
---@param channel string
function methods.listen(conn, channel) core.script(conn, "LISTEN " .. M.ident(channel)) end

--- Waits for the next notification, timeout_ms at most (nil: as long as it takes).
---@param timeout_ms integer|nil
---@return {channel: string, payload: string, pid: integer}|nil
function methods.notification(conn, timeout_ms) return core.notification(conn, timeout_ms or -1) end

--- Sends a notification, at commit when in a transaction.
---@param channel string
---@param payload string|nil
function methods.notify(conn, channel, payload)
  methods.exec(conn, "SELECT pg_catalog.pg_notify($1, $2)", channel, payload or "")
end

return M
