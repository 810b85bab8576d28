-- json: exact both ways. Integers stay integers (beyond 64 bits: an error), floats come back as the
-- same floats, keys are written sorted by their bytes, so equal values give equal text.
local core = ...

local M = {}

--- What JSON null is in Lua (a table cannot hold nil). The same value as db.null.
M.null = core.null

--- The value as JSON text. Raises class invalid, naming the place, for what JSON cannot hold.
---@param value any nil, json.null, boolean, number, UTF-8 string, or a table of these
---@param options {pretty: boolean}|nil
---@return string
function M.encode(value, options) return core.encode(value, options) end

--- The value of a JSON text. Raises class invalid with the byte where it stops being JSON.
---@param text string
---@return any
function M.decode(text) return core.decode(text) end

--- Marks a table as an array, also when it is empty; returns it. Decoded arrays are marked.
---@param list table
---@return table
function M.array(list) return core.array(list) end

return M
