local t = require "tap"
local http = require "http"
local crypto = require "crypto"
local log = require "log"
local secret = require "secret"
local time = require "time"

-- One server for all: /PATH is answered by routes[PATH]; every request is noted.
local routes, seen = {}, {}
local server = http.serve { handler = function(request)
  seen[#seen + 1] = request
  local route = routes[request.path]
  return route and route(request) or { status = 404, body = "no route" }
end }

local QUICK = { attempts = 4, base_ms = 1, cap_ms = 5 }

-- Sends a request to a route made for it alone; returns the response and the requests that came.
local function ask(route, options)
  local path = "/" .. crypto.uuid()
  routes[path] = route
  seen = {}
  local o = { url = server.url .. path, retry = QUICK }
  for k, v in pairs(options or {}) do o[k] = v end
  return http.request(o), seen
end

-- Answers from a list, the last one for good.
local function in_turn(...)
  local answers, n = { ... }, 0
  return function()
    n = math.min(n + 1, #answers)
    return answers[n]
  end
end

local OK = { status = 200, json = { ok = true } }

t.test("json goes both ways", function()
  local response, requests = ask(function(request)
    return { status = 201, json = { got = request.json(), n = 9007199254740993 } }
  end, { json = { a = { 1, 2 }, text = "ü" } })
  t.eq(response.status, 201)
  t.eq(response.json(), { got = { a = { 1, 2 }, text = "ü" }, n = 9007199254740993 })
  t.eq(response:json().n, 9007199254740993)
  t.eq(response.headers["content-type"], "application/json")
  t.eq(requests[1].method, "POST")
  t.eq(requests[1].headers["content-type"], "application/json")
  t.eq(requests[1].headers.accept, "application/json")
end)

t.test("methods, headers and raw bodies", function()
  for _, method in ipairs { "GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS" } do
    local response, requests = ask(function(request)
      return { status = 200, headers = { ["X-Echo"] = request.headers["x-sent"] },
        body = request.body }
    end, { method = method:lower(), body = "a\0b\r\n", headers = { ["X-Sent"] = "1; 2" } })
    t.eq(requests[1].method, method)
    t.eq(response.body, "a\0b\r\n")
    t.eq(response.headers["x-echo"], "1; 2")
  end
  local response = ask(function() return OK end, { method = "HEAD" })
  t.eq(response.body, "")
end)

t.test("a PUT without a body says so", function()
  local _, requests = ask(function() return OK end, { method = "PUT" })
  t.eq(requests[1].headers["content-length"], "0")
end)

t.test("query strings are escaped and read back", function()
  local query = { plain = "a-b._~c", odd = "a b&c=d/ü?#%+", number = 12, flag = true }
  local _, requests = ask(function() return OK end, { query = query })
  t.eq(requests[1].query, { plain = "a-b._~c", odd = "a b&c=d/ü?#%+", number = "12", flag = "true" })
  t.eq(http.encode_query(query), "flag=true&number=12&odd=a%20b%26c%3Dd%2F%C3%BC%3F%23%25%2B"
    .. "&plain=a-b._~c")
  t.eq(http.encode_query { x = { 1, "b" } }, "x=1&x=b")
  t.eq(http.encode_query {}, "")
end)

t.test("a query joins what the url has", function()
  routes["/q"] = function(request) return { json = request.query } end
  t.eq(http.request { url = server.url .. "/q?a=1&b=&c", query = { d = "2" } }.json(),
    { a = "1", b = "", c = "", d = "2" })
  t.eq(http.request { url = server.url .. "/q?a=1&a=2#part" }.json(), { a = "1" })
end)

t.test("forms are encoded", function()
  local _, requests = ask(function() return OK end, { form = { a = "x y", b = "ü" } })
  t.eq(requests[1].body, "a=x%20y&b=%C3%BC")
  t.eq(requests[1].headers["content-type"], "application/x-www-form-urlencoded")
end)

t.test("the path is handed out as it was sent", function()
  routes["/a%2Fb%20c"] = function() return OK end
  t.eq(http.request { url = server.url .. "/a%2Fb%20c" }.status, 200)
end)

t.test("statuses raise by class, with the start of the answer", function()
  local classes = { [400] = "invalid", [401] = "permission", [403] = "permission",
    [404] = "not_found", [409] = "conflict", [422] = "invalid", [429] = "throttled",
    [500] = "transient", [503] = "transient", [302] = "invalid" }
  for status, class in pairs(classes) do
    local e = t.raises(function()
      ask(function() return { status = status, body = "because " .. status } end, { retry = false })
    end, { class = class, code = "HTTP_" .. status })
    t.eq(e.status, status)
    t.eq(e.detail, "because " .. status)
  end
end)

t.test("expected statuses are responses", function()
  t.eq(ask(function() return { status = 404 } end, { expect = { 404, 409 } }).status, 404)
  t.raises(function() ask(function() return { status = 410 } end, { expect = { 404 } }) end,
    { class = "not_found" })
end)

t.test("503s, then success", function()
  local response, requests = ask(in_turn({ status = 503 }, { status = 502 }, OK))
  t.eq(response.status, 200)
  t.eq(#requests, 3)
end)

t.test("attempts are counted, and told", function()
  seen = {}
  local e = t.raises(function() ask(function() return { status = 503 } end) end,
    { class = "transient", match = "^after 4 attempts: GET http://" })
  t.eq(e.cause.code, "HTTP_503")
  t.eq(#seen, 4)
end)

t.test("429: Retry-After is obeyed", function()
  local began = time.monotonic()
  local throttled = { status = 429, headers = { ["Retry-After"] = "1" } }
  local response, requests = ask(in_turn(throttled, OK))
  t.eq(response.status, 200)
  t.eq(#requests, 2)
  t.ok(time.monotonic() - began >= 1000, "came back too early")
end)

t.test("429: more patience than ours is passed on", function()
  seen = {}
  local e = t.raises(function()
    ask(function() return { status = 429, headers = { ["Retry-After"] = "3600" } } end)
  end, { class = "throttled" })
  t.eq(e.retry_after_ms, 3600000)
  t.eq(#seen, 1)
end)

t.test("a client's mistake is not repeated", function()
  seen = {}
  t.raises(function() ask(function() return { status = 422 } end) end, { class = "invalid" })
  t.eq(#seen, 1)
end)

-- libcurl itself resends on a reused connection that dies: neither it nor we may repeat a POST.
t.test("a POST is sent once", function()
  ask(function() return OK end) -- leaves an open connection
  for _, answer in ipairs { { status = 503 }, { status = 429 }, { drop = true } } do
    seen = {}
    t.raises(function() ask(function() return answer end, { method = "POST", body = "x" }) end)
    t.eq(#seen, 1)
  end
end)

t.test("a POST with an idempotency key is repeated, with the same key", function()
  local response, requests = ask(in_turn({ drop = true }, { status = 503 }, OK),
    { method = "POST", json = { n = 1 }, idempotency_key = "run/step/1" })
  t.eq(response.status, 200)
  t.ok(#requests >= 3)
  for _, request in ipairs(requests) do
    t.eq(request.headers["idempotency-key"], "run/step/1")
    t.eq(request.body, '{"n":1}')
  end
end)

t.test("a dropped connection is transient", function()
  t.raises(function() ask(function() return { drop = true } end, { retry = false }) end,
    { class = "transient", code = "E_CONNECTION_LOST" })
  t.eq(ask(in_turn({ drop = true }, OK)).status, 200)
end)

t.test("silence is a timeout", function()
  t.raises(function()
    ask(function() time.sleep(5000) end, { timeout_ms = 50, retry = false })
  end, { class = "timeout", code = "E_TIMEOUT" })
end)

t.test("nobody there", function()
  local other = http.serve { handler = function() return OK end }
  other.stop()
  t.raises(function() http.request { url = other.url, retry = QUICK } end,
    { class = "transient", code = "E_CONNECT" })
  t.raises(function() http.request { url = "http://no-such-host.invalid/", retry = false } end,
    { class = "transient" })
end)

t.test("big bodies both ways", function()
  local big = ("0123456789abcdef"):rep(1024 * 1024) -- 16 MiB
  local response = ask(function(request)
    return { body = request.body .. "!" }
  end, { method = "PUT", body = big })
  t.eq(#response.body, #big + 1)
  t.ok(response.body == big .. "!")
end)

t.test("a body past the server's maximum is refused", function()
  local small <close> = http.serve { body_max = 10, handler = function(request)
    return { body = request.body }
  end }
  t.eq(http.request { url = small.url, body = "0123456789" }.body, "0123456789")
  t.raises(function() http.request { url = small.url, body = "0123456789a" } end,
    { code = "HTTP_413" })
end)

t.test("auth: bearer and basic, strings and secrets", function()
  local _, requests = ask(function() return OK end, { auth = { bearer = "abc" } })
  t.eq(requests[1].headers.authorization, "Bearer abc")
  local ok, folder = pcall(secret.reveal, secret "env:TEST_TMP")
  local name = "file:" .. (ok and folder or "/tmp") .. "/http-test-" .. crypto.uuid()
  secret.put(name, "open sesame")
  _, requests = ask(function() return OK end, { auth = { basic = { "aladdin", secret(name) } } })
  t.eq(requests[1].headers.authorization,
    "Basic " .. crypto.base64_encode "aladdin:open sesame")
  _, requests = ask(function() return OK end, { headers = { ["X-Key"] = secret(name) } })
  t.eq(requests[1].headers["x-key"], "open sesame")
end)

t.test("no secret of the url is in a message", function()
  local e = t.raises(function()
    http.request { url = server.url .. "/nowhere?sig=verysecret" }
  end, { class = "not_found" })
  t.ok(not e.message:find("verysecret"), e.message)
end)

t.test("a secret in an answer is not in the error", function()
  local value = secret.conceal("s3cret-" .. crypto.uuid())
  local e = t.raises(function()
    ask(function() return { status = 400, body = "bad token " .. value } end)
  end)
  t.eq(e.detail, "bad token ***")
end)

t.test("bad requests are refused, naming what is wrong", function()
  for _, bad in ipairs { { url = "ftp://x/" }, { url = "nonsense" }, { url = "http://" } } do
    t.raises(function() http.request(bad) end, { class = "invalid", code = "E_URL" })
  end
  t.raises(function() http.request { url = "http://x/", timeout = 1 } end,
    { match = "no option 'timeout'" })
  t.raises(function() http.request {} end, { match = "url" })
  t.raises(function() http.request { url = "http://x/", json = {}, body = "" } end,
    { match = "only one" })
  t.raises(function() http.request { url = "http://x/", headers = { ["X-A"] = "b\r\nX-C: d" } } end,
    { match = "X%-A" })
  t.raises(function() http.request { url = "http://x/", headers = { ["bad name"] = "b" } } end,
    { match = "bad name" })
end)

-- ------------------------------------------------------------------ server

t.test("a handler that raises answers 500, and the server goes on", function()
  log.warn("one error line is expected below")
  local e = t.raises(function()
    ask(function() error("oops") end, { retry = false })
  end, { class = "transient", code = "HTTP_500" })
  t.ok(not e.detail:find("oops"), "the cause is ours alone")
  t.raises(function() ask(function() return "text" end, { retry = false }) end, { code = "HTTP_500" })
  t.raises(function()
    ask(function() return { headers = { ["X-A"] = "b\r\nc" } } end, { retry = false })
  end, { code = "HTTP_500" })
  t.raises(function() ask(function() return { status = 42 } end, { retry = false }) end,
    { code = "HTTP_500" })
  t.eq(ask(function() return OK end).status, 200)
end)

t.test("answers may be empty or have headers of their own", function()
  t.eq(ask(function() return {} end).status, 200)
  t.eq(ask(function() return { status = 204 } end).status, 204)
  local response = ask(function()
    return { json = { 1 }, headers = { ["Content-Type"] = "application/scim+json",
      ["Content-Length"] = "999" } }
  end)
  t.eq(response.headers["content-type"], "application/scim+json")
  t.eq(response.json(), { 1 })
end)

t.test("fifty requests open at once", function()
  local at_once, most = 0, 0
  routes["/nest"] = function(request)
    local left = math.tointeger(tonumber(request.query.left))
    at_once = at_once + 1
    most = math.max(most, at_once)
    local sum = 0
    if left > 1 then
      sum = http.request { url = server.url .. "/nest", query = { left = left - 1 } }.json().sum
    end
    at_once = at_once - 1
    return { json = { sum = sum + left } }
  end
  t.eq(http.request { url = server.url .. "/nest", query = { left = 50 } }.json().sum, 1275)
  t.eq(most, 50)
end)

t.test("stop cancels what takes too long, and frees the port", function()
  local ended, interrupted = false, false
  local other = http.serve { handler = function()
    local _ <close> = setmetatable({}, { __close = function() interrupted = not ended end })
    time.sleep(60000)
    ended = true
  end }
  t.raises(function() http.request { url = other.url, timeout_ms = 50, retry = false } end,
    { class = "timeout" })
  other.stop(10)
  local again = http.serve { port = other.port, handler = function() return OK end }
  t.eq(http.request { url = again.url }.status, 200)
  t.ok(interrupted)
  again.stop()
  t.raises(function() http.serve { port = server.port, handler = function() end } end,
    { code = "EADDRINUSE" })
  t.raises(function() http.serve { host = "nowhere", handler = function() end } end,
    { class = "invalid", code = "E_ADDRESS" })
end)

-- ------------------------------------------------------------------ OAuth 2.0

local issued, lifetime_s, denied = 0, 3600, false
routes["/token"] = function(request)
  if denied then
    return { status = 401, json = { error = "invalid_client", error_description = "who?" } }
  end
  issued = issued + 1
  return { headers = { ["Cache-Control"] = "no-store" }, json = { token_type = "Bearer",
    access_token = "token-" .. issued, expires_in = lifetime_s, got = request.body } }
end

local function credentials(more)
  local o = { token_url = server.url .. "/token", client_id = "svc", client_secret = "a:b/c" }
  for k, v in pairs(more or {}) do o[k] = v end
  return http.oauth2(o)
end

local function bearer(auth)
  local _, requests = ask(function() return OK end, { auth = auth })
  return requests[#requests].headers.authorization
end

t.test("oauth2: one token for many requests", function()
  issued = 0
  local auth = credentials { scope = "a b" }
  t.eq(bearer(auth), "Bearer token-1")
  t.eq(bearer(auth), "Bearer token-1")
  t.eq(issued, 1)
end)

t.test("oauth2: client_secret_basic", function()
  local got
  routes["/token2"] = function(request)
    got = request
    return { json = { token_type = "bearer", access_token = "x", expires_in = 60 } }
  end
  bearer(credentials { token_url = server.url .. "/token2", scope = "a b" })
  t.eq(got.headers.authorization, "Basic " .. crypto.base64_encode "svc:a%3Ab%2Fc")
  t.eq(got.body, "grant_type=client_credentials&scope=a%20b")
end)

t.test("oauth2: private_key_jwt", function()
  local keys = crypto.rsa_generate(2048)
  local form
  routes["/token3"] = function(request)
    form = request.body
    return { json = { token_type = "Bearer", access_token = "x" } }
  end
  local url = server.url .. "/token3"
  bearer(http.oauth2 { token_url = url, client_id = "svc", private_key = keys.private_pem,
    kid = "c1" })
  t.like(form, "client_assertion_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient%-assertion%-type")
  local claims = crypto.jwt_verify { token = form:match("client_assertion=([^&]+)"),
    key = keys.public_pem, audience = url, issuer = "svc" }
  t.eq(claims.sub, "svc")
  t.ok(#claims.jti > 20)
end)

t.test("oauth2: a token near its end is renewed", function()
  issued, lifetime_s = 0, 0
  local auth = credentials()
  t.eq(bearer(auth), "Bearer token-1")
  t.eq(bearer(auth), "Bearer token-2")
  lifetime_s = 3600
end)

t.test("oauth2: a refused token is renewed once", function()
  issued = 0
  local auth = credentials()
  t.eq(bearer(auth), "Bearer token-1")
  local response, requests = ask(function(request)
    return request.headers.authorization == "Bearer token-2" and OK or { status = 401 }
  end, { auth = auth })
  t.eq(response.status, 200)
  t.eq(#requests, 3) -- refused, token, accepted
  seen = {}
  t.raises(function() ask(function() return { status = 401 } end, { auth = auth }) end,
    { class = "permission" })
  t.eq(issued, 3)
end)

t.test("oauth2: a refused client is permission, and no secret is told", function()
  denied = true
  local e = t.raises(function() bearer(credentials { client_secret = "hunter2hunter2" }) end,
    { class = "permission", code = "E_OAUTH2", match = "invalid_client who%?" })
  denied = false
  t.ok(not (e.message .. tostring(e.detail)):find("hunter2"))
end)

t.test("oauth2: a token endpoint that stumbles is asked again", function()
  local answer = in_turn({ status = 503 }, { drop = true },
    { json = { token_type = "Bearer", access_token = "late" } })
  routes["/token4"] = answer
  t.eq(bearer(credentials { token_url = server.url .. "/token4" }), "Bearer late")
end)

t.test("oauth2: what is missing is named", function()
  t.raises(function() http.oauth2 { client_id = "x", client_secret = "y" } end,
    { match = "token_url" })
  t.raises(function() http.oauth2 { token_url = "http://x/", client_id = "x" } end,
    { match = "client_secret and private_key" })
end)

server.stop(0)
t.done()
