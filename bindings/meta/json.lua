---@meta json
-- luacheck: ignore

---@class json.module
---@field null any
local json = {}
---@param value any
---@param options {pretty: boolean|nil}|nil
---@return string
function json.encode(value, options) end
---Integers exact; null becomes json.null.
---@param text string
---@return any
function json.decode(text) end
---Marks a table as an array, also an empty one.
---@param list table
---@return table list
function json.array(list) end

return json
