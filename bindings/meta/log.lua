---@meta log
-- luacheck: ignore

---@class log.module
local log = {}
function log.debug(text) end
function log.info(text) end
function log.warn(text) end
function log.error(text) end

return log
