---@meta db
-- luacheck: ignore

---@class db.rows: table[] row.column; NULL is nil, an unknown column raises
---@field columns string[]
---@field affected integer

---@class db.connection
local conn = {}

---@return db.rows
function conn:query(sql, ...) end
---@return table|nil the first row
function conn:row(sql, ...) end
---@return any the first column of the first row
function conn:value(sql, ...) end
---@return integer affected rows
function conn:exec(sql, ...) end
---Many statements, no parameters.
function conn:script(sql) end
---@generic T
---@param fn fun(conn: db.connection): T
---@param options {isolation: string|nil, readonly: boolean|nil}|nil
---@return T
function conn:transaction(fn, options) end
---@param fn fun(chunk: string)
---@return integer rows
function conn:copy_out(sql, fn) end
---@param source string|fun(): string|nil
---@return integer rows
function conn:copy_in(sql, source) end
function conn:listen(channel) end
---@return {channel: string, payload: string, pid: integer}|nil
function conn:notification(timeout_ms) end
function conn:notify(channel, payload) end
function conn:close() end
---@return boolean
function conn:is_open() end

local db = {}

---@param options {dsn: string|secret, password: string|secret|nil, readonly: boolean|nil, application: string|nil, timeout_ms: integer|nil}
---@return db.connection
function db.connect(options) end
---@return string
function db.ident(a, b) end
---@return string
function db.literal(text) end
function db.json(value) end
function db.bytea(bytes) end
function db.array(list) end
---@return string
function db.safe_dsn(dsn) end
db.null = nil

return db
