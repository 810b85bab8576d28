-- report_log: one log line an event, for pipes and files.
local log = require "log"
local text = require "text"
local time = require "time"

local M = {}
M.__index = M

local PROGRESS_MS = 5000

function M.new()
  return setmetatable({ shown = {} }, M)
end

local function number(x, step)
  for i, s in ipairs(x.program.steps) do
    if s.name == step.name then return i end
  end
  return 0
end

local function prefix(x, step)
  return ("%s %d/%d %s"):format(x.program.procedure.name, number(x, step), #x.program.steps, step.name)
end

local HANDLERS = {}

function HANDLERS.run_started(_, x)
  log.info(("run %s: %s"):format(x.run_id, require("program").title(x.program)))
end

function HANDLERS.run_resumed(_, x, d)
  log.info(("run %s: %s goes on (%s)"):format(x.run_id, require("program").title(x.program), d.text))
end

function HANDLERS.step_started(_, x, d)
  log.info(("%s: %s%s"):format(prefix(x, d.step), d.step.label,
    d.attempt > 1 and (" (attempt %d)"):format(d.attempt) or ""))
end

function HANDLERS.step_checked(_, x, d)
  log.info(("%s: was done already"):format(prefix(x, d.step)))
end

function HANDLERS.step_done(_, x, d)
  log.info(("%s: done in %s"):format(prefix(x, d.step), text.duration(d.elapsed_ms)))
end

function HANDLERS.step_skipped(_, x, d)
  log.info(("%s: skipped: %s"):format(prefix(x, d.step), d.step.skipped))
end

function HANDLERS.step_retry(_, x, d)
  log.warn(("%s: %s; attempt %d of %d in %s"):format(prefix(x, d.step), d.error.message,
    d.tries + 1, d.attempts, text.duration(d.wait_ms)))
end

function HANDLERS.step_failed(_, x, d)
  log.error(("%s: %s"):format(prefix(x, d.step), d.error.message))
end

function HANDLERS.step_progress(self, x, d)
  local now = time.monotonic()
  if now - (self.shown[x] or x.step_began or 0) < PROGRESS_MS then return end
  self.shown[x] = now
  local report, p = require "report", d.progress
  local parts = { report.progress_text(p) }
  if p.rows and p.rows > 0 and p.unit ~= "rows" then
    parts[#parts + 1] = text.count(math.floor(p.rows)) .. " rows"
  end
  parts[#parts + 1] = report.pace_text(p)
  local line, objects = table.concat(parts, ", "), report.objects_text(p)
  log.info(("%s: %s%s"):format(prefix(x, d.step), line, objects and "; " .. objects or ""))
end

function HANDLERS.run_undoing(_, x)
  log.info(("run %s: undoing its steps"):format(x.run_id))
end

function HANDLERS.undo_started(_, x, d)
  log.info(("%s: undoing"):format(prefix(x, d.step)))
end

function HANDLERS.undo_done(_, x, d)
  log.info(("%s: undone in %s"):format(prefix(x, d.step), text.duration(d.elapsed_ms)))
end

function HANDLERS.undo_failed(_, x, d)
  log.error(("%s: cannot be undone: %s"):format(prefix(x, d.step), d.error.message))
end

function HANDLERS.log(_, x, d) log.info(("%s: %s"):format(prefix(x, d.step), d.text)) end
function HANDLERS.warning(_, x, d) log.warn(("%s: %s"):format(prefix(x, d.step), d.text)) end

function HANDLERS.note(_, _, d) log.info(d.text) end

function HANDLERS.child(_, x, d)
  log.info(("%s: %s run %s"):format(prefix(x, d.step), d.created and "started" or "joined", d.child))
end

function HANDLERS.run_ended(_, x, d)
  if d.outcome ~= "paused" then log.info(("run %s: %s"):format(x.run_id, d.outcome)) end
end

function M:event(kind, x, data)
  local handler = HANDLERS[kind]
  if handler then handler(self, x, data) end
end

return M
