-- services: the sample platform's services over HTTP, on one port.
--
--   cloner scripts/demo/services.lua port=8080 registry=DSN registry_password=file:F \
--     token=file:F client_secret=file:F issuer=https://id.example public_key=file:F
--
--   /superid          tenants and their state, users over SCIM 2.0, the keys that sign notices;
--                     OAuth 2.0 client credentials (client "cloner") at /superid/oauth2/token
--   /mail             mail routes of a tenant
--   /recycle          restart of a tenant's application servers
--   /apps/CLIENT_ID   three partner apps that receive state changes
--   /faults           makes any of them slow, throttled, broken or deaf (services/faults.lua)
--   /health           answers when everything is up
--
-- What they know is in the registry database: schema registry, and schema sample for receipts.
-- Customer tasks that are due are finished here too, as the platform's own workers would.
local http = require "http"
local crypto = require "crypto"
local secret = require "secret"
local errors = require "errors"
local json = require "json"
local log = require "log"
local time = require "time"
local faults = require "services.faults"
local oauths = require "services.oauth"
local pools = require "services.pool"
local routers = require "services.router"

local TASK_POLL_MS = 100

local params = ...
for _, name in ipairs { "registry", "token", "client_secret", "issuer", "public_key" } do
  if not params[name] then errors.raise("invalid", "E_PARAM", "parameter " .. name .. "= is missing") end
end

local pool = pools.new { dsn = params.registry, application = "sample services",
  password = params.registry_password and secret(params.registry_password) or nil }
local token = secret.reveal(secret(params.token))
local oauth = oauths.new { id = "cloner", secret = secret.reveal(secret(params.client_secret)) }
local public_pem = secret.reveal(secret(params.public_key))
local context = { pool = pool, issuer = params.issuer,
  jwks = { keys = json.array { crypto.jwk(public_pem, "notices-1") } } }

local services = {}
for _, name in ipairs { "superid", "mail", "recycle", "apps" } do
  services[name] = routers.new()
  require("services." .. name).routes(services[name], context)
end
services.superid:on("POST", "/oauth2/token", function(request) return oauth:issue(request) end)

local STATUS = { invalid = 400, permission = 403, not_found = 404, conflict = 409, throttled = 429 }

--- Apps are reached by anyone and check the notice's own token; the keys are public. SuperId takes
--- tokens of its own endpoint, the others a fixed one.
local function may_enter(service, request, path)
  if service == "apps" or path == "/.well-known/jwks" or path == "/oauth2/token" then return true end
  local given = (request.headers.authorization or ""):match("^Bearer%s+(%S+)$")
  if service == "superid" then return oauth:knows(given) end
  return given == token
end

local function serve(service, request, path)
  if not may_enter(service, request, path) then
    return { status = 401, headers = { ["WWW-Authenticate"] = "Bearer" },
      json = { error = "a bearer token is required" } }
  end
  local ok, answer = pcall(services[service].answer, services[service], request, path)
  if ok then return answer end
  local e = errors.from(answer)
  if not STATUS[e.class] then log.error(service .. ": " .. e.message) end
  return { status = STATUS[e.class] or 500, json = { error = e.message, code = e.code } }
end

--- What was asked, and the answer; 0 for none.
local function remember(service, request, path, answer)
  pool:use(function(conn)
    conn:exec("INSERT INTO sample.request (service, method, path, status) VALUES ($1, $2, $3, $4)",
      service, request.method, path, answer.drop and 0 or answer.status)
  end)
end

local function control_faults(request)
  if request.method == "POST" then faults.add(request:json()) end
  if request.method == "DELETE" then faults.clear() end
  return { status = 200, json = { faults = json.array(faults.list()) } }
end

local function handle(request)
  if request.path == "/health" then return { status = 200, json = { status = "up" } } end
  if request.path == "/faults" then return control_faults(request) end
  local service, path = request.path:match("^/(%w+)(.*)$")
  if not services[service] then return { status = 404, json = { error = "no service here" } } end
  if path == "" then path = "/" end
  local answer = faults.meet(service, request, path, function()
    return serve(service, request, path)
  end)
  remember(service, request, path, answer)
  return answer
end

local server <const> = http.serve { port = math.tointeger(tonumber(params.port)) or 0, handler = handle }
log.info("services listening on " .. server.url)

while true do
  pool:use(function(conn)
    conn:exec([[UPDATE registry.customer_task SET state = 'done', finished_at = clock_timestamp()
      WHERE state IN ('queued', 'running') AND finishes_at <= clock_timestamp()]])
  end)
  time.sleep(TASK_POLL_MS)
end
