-- engine: the entry points the command line calls; each returns the process's exit code.
local config = require "config"
local control = require "control"
local errors = require "errors"
local execution = require "execution"
local host = require "host"
local memory = require "journal_memory"
local params = require "params"
local program = require "program"
local report = require "report"
local task = require "task"
local text = require "text"

local M = {}

M.EXIT = { done = 0, failed = 1, usage = 2, refused = 3, paused = 4, cancelled = 5,
  interrupted = 6, bug = 70 }

local EXIT = M.EXIT
local OUTCOMES = { succeeded = EXIT.done, undone = EXIT.done, cancelled = EXIT.cancelled,
  paused = EXIT.paused, interrupted = EXIT.interrupted, lost = EXIT.failed }

-- Codes that mean: what was typed is wrong.
local USAGE_CODES = { E_NO_SCRIPT = true, E_SYNTAX = true, E_PARAM = true, E_CONFIG = true,
  E_NO_RUN = true, E_USAGE = true, E_BUNDLE_SIZE = true, E_FILE_SIZE = true, E_TENANT_FILE = true }
local REFUSED_CODES = { E_TARGET_BUSY = true, E_RUN_BUSY = true, E_NEWER_RUN = true,
  E_IDEMPOTENCY_KEY = true }

local function say(line)
  host.write("err", "cloner: " .. line .. "\n")
end

local function fail(e)
  e = errors.from(e)
  say(e.message)
  local trace = text.script_traceback(e.traceback)
  if e.class == "bug" and trace ~= "" then host.write("err", trace .. "\n") end
  if e.advice then say(e.advice) end
  if e.refused or REFUSED_CODES[e.code] then return EXIT.refused end
  return USAGE_CODES[e.code] and EXIT.usage or EXIT.failed
end

--- The error object of what was raised, with its place in the scripts.
local function traced(e)
  local object = errors.from(e)
  object.traceback = object.traceback or debug.traceback("", 2)
  return object
end

--- Wraps a verb: prepares the log, turns what it raises into a message and an exit code. It runs in
--- a task of its own, so that a script in an endless loop takes only that with it.
function M.verb(f)
  return function(args)
    host.setup_log(args.log_level or "info", args.json ~= nil)
    local ok, result = task.spawn(function()
      local fine, value = xpcall(f, traced, args)
      if not fine then error(value, 0) end
      return value
    end):join()
    if ok then return result or EXIT.done end
    return fail(result)
  end
end

--- "arg1", "arg2", … as a list.
function M.positional(args)
  local list = {}
  while args["arg" .. #list + 1] do list[#list + 1] = args["arg" .. #list + 1] end
  return list
end

-- ------------------------------------------------------------------ running

--- Signals end runs at their safe points; the third time the process simply goes.
local function watch_signals(c)
  local signals = host.signals()
  task.spawn(function()
    while true do
      local name = signals:wait()
      c:interrupt(name)
      if c.interrupts == 1 then
        say("stopping after the current safe point; once more stops now")
      elseif c.interrupts > 2 then
        host.quit(EXIT.interrupted)
      end
    end
  end)
  return signals
end

--- The closing words on a top-level run.
local function conclude(x, view)
  view:close()
  if view.json then return OUTCOMES[x.outcome] end
  if x.outcome == "succeeded" then
    local lines = report.summary(x)
    for i = view:lists_steps() and #lines or 1, #lines do host.write("out", lines[i] .. "\n") end
    local summary = x.program.procedure.summary
    if summary then
      local results = x.results
      local ok, closing = pcall(summary, { id = x.run_id, params = x.program.params,
        config = x.config, result = function(_, name) return results[name] end })
      if not ok then -- the run is done all the same
        say("the summary failed: " .. errors.from(closing).message)
        closing = {}
      end
      for _, line in ipairs(type(closing) == "table" and closing or { closing }) do
        host.write("out", tostring(line) .. "\n")
      end
    end
  else
    local e = x.error
    local at = e and e.step and ("step '%s': "):format(e.step) or ""
    local state = x.outcome == "paused" and not x.journal.durable and "failed" or x.outcome
    say(("run %s is %s%s"):format(x.run_id, state, e and ": " .. at .. e.message or ""))
    local trace = e and e.class == "bug" and text.script_traceback(e.traceback) or ""
    if trace ~= "" then host.write("err", trace .. "\n") end
    local advice = report.advice(x)
    if advice then say(advice) end
  end
  return OUTCOMES[x.outcome]
end

--- Executes a claimed run to its outcome and concludes; -> exit code.
function M.drive(fields, view, how)
  local x = execution.new(fields)
  local signals = watch_signals(x.control)
  view:event(how and "run_resumed" or "run_started", x, { text = how })
  execution.run(x)
  if x.children then x.children.leave(x.control) end
  local code = conclude(x, view)
  getmetatable(signals).__close(signals)
  return code, x
end

--- Asks the procedure's preflight; refusals are marked so.
local function preflight(loaded, conf, plan)
  local check = loaded.procedure.preflight
  if not check then return end
  local ok, e = xpcall(check, traced, { params = loaded.params, config = conf, plan = plan })
  if ok then return end
  if errors.is(e, "permission", "conflict", "invalid", "not_found", "leak") then
    e = errors.wrap(e, "refused")
    e.refused = true
  end
  error(e, 0)
end
M.preflight = preflight

local function run_once(loaded, conf, args)
  preflight(loaded, conf)
  local view = report.new { json = args.json }
  view.json = args.json
  local code, x = M.drive({ run_id = host.uuid(), epoch = 1, owner = "-", journal = memory.new(),
    program = loaded, config = conf, report = view, control = control.new() }, view)
  return x.outcome == "paused" and EXIT.failed or code
end

-- What needs the journal is loaded for durable runs only.
local function run_durable(loaded, conf, args)
  local session = require "session"
  local s <close> = session.open(args, conf, true)
  local p, bundle = loaded.procedure, loaded.bundle
  if args.idempotency_key then
    local known = s.journal:run_by_idempotency(p.name, args.idempotency_key)
    if known then
      program.same_params(known, loaded)
      return M.known(s, known, args)
    end
  end
  if loaded.target_key then
    local live = s.journal:live_run(loaded.target_key)
    if live then error(session.busy(live, loaded.target_key), 0) end
  end
  preflight(loaded, conf)
  s.journal:put_bundle(bundle)
  local run_id = host.uuid()
  local ok, epoch = pcall(s.journal.create_run, s.journal, { run_id = run_id, name = p.name,
    title = program.title(loaded), bundle_hash = bundle.hash, target_key = loaded.target_key,
    idempotency_key = args.idempotency_key, params = loaded.params, owner = s.worker.id,
    steps_total = #loaded.steps })
  if not ok then
    if errors.from(epoch).code == "23505" then
      local known = args.idempotency_key and s.journal:run_by_idempotency(p.name, args.idempotency_key)
      if known then
        program.same_params(known, loaded)
        return M.known(s, known, args)
      end
      local live = loaded.target_key and s.journal:live_run(loaded.target_key)
      if live then error(session.busy(live, loaded.target_key), 0) end
    end
    error(epoch, 0)
  end
  s.journal:event(run_id, nil, "started", session.actor { script = args.script })
  host.fault("run_created")
  local view = report.new { json = args.json }
  view.json = args.json
  return (M.drive({ run_id = run_id, epoch = epoch, owner = s.worker.id, journal = s.journal,
    program = loaded, config = conf, report = view, control = s.control,
    children = require "children" }, view))
end

--- The same idempotency key came again: the run it belongs to answers.
function M.known(s, row, args)
  if row.state == "done" then
    say(("run %s was started with this key: it %s"):format(row.run_id, row.result))
    return row.result == "succeeded" and EXIT.done or EXIT.failed
  end
  return require("verbs").resume_row(s, row, args)
end

M.run = M.verb(function(args)
  local given = params.parse(M.positional(args))
  local bundle = program.read(args.script)
  local loaded, value = program.load(bundle, given, function() return (config.load(args.config)) end)
  if not loaded then return math.type(value) == "integer" and value or EXIT.done end
  local conf = config.load(args.config)
  if not loaded.procedure.durable then return run_once(loaded, conf, args) end
  return run_durable(loaded, conf, args)
end)

-- The other verbs live in verbs.lua and show.lua.
setmetatable(M, { __index = function(_, name)
  return require("verbs")[name] or require("show")[name]
end })

return M
