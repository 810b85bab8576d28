---@meta mask
-- luacheck: ignore

---@class mask.rules
local rules = {}
---@return string
function rules:hash() end
---@return table
function rules:describe() end

---@return string[] tables that stay without rows
function rules:empty() end

---@class mask.place
---@field schema string
---@field table string
---@field column string
---@field domain string
---@field sample string
---@field count integer

---@class mask.certificate
---@field leaks integer
---@field places mask.place[]
---@field kept {table: string, column: string, reason: string, count: integer}[]
---@field not_scanned {kind: string, name: string|nil, count: integer}[]
---@field scanned {tables: integer, columns: integer, rows: integer, values: integer, bytes: integer}
---@field rules table what rules:describe() gives
---@field database {name: string, oid: string, system_identifier: string, server_version: string}
---@field snapshot string
---@field snapshot_xmax string
---@field taken_at string
---@field seconds number
---@field version integer

local mask = {}

---@param spec {sink_domain: string|nil, allow: string[]|nil, keep: {table: string, column: string, values: string[], reason: string}[]|nil, empty: string[]|nil}|nil
---@return mask.rules
function mask.rules(spec) end
---@param text string
---@param rules mask.rules|string|nil rules, or the sink domain
---@return string
function mask.email(text, rules) end
---The addresses that would be masked.
---@param text string
---@param rules mask.rules|string|nil
---@return string[]
function mask.find(text, rules) end
---Counts the addresses the rules do not let pass. Leaks do not raise.
---@param spec {dsn: string|secret, password: string|secret|nil, rules: mask.rules|nil, jobs: integer|nil, tables: string[]|nil, since: integer|nil, progress: nil|fun(p: table)}
---@return mask.certificate
function mask.scan(spec) end

return mask
