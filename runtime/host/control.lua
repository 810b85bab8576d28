-- control: what may stop the runs of this process: signals, cancel requests, a lost lease.
--
-- Every run in flight is an execution `x` registered here. x.current is the task of the step that
-- runs now, x.stopping the error that ends the run at its next safe point, x.wake what its loop
-- sleeps on between attempts.
local errors = require "errors"

local M = {}
M.__index = M

function M.new()
  return setmetatable({ runs = {}, adopting = {}, interrupts = 0, on_interrupt = nil }, M)
end

local RANK = { lease_lost = 3, cancelled = 2 }

--- Makes x stop: at once, or at its next safe point.
local function stop(x, e, at_once)
  local rank = (RANK[e.class] or 1) - (e.code == "E_INTERRUPTED" and 1 or 0)
  if not x.stopping or rank > x.stopping_rank then x.stopping, x.stopping_rank = e, rank end
  x.wake:set()
  if at_once then
    x.halted = true -- whatever the step says from here on, this is why it ended
    if x.current then x.current:cancel(e) end
  end
end

function M:add(x)
  self.runs[x.run_id] = x
  if self.lost then stop(x, self.lost, true) end
  if self.interrupts > 0 then stop(x, self.interrupted, false) end
end

function M:remove(x)
  if self.runs[x.run_id] == x then self.runs[x.run_id] = nil end
end

--- The journal asked for it. A run that is undoing already goes on with that.
function M:cancel(run_id, reason)
  local x = self.runs[run_id]
  if not x or x.phase == "undo" or x.cancelling then return end
  x.cancelling = true
  stop(x, errors.new("cancelled", "E_CANCEL_REQUESTED", "cancelled: " .. (reason or "as asked")), true)
end

--- The lease is gone: everything stops, nothing more is written.
function M:lose(e)
  if self.lost then return end
  self.lost = e
  for _, x in pairs(self.runs) do stop(x, e, true) end
end

--- First time: stop at the next safe point. Second time: now.
function M:interrupt(name)
  self.interrupts = self.interrupts + 1
  self.interrupted = self.interrupted or
    errors.new("cancelled", "E_INTERRUPTED", "interrupted by SIG" .. name)
  for _, x in pairs(self.runs) do stop(x, self.interrupted, self.interrupts > 1) end
end

--- Ends one run of this process at its next safe point, leaving it to others.
function M.leave(x)
  stop(x, errors.new("cancelled", "E_INTERRUPTED", "its process ends"), true)
end

--- Raises when x must stop; called where stopping is safe.
function M.safe_point(x)
  local e = x.stopping
  if not e then return end
  -- A cancelled task cannot go on, whatever the script catches.
  if x.current then
    x.halted = true
    x.current:cancel(e)
  end
  error(e, 0)
end

return M
