-- undo: the way back. The steps that began are undone in reverse order; each undo is journalled and
-- tried again like a step. `result` is nil for a step whose effect is unknown.
local body = require "body"
local control = require "control"
local errors = require "errors"
local host = require "host"
local runobj = require "runobj"

local M = {}

local function undo_step(x, step, row)
  local tries = 0
  while true do
    control.safe_point(x)
    tries = tries + 1
    local number = x.journal:undo_intent(x, step.name)
    x.step, x.progress = step, nil
    x.report:event("undo_started", x, { step = step, attempt = number })
    host.fault("undo_intent")
    local run = runobj.new(x, step, true)
    local result = nil
    if row.state == "done" then result = row.result end
    local ok, e = body.call(x, step.undo_timeout_ms, ("the undo of step '%s'"):format(step.name),
      step.undo, run, result)
    if ok then
      host.fault("undo_effect")
      x.journal:undo_result(x, step.name, "done")
      x.report:event("undo_done", x, { step = step })
      return
    end
    e = errors.from(e)
    if body.is_stop(e) then error(e, 0) end
    local again = e.retryable and tries < step.retry.attempts
    x.journal:undo_failed(x, step.name, number, e, again and "started" or "failed")
    if not again then
      x.report:event("undo_failed", x, { step = step, error = e, attempt = number })
      e.step = step.name
      error(e, 0)
    end
    local wait_ms = body.backoff(step.retry, tries, e)
    x.report:event("step_retry", x, { step = step, error = e, attempt = number, undo = true,
      attempts = step.retry.attempts, tries = tries, wait_ms = wait_ms })
    body.pause(x, wait_ms)
  end
end

--- Undoes every step that began. Raises what stopped it.
function M.backward(x)
  local defined = {}
  for _, step in ipairs(x.program.steps) do defined[step.name] = step end
  local rows = x.journal:steps(x.run_id)
  for _, row in ipairs(rows) do
    if row.state == "done" then x.results[row.step_key] = row.result end
  end
  for i = #rows, 1, -1 do
    local row = rows[i]
    -- A step may have begun before other scripts, adopted since, left it out.
    local begun = row.state ~= "skipped" or row.undo_state ~= "none"
    local settled = row.undo_state == "done" or row.undo_state == "skipped"
    if begun and not settled then
      local step = defined[row.step_key]
      if not step then
        errors.raise("conflict", "E_STEP_GONE",
          ("step '%s' ran, but the script has no such step: its undo is not known")
            :format(row.step_key), { step = row.step_key })
      elseif step.undo then
        undo_step(x, step, row)
      else
        control.safe_point(x)
        x.journal:undo_result(x, row.step_key, "skipped")
      end
    end
  end
end

return M
