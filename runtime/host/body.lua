-- body: runs one function of a script in a task of its own, with a limit.
local errors = require "errors"
local task = require "task"
local time = require "time"

local M = {}

local UNWIND_MS = 30 * 1000 -- a cancelled task ends at its next wait

--- Runs fn(...) as the current task of execution x; -> true, result | false, error object.
function M.call(x, limit_ms, what, fn, ...)
  if x.stopping then return false, x.stopping end
  local t = task.spawn(function(...)
    local args = table.pack(...)
    local ok, value = xpcall(function() return (fn(table.unpack(args, 1, args.n))) end, function(e)
      local object = errors.from(e)
      if not object.traceback then
        -- Only what broke by itself needs its place; operating failures say what they are.
        object.traceback = debug.traceback("", 2)
      end
      return object
    end)
    if not ok then error(value, 0) end
    return value
  end, ...)
  x.current = t
  local ok, value = t:join(limit_ms)
  if ok == nil then
    local e = errors.new("timeout", "E_STEP_TIMEOUT",
      ("%s took longer than its limit of %d s"):format(what, limit_ms // 1000))
    t:cancel(e)
    t:join(UNWIND_MS)
    ok, value = false, e
  end
  x.current = nil
  if ok then return true, value end
  if x.halted then return false, x.stopping end
  return false, errors.from(value)
end

--- How long to wait before the attempt after `tries` failed ones, ms: exponential, capped, with
--- half of it random so that many runs do not come back together; at least what the peer asked.
function M.backoff(policy, tries, e)
  local full = math.min(policy.cap_ms, policy.base_ms * 2 ^ math.min(tries - 1, 20))
  local wait = full / 2 + full / 2 * math.random()
  return math.floor(math.max(wait, e.retry_after_ms or 0))
end

--- Sleeps, unless x is told to stop: then raises.
function M.pause(x, ms)
  local till = time.monotonic() + ms
  while true do
    if x.stopping then error(x.stopping, 0) end
    local left = till - time.monotonic()
    if left <= 0 then return end
    x.wake:wait(math.ceil(left))
  end
end

--- Is it an error that ends the run's execution here, not the step?
function M.is_stop(e)
  return e.class == "lease_lost" or e.code == "E_INTERRUPTED" or e.code == "E_CANCEL_REQUESTED"
end

return M
