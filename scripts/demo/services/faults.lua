-- faults: how a test makes a service slow, throttled, broken or deaf.
--
-- POST /faults {service, path, method, mode, times, delay_ms, retry_after} arms one; the next
-- `times` requests of that service whose path starts with `path` meet it. DELETE /faults disarms
-- all. Modes: "slow" (delay_ms, then the usual answer), "429" and "503" (with Retry-After),
-- "drop" (closed without an answer, nothing done), "lost" (done, but the answer is dropped).
local errors = require "errors"
local time = require "time"

local M = {}
local MODES = { slow = true, ["429"] = true, ["503"] = true, drop = true, lost = true }
local armed = {}

function M.add(fault)
  if not MODES[fault.mode] then
    errors.raise("invalid", "E_FAULT", "unknown mode '" .. tostring(fault.mode) .. "'")
  end
  armed[#armed + 1] = { service = fault.service, path = fault.path or "/", method = fault.method,
    mode = fault.mode, times = fault.times or 1, delay_ms = fault.delay_ms or 1000,
    retry_after = fault.retry_after or 1 }
end

function M.clear() armed = {} end

function M.list() return armed end

local function take(service, method, path)
  for i, fault in ipairs(armed) do
    if (not fault.service or fault.service == service) and (fault.method or method) == method
      and path:sub(1, #fault.path) == fault.path then
      fault.times = fault.times - 1
      if fault.times <= 0 then table.remove(armed, i) end
      return fault
    end
  end
end

--- Answers the request through `handle`, or as the fault armed for it says.
function M.meet(service, request, path, handle)
  local fault = take(service, request.method, path)
  if not fault then return handle() end
  if fault.mode == "drop" then return { drop = true } end
  if fault.mode == "slow" then
    time.sleep(fault.delay_ms)
    return handle()
  end
  if fault.mode == "lost" then
    handle()
    return { drop = true }
  end
  return { status = tonumber(fault.mode), headers = { ["Retry-After"] = tostring(fault.retry_after) },
    json = { error = "as armed through /faults" } }
end

return M
