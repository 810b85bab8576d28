---@meta time
-- luacheck: ignore

---@class time.module
local time = {}
---@param ms number
function time.sleep(ms) end
---@return integer milliseconds since 1970-01-01 UTC
function time.now() end
---@return integer milliseconds, for intervals
function time.monotonic() end
---@param ms integer|nil
---@return string
function time.iso(ms) end

return time
