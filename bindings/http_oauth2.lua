-- oauth2: tokens by client credentials (RFC 6749, 4.4), the client authenticating itself by secret
-- (client_secret_basic) or by a signed assertion (private_key_jwt, RFC 7523).
--
-- One token serves all tasks: the first that needs one fetches it, the others wait for it.
local crypto = require "crypto"
local errors = require "errors"
local event = require "event"
local json = require "json"
local secret = require "secret"
local time = require "time"

local M = {}

local LIFETIME_S = 300 -- of a token whose server does not tell
local EARLY_S = 60 -- renewed this long before its end, or at 9/10 of a short life
local ASSERTION_S = 120
local ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

-- RFC 6749, 2.3.1: both halves are form-encoded before they are joined.
local function form_escape(text)
  return (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- The request for a token; a new assertion each time, for servers remember its id.
local function token_request(o)
  local form = { grant_type = "client_credentials", scope = o.scope, audience = o.audience }
  local auth
  if o.private_key then
    form.client_id = o.client_id
    form.client_assertion_type = ASSERTION_TYPE
    form.client_assertion = crypto.jwt_sign { key = o.private_key, kid = o.kid,
      lifetime_s = ASSERTION_S,
      claims = { iss = o.client_id, sub = o.client_id, aud = o.token_url, jti = crypto.uuid() } }
  else
    auth = { basic = { form_escape(o.client_id), form_escape(secret.reveal(o.client_secret)) } }
  end
  return { method = "POST", url = o.token_url, form = form, auth = auth, expect = { 400, 401 },
    headers = { Accept = "application/json" }, ca_file = o.ca_file, timeout_ms = o.timeout_ms,
    retry = false }
end

local function decoded(response, o)
  local ok, answer = pcall(response.json)
  if not ok or type(answer) ~= "table" or answer == json.null then
    errors.raise("transient", "E_OAUTH2", ("the token endpoint of '%s' answered no JSON object")
      :format(o.client_id))
  end
  return answer
end

-- Asks for a token. Returns it and the seconds it lives.
local function fetch(o, request)
  local response = request(token_request(o))
  local answer = decoded(response, o)
  if response.status // 100 ~= 2 then
    errors.raise("permission", "E_OAUTH2", ("no token for '%s': %s %s"):format(o.client_id,
      tostring(answer.error or response.status), tostring(answer.error_description or "")))
  end
  local token = answer.access_token
  if type(token) ~= "string" or tostring(answer.token_type):lower() ~= "bearer" then
    errors.raise("invalid", "E_OAUTH2", ("the token endpoint of '%s' gave no bearer token")
      :format(o.client_id))
  end
  secret.conceal(token)
  return token, tonumber(answer.expires_in) or LIFETIME_S
end

local function check(o)
  for _, name in ipairs { "token_url", "client_id" } do
    if type(o[name]) ~= "string" then error("http.oauth2: " .. name .. " must be a string", 4) end
  end
  if (o.client_secret == nil) == (o.private_key == nil) then
    error("http.oauth2: one of client_secret and private_key", 4)
  end
end

--- Makes the credentials; `request` and `retrying` are http.lua's.
function M.new(o, request, retrying, policy)
  check(o)
  local token, renew_at_ms -- the token, and when it is to be replaced (monotonic)
  local waiters -- list of events while some task fetches, else nil

  local function wake()
    local list = waiters
    waiters = nil
    for _, waiter in ipairs(list) do waiter:set() end
  end

  local function replace()
    waiters = {}
    local began_ms = time.monotonic()
    local ok, result = pcall(retrying, policy, function()
      return table.pack(fetch(o, request))
    end)
    wake() -- whatever happened: if it failed, the next one tries
    if not ok then error(result, 0) end
    local life_s = result[2]
    token = result[1]
    renew_at_ms = began_ms + math.floor(1000 * math.max(life_s - EARLY_S, life_s * 0.9))
  end

  local self = {}

  --- The value of Authorization.
  function self.authorize()
    while not token or time.monotonic() >= renew_at_ms do
      if waiters then
        local mine = event.new()
        waiters[#waiters + 1] = mine
        mine:wait()
      else
        replace()
        break -- good for one request, however short its life
      end
    end
    return "Bearer " .. token
  end

  --- The service refused this value: forget the token, unless another task replaced it already.
  function self.renew(_, refused)
    if token and refused == "Bearer " .. token then token = nil end
  end

  return self
end

return M
