-- apps: the partner apps. Each receives state changes and believes only a notice whose token
-- was signed by the platform for it; what it got, and what it thought of it, is kept.
local crypto = require "crypto"
local db = require "db"
local errors = require "errors"
local body = require("services.router").body

local M = {}

local CTX = "http://schemes.superoffice.net/identity/ctx"

--- The claims of a notice made for this app, or an error.
local function verify(context, client_id, notice)
  local claims = crypto.jwt_verify { token = tostring(notice.Token), jwks = context.jwks,
    issuer = context.issuer, audience = "spn:" .. client_id }
  if claims[CTX] ~= notice.ContextIdentifier then
    errors.raise("permission", "E_TOKEN", "the token speaks of another tenant")
  end
  return claims
end

--- Adds the state change route of every app.
---@param context table {pool=, jwks=, issuer=}
function M.routes(router, context)
  router:on("POST", "/{client_id}", function(request, args)
    local notice = body(request)
    local ok, claims = pcall(verify, context, args.client_id, notice)
    notice.Token = nil
    return context.pool:use(function(conn)
      local app = conn:row("SELECT client_id FROM registry.app WHERE client_id = $1", args.client_id)
      if not app then return { status = 404, json = { error = "no app " .. args.client_id } } end
      local reason = not ok and errors.from(claims).message or nil
      conn:exec([[INSERT INTO sample.receipt
          (client_id, ctx, change_type, accepted, reason, body, claims, idempotency_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (client_id, idempotency_key) DO NOTHING]],
        args.client_id, notice.ContextIdentifier, notice.ChangeType, ok, reason, db.json(notice),
        ok and db.json(claims) or nil, request.headers["idempotency-key"])
      if not ok then return { status = 403, json = { error = reason } } end
      return { status = 202, json = { accepted = true } }
    end)
  end)
end

return M
