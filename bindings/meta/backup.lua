---@meta backup
-- luacheck: ignore

---@class backup.summary
---@field tables integer
---@field rows integer
---@field bytes integer
---@field seconds number
---@field masked integer
---@field shortened integer
---@field kept integer
---@field snapshot string|nil
---@field archive string|nil
---@field warnings string[]

local backup = {}

---@param options {source: string, password: string|secret|nil, to: string, jobs: integer|nil, exclude_data: string[]|nil, progress: fun(p: table)|nil}
---@return backup.summary
function backup.create(options) end
---@param options {archive: string}
---@return backup.summary
function backup.verify(options) end
---@param options {archive: string, target: string, password: string|secret|nil, mask: mask.rules|nil, exclude_data: string[]|nil, jobs: integer|nil, progress: fun(p: table)|nil}
---@return backup.summary
function backup.restore(options) end
---@param options {source: string, source_password: string|secret|nil, target: string, target_password: string|secret|nil, mask: mask.rules|nil, exclude_data: string[]|nil, jobs: integer|nil, progress: fun(p: table)|nil}
---@return backup.summary
function backup.stream(options) end
---@param options table as for stream
---@return backup.summary
function backup.preflight(options) end
---@param options {source: string, password: string|secret|nil}
function backup.probe(options) end
---@param options table
---@return {equal: boolean, tables: table, differences: table, n_differences: integer, rows: integer, seconds: number}
function backup.compare(options) end

return backup
