-- steps: the way forward. For each step: intent, effect, result; when the outcome of an earlier
-- attempt is not known, the step's check decides first.
local body = require "body"
local errors = require "errors"
local control = require "control"
local host = require "host"
local json = require "json"
local runobj = require "runobj"

local M = {}

--- What a script returned, as it will be read back from the journal.
local function journalled(step, value)
  if value == nil then return nil end
  local ok, encoded = pcall(json.encode, value)
  if not ok then
    errors.raise("invalid", "E_RESULT", ("the result of step '%s' cannot be journalled: %s")
      :format(step.name, tostring(encoded)))
  end
  return json.decode(encoded)
end

--- One attempt; -> true, result | false, error
local function attempt(x, step, unknown)
  if unknown and step.check then
    local ok, found = body.call(x, step.timeout_ms, "the check of step '" .. step.name .. "'",
      step.check, runobj.for_check(x, step))
    if not ok then return false, found end
    if found ~= nil then
      x.report:event("step_checked", x, { step = step })
      return pcall(journalled, step, found)
    end
  end
  local ok, value = body.call(x, step.timeout_ms, ("step '%s'"):format(step.name), step.run,
    runobj.new(x, step))
  if not ok then return false, value end
  return pcall(journalled, step, value)
end

local function run_step(x, step, row)
  local unknown, tries = row ~= nil, 0
  while true do
    control.safe_point(x)
    tries = tries + 1
    local number = x.journal:step_intent(x, step)
    x.step, x.progress = step, nil
    x.report:event("step_started", x, { step = step, attempt = number })
    host.fault("step_intent")
    local ok, value = attempt(x, step, unknown)
    if ok then
      host.fault("step_effect")
      local took = x.journal:step_result(x, step, number, value)
      x.results[step.name] = value
      x.report:event("step_done", x, { step = step, result = value, elapsed_ms = took,
        attempt = number })
      host.fault("step_result")
      return value
    end
    local e = errors.from(value)
    if body.is_stop(e) then error(e, 0) end
    local again = e.retryable and tries < step.retry.attempts
    x.journal:step_failed(x, step, number, e, again and "started" or "failed")
    if not again then
      x.report:event("step_failed", x, { step = step, error = e, attempt = number })
      e.step = step.name
      error(e, 0)
    end
    local wait_ms = body.backoff(step.retry, tries, e)
    x.report:event("step_retry", x, { step = step, error = e, attempt = number,
      attempts = step.retry.attempts, tries = tries, wait_ms = wait_ms })
    body.pause(x, wait_ms)
    unknown = true
  end
end

--- Runs what is not done yet; -> the last result. Raises what stopped it.
function M.forward(x)
  local rows = {}
  for _, row in ipairs(x.journal:steps(x.run_id)) do rows[row.step_key] = row end
  local output
  for _, step in ipairs(x.program.steps) do
    local row = rows[step.name]
    if row and row.state == "done" then
      x.results[step.name] = row.result
      output = row.result
    elseif step.skipped then
      if not row or row.state ~= "skipped" then
        x.journal:step_skip(x, step)
        x.report:event("step_skipped", x, { step = step })
      end
    else
      output = run_step(x, step, row and row.state ~= "skipped" and row or nil)
    end
  end
  return output
end

return M
