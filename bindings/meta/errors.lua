---@meta errors
-- luacheck: ignore

---@alias errors.class
---| "transient" # a lost connection, a restarting server; tried again
---| "throttled" # the peer asked us to slow down; tried again
---| "timeout" # no answer in time, outcome unknown; tried again
---| "conflict" # the state of the world differs from what was asked
---| "invalid" # bad input
---| "permission" # refused by a login, a grant or a promise
---| "not_found" # what was named does not exist
---| "cancelled" # somebody asked for it
---| "lease_lost" # another process owns the run
---| "leak" # a real address outside the sink domain
---| "bug" # a broken promise inside script or runtime

---@class errors.object
---@field class errors.class
---@field code string SQLSTATE, "HTTP_503", an errno name, or a word of ours ("E_…")
---@field message string one line
---@field retryable boolean
---@field retry_after_ms integer|nil
---@field detail any
---@field cause errors.object|nil

local errors = {}

---@param class errors.class
---@param code string
---@param message string
---@param more table|nil further fields
---@return errors.object
function errors.new(class, code, message, more) end

---@param class errors.class
---@param code string
---@param message string
---@param more table|nil
function errors.raise(class, code, message, more) end

---Any raised value as an error object.
---@return errors.object
function errors.from(value) end

---@param ... errors.class
---@return boolean
function errors.is(value, ...) end

---A copy with "context: " in front of its message.
---@param context string
---@return errors.object
function errors.wrap(value, context) end

---@return boolean
function errors.is_object(value) end

return errors
