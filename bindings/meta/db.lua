---@meta db
-- luacheck: ignore

---@class db.rows: table[] row.column; NULL is nil, an unknown column raises
---@field columns string[]
---@field affected integer

---@class db.connection
local conn = {}

---@param sql string
---@param ... any nil, boolean, number, string, db.null, db.json(), db.bytea(), db.array()
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
---@param sql string COPY … TO STDOUT
---@param fn fun(chunk: string) gets some whole rows at a time
function conn:copy_out(sql, fn) end
---@param sql string COPY … FROM STDIN
---@param source string|fun(): string|nil the bytes, or an iterator of pieces
---@return integer rows
function conn:copy_in(sql, source) end
---@param channel string
function conn:listen(channel) end
---@param timeout_ms integer|nil nil: as long as it takes
---@return {channel: string, payload: string, pid: integer}|nil
function conn:notification(timeout_ms) end
---@param channel string
---@param payload string|nil
function conn:notify(channel, payload) end
function conn:close() end
---@return boolean
function conn:is_open() end

local db = {}

---timeout_ms: for connecting to a host (default 10 s), and for every operation after (no limit).
---@param options {dsn: string|secret|nil, password: string|secret|nil, readonly: boolean|nil, application: string|nil, timeout_ms: integer|nil}
---@return db.connection
function db.connect(options) end
---@param a string
---@param b string|nil
---@return string
function db.ident(a, b) end
---@param text string
---@return string
function db.literal(text) end
function db.json(value) end
function db.bytea(bytes) end
function db.array(list) end
---The connection string without its password.
---@param dsn string
---@return string
function db.safe_dsn(dsn) end
db.null = nil

return db
