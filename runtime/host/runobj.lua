-- runobj: the `run` a step is given. Everything here may be called from the step's own task.
local control = require "control"
local errors = require "errors"
local json = require "json"
local text = require "text"
local time = require "time"

local M = {}

local Run = {}
Run.__name = "run"
Run.__metatable = "run"

local hidden = setmetatable({}, { __mode = "k" }) -- run -> {x, step, undoing, level}

Run.__index = function(_, key)
  local method = rawget(Run, key)
  if method then return method end
  error(("run has no '%s'%s"):format(tostring(key), text.hint(tostring(key), text.keys(M.NAMES))), 2)
end
Run.__newindex = function(_, key)
  error(("run.%s cannot be set: keep values in locals or return them"):format(tostring(key)), 2)
end

local PROGRESS_JOURNAL_MS = 2000
local SLEEP_SLICE_MS = 60 * 1000
local SLEEP_DURABLE_MS = 60 * 1000 -- shorter ones are polls: not worth a row

M.NAMES = { id = 1, params = 1, config = 1, step = 1, once = 1, once_value = 1, progress = 1,
  sleep = 1, log = 1, warn = 1, result = 1, transaction = 1, start = 1, join = 1, cancel = 1,
  idempotency_key = 1, started = 1 }

--- The object for one attempt of a step.
function M.new(x, step, undoing)
  local run = { id = x.run_id, params = x.program.params, config = x.config, step = step.name }
  hidden[run] = { x = x, step = step, undoing = undoing,
    level = { prefix = undoing and "undo " or "", count = 0 } }
  return setmetatable(run, Run)
end

--- The same for a step's check.
function M.for_check(x, step)
  local run = M.new(x, step)
  hidden[run].level.prefix = "check "
  return run
end

local function of(run)
  local h = hidden[run]
  if not h then error("call it as run:method()", 3) end
  return h.x, h.step, h
end

--- Runs fn once in the life of the run and remembers what it returned; later calls give that back.
function Run.once(run, key, fn)
  local x, step = of(run)
  if type(key) ~= "string" or key == "" then error("run:once needs a key", 2) end
  local found, value = x.journal:memo_get(x, step.name, key)
  if found then return value end
  return x.journal:memo_put(x, step.name, key, fn())
end

--- What run:once remembered in this step, or nil.
function Run.once_value(run, key)
  local x, step = of(run)
  local _, value = x.journal:memo_get(x, step.name, key)
  return value
end

--- An earlier step's result, or nil.
function Run.result(run, name)
  return (of(run)).results[name]
end

local PROGRESS = { "done", "total", "unit", "bytes", "rows", "parts_done", "parts_total", "phase",
  "objects", "note", "bytes_per_second", "seconds_left" }

--- Says how far the step is; a safe point to stop. p = {done=, total=, unit=, bytes=, rows=, note=}
--- and whatever else the backup module says.
function Run.progress(run, p)
  local x, step, h = of(run)
  control.safe_point(x)
  if type(p) ~= "table" then error("run:progress needs a table", 2) end
  local now = time.monotonic()
  x.progress = {}
  for _, name in ipairs(PROGRESS) do x.progress[name] = p[name] end
  if p.objects then json.array(x.progress.objects) end
  x.report:event("step_progress", x, { step = step, progress = x.progress })
  if not h.undoing and now - (x.progress_written or 0) >= PROGRESS_JOURNAL_MS then
    x.progress_written = now
    x.journal:step_progress(x, step, x.progress)
  end
end

--- Sleeps; a safe point to stop. A long sleep is journalled: after a resume only what is left.
function Run.sleep(run, ms)
  local x, _, h = of(run)
  h.sleeps = (h.sleeps or 0) + 1
  local till = time.now() + ms
  if ms >= SLEEP_DURABLE_MS and not h.undoing then
    till = Run.once(run, "sleep:" .. h.sleeps, function() return till end)
  end
  while true do
    control.safe_point(x)
    local left = till - time.now()
    if left <= 0 then return end
    x.wake:wait(math.min(left, SLEEP_SLICE_MS))
  end
end

local function say(run, level, kind, message)
  local x, step = of(run)
  message = tostring(message)
  x.report:event(kind, x, { step = step, text = message, level = level })
  if x.journal.durable then x.journal:event(x.run_id, step.name, kind, { text = message }) end
end

function Run.log(run, message) say(run, "info", "log", message) end
function Run.warn(run, message) say(run, "warn", "warning", message) end

--- A key that is the same in every attempt of this step: for HTTP's Idempotency-Key and the like.
function Run.idempotency_key(run, suffix)
  local x, step = of(run)
  return x.run_id .. "/" .. step.name .. (suffix and "/" .. tostring(suffix) or "")
end

-- ------------------------------------------------------------------ exactly once in a database

local META = [[
  CREATE SCHEMA IF NOT EXISTS cloner_meta;
  CREATE TABLE IF NOT EXISTS cloner_meta.fence (run_id uuid PRIMARY KEY, epoch bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS cloner_meta.step_marker (run_id uuid, step_key text, key text,
    result jsonb, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run_id, step_key, key));]]
local META_LOCK = 7239155022

local function make_meta(conn)
  if conn:value("SELECT to_regclass('cloner_meta.step_marker') IS NOT NULL") then return end
  conn:transaction(function()
    conn:query("SELECT pg_advisory_xact_lock($1::bigint)", META_LOCK)
    conn:script(META)
  end)
end

--- The result a marker keeps. Raises when the same scripts came by another transaction this time: it
--- would be passed over without ever having taken effect.
local function marked(x, step, key, marker, place)
  local by = marker.by
  if by and by.bundle == x.program.bundle.hash and by.place ~= place then
    errors.raise("bug", "E_TRANSACTION_ORDER", ("transaction '%s' of step '%s' was the one at %s when " ..
      "it took effect, now it is the one at %s: give each a key, run:transaction(conn, fn, key)")
      :format(key, step.name, by.place, place))
  end
  return marker.v
end

--- Runs fn(conn) in a transaction that takes effect exactly once, however often the step is tried:
--- a marker row is written in the same transaction, and a worker that lost its run is fenced off.
--- Transactions of a step are told apart by their order, or by key; those inside another are
--- numbered within it, as they are passed over together with it.
function Run.transaction(run, conn, fn, key)
  local x, step, h = of(run)
  if type(fn) ~= "function" then error("run:transaction needs a connection and a function", 2) end
  local level = h.level
  level.count = level.count + 1
  key = key or level.prefix .. level.count
  local info = debug.getinfo(fn, "S")
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  make_meta(conn)
  return conn:transaction(function()
    h.level = { prefix = key .. ".", count = 0 }
    local _ <close> = setmetatable({}, { __close = function() h.level = level end })
    local fenced = conn:query([[
      INSERT INTO cloner_meta.fence AS f (run_id, epoch) VALUES ($1::uuid, $2::bigint)
      ON CONFLICT (run_id) DO UPDATE SET epoch = excluded.epoch WHERE f.epoch <= excluded.epoch
      RETURNING epoch]], x.run_id, x.epoch)
    if #fenced == 0 then
      errors.raise("lease_lost", "E_LEASE_LOST",
        "a newer owner of this run has been in this database: nothing was written")
    end
    local marker = conn:query([[SELECT result FROM cloner_meta.step_marker
      WHERE run_id = $1::uuid AND step_key = $2::text AND key = $3::text]], x.run_id, step.name, key)
    if #marker > 0 then return marked(x, step, key, marker[1].result, place) end
    local value = fn(conn)
    conn:query([[INSERT INTO cloner_meta.step_marker (run_id, step_key, key, result)
      VALUES ($1::uuid, $2::text, $3::text, $4::jsonb)]], x.run_id, step.name, key,
      require("db").json { v = value, by = { bundle = x.program.bundle.hash, place = place } })
    if value == nil then return nil end
    return json.decode(json.encode(value))
  end)
end

-- ------------------------------------------------------------------ child runs

local STARTS_MAX = 20

--- The memo key and the idempotency key of the n-th child a step starts in one place; a child that
--- was cancelled or undone is followed by the next.
local function start_key(x, step, script, opts, n)
  local key = opts and opts.idempotency_key or (x.run_id .. "/" .. step.name .. "/" .. script)
  return n == 1 and key or key .. "#" .. n
end

--- Starts another script of the same folder as a run of its own, or joins the live run with the
--- same target key. -> its run id
---@param opts table|nil {idempotency_key=, target_key=}
function Run.start(run, script, given, opts)
  local x, step = of(run)
  if not x.journal.durable then
    errors.raise("invalid", "E_NOT_DURABLE", "only a durable procedure can start runs")
  end
  for n = 1, STARTS_MAX do
    local key = start_key(x, step, script, opts, n)
    local child = Run.once(run, "start:" .. key, function()
      local id, created = x.children.start(x, script, given or {}, {
        idempotency_key = key, target_key = opts and opts.target_key })
      x.report:event("child", x, { step = step, child = id, created = created })
      return { id = id, created = created }
    end)
    local row = x.journal:run(child.id)
    if not row or row.state ~= "done" or row.result == "succeeded" then return child.id end
  end
  errors.raise("conflict", "E_CHILD", ("'%s' was started %d times and never succeeded")
    :format(script, STARTS_MAX))
end

--- Did this step's run:start create the child (true), or join one (false)? nil: not started.
function Run.started(run, script, opts)
  local x, step = of(run)
  local last
  for n = 1, STARTS_MAX do
    local value = Run.once_value(run, "start:" .. start_key(x, step, script, opts, n))
    if not value then break end
    last = value
  end
  if last then return last.created, last.id end
end

--- Waits for a run, whoever executes it, and gives its result. When its process dies, this one
--- takes it over. opts.progress shows its progress as the step's own.
function Run.join(run, id, opts)
  local x = of(run)
  return x.children.join(x, id, function(p)
    if opts and opts.progress and p then
      Run.progress(run, p)
    else
      control.safe_point(x)
    end
  end)
end

--- Asks for a run to be cancelled and undone (for undo: of a child this step started).
function Run.cancel(run, id)
  local x = of(run)
  return x.children.cancel(x, id)
end

return M
