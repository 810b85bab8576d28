-- verbs: what is done with runs that exist: resume, cancel, undo; and init, plan.
local children = require "children"
local config = require "config"
local db = require "db"
local errors = require "errors"
local event = require "event"
local host = require "host"
local journal = require "journal"
local json = require "json"
local params = require "params"
local program = require "program"
local report = require "report"
local session = require "session"
local text = require "text"
local worker = require "worker"

local M = {}

local function engine() return require "engine" end

local function out(line) host.write("out", line .. "\n") end

--- The run's program: its pinned scripts, or those of --script.
local function load_program(s, row, script)
  local bundle
  if script then
    bundle = program.read(script)
  else
    bundle = program.pinned(s.journal, row)
  end
  local loaded = program.load(bundle, row.params)
  if not loaded or loaded.procedure.name ~= row.name then
    errors.raise("invalid", "E_PARAM", ("run %s is of procedure '%s', '%s' is not"):format(row.run_id,
      row.name, script or bundle.entry))
  end
  return loaded
end

--- Claims a run and executes it; prepare(x fields) runs once it is ours.
local function take(s, row, args, how, prepare)
  local loaded = load_program(s, row, args.script)
  local epoch
  if row.state == "done" then
    local ok, e = pcall(s.journal.reopen, s.journal, row, s.worker.id)
    if not ok and errors.from(e).code == "23505" then
      error(session.busy(s.journal:live_run(row.target_key), row.target_key), 0)
    elseif not ok then
      error(e, 0)
    end
    epoch = e
  else
    epoch = s.journal:claim(row, s.worker.id)
  end
  if not epoch then error(session.running(s.journal:run(row.run_id)), 0) end
  local view = report.new { json = args.json }
  view.json = args.json
  local x = { run_id = row.run_id, epoch = epoch, owner = s.worker.id, phase = row.phase,
    journal = s.journal, program = loaded, config = s.config, report = view, control = s.control,
    children = children, cancelling = row.cancel_requested or nil }
  s.journal:event(row.run_id, nil, how, session.actor { script = args.script })
  if args.script then
    s.journal:put_bundle(loaded.bundle)
    s.journal:adopt_bundle(x, loaded.bundle.hash, #loaded.steps)
  end
  if prepare then prepare(x) end
  return (engine().drive(x, view, how))
end

--- Goes on with a run; s has a worker.
function M.resume_row(s, row, args)
  if row.state == "running" then error(session.running(row), 0) end
  if row.state == "done" then
    host.write("err", ("cloner: run %s is done: it %s\n"):format(row.run_id, row.result))
    return row.result == "succeeded" and 0 or 1
  end
  return take(s, row, args, "resumed")
end

M.resume = function(args) return engine().verb(function()
  local s <close> = session.open(args, nil, true)
  local row = args.arg1 and session.find(s.journal, args.arg1) or session.only(s.journal)
  return M.resume_row(s, row, args)
end)(args) end

local WAIT_MS = 300

--- Waits until another process is done with a run; -> the row.
local function wait_for(s, run_id)
  while true do
    local row = s.journal:run(run_id)
    if row.state ~= "running" then return row end
    worker.sweep(s.journal)
    event.new():wait(WAIT_MS)
  end
end

M.cancel = function(args) return engine().verb(function()
  local s <close> = session.open(args, nil, true)
  local row = args.arg1 and session.find(s.journal, args.arg1) or session.only(s.journal)
  if row.state == "done" then
    host.write("err", ("cloner: run %s is done: it %s\n"):format(row.run_id, row.result))
    return row.result == "cancelled" and 0 or 1
  end
  if args.no_undo then
    if row.state == "running" then error(session.running(row), 0) end
    local epoch = s.journal:claim(row, s.worker.id)
    if not epoch then error(session.running(s.journal:run(row.run_id)), 0) end
    s.journal:event(row.run_id, nil, "abandoned", session.actor {})
    s.journal:finish({ run_id = row.run_id, epoch = epoch, owner = s.worker.id }, "abandoned")
    out(("run %s ended, nothing was undone; `cloner undo %s` still can"):format(row.run_id, row.run_id))
    return 0
  end
  s.journal:request_cancel(row.run_id, session.actor({}).user or "somebody")
  s.journal:event(row.run_id, nil, "cancel_requested", session.actor {})
  if row.state == "running" then
    host.write("err", ("cloner: asked process %s on %s to stop and undo run %s\n"):format(
      tostring(row.pid), tostring(row.host), row.run_id))
    row = wait_for(s, row.run_id)
    if row.state == "done" then
      out(("run %s is %s"):format(row.run_id, row.result))
      return row.result == "cancelled" and 0 or 1
    elseif row.state == "paused" then
      errors.raise("conflict", "E_PAUSED", ("run %s could not be undone: %s"):format(row.run_id,
        row.error and row.error.message or "see `cloner show`"))
    end
  end
  local code = take(s, row, args, "cancelling", function(x)
    x.cancelling = true
    if x.phase ~= "undo" then
      s.journal:begin_undo(x)
      x.phase = "undo"
    end
  end)
  return code == engine().EXIT.cancelled and 0 or code
end)(args) end

M.undo = function(args) return engine().verb(function()
  local s <close> = session.open(args, nil, true)
  local row = session.find(s.journal, args.arg1)
  if row.state == "running" then error(session.running(row), 0) end
  if row.result == "cancelled" or row.result == "undone" then
    host.write("err", ("cloner: run %s is %s already\n"):format(row.run_id, row.result))
    return 0
  end
  local newer = s.journal:newer_run(row.run_id)
  if newer then
    errors.raise("conflict", "E_NEWER_RUN",
      ("run %s came after it on '%s': undo that one first"):format(newer.run_id, row.target_key))
  end
  return take(s, row, args, "undoing", function(x)
    if x.phase ~= "undo" and row.state ~= "done" then s.journal:begin_undo(x) end
    x.phase = "undo"
  end)
end)(args) end

M.init = function(args) return engine().verb(function()
  local conf = config.load(args.config)
  local where = config.journal(conf, args.journal)
  if not where then
    errors.raise("invalid", "E_USAGE", "no journal: give --journal DSN or a configuration")
  end
  local conn <close> = db.connect { dsn = where.dsn, password = where.password,
    application = "cloner init" }
  local applied = journal.migrate(conn)
  journal.check(conn)
  out(applied == 0 and "the journal is up to date"
    or ("the journal is ready (%d migration%s applied)"):format(applied, applied == 1 and "" or "s"))
end)(args) end

-- ------------------------------------------------------------------ plan

local function plan_step(step, ctx)
  local item = { step = step.name, title = step.label, origin = ("%s:%d"):format(step.origin, step.line),
    skipped = step.skipped, undo = step.undo ~= nil, check = step.check ~= nil,
    timeout_ms = step.timeout_ms, attempts = step.retry.attempts }
  if step.plan and not step.skipped then
    local ok, found = pcall(step.plan, ctx)
    if ok and type(found) == "table" then
      item.touches, item.rows, item.bytes, item.details, item.warnings = found.touches, found.rows,
        found.bytes, found.details, found.warnings
    elseif not ok then
      item.warnings = { "cannot be planned: " .. errors.from(found).message }
    end
  end
  return item
end

local function as_text(v)
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  for _, item in ipairs(v) do parts[#parts + 1] = tostring(item) end
  return table.concat(parts, ", ")
end

M.plan = function(args) return engine().verb(function()
  local given = params.parse(engine().positional(args))
  local bundle = program.read(args.script)
  local loaded = program.load(bundle, given)
  if not loaded then
    errors.raise("invalid", "E_USAGE", ("'%s' is a plain script: only procedures have a plan")
      :format(args.script))
  end
  local conf = config.load(args.config)
  local ctx = { params = loaded.params, config = conf, plan = true }
  local shown = params.printable(loaded.procedure.params, loaded.params)
  local items = {}
  for i, step in ipairs(loaded.steps) do items[i] = plan_step(step, ctx) end
  if args.json then
    for _, item in ipairs(items) do
      item.details = item.details and json.array(item.details)
      item.warnings = item.warnings and json.array(item.warnings)
    end
    out(json.encode { procedure = loaded.procedure.name, title = program.title(loaded),
      params = shown, bundle = bundle.hash, target_key = loaded.target_key,
      steps = json.array(items) })
  else
    out(program.title(loaded))
    for _, name in ipairs(text.keys(shown)) do
      out(("  %s = %s"):format(name, as_text(shown[name])))
    end
    for i, item in ipairs(items) do
      out(("%3d  %-50s %s"):format(i, item.title, item.origin))
      if item.skipped then out("       skipped: " .. item.skipped) end
      if item.touches then out("       touches: " .. as_text(item.touches)) end
      if item.rows or item.bytes then
        out(("       about %s%s"):format(item.rows and text.count(item.rows) .. " rows " or "",
          item.bytes and text.bytes(item.bytes) or ""))
      end
      for _, detail in ipairs(item.details or {}) do out("         " .. tostring(detail)) end
      for _, warning in ipairs(item.warnings or {}) do out("       warning: " .. tostring(warning)) end
    end
    out("Nothing was changed.")
  end
  engine().preflight(loaded, conf, true)
end)(args) end

return M
