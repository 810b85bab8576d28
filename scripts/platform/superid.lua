-- superid: the central sign-in service. A tenant resource with its state, users over SCIM 2.0.
local http = require "http"

local M = {}

local USER = "urn:ietf:params:scim:schemas:core:2.0:User"
local PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
local PAGE = 100
local PAGES_MAX = 10000

local grants = {}

--- A fixed token, or OAuth 2.0 client credentials where a token_url is configured.
local function auth(superid)
  if not superid.token_url then return { bearer = superid.token } end
  local key = superid.token_url .. " " .. superid.client_id
  grants[key] = grants[key] or http.oauth2 { token_url = superid.token_url,
    client_id = superid.client_id, client_secret = superid.client_secret, scope = superid.scope }
  return grants[key]
end

local function request(config, method, path, more)
  local options = { method = method, url = config.superid.url .. path, timeout_ms = 30000,
    auth = auth(config.superid) }
  for k, v in pairs(more or {}) do options[k] = v end
  return http.request(options)
end

-- ---- the tenant -------------------------------------------------------------------------------

--- The tenant as SuperId knows it, or nil.
---@return table|nil {ctx, company, serial, state, test_of}
function M.tenant(config, ctx)
  local answer = request(config, "GET", "/tenants/" .. ctx, { expect = { 200, 404 } })
  if answer.status == 404 then return nil end
  return answer:json()
end

--- Registers the tenant, or replaces what is registered.
---@param tenant table {company, serial, state, test_of}
function M.register(config, ctx, tenant)
  return request(config, "PUT", "/tenants/" .. ctx, { json = tenant }):json()
end

--- Forgets the tenant and its users.
function M.forget(config, ctx)
  request(config, "DELETE", "/tenants/" .. ctx, { expect = { 204, 404 } })
end

--- Sets the tenant's state.
---@param state string "Normal" or "InMigration"
---@param key string idempotency key
function M.set_state(config, ctx, state, key)
  return request(config, "PATCH", "/tenants/" .. ctx, { json = { state = state },
    idempotency_key = key }):json()
end

-- ---- its users --------------------------------------------------------------------------------

local function users_path(ctx) return "/scim/v2/" .. ctx .. "/Users" end

--- Every user of the tenant, page by page.
---@return table[] {id, upn, associate_id, display_name, active}
function M.users(config, ctx)
  local users = {}
  for _ = 1, PAGES_MAX do
    local page = request(config, "GET", users_path(ctx),
      { query = { startIndex = #users + 1, count = PAGE } }):json()
    for _, user in ipairs(page.Resources or {}) do
      users[#users + 1] = { id = user.id, upn = user.userName, active = user.active,
        associate_id = math.tointeger(tonumber(user.externalId)), display_name = user.displayName }
    end
    if #users >= page.totalResults or #(page.Resources or {}) == 0 then break end
  end
  return users
end

local function same(a, b)
  return a.associate_id == b.associate_id and a.display_name == b.display_name
    and a.active == (b.active ~= false)
end

local function create(config, ctx, user)
  request(config, "POST", users_path(ctx), { expect = { 201, 409 }, json = { schemas = { USER },
    userName = user.upn, displayName = user.display_name, active = user.active ~= false,
    externalId = user.associate_id and tostring(user.associate_id) or nil },
    idempotency_key = ctx .. "/" .. user.upn:lower() })
end

local function update(config, ctx, id, user)
  local values = { displayName = user.display_name, active = user.active ~= false,
    externalId = user.associate_id and tostring(user.associate_id) or nil }
  request(config, "PATCH", users_path(ctx) .. "/" .. id, { idempotency_key = id, json = {
    schemas = { PATCH }, Operations = { { op = "replace", value = values } } } })
end

--- Makes the tenant's users exactly the wanted ones. Only differences are sent: a second call
--- sends nothing.
---@param wanted table[] {upn, associate_id, display_name, active}
---@return table {created=, updated=, removed=, unchanged=} counts
function M.sync_users(config, ctx, wanted)
  local count = { created = 0, updated = 0, removed = 0, unchanged = 0 }
  local known = {}
  for _, user in ipairs(M.users(config, ctx)) do known[user.upn:lower()] = user end
  for _, user in ipairs(wanted) do
    local key = user.upn:lower()
    local old = known[key]
    known[key] = nil
    if not old then
      create(config, ctx, user)
      count.created = count.created + 1
    elseif not same(old, user) then
      update(config, ctx, old.id, user)
      count.updated = count.updated + 1
    else
      count.unchanged = count.unchanged + 1
    end
  end
  for _, user in pairs(known) do
    request(config, "DELETE", users_path(ctx) .. "/" .. user.id, { expect = { 204, 404 } })
    count.removed = count.removed + 1
  end
  return count
end

return M
