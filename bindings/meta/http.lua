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
---@field ca_file string|nil PEM
---@field auth table|nil {bearer=}, {basic={user, password}} or http.oauth2{…}
---@field idempotency_key string|nil
---@field expect integer[]|nil statuses besides 2xx that do not raise
---@field retry false|{attempts: integer|nil, base_ms: integer|nil, cap_ms: integer|nil, wait_max_ms: integer|nil}|nil

---@class http.incoming
---@field method string
---@field path string as sent
---@field query table<string, string>
---@field headers table<string, string> lower-case names
---@field body string
---@field json fun(self: http.incoming): any

---@class http.answer
---@field status integer|nil default 200
---@field headers table<string, string>|nil
---@field body string|nil
---@field json any
---@field drop boolean|nil the connection is closed without an answer

local http = {}

---@param options http.options
---@return http.response
function http.request(options) end

---@param options {token_url: string, client_id: string, client_secret: string|secret|nil, private_key: string|secret|nil, scope: string|nil, audience: string|nil, kid: string|nil, ca_file: string|nil, timeout_ms: integer|nil}
---@return table auth
function http.oauth2(options) end

---@param options {host: string|nil, port: integer|nil, body_max: integer|nil, handler: fun(request: http.incoming): http.answer}
---@return {port: integer, url: string, stop: fun(grace_ms: integer|nil)}
function http.serve(options) end

---Percent-encodes everything but RFC 3986's unreserved characters.
---@param text string|number|boolean
---@return string
function http.escape(text) end

---{a = 1, b = {"x", "y"}} as "a=1&b=x&b=y", names sorted.
---@param t table
---@return string
function http.encode_query(t) end

return http
