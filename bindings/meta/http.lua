---@meta http
-- luacheck: ignore

---@class http.response
---@field status integer
---@field headers table<string, string> lower-case names
---@field body string
---@field json fun(self: http.response): any

---@class http.options
---@field url string
---@field method string|nil
---@field query table|nil
---@field headers table|nil
---@field json any
---@field body string|nil
---@field form table|nil
---@field timeout_ms integer|nil
---@field connect_timeout_ms integer|nil
---@field ca_file string|nil
---@field auth table|nil {bearer=}, {basic={user, password}} or http.oauth2{…}
---@field idempotency_key string|nil
---@field expect integer[]|nil statuses besides 2xx that do not raise
---@field retry {attempts: integer|nil, base_ms: integer|nil, cap_ms: integer|nil}|nil

local http = {}

---@param options http.options
---@return http.response
function http.request(options) end

---@param options {token_url: string, client_id: string, client_secret: string|secret|nil, private_key: string|secret|nil, scope: string|nil}
---@return table auth
function http.oauth2(options) end

---@param options {host: string|nil, port: integer|nil, handler: fun(request: table): table}
---@return {port: integer, url: string, stop: fun()}
function http.serve(options) end

return http
