-- superid: the central sign-in service. A tenant resource with its state, and the tenant's users
-- over SCIM 2.0 (RFC 7643, 7644).
local json = require "json"
local crypto = require "crypto"
local errors = require "errors"
local time = require "time"
local body = require("services.router").body

local M = {}

local USER = "urn:ietf:params:scim:schemas:core:2.0:User"
local LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
local PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
local ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
local CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
local TYPE = { ["Content-Type"] = "application/scim+json" }
local STATES = { Normal = true, InMigration = true }
local PAGE_MAX = 100

-- ---- tenants ----------------------------------------------------------------------------------

local function tenant_json(row)
  return { ctx = row.ctx, company = row.company_name, serial = row.serial_no, state = row.state,
    test_of = row.test_of }
end

local function find_tenant(conn, ctx)
  return conn:row([[SELECT ctx, company_name, serial_no, state, test_of
    FROM registry.superid_tenant WHERE ctx = $1]], ctx)
end

local function check_state(state)
  if not STATES[state] then
    errors.raise("invalid", "E_STATE", "state must be 'Normal' or 'InMigration', not '"
      .. tostring(state) .. "'")
  end
end

local function tenant_routes(router, pool)
  router:on("GET", "/tenants/{ctx}", function(_, args)
    local row = pool:use(function(conn) return find_tenant(conn, args.ctx) end)
    if not row then return { status = 404, json = { error = "unknown tenant " .. args.ctx } } end
    return { status = 200, json = tenant_json(row) }
  end)

  router:on("PUT", "/tenants/{ctx}", function(request, args)
    local tenant = body(request)
    if type(tenant.company) ~= "string" or type(tenant.serial) ~= "string" then
      errors.raise("invalid", "E_TENANT", "a tenant needs company and serial")
    end
    local state = tenant.state or "Normal"
    check_state(state)
    return pool:use(function(conn)
      local known = find_tenant(conn, args.ctx)
      conn:exec([[
        INSERT INTO registry.superid_tenant (ctx, company_name, serial_no, state, test_of)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (ctx) DO UPDATE SET company_name = excluded.company_name,
          serial_no = excluded.serial_no, state = excluded.state, test_of = excluded.test_of,
          updated_at = clock_timestamp()]],
        args.ctx, tenant.company, tenant.serial, state, tenant.test_of)
      return { status = known and 200 or 201, json = tenant_json(find_tenant(conn, args.ctx)) }
    end)
  end)

  router:on("PATCH", "/tenants/{ctx}", function(request, args)
    local change = body(request)
    if change.state then check_state(change.state) end
    return pool:use(function(conn)
      conn:exec([[
        UPDATE registry.superid_tenant SET company_name = coalesce($2, company_name),
          serial_no = coalesce($3, serial_no), state = coalesce($4, state),
          updated_at = clock_timestamp() WHERE ctx = $1]],
        args.ctx, change.company, change.serial, change.state)
      local row = find_tenant(conn, args.ctx)
      if not row then return { status = 404, json = { error = "unknown tenant " .. args.ctx } } end
      return { status = 200, json = tenant_json(row) }
    end)
  end)

  router:on("DELETE", "/tenants/{ctx}", function(_, args)
    return pool:use(function(conn)
      conn:exec("DELETE FROM registry.superid_user WHERE ctx = $1", args.ctx)
      local gone = conn:exec("DELETE FROM registry.superid_tenant WHERE ctx = $1", args.ctx)
      return { status = gone > 0 and 204 or 404 }
    end)
  end)
end

-- ---- users over SCIM --------------------------------------------------------------------------

local function scim_error(status, kind, detail)
  return { status = status, headers = TYPE, json = { schemas = json.array { ERROR },
    status = tostring(status), scimType = kind, detail = detail } }
end

local COLUMNS = [[id, ctx, upn, associate_id, display_name, active,
  (extract(epoch FROM updated_at) * 1000000)::bigint AS version,
  to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created,
  to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS modified]]

local function etag(row) return ('W/"%d"'):format(row.version) end

local function user_json(row)
  return { schemas = json.array { USER }, id = row.id, userName = row.upn,
    externalId = row.associate_id and tostring(row.associate_id) or nil,
    displayName = row.display_name, active = row.active,
    meta = { resourceType = "User", created = row.created, lastModified = row.modified,
      version = etag(row), location = ("/superid/scim/v2/%s/Users/%s"):format(row.ctx, row.id) } }
end

local function user_answer(status, row)
  local answer = user_json(row)
  return { status = status, json = answer, headers = { ["Content-Type"] = TYPE["Content-Type"],
    ETag = etag(row), Location = answer.meta.location } }
end

local function find_user(conn, args)
  return conn:row("SELECT " .. COLUMNS .. " FROM registry.superid_user WHERE ctx = $1 AND id::text = $2",
    args.ctx, args.id)
end

--- The stored attributes of a SCIM user, checked.
local function attributes(user)
  if type(user.userName) ~= "string" or user.userName == "" then
    errors.raise("invalid", "E_USER", "userName is required")
  end
  local active = user.active
  if active == nil then active = true end
  if type(active) ~= "boolean" then errors.raise("invalid", "E_USER", "active is true or false") end
  return { upn = user.userName, associate_id = math.tointeger(tonumber(user.externalId)),
    display_name = user.displayName or "", active = active }
end

local function taken(conn, ctx, upn, except)
  return conn:value([[SELECT count(*) FROM registry.superid_user
    WHERE ctx = $1 AND lower(upn) = lower($2) AND id::text <> $3]], ctx, upn, except or "") > 0
end

local function parse_filter(filter)
  if not filter then return nil, nil end
  local name, value = filter:match('^%s*(%w+)%s+[eE][qQ]%s+"(.*)"%s*$')
  name = name and name:lower()
  if name ~= "username" and name ~= "externalid" then
    return nil, "only userName eq \"…\" and externalId eq \"…\" are supported"
  end
  return { name = name, value = value:gsub('\\(["\\])', "%1") }
end

local function list_users(pool, request, args)
  local filter, problem = parse_filter(request.query.filter)
  if problem then return scim_error(400, "invalidFilter", problem) end
  local start = math.max(1, math.tointeger(tonumber(request.query.startIndex)) or 1)
  local count = math.min(PAGE_MAX, math.max(0, math.tointeger(tonumber(request.query.count)) or PAGE_MAX))
  local by_name = filter and filter.name == "username" and filter.value or nil
  local by_external = filter and filter.name == "externalid" and filter.value or nil
  return pool:use(function(conn)
    local where = [[ FROM registry.superid_user WHERE ctx = $1
      AND ($2::text IS NULL OR lower(upn) = lower($2)) AND ($3::text IS NULL OR associate_id::text = $3)]]
    local total = conn:value("SELECT count(*)" .. where, args.ctx, by_name, by_external)
    local rows = conn:query("SELECT " .. COLUMNS .. where .. " ORDER BY upn, id OFFSET $4 LIMIT $5",
      args.ctx, by_name, by_external, start - 1, count)
    local resources = {}
    for i, row in ipairs(rows) do resources[i] = user_json(row) end
    return { status = 200, headers = TYPE, json = { schemas = json.array { LIST },
      totalResults = total, startIndex = start, itemsPerPage = #resources,
      Resources = json.array(resources) } }
  end)
end

local function create_user(pool, request, args)
  local user = attributes(body(request))
  return pool:use(function(conn)
    if not find_tenant(conn, args.ctx) then
      return scim_error(404, nil, "unknown tenant " .. args.ctx)
    end
    if taken(conn, args.ctx, user.upn) then
      return scim_error(409, "uniqueness", "userName " .. user.upn .. " is taken")
    end
    local id = crypto.uuid()
    conn:exec([[INSERT INTO registry.superid_user (id, ctx, upn, associate_id, display_name, active)
      VALUES ($1, $2, $3, $4, $5, $6)]],
      id, args.ctx, user.upn, user.associate_id, user.display_name, user.active)
    return user_answer(201, find_user(conn, { ctx = args.ctx, id = id }))
  end)
end

local function store_user(conn, args, request, change)
  local row = find_user(conn, args)
  if not row then return scim_error(404, nil, "no user " .. args.id) end
  local match = request.headers["if-match"]
  if match and match ~= "*" and match ~= etag(row) then
    return scim_error(412, nil, "the user has changed")
  end
  local user = attributes(change(user_json(row)))
  if taken(conn, args.ctx, user.upn, args.id) then
    return scim_error(409, "uniqueness", "userName " .. user.upn .. " is taken")
  end
  conn:exec([[UPDATE registry.superid_user SET upn = $3, associate_id = $4, display_name = $5,
    active = $6, updated_at = clock_timestamp() WHERE ctx = $1 AND id::text = $2]],
    args.ctx, args.id, user.upn, user.associate_id, user.display_name, user.active)
  return user_answer(200, find_user(conn, args))
end

local ATTRIBUTES = { username = "userName", externalid = "externalId", displayname = "displayName",
  active = "active" }

local function patch(user, operations)
  for _, operation in ipairs(operations) do
    local op = tostring(operation.op):lower()
    if op ~= "add" and op ~= "replace" and op ~= "remove" then
      errors.raise("invalid", "E_PATCH", "unknown op '" .. op .. "'")
    end
    local values = operation.path and { [operation.path] = operation.value } or operation.value
    if op == "remove" then values = { [operation.path or ""] = json.null } end
    for path, value in pairs(values or {}) do
      local name = ATTRIBUTES[path:lower()]
      if not name then errors.raise("invalid", "E_PATCH", "no attribute '" .. path .. "'") end
      if value == json.null then value = nil end
      user[name] = value
    end
  end
  return user
end

local function user_routes(router, pool)
  local users, user = "/scim/v2/{ctx}/Users", "/scim/v2/{ctx}/Users/{id}"

  router:on("GET", users, function(request, args) return list_users(pool, request, args) end)
  router:on("POST", users, function(request, args) return create_user(pool, request, args) end)

  router:on("GET", user, function(_, args)
    local row = pool:use(function(conn) return find_user(conn, args) end)
    return row and user_answer(200, row) or scim_error(404, nil, "no user " .. args.id)
  end)

  router:on("PUT", user, function(request, args)
    local new = body(request)
    return pool:use(function(conn)
      return store_user(conn, args, request, function() return new end)
    end)
  end)

  router:on("PATCH", user, function(request, args)
    local change = body(request)
    if type(change.Operations) ~= "table" or type(change.schemas) ~= "table"
      or change.schemas[1] ~= PATCH then
      return scim_error(400, "invalidSyntax", "not a PatchOp")
    end
    return pool:use(function(conn)
      return store_user(conn, args, request, function(old) return patch(old, change.Operations) end)
    end)
  end)

  router:on("DELETE", user, function(_, args)
    local gone = pool:use(function(conn)
      return conn:exec("DELETE FROM registry.superid_user WHERE ctx = $1 AND id::text = $2",
        args.ctx, args.id)
    end)
    return gone > 0 and { status = 204 } or scim_error(404, nil, "no user " .. args.id)
  end)

  router:on("GET", "/scim/v2/{ctx}/ServiceProviderConfig", function()
    return { status = 200, headers = TYPE, json = { schemas = json.array { CONFIG },
      patch = { supported = true }, etag = { supported = true }, sort = { supported = false },
      bulk = { supported = false, maxOperations = 0, maxPayloadSize = 0 },
      filter = { supported = true, maxResults = PAGE_MAX }, changePassword = { supported = false },
      authenticationSchemes = json.array { { type = "oauthbearertoken", name = "Bearer token",
        description = "RFC 6750" } } } }
  end)
end

--- Adds the routes of SuperId.
---@param router table
---@param context table {pool=, jwks=table, token_client={id=, secret=}|nil}
function M.routes(router, context)
  tenant_routes(router, context.pool)
  user_routes(router, context.pool)
  router:on("GET", "/.well-known/jwks", function()
    return { status = 200, json = context.jwks, headers = { Date = time.iso() } }
  end)
end

return M
