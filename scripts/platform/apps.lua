-- apps: tells partner apps what happened to a tenant, with a token that proves the sender.
local http = require "http"
local crypto = require "crypto"
local time = require "time"

local M = {}

--- ChangeType of a notice.
M.CHANGE = { upgrade = 0, backup_restored = 1, suspend = 2, resume = 3, delete = 4, move = 5 }

local CLAIM = "http://schemes.superoffice.net/identity/"
local TOKEN_LIFE_S = 600

local function token(config, app, tenant, run_key)
  local now = time.now() // 1000
  return crypto.jwt_sign { key = config.apps.signing_key, kid = "notices-1", claims = {
    iss = config.apps.issuer, aud = "spn:" .. app.client_id, sub = tenant.ctx, jti = run_key,
    iat = now, nbf = now, exp = now + TOKEN_LIFE_S,
    [CLAIM .. "ctx"] = tenant.ctx, [CLAIM .. "serial"] = tenant.serial_no,
    [CLAIM .. "company_name"] = tenant.company_name, [CLAIM .. "netserver_url"] = tenant.endpoint } }
end

--- Posts a state change to one app. Raises when the app does not accept it.
---@param app table {client_id, state_change_url}
---@param tenant table the registry's row
---@param change integer one of M.CHANGE
---@param key string idempotency key: the app may see the notice twice and acts once
---@return table receipt {client_id, status, at}
function M.notify(config, app, tenant, change, key)
  local answer = http.request { method = "POST", url = app.state_change_url, timeout_ms = 30000,
    idempotency_key = key, retry = { attempts = 5 }, json = {
      ChangeType = change, ContextIdentifier = tenant.ctx, VersionName = tenant.version,
      FileVersion = tenant.file_version, PublicEndpoint = tenant.endpoint,
      Token = token(config, app, tenant, key) } }
  return { client_id = app.client_id, status = answer.status, at = time.iso() }
end

return M
