-- execution: one run in flight in this process, from claim to outcome.
--
-- x = {run_id, epoch, owner, phase, journal, program, config, report, control, children, results,
--      current = task of the step, stopping = error that ends it, wake = event, parent = x|nil}
local body = require "body"
local errors = require "errors"
local event = require "event"
local steps = require "steps"
local undo = require "undo"

local M = {}

--- Makes the execution of a claimed run.
function M.new(fields)
  fields.results, fields.wake = {}, event.new()
  fields.phase = fields.phase or "forward"
  return fields
end

local function undo_all(x)
  if x.phase ~= "undo" then
    x.journal:begin_undo(x)
    x.phase, x.stopping, x.halted = "undo", nil, nil
    x.control:add(x) -- what else was asked for meanwhile stands
    x.report:event("run_undoing", x, {})
  end
  undo.backward(x)
  local result = x.cancelling and "cancelled" or "undone"
  x.journal:finish(x, result)
  return result
end

local function forward(x)
  local fence = x.journal:fence(x)
  if fence.cancel_requested then
    x.cancelling = true
    errors.raise("cancelled", "E_CANCEL_REQUESTED", "cancelled: " .. (fence.cancel_reason or ""))
  end
  local output = steps.forward(x)
  x.journal:finish(x, "succeeded", output)
  x.output = output
  return "succeeded"
end

local function attempt(x)
  if x.phase == "undo" then return undo_all(x) end
  local ok, outcome = pcall(forward, x)
  if ok then return outcome end
  local e = errors.from(outcome)
  if e.code ~= "E_CANCEL_REQUESTED" then error(e, 0) end
  x.cancelling = true
  return undo_all(x)
end

--- Executes the run; -> outcome, error. Outcome is succeeded, cancelled, undone, paused,
--- interrupted or lost. Never raises for what a run can meet.
function M.run(x)
  x.control:add(x)
  local ok, outcome = pcall(attempt, x)
  local e
  if not ok then
    e = errors.from(outcome)
    if e.class == "lease_lost" then
      outcome = "lost"
    elseif e.code == "E_INTERRUPTED" then
      outcome = "interrupted"
    else
      outcome = "paused"
    end
    if outcome ~= "lost" then
      local released, why = pcall(function()
        x.journal:release(x, outcome == "paused" and "paused" or "ready", e)
      end)
      -- What the journal does not know did not happen.
      if not released then outcome, e = "lost", errors.from(why) end
    end
  end
  x.control:remove(x)
  x.outcome, x.error = outcome, e
  x.report:event("run_ended", x, { outcome = outcome, error = e, output = x.output })
  return outcome, e
end

M.is_stop = body.is_stop

return M
