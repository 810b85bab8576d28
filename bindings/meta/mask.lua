---@meta mask
-- luacheck: ignore

---@class mask.rules
local rules = {}
---@return string
function rules:hash() end
---@return table
function rules:describe() end

local mask = {}

---@param spec {sink_domain: string|nil, allow: string[]|nil, keep: table[]|nil, empty: string[]|nil}
---@return mask.rules
function mask.rules(spec) end
---@param rules mask.rules|string|nil
---@return string
function mask.email(text, rules) end
---@return string[]
function mask.find(text, rules) end
---@param spec {dsn: string, password: string|secret|nil, rules: mask.rules, jobs: integer|nil, progress: fun(p: table)|nil}
---@return {leaks: integer, places: table[]} certificate
function mask.scan(spec) end

return mask
