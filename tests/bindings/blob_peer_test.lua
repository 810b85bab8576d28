-- blob against a peer that behaves as Azure does on bad days, and as Azurite never does: pending and
-- failed copies, throttling, connections that break off, listings that make no sense.
local t = require "tap"
local blob = require "blob"
local crypto = require "crypto"
local http = require "http"

local KEY = crypto.base64_encode "any key"
local BIG = 300 * 1024 * 1024 -- over the limit of the copy that answers when it is done

local handler
local seen = {}
local server = http.serve {
  handler = function(request)
    seen[#seen + 1] = request
    return handler(request)
  end,
}

local function open(name, options)
  local o = { endpoint = server.url .. "/acme" }
  if not (options and options.token) then o.key = KEY end
  for k, v in pairs(options or {}) do o[k] = v end
  return blob.open("azblob://acme/" .. name, o)
end

local function entry(name, size)
  return ("<Blob><Name>%s</Name><Properties><Content-Length>%d</Content-Length><Etag>0x1</Etag>"
    .. "</Properties></Blob>"):format(name, size)
end

local function page(entries, marker)
  return { status = 200, body = ("<EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker>"
    .. "</EnumerationResults>"):format(table.concat(entries), marker or "") }
end

local function refuse(status, code, headers)
  headers = headers or {}
  headers["x-ms-error-code"] = code
  return { status = status, headers = headers, body = "<Error><Code>" .. code .. "</Code></Error>" }
end

--- Runs one test against a handler of its own.
local function peer(name, answer, fn)
  t.test(name, function()
    handler, seen = answer, {}
    fn()
  end)
end

local function count(method, what)
  local n = 0
  for _, r in ipairs(seen) do
    if r.method == method and (not what or what(r)) then n = n + 1 end
  end
  return n
end

-- Requests ------------------------------------------------------------------

local busy = 0
peer("a busy service is asked again after the time it names", function()
  busy = busy + 1
  if busy == 1 then return refuse(503, "ServerBusy", { ["Retry-After"] = "1" }) end
  return { status = 200, headers = { ETag = '"0x1"' }, body = "hello" }
end, function()
  local time = require "time"
  local from = time.monotonic()
  t.eq(open("docs"):get("x"), "hello")
  t.ok(time.monotonic() - from >= 1000, "came back too early")
end)

peer("a service that stays busy: throttled, after a stated number of tries", function()
  return refuse(503, "ServerBusy")
end, function()
  local e = t.raises(function() open("docs"):get("x") end, { class = "throttled", code = "ServerBusy" })
  t.eq(#seen, 5)
  t.ok(e.retryable)
  t.like(e.message, "azblob://acme/docs: reading blob 'x'")
end)

peer("more patience than we have is passed on, not waited for", function()
  return refuse(429, "TooManyRequests", { ["Retry-After"] = "3600" })
end, function()
  local e = t.raises(function() open("docs"):get("x") end, { class = "throttled" })
  t.eq(#seen, 1)
  t.eq(e.retry_after_ms, 3600000)
end)

peer("a refusal is not repeated", function() return refuse(403, "AuthenticationFailed") end, function()
  t.raises(function() open("docs"):put("x", "1") end,
    { class = "permission", code = "AuthenticationFailed" })
  t.eq(#seen, 1)
end)

local drops = 0
peer("a connection that breaks off is taken up again", function()
  drops = drops + 1
  if drops < 3 then return { drop = true } end
  return { status = 201, headers = { ETag = '"0x2"' } }
end, function()
  t.eq(open("docs"):put("x", "body").etag, "0x2")
  t.eq(seen[#seen].body, "body")
end)

peer("a token goes with every request", function() return page {} end, function()
  open("docs", { token = "tok-1" }):list()
  t.eq(seen[1].headers.authorization, "Bearer tok-1")
end)

-- Reading -------------------------------------------------------------------

local PART = 8 * 1024 * 1024
local parts = 0
peer("a long download holds on to one version of the blob", function(r)
  parts = parts + 1
  if r.headers["if-match"] and r.headers["if-match"] ~= '"0x1"' then return refuse(400, "Wrong") end
  if parts == 2 then return refuse(412, "ConditionNotMet") end
  return { status = 206, body = ("x"):rep(PART),
    headers = { ETag = '"0x1"', ["Content-Range"] = ("bytes 0-%d/%d"):format(PART - 1, 2 * PART) } }
end, function()
  t.raises(function() open("docs"):get("x") end, { class = "conflict", code = "E_BLOB_CHANGED" })
  t.eq(seen[2].headers["if-match"], '"0x1"')
  t.eq(seen[2].headers["x-ms-range"], ("bytes=%d-%d"):format(PART, 2 * PART - 1))
end)

peer("a part shorter than promised is an error, not a shorter blob", function()
  return { status = 206, body = "abc", headers = { ETag = '"0x1"', ["Content-Range"] = "bytes 0-9/10" } }
end, function()
  t.raises(function() open("docs"):get("x") end, { class = "transient", code = "E_PARTIAL" })
end)

-- Listings ------------------------------------------------------------------

peer("a listing goes on where its marker says", function(r)
  if not r.query.marker then return page({ entry("a", 1) }, "next &amp; more") end
  return page { entry("b", 2) }
end, function()
  local items = open("docs"):list()
  t.eq({ items[1].name, items[2].name, #items }, { "a", "b", 2 })
  t.eq(seen[2].query.marker, "next & more")
end)

peer("a listing that goes in circles ends", function() return page({ entry("a", 1) }, "again") end,
  function()
    t.raises(function() open("docs"):list() end, { code = "E_BLOB_LISTING", match = "same marker" })
  end)

peer("a listing of somebody else's blobs is not believed", function()
  return page { entry("Cust1/a", 1) }
end, function()
  t.raises(function() open("docs/Cust2"):list() end, { code = "E_BLOB_LISTING", match = "outside" })
end)

peer("an answer that is no listing", function() return { status = 200, body = "<html>hi</html>" } end,
  function()
    t.raises(function() open("docs"):list() end, { code = "E_BLOB_LISTING" })
  end)

-- Copies --------------------------------------------------------------------

--- A service whose copy of blob "big" goes through the given states.
local function copying(states, more)
  local polls, copied = 0, false
  return function(r)
    local answer = more and more(r)
    if answer then return answer end
    if r.method == "GET" and r.query.comp == "list" then
      local there = r.path == "/acme/from" or copied
      return page { there and entry("big", BIG) or "" }
    end
    if r.method == "PUT" and r.query.comp == "copy" then return { status = 204 } end
    if r.method == "PUT" then
      return { status = 202, headers = { ["x-ms-copy-id"] = "id-1", ["x-ms-copy-status"] = "pending" } }
    end
    polls = polls + 1
    local status = states[polls] or states[#states]
    copied = status == "success"
    return { status = 200, headers = { ["x-ms-copy-id"] = "id-1", ["x-ms-copy-status"] = status,
      ["x-ms-copy-status-description"] = "because" } }
  end
end

peer("a pending copy is waited for", copying { "pending", "pending", "success" }, function()
  local r = blob.copy { from = open("from"), to = open("dest") }
  t.eq({ r.copied, r.server_side }, { 1, 1 })
  t.eq(count("HEAD"), 3)
  local put
  for _, request in ipairs(seen) do put = request.method == "PUT" and request or put end
  t.eq(put.headers["x-ms-requires-sync"], nil)
  t.eq(put.headers["x-ms-source-if-match"], '"0x1"')
  t.like(put.headers["x-ms-copy-source"], "/acme/from/big%?sv=")
end)

peer("a copy that fails in the service is an error that names it", copying { "pending", "failed" }, function()
  t.raises(function() blob.copy { from = open("from"), to = open("dest") } end,
    { class = "transient", code = "E_BLOB_COPY", match = "because" })
end)

peer("a blob written by somebody else while its copy is pending", copying({}, function(r)
  if r.method == "HEAD" then
    return { status = 200, headers = { ["x-ms-copy-id"] = "id-2", ["x-ms-copy-status"] = "success" } }
  end
end), function()
  t.raises(function() blob.copy { from = open("from"), to = open("dest") } end,
    { class = "conflict", code = "E_BLOB_CHANGED" })
end)

peer("a source that changed since it was listed", copying({}, function(r)
  if r.method == "PUT" then return refuse(412, "SourceConditionNotMet") end
end), function()
  t.raises(function() blob.copy { from = open("from"), to = open("dest") } end,
    { class = "conflict", code = "E_BLOB_CHANGED", match = "azblob://acme/from" })
end)

local stored
peer("what the service cannot copy goes through here", function(r)
  if r.query.comp == "list" then
    return page { (r.path == "/acme/from" or stored) and entry("small", 5) or "" }
  end
  if r.method == "PUT" and r.headers["x-ms-copy-source"] then
    return refuse(404, "CannotVerifyCopySource")
  end
  if r.method == "PUT" then
    stored = r.body
    return { status = 201, headers = { ETag = '"0x2"' } }
  end
  return { status = 206, body = "hello",
    headers = { ETag = '"0x1"', ["Content-Range"] = "bytes 0-4/5" } }
end, function()
  local r = blob.copy { from = open("from"), to = open("dest") }
  t.eq({ r.copied, r.server_side, stored }, { 1, 0, "hello" })
end)

peer("a copy that the service only says it made", copying({ "success" }, function(r)
  if r.query.comp == "list" and r.path == "/acme/dest" then return page {} end
end), function()
  t.raises(function() blob.copy { from = open("from"), to = open("dest") } end,
    { class = "conflict", code = "E_BLOB_VERIFY", match = "big" })
end)

peer("a source read with a token is copied with that token", function(r)
  if r.query.comp == "list" then return page { entry("small", 5) } end
  return { status = 202, headers = { ["x-ms-copy-status"] = "success", ["x-ms-copy-id"] = "1" } }
end, function()
  blob.copy { from = open("from", { token = "tok-2" }), to = open("dest") }
  local put
  for _, request in ipairs(seen) do put = request.method == "PUT" and request or put end
  t.eq(put.headers["x-ms-copy-source-authorization"], "Bearer tok-2")
  t.eq(put.headers["x-ms-requires-sync"], "true")
end)

server.stop()
t.done()
