---@meta json
-- luacheck: ignore

---@class json.module
---@field null any
local json = {}
---@param options {pretty: boolean|nil}|nil
---@return string
function json.encode(value, options) end
function json.decode(text) end
---Marks a table as an array, also an empty one.
function json.array(list) end

return json
