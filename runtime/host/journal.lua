-- journal: the journal in PostgreSQL. Statements live in runtime/journal/*.sql; here is how they
-- are called: one connection, one statement at a time, reconnecting while the lease still holds.
--
-- A fenced statement that meets no row means that somebody else owns the run: class lease_lost.
local db = require "db"
local errors = require "errors"
local failure = require "failure"
local host = require "host"
local json = require "json"
local log = require "log"
local mutex = require "mutex"
local task = require "task"
local text = require "text"
local time = require "time"

local M = {}
M.__index = M

M.SCHEMA_FILES = { "001_init" }
local OPEN_MS = 10 * 1000     -- for one attempt to connect
local PATIENCE_MS = 10 * 1000 -- without a lease, how long a lost connection is tried again
local LOCK_KEY = 7239155021   -- advisory lock of migrations

local statements = {}

local function statement(name)
  if not statements[name] then
    local sql = host.embedded("runtime/journal/" .. name .. ".sql")
    if not sql then error("no journal statement '" .. name .. "'") end
    statements[name] = sql
  end
  return statements[name]
end

--- A row as a plain table.
local function plain(row, columns)
  local out = {}
  for _, column in ipairs(columns) do
    local name = type(column) == "table" and column.name or column
    out[name] = row[name]
  end
  return out
end

local function connect(options)
  local conn = db.connect { dsn = options.dsn, password = options.password,
    application = "cloner journal", timeout_ms = OPEN_MS }
  -- An intent must be durable before its effect, whatever is usual in this database.
  conn:query("SELECT set_config('synchronous_commit', 'on', false) " ..
    "WHERE current_setting('synchronous_commit') = 'off'")
  return conn
end

--- Opens the journal. Raises when it cannot be reached or was never made.
---@param options table {dsn=, password=}
---@param init boolean|nil make or upgrade the schema first
function M.open(options, init)
  local self = setmetatable({ options = options, lock = mutex.new(), durable = true }, M)
  local ok, e = pcall(function() self.conn = connect(options) end)
  if not ok then error(errors.wrap(e, "the journal cannot be opened"), 0) end
  if init then M.migrate(self.conn) end
  M.check(self.conn)
  return self
end

function M:close()
  if self.conn then self.conn:close() end
  self.conn = nil
end

local function schema_version(conn)
  if not conn:value("SELECT to_regclass('cloner.schema_migration') IS NOT NULL") then return 0 end
  return conn:value("SELECT coalesce(max(version), 0)::int FROM cloner.schema_migration")
end

--- Applies what is missing, in order, under a lock; refuses a changed or a newer schema.
---@return integer how many migrations were applied
function M.migrate(conn)
  local applied = 0
  if schema_version(conn) >= #M.SCHEMA_FILES then return 0 end
  conn:transaction(function()
    conn:query("SELECT pg_advisory_xact_lock($1::bigint)", LOCK_KEY)
    conn:script([[
      CREATE SCHEMA IF NOT EXISTS cloner;
      CREATE TABLE IF NOT EXISTS cloner.schema_migration (version int PRIMARY KEY,
        name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());]])
    for version = schema_version(conn) + 1, #M.SCHEMA_FILES do
      local name = M.SCHEMA_FILES[version]
      local sql = host.embedded("runtime/journal/schema/" .. name .. ".sql")
      conn:script(sql)
      conn:query("INSERT INTO cloner.schema_migration (version, name, checksum) " ..
        "VALUES ($1::int, $2::text, $3::text)", version, name, host.sha256(sql))
      applied = applied + 1
    end
  end)
  return applied
end

--- Refuses a journal this program does not know.
function M.check(conn)
  local version = schema_version(conn)
  if version == 0 then
    errors.raise("not_found", "E_NO_JOURNAL", "this database holds no journal: `cloner init` makes it")
  elseif version > #M.SCHEMA_FILES then
    errors.raise("conflict", "E_JOURNAL_NEWER",
      ("the journal has schema %d, this program knows %d: use a newer cloner")
        :format(version, #M.SCHEMA_FILES))
  elseif version < #M.SCHEMA_FILES then
    errors.raise("conflict", "E_JOURNAL_OLDER", "the journal is of an older cloner: run `cloner init`")
  end
  for _, row in ipairs(conn:query(
    "SELECT version, name, checksum FROM cloner.schema_migration ORDER BY version")) do
    local sql = host.embedded("runtime/journal/schema/" .. row.name .. ".sql")
    if not sql or host.sha256(sql) ~= row.checksum then
      errors.raise("conflict", "E_JOURNAL_CHANGED",
        ("migration %d of the journal is not the one this program holds"):format(row.version))
    end
  end
end

-- ------------------------------------------------------------------ calling

--- Until when a lost connection may be tried again (boot-time clock, ms).
function M:deadline()
  if self.worker then return self.worker:trusted_until() end
  return time.monotonic() + PATIENCE_MS
end

local function try(self, name, args)
  if not self.conn or not self.conn:is_open() then
    if self.conn then self.conn:close() end
    self.conn = nil
    local ok, conn = pcall(connect, self.options)
    if not ok then
      -- It let us in before, so whatever it says now may pass.
      local e = errors.wrap(conn, "cannot connect again")
      e.class = "transient"
      error(e, 0)
    end
    self.conn = conn
  end
  local rows = self.conn:query(statement(name), table.unpack(args, 1, args.n))
  if not pcall(host.fault, "journal_reply") then
    self.conn:close()
    errors.raise("transient", "E_REPLY_LOST", "the reply was lost")
  end
  return rows
end

local function call(self, name, args)
  local _ <close> = self.lock:acquire()
  local deadline, wait_ms = self:deadline(), 100
  while true do
    local ok, result = pcall(try, self, name, args)
    if ok then return result end
    local e = errors.from(result)
    if not errors.is(e, "transient", "timeout") then error(errors.wrap(e, "journal"), 0) end
    if time.monotonic() + wait_ms >= deadline then
      if not self.worker then error(errors.wrap(e, "journal"), 0) end
      errors.raise("lease_lost", "E_JOURNAL_LOST",
        "the journal could not be reached while the lease held: " .. e.message)
    end
    log.debug(("journal, %s: %s; it is said again"):format(name, e.message))
    time.sleep(wait_ms)
    wait_ms = math.min(wait_ms * 2, 2000)
  end
end

--- Runs a statement; -> list of plain rows. Cancelling the caller does not break the connection:
--- the statement is finished by a task of its own.
function M:call(name, ...)
  local ok, rows = task.spawn(call, self, name, table.pack(...)):join()
  if not ok then error(rows, 0) end
  local list = {}
  for i, row in ipairs(rows) do list[i] = plain(row, rows.columns) end
  return list
end

--- Runs a fenced statement of a run {run_id, epoch, owner}; -> its first row.
function M:fenced(name, x, ...)
  local rows = self:call(name, x.run_id, x.epoch, x.owner, ...)
  if #rows == 0 then
    errors.raise("lease_lost", "E_LEASE_LOST",
      ("run %s belongs to another process now: nothing more is written here"):format(x.run_id))
  end
  return rows[1]
end

local RESULT_BYTES_MAX = 1024 * 1024

local function jsonb(value, what)
  if value == nil then return nil end
  local encoded = json.encode(value)
  if #encoded > RESULT_BYTES_MAX then
    errors.raise("invalid", "E_RESULT_SIZE", ("%s is larger than %s: keep big data elsewhere")
      :format(what or "a value", text.bytes(RESULT_BYTES_MAX)))
  end
  return db.json(value)
end

-- ------------------------------------------------------------------ scripts

function M:put_bundle(bundle)
  local hashes, missing = {}, {}
  for _, hash in pairs(bundle.hashes) do hashes[#hashes + 1] = hash end
  table.sort(hashes)
  local known = {}
  for _, row in ipairs(self:call("script_known", table.concat(hashes, ","))) do
    known[row.hash] = true
  end
  for path, hash in pairs(bundle.hashes) do
    if not known[hash] then missing[#missing + 1] = path end
  end
  for _, path in ipairs(missing) do
    self:call("script_blob_put", bundle.hashes[path], db.bytea(bundle.modules[path]))
  end
  self:call("script_bundle_put", bundle.hash, bundle.folder, bundle.entry)
  for path, hash in pairs(bundle.hashes) do
    self:call("script_module_put", bundle.hash, path, hash)
  end
end

--- The bundle a run is pinned to, or nil.
function M:get_bundle(hash)
  local head = self:call("script_bundle_get", hash)[1]
  if not head then return nil end
  local modules = {}
  for _, row in ipairs(self:call("script_modules_get", hash)) do modules[row.path] = row.source end
  return { folder = head.folder, entry = head.entry, modules = modules }
end

-- ------------------------------------------------------------------ runs

--- Creates a run owned by the worker; -> epoch. Class conflict when the target has a live run.
function M:create_run(r)
  local ok, e = pcall(function()
    return self:call("run_create", r.run_id, r.name, r.title, r.bundle_hash, r.target_key,
      r.idempotency_key, r.parent_run_id, jsonb(r.params), r.owner, r.steps_total)[1]
  end)
  if ok and e then return e.epoch end
  if ok then errors.raise("lease_lost", "E_LEASE_LOST", "this process was declared dead") end
  error(e, 0)
end

function M:run(run_id) return self:call("run_get", run_id)[1] end
function M:runs(limit) return self:call("run_list", limit) end
--- The newest run that no other started.
function M:newest() return self:call("run_newest")[1] end
function M:find_runs(part) return self:call("run_find", part) end
function M:unfinished() return self:call("run_unfinished") end
function M:live_run(target_key) return self:call("run_live", target_key)[1] end
function M:run_by_idempotency(name, key) return self:call("run_by_idempotency", name, key)[1] end
function M:newer_run(run_id) return self:call("run_newer", run_id)[1] end

--- Takes a run as it was read; -> the new epoch, or nil when somebody owns it.
function M:claim(run, owner)
  local row = self:call("run_claim", run.run_id, owner, run.epoch)[1]
  return row and row.epoch
end

--- The same for a finished run, to undo it.
function M:reopen(run, owner)
  local row = self:call("run_reopen", run.run_id, owner, run.epoch)[1]
  return row and row.epoch
end

function M:begin_undo(x) self:fenced("run_undo", x) end
function M:fence(x) return self:fenced("run_fence", x) end
function M:release(x, state, e)
  self:fenced("run_release", x, state, e and jsonb(failure.data(e)))
end
function M:finish(x, result, output) self:fenced("run_finish", x, result, jsonb(output)) end
function M:adopt_bundle(x, hash, steps_total) self:fenced("run_adopt", x, hash, steps_total) end
--- A live run, other than this one, whose step waits for run_id; or nil.
function M:joined_by(run_id, but)
  local row = self:call("run_joined_by", run_id, but)[1]
  return row and row.run_id
end
function M:request_cancel(run_id, reason) return self:call("run_cancel", run_id, reason)[1] end

-- ------------------------------------------------------------------ steps

function M:steps(run_id) return self:call("step_list", run_id) end
function M:attempts(run_id) return self:call("attempt_list", run_id) end

--- -> the number of this attempt
function M:step_intent(x, step)
  return self:fenced("step_intent", x, step.name, step.label, step.undo and "armed" or "none").attempts
end
--- -> how long it took, ms
function M:step_result(x, step, attempt, result)
  return self:fenced("step_result", x, step.name, attempt,
    jsonb(result, ("the result of step '%s'"):format(step.name))).elapsed_ms
end
function M:step_failed(x, step, attempt, e, state)
  self:fenced("step_failed", x, step.name, attempt, jsonb(failure.data(e)), state)
end
function M:step_skip(x, step) self:fenced("step_skip", x, step.name, step.label, step.skipped) end
function M:step_progress(x, step, p) self:fenced("step_progress", x, step.name, jsonb(p)) end
function M:undo_intent(x, key) return self:fenced("undo_intent", x, key).undo_attempts end
function M:undo_result(x, key, state) self:fenced("undo_result", x, key, state) end
function M:undo_failed(x, key, attempt, e, state)
  self:fenced("undo_failed", x, key, attempt, jsonb(failure.data(e)), state)
end

-- Memo values are wrapped: nil is a value too.
function M:memo_put(x, key, name, value)
  return self:fenced("memo_put", x, key, name, jsonb({ v = value }, "run:once")).value.v
end
--- -> found?, value
function M:memo_get(x, key, name)
  local row = self:call("memo_get", x.run_id, key, name)[1]
  if not row then return false end
  return true, row.value.v
end

function M:event(run_id, step_key, kind, data)
  self:call("event_put", run_id, step_key, kind, jsonb(data))
end
function M:events(run_id) return self:call("event_list", run_id) end

return M
