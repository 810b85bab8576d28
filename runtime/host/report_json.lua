-- report_json: one JSON object an event on standard output.
local host = require "host"
local failure = require "failure"
local json = require "json"
local params = require "params"
local time = require "time"

local M = {}
M.__index = M

local PROGRESS_MS = 1000

function M.new()
  return setmetatable({ shown = {} }, M)
end

function M:event(kind, x, data)
  if kind == "step_progress" then
    local now = time.monotonic()
    if now - (self.shown[x] or 0) < PROGRESS_MS then return end
    self.shown[x] = now
  end
  local out = { event = kind, at = time.iso(), run = x.run_id, procedure = x.program.procedure.name,
    attempt = data.attempt, attempts = data.attempts, wait_ms = data.wait_ms,
    elapsed_ms = data.elapsed_ms, progress = data.progress, text = data.text, child = data.child,
    outcome = data.outcome, result = data.result, output = data.output }
  if data.step then out.step, out.title = data.step.name, data.step.label end
  if data.step and kind == "step_skipped" then out.text = data.step.skipped end
  if data.error then out.error = failure.data(data.error) end
  if kind == "run_started" or kind == "run_resumed" then
    local program = x.program
    out.title, out.steps = require("program").title(program), #program.steps
    out.params = params.printable(program.procedure.params, program.params)
  end
  host.write("out", json.encode(out) .. "\n")
end

return M
