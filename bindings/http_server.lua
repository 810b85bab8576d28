-- http_server: http.serve. One task accepts; every request gets a task of its own.
local errors = require "errors"
local json = require "json"
local log = require "log"
local task = require "task"
local time = require "time"

local M = {}

local GRACE_MS = 5000
local POLL_MS = 2

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- The first value of each name.
local function parse_query(text)
  local query = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = unescape(name)
    if query[name] == nil then query[name] = unescape(value) end
  end
  return query
end

local function as_request(raw)
  local path, query = raw.target:match("^([^?]*)%??(.*)$")
  return { method = raw.method, path = path, query = parse_query(query), headers = raw.headers,
    body = raw.body, json = function() return json.decode(raw.body) end }
end

local function header_lines(answer)
  local lines, given = {}, {}
  for name, value in pairs(answer.headers or {}) do
    local lower = tostring(name):lower()
    given[lower] = true
    if lower ~= "content-length" then lines[#lines + 1] = name .. ": " .. tostring(value) end
  end
  if answer.json ~= nil and not given["content-type"] then
    lines[#lines + 1] = "Content-Type: application/json"
  end
  return lines
end

local function send(incoming, answer)
  if type(answer) ~= "table" then error("the handler returned no answer", 0) end
  if answer.drop then return incoming:drop() end
  local body = answer.json ~= nil and json.encode(answer.json) or answer.body or ""
  incoming:answer(answer.status or 200, header_lines(answer), body)
end

local function handle(handler, raw)
  local ok, e = pcall(function() send(raw.incoming, handler(as_request(raw))) end)
  if ok then return end
  if task.cancelled() then
    raw.incoming:drop()
    error(e, 0)
  end
  local path = raw.target:match("^[^?]*")
  local message = errors.from(e).message:gsub("%s*\n%s*", " ")
  log.error(("http server: %s %s: %s"):format(raw.method, path, message))
  raw.incoming:answer(500, { "Content-Type: application/json" }, '{"error":"internal error"}')
end

local function accept(listener, handler, running)
  while true do
    local raw = listener:accept()
    if not raw then return end
    local entry = {}
    running[entry] = true
    entry.task = task.spawn(function()
      entry.thread = coroutine.running()
      local ok, e = pcall(handle, handler, raw)
      running[entry] = nil
      if not ok then error(e, 0) end
    end)
  end
end

-- Lets the handlers end until the grace is over, then cancels the rest; a handler that stops its
-- own server is spared. Then lets the answers reach their clients.
local function finish(listener, running, grace_ms)
  local deadline = time.monotonic() + grace_ms
  local entries = {}
  for entry in pairs(running) do entries[#entries + 1] = entry end
  local spared = 0
  for _, entry in ipairs(entries) do
    if entry.thread == coroutine.running() then
      spared = 1
    else
      if grace_ms > 0 then entry.task:join(math.max(0, deadline - time.monotonic())) end
      if not entry.task:finished() then
        entry.task:cancel(errors.new("cancelled", "E_SERVER_STOPPED", "the server was stopped"))
      end
    end
  end
  while listener:open_requests() > spared and time.monotonic() < deadline do time.sleep(POLL_MS) end
end

--- See http.serve.
function M.serve(core, o)
  if type(o.handler) ~= "function" then error("http.serve: handler must be a function", 3) end
  local host = o.host or "127.0.0.1"
  if host == "localhost" then host = "127.0.0.1" end
  local listener = core.listen(host, o.port or 0, o.body_max)
  local port = listener:port()
  local running = {}
  task.spawn(accept, listener, o.handler, running)

  local server = { port = port,
    url = ("http://%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port) }

  --- Takes no more connections, waits for running handlers, cancels those that take too long.
  function server.stop(grace_ms)
    listener:quiesce()
    finish(listener, running, type(grace_ms) == "number" and grace_ms or GRACE_MS)
    listener:close()
  end

  return setmetatable(server, { __name = "http server", __close = function()
    listener:quiesce()
    finish(listener, running, 0)
    listener:close()
  end })
end

return M
