-- http: requests with retries, OAuth 2.0 client credentials, and a small server.
local core = ...
local crypto = require "crypto"
local errors = require "errors"
local json = require "json"
local oauth2 = require "http_oauth2"
local secret = require "secret"
local server = require "http_server"
local time = require "time"

local M = {}

local OPTIONS = { "method", "url", "query", "headers", "json", "body", "form", "timeout_ms",
  "connect_timeout_ms", "ca_file", "auth", "idempotency_key", "expect", "retry" }
-- RFC 9110, 9.2.2: sending it twice is sending it once.
local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true,
  TRACE = true }
local RETRY = { attempts = 5, base_ms = 200, cap_ms = 10000, wait_max_ms = 60000 }
local ATTEMPTS_MAX = 20

local function as_set(list)
  local set = {}
  for _, value in ipairs(list or {}) do set[value] = true end
  return set
end

local KNOWN = as_set(OPTIONS)

local function check_options(o, level)
  if type(o) ~= "table" then error("http.request expects a table", level + 1) end
  for name in pairs(o) do
    if not KNOWN[name] then
      error(("http.request knows no option '%s'"):format(tostring(name)), level + 1)
    end
  end
  if type(o.url) ~= "string" then error("http.request: url must be a string", level + 1) end
  local bodies = 0
  for _, name in ipairs { "json", "body", "form" } do
    if o[name] ~= nil then bodies = bodies + 1 end
  end
  if bodies > 1 then error("http.request: only one of json, body and form", level + 1) end
end

--- Percent-encodes everything but RFC 3986's unreserved characters.
---@param text string|number|boolean
---@return string
function M.escape(text)
  return (tostring(text):gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- {a = 1, b = {"x", "y"}} as "a=1&b=x&b=y", names sorted.
---@param t table
---@return string
function M.encode_query(t)
  local names, parts = {}, {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local values = type(t[name]) == "table" and t[name] or { t[name] }
    for _, value in ipairs(values) do
      parts[#parts + 1] = M.escape(name) .. "=" .. M.escape(value)
    end
  end
  return table.concat(parts, "&")
end

local function with_query(url, query)
  if not query then return url end
  local text = type(query) == "table" and M.encode_query(query) or tostring(query)
  if text == "" then return url end
  local head, fragment = url:match("^([^#]*)(.*)$")
  return head .. (head:find("?", 1, true) and "&" or "?") .. text .. fragment
end

local function body_of(o)
  if o.json ~= nil then return json.encode(o.json), "application/json" end
  if o.form then return M.encode_query(o.form), "application/x-www-form-urlencoded" end
  if o.body ~= nil and type(o.body) ~= "string" then
    error("http.request: body must be a string", 4)
  end
  return o.body, nil
end

local function add_header(lines, name, value)
  value = secret.reveal(secret.is(value) and value or tostring(value))
  if not tostring(name):find("^[%w!#$%%&'*+%-.^_`|~]+$") or value:find("[\r\n\0]") then
    error(("http.request: '%s' is no header"):format(tostring(name)), 4)
  end
  lines[#lines + 1] = name .. ": " .. value
end

-- The value of Authorization; may wait for a token.
local function authorization(auth)
  if auth.authorize then return auth:authorize() end
  if auth.bearer then return "Bearer " .. secret.reveal(auth.bearer) end
  if auth.basic then
    local user, password = auth.basic[1] or auth.basic.user, auth.basic[2] or auth.basic.password
    return "Basic " .. crypto.base64_encode(secret.reveal(user) .. ":" .. secret.reveal(password))
  end
  error("http.request: auth is {bearer=}, {basic={user, password}} or http.oauth2{}", 4)
end

-- What core.exchange wants, but for Authorization.
local function prepare(o)
  local body, kind = body_of(o)
  local lines, given = {}, {}
  for name, value in pairs(o.headers or {}) do
    given[tostring(name):lower()] = true
    add_header(lines, name, value)
  end
  if kind and not given["content-type"] then add_header(lines, "Content-Type", kind) end
  if o.json ~= nil and not given.accept then add_header(lines, "Accept", "application/json") end
  if o.idempotency_key then add_header(lines, "Idempotency-Key", o.idempotency_key) end
  local method = o.method and o.method:upper() or body and "POST" or "GET"
  return { method = method, url = with_query(o.url, o.query), headers = lines, body = body,
    timeout_ms = o.timeout_ms, connect_timeout_ms = o.connect_timeout_ms, ca_file = o.ca_file }
end

local function send(call, credentials)
  local lines = table.move(call.headers, 1, #call.headers, 1, {})
  if credentials then add_header(lines, "Authorization", credentials) end
  return core.exchange { method = call.method, url = call.url, headers = lines, body = call.body,
    timeout_ms = call.timeout_ms, connect_timeout_ms = call.connect_timeout_ms,
    ca_file = call.ca_file }
end

-- One attempt: a response, or an error raised. A token the service no longer takes is renewed once.
local function attempt(call, o, expected)
  local credentials = o.auth and authorization(o.auth)
  local status, headers, body, failure = send(call, credentials)
  if status == 401 and o.auth and o.auth.renew then
    o.auth:renew(credentials)
    status, headers, body, failure = send(call, authorization(o.auth))
  end
  if failure and not expected[status] then
    failure.status = status
    error(failure, 0)
  end
  return { status = status, headers = headers, body = body,
    json = function() return json.decode(body) end }
end

-- Decorrelated jitter: many clients that failed together do not come back together.
local function next_delay_ms(retry, previous_ms)
  local most = math.max(retry.base_ms, math.min(retry.cap_ms, previous_ms * 3))
  return math.random(retry.base_ms, most)
end

local function retry_policy(o, call)
  local policy = {}
  for name, value in pairs(RETRY) do
    policy[name] = type(o.retry) == "table" and o.retry[name] or value
  end
  policy.attempts = math.min(policy.attempts, ATTEMPTS_MAX)
  if o.retry == false or not (IDEMPOTENT[call.method] or o.idempotency_key) then
    policy.attempts = 1
  end
  return policy
end

--- Calls fn until it succeeds, its error is not retryable, or the attempts are used up. A peer
--- that asks for more patience than wait_max_ms gets the error passed on, not a sleeping task.
local function retrying(policy, fn)
  local delay_ms = policy.base_ms
  for n = 1, policy.attempts do
    local ok, result = pcall(fn)
    if ok then return result end
    local e = errors.from(result)
    local asked_ms = e.retry_after_ms or 0
    if n == policy.attempts or not e.retryable or asked_ms > policy.wait_max_ms then
      if n > 1 then e = errors.wrap(e, ("after %d attempts"):format(n)) end
      error(e, 0)
    end
    delay_ms = next_delay_ms(policy, delay_ms)
    time.sleep(math.max(delay_ms, asked_ms))
  end
end

--- Sends a request and returns its response.
---
--- A status that is neither 2xx nor in `expect` raises, by class: 429 throttled, 408 and most 5xx
--- transient, 401 and 403 permission, 404 not_found, 409 and 412 conflict, other 4xx invalid.
--- Transient, throttled and timeout failures are tried again when the method is idempotent or an
--- idempotency key is given; Retry-After is obeyed up to retry.wait_max_ms.
---@param o table {method=, url=, query=table, headers=table, json=any|body=string|form=table,
---  timeout_ms=60000, connect_timeout_ms=10000, ca_file=PEM file, auth={bearer=}|{basic={user,
---  password}}|http.oauth2{}, idempotency_key=, expect={404}, retry={attempts=5, base_ms=200,
---  cap_ms=10000, wait_max_ms=60000}|false}
---@return table {status=integer, headers={lower-case name = value}, body=string, json=function}
function M.request(o)
  check_options(o, 2)
  local call = prepare(o)
  local expected = as_set(o.expect)
  return retrying(retry_policy(o, call), function() return attempt(call, o, expected) end)
end

--- Credentials of OAuth 2.0 client credentials (RFC 6749, 4.4), for `auth`. The token is fetched
--- when first needed, shared by all tasks, and renewed before it expires.
---@param o table {token_url=, client_id=, client_secret=string|secret | private_key=PEM|secret,
---  scope=, audience=, kid=, ca_file=, timeout_ms=}
---@return table
function M.oauth2(o)
  return oauth2.new(o, M.request, retrying, RETRY)
end

--- Serves HTTP until stopped; every request gets a task of its own.
---
--- request: {method, path (as sent), query = {name = first value}, headers, body, json()}.
--- answer: {status = 200, headers = {…}, body = string | json = any}, or {drop = true}: the
--- connection is closed without an answer. A handler that raises answers 500 and logs one line.
---@param o table {handler=function(request), host="127.0.0.1", port=0: any free one, body_max=}
---@return table server {port=, url=, stop=function([grace_ms=5000])}; may be a <close> variable
function M.serve(o)
  return server.serve(core, o)
end

return M
