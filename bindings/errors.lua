-- errors: error objects {class, code, message, retryable, retry_after_ms, detail, cause, traceback}.
--
-- Classes: transient throttled conflict invalid permission not_found timeout cancelled lease_lost
-- leak bug. Whether a failure is tried again follows from the class, unless `retryable` says else.
local core = ...

local M = { is_object = core.is_object }

--- Makes an error object.
---@param class string one of the classes above
---@param code string a short stable word, e.g. "E_NOT_TEST_ENVIRONMENT"
---@param message string one line that names the thing and the way out
---@param more table|nil further fields (detail, cause, retryable, retry_after_ms)
function M.new(class, code, message, more)
  local known, retryable = core.class(class)
  if not known then error("unknown error class '" .. tostring(class) .. "'", 2) end
  local e = { class = class, code = code, message = message, retryable = retryable }
  for k, v in pairs(more or {}) do e[k] = v end
  return core.mark(e)
end

--- Raises an error object; parameters as for new().
function M.raise(class, code, message, more)
  error(M.new(class, code, message, more), 0)
end

--- Any raised value as an error object; a plain string becomes class "bug".
function M.from(value)
  if core.is_object(value) then return value end
  return M.new("bug", "E_SCRIPT", tostring(value))
end

--- Is it an error object of one of these classes?
function M.is(value, ...)
  if not core.is_object(value) then return false end
  for _, class in ipairs { ... } do
    if value.class == class then return true end
  end
  return false
end

--- A copy of the error with "context: " in front of its message and the original as its cause.
function M.wrap(value, context)
  local e = M.from(value)
  local copy = { cause = e }
  for k, v in pairs(e) do copy[k] = v end
  copy.message = context .. ": " .. e.message
  copy.cause = e
  return core.mark(copy)
end

return M
