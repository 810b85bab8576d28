-- tool: what scan.lua, check.lua, compare.lua and the like have in common: parameters, what mask.lua says
-- of the database, refusals, progress.
local errors = require "errors"
local log = require "log"
local policy = require "policy"
local secret = require "secret"
local time = require "time"

local M = {}

local PROGRESS_MS = 10 * 1000

--- Ends the script as used wrongly.
function M.refuse(message)
  errors.raise("invalid", "E_PARAM", message)
end

--- The parameters given, of which `known` ({name = true}) may be there. jobs becomes a number, format is
--- "text", "json", or one more.
function M.params(given, known, more)
  local params = {}
  for name, value in pairs(given) do
    if not known[name] then M.refuse(("unknown parameter '%s'"):format(name)) end
    if value ~= "" then params[name] = value end
  end
  params.jobs = math.tointeger(tonumber(params.jobs or "2"))
  if not params.jobs or params.jobs < 1 or params.jobs > 64 then
    M.refuse "parameter jobs: 1 to 64 is needed"
  end
  if known.users then params.users = M.list(params.users) end
  if known.allow then params.allow = M.list(params.allow) end
  params.format = params.format or "text"
  if params.format ~= "text" and params.format ~= "json" and params.format ~= more then
    M.refuse(("parameter format: %stext or json is needed"):format(more and more .. ", " or ""))
  end
  return params
end

--- Is it asked for? yes or no.
---@param default boolean
function M.flag(params, name, default)
  local value = params[name]
  if value == nil then return default end
  if value ~= "yes" and value ~= "no" then M.refuse(("parameter %s: yes or no is needed"):format(name)) end
  return value == "yes"
end

--- The items of "a,b"; nil has none.
function M.list(given)
  local items = {}
  for item in (given or ""):gmatch("[^,%s]+") do items[#items + 1] = item end
  return items
end

-- What mask.lua says ---------------------------------------------------------------------------------

local BY_POLICY = { mail_domain = true, allow = true, tenant = true, users = true }

--- These parameters and those of policy().
---@param known table {name = true}
function M.with_policy(known)
  for name in pairs(BY_POLICY) do known[name] = true end
  return known
end

local of_clone = {} -- by tenant

--- The parameters of a clone to that test environment, its own file having had its say.
local function clone_params(ctx)
  if not of_clone[ctx] then
    local P, change = require "./clone", require("./tenants/" .. ctx, false)
    if change then change(P) end
    of_clone[ctx] = P.params
  end
  return of_clone[ctx]
end

--- What mask.lua says of a copy: of one that is nobody's, like a golden image; with `tenant`, of a copy for
--- that test environment. Where the configuration has a registry this is all that a clone would go by.
---@param params table {mail_domain=, tenant=, allow = list=, users = list=}
---@param config fun(): table reads the configuration
function M.policy(params, config)
  local ctx, users = params.tenant, params.users or {}
  local given = { mail_domain = params.mail_domain or policy.MAIL_DOMAIN, target = ctx, allow = params.allow }
  if not ctx and #users > 0 then M.refuse "parameter users: give tenant=CTX, too" end
  if not ctx then return policy.read(given) end
  if not ctx:match("^Cust%d+$") then M.refuse "parameter tenant: a tenant looks like Cust12345" end
  given.mail_domain = params.mail_domain or clone_params(ctx).mail_domain.default
  local conf = config()
  if not conf.registry then
    if #users > 0 then M.refuse "parameter users: the configuration has no registry to find them by" end
    return policy.read(given)
  end
  given.source = require "platform.registry".customer(conf, ctx).is_test_of
  if not given.source then M.refuse(("parameter tenant: %s is no test environment"):format(ctx)) end
  given.users, given.plans = users, {}
  return require "copy".policy(conf, given, require "wizard".users(conf, given))
end

local told = false

--- The same, held against a database: raises when it does not fit; where mask.lua is for another one, what
--- it says of tables and columns is left out, which is told.
---@param conn any to the database
function M.policy_for(params, config, conn)
  local of, schemas = policy.within(M.policy(params, config), conn)
  if schemas and not told then
    log.warn(("what mask.lua says of tables and columns is for a database with schema %s: this one has none")
      :format(table.concat(schemas, ", ")))
    told = true
  end
  policy.check(of, conn)
  return of
end

--- A password given as file:/path; nil without one.
function M.password(given)
  return given and secret(given)
end

function M.size(bytes)
  local units, i = { "bytes", "kB", "MB", "GB", "TB" }, 1
  while bytes >= 1000 and i < #units do bytes, i = bytes / 1000, i + 1 end
  return (i == 1 and "%d %s" or "%.1f %s"):format(bytes, units[i])
end

--- A progress function that logs a line every ten seconds: "scanned 1.2 GB of 4.0 GB, 1234 rows".
function M.progress(verb)
  local last = time.monotonic()
  return function(p)
    if p.total > 0 and time.monotonic() - last >= PROGRESS_MS then
      last = time.monotonic()
      log.info(("%s %s of %s, %d rows"):format(verb, M.size(p.done), M.size(p.total), p.rows))
    end
  end
end

--- Prints a labelled line.
function M.line(label, text)
  print(("%-13s %s"):format(label, text))
end

return M
