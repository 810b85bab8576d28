-- What http does when many tasks use it at once; see http_tasks_test.c.
local t = require "tap"
local errors = require "errors"
local http = require "http"
local task = require "task"
local time = require "time"

local DEADLINE_MS = 10000

local function poll(what, condition)
  local deadline = time.monotonic() + DEADLINE_MS
  while not condition() do
    if time.monotonic() > deadline then error("waited too long for " .. what, 2) end
    time.sleep(1)
  end
end

local function spawn_all(n, fn)
  local handles = {}
  for i = 1, n do handles[i] = task.spawn(fn, i) end
  return handles
end

local function join_all(handles)
  for i, handle in ipairs(handles) do
    local ok, e = handle:join(DEADLINE_MS)
    if not ok then error(("task %d: %s"):format(i, tostring(e)), 2) end
  end
end

t.test("fifty tasks at once", function()
  local server <close> = http.serve { handler = function(request)
    time.sleep(1)
    return { body = request.body }
  end }
  local good = 0
  join_all(spawn_all(50, function(i)
    local body = tostring(i):rep(10000)
    assert(http.request { url = server.url, method = "PUT", body = body }.body == body)
    good = good + 1
  end))
  t.eq(good, 50)
end)

t.test("one token for all tasks, also after it was refused", function()
  local issued, good_token = 0, "t1"
  local server <close> = http.serve { handler = function(request)
    if request.path == "/token" then
      time.sleep(5)
      issued = issued + 1
      return { json = { token_type = "Bearer", access_token = "t" .. issued, expires_in = 60 } }
    end
    return { status = request.headers.authorization == "Bearer " .. good_token and 200 or 401 }
  end }
  local auth = http.oauth2 { token_url = server.url .. "/token", client_id = "x",
    client_secret = "y" }
  local function use() http.request { url = server.url .. "/thing", auth = auth } end
  join_all(spawn_all(20, use))
  t.eq(issued, 1)
  good_token = "t2"
  join_all(spawn_all(20, use))
  t.eq(issued, 2)
end)

t.test("the task that fetches a token may be cancelled; another takes over", function()
  local asked = 0
  local server <close> = http.serve { handler = function(request)
    if request.path ~= "/token" then return {} end
    asked = asked + 1
    if asked == 1 then time.sleep(60000) end
    return { json = { token_type = "Bearer", access_token = "t", expires_in = 60 } }
  end }
  local auth = http.oauth2 { token_url = server.url .. "/token", client_id = "x",
    client_secret = "y" }
  local handles = spawn_all(3, function() http.request { url = server.url, auth = auth } end)
  poll("the token request", function() return asked == 1 end)
  handles[1]:cancel(errors.new("cancelled", "E_TEST", "enough"))
  local ok, e = handles[1]:join(DEADLINE_MS)
  t.eq(ok, false)
  t.eq(e.code, "E_TEST")
  join_all { handles[2], handles[3] }
  t.eq(asked, 2)
end)

t.test("a cancelled task's request ends at once", function()
  local arrived = 0
  local server <close> = http.serve { handler = function()
    arrived = arrived + 1
    time.sleep(60000)
  end }
  local handles = spawn_all(5, function() http.request { url = server.url } end)
  poll("five requests", function() return arrived == 5 end)
  local began = time.monotonic()
  for _, handle in ipairs(handles) do
    handle:cancel(errors.new("cancelled", "E_TEST", "enough"))
    local ok, e = handle:join(DEADLINE_MS)
    t.eq({ ok, e.code }, { false, "E_TEST" })
  end
  t.ok(time.monotonic() - began < 5000)
end)

t.test("a task is cancelled while it waits to try again", function()
  local arrived = 0
  local server <close> = http.serve { handler = function()
    arrived = arrived + 1
    return { status = 503, headers = { ["Retry-After"] = "30" } }
  end }
  local handle = task.spawn(function() http.request { url = server.url } end)
  poll("a request", function() return arrived == 1 end)
  t.eq(handle:join(200), nil) -- the answer came long ago; it is waiting
  handle:cancel(errors.new("cancelled", "E_TEST", "enough"))
  local _, e = handle:join(DEADLINE_MS)
  t.eq(e.code, "E_TEST")
  t.eq(arrived, 1)
end)

t.test("a client that goes away takes nothing with it", function()
  local began, ended = 0, 0
  local server <close> = http.serve { handler = function()
    began = began + 1
    time.sleep(30)
    ended = ended + 1
    return { body = ("x"):rep(1000000) }
  end }
  local handles = spawn_all(10, function()
    http.request { url = server.url, timeout_ms = 10, retry = false }
  end)
  for _, handle in ipairs(handles) do
    local ok, e = handle:join(DEADLINE_MS)
    t.eq({ ok, e.class }, { false, "timeout" })
  end
  poll("the handlers", function() return ended == began end)
  collectgarbage()
  t.eq(http.request { url = server.url }.body, ("x"):rep(1000000))
end)

t.test("stop lets running requests end", function()
  local arrived = false
  local server = http.serve { handler = function()
    arrived = true
    time.sleep(20)
    return { body = "done" }
  end }
  local body
  local handle = task.spawn(function() body = http.request { url = server.url }.body end)
  poll("a request", function() return arrived end)
  server.stop()
  handle:join(DEADLINE_MS)
  t.eq(body, "done")
end)

t.test("a handler may stop its own server", function()
  local server
  server = http.serve { handler = function()
    server.stop(1000)
    return {}
  end }
  t.raises(function() http.request { url = server.url, retry = false } end,
    { class = "transient" })
end)

-- Left running on purpose: the host is torn down with all of it, and must leave nothing behind.
t.test("everything at once when the host ends", function()
  local arrived = 0
  local server = http.serve { handler = function()
    arrived = arrived + 1
    time.sleep(60000)
  end }
  local auth = http.oauth2 { token_url = server.url, client_id = "x", client_secret = "y" }
  spawn_all(5, function() http.request { url = server.url } end)
  spawn_all(5, function() http.request { url = server.url, auth = auth } end)
  poll("six requests", function() return arrived == 6 end)
end)

t.done()
