-- wizard: the operator's choices for a clone, checked. What is refused before anything is touched,
-- who may sign in to the copy, and which files travel.
local backup = require "backup"
local errors = require "errors"
local log = require "log"
local attachments = require "attachments"
local copy = require "copy"
local findings = require "findings"
local policy = require "policy"
local preview = require "preview"
local licence = require "platform.licence"
local registry = require "platform.registry"
local superid = require "platform.superid"
local tenant = require "platform.tenant"

local M = {}

-- Running, online maintenance, offline maintenance (an earlier run stopped there), migration pending.
local TARGET_STATES = { [2] = true, [5] = true, [6] = true, [12] = true }
local OWNER_NAME_MAX = 219
local DATABASE_NAME_BYTES_MAX = 63 -- PostgreSQL cuts longer ones, silently

local function refuse(code, message, ...)
  errors.raise("invalid", code, message:format(...))
end

--- The name of the copy's owner.
function M.owner_name(source)
  local name = "Test Env - " .. source.company_name
  local cut = utf8.offset(name, OWNER_NAME_MAX + 1)
  return cut and name:sub(1, cut - 1) or name
end

-- What is refused --------------------------------------------------------------------------------

--- Both databases' identities, different ones, or an error: names prove nothing.
---@return table {system_identifier, database_oid} of the target
function M.prove_apart(config, source, target)
  local from <close> = tenant.open(config, source, true)
  local to <close> = tenant.admin(config, target.cluster)
  local a = tenant.identity(from, source.database_name)
  local b = tenant.identity(to, target.database_name)
  if not b then
    refuse("E_NO_DATABASE", "%s has no database '%s' on cluster %s", target.ctx, target.database_name,
      target.cluster)
  end
  if a.system_identifier == b.system_identifier and a.database_oid == b.database_oid then
    refuse("E_SAME_DATABASE", "%s and %s are the same database", source.ctx, target.ctx)
  end
  if target.isolated and tenant.server(from) == tenant.server(to) then
    refuse("E_SAME_SERVER", "the registry says that cluster %s is for tests alone, and the configuration "
      .. "leads to the server of %s", target.cluster, source.ctx)
  end
  tenant.prove_files_apart(config, source, target)
  return b
end

local function check_tenants(source, target)
  if target.is_test_of ~= source.ctx then
    refuse("E_NOT_TEST_ENVIRONMENT", "%s is not a test environment of %s: the registry says %s",
      target.ctx, source.ctx, target.is_test_of and "of " .. target.is_test_of or "it is no test environment")
  end
  if not copy.SOURCE_STATES[source.state] then
    refuse("E_SOURCE_STATE", "%s is in state %d and cannot be copied", source.ctx, source.state)
  end
  if not TARGET_STATES[target.state] then
    refuse("E_TARGET_STATE", "%s is in state %d and cannot be replaced", target.ctx, target.state)
  end
  if #target.database_name > DATABASE_NAME_BYTES_MAX then
    refuse("E_DATABASE_NAME", "the database name '%s' of %s is longer than the %d bytes PostgreSQL keeps",
      target.database_name, target.ctx, DATABASE_NAME_BYTES_MAX)
  end
end

local function check_privileges(config, source, target)
  if tenant.is_readonly(config, target.cluster) then
    refuse("E_TARGET_READONLY", "the configuration declares cluster %s read-only, and %s lies on it",
      target.cluster, target.ctx)
  end
  local from <close> = tenant.open(config, source, true)
  local hidden = from:query([[SELECT c.oid::regclass::text AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'S')
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) LIMIT 3]])
  if #hidden > 0 then
    errors.raise("permission", "E_SOURCE_PRIVILEGE", ("cannot read %s of %s: grant SELECT to the cloner's role")
      :format(hidden[1].name, source.ctx))
  end
  local admin <close> = tenant.admin(config, target.cluster)
  local role = admin:row([[SELECT rolname, rolsuper, rolcreatedb AND rolcreaterole AS may
    FROM pg_roles WHERE rolname = current_user]])
  if not (role.rolsuper or role.may) then
    errors.raise("permission", "E_TARGET_PRIVILEGE", ("role %s needs CREATEDB and CREATEROLE on cluster %s")
      :format(role.rolname, target.cluster))
  end
end

--- The servers and the programs here must fit: better said now than after the doors are shut.
local function check_servers(config, source, target)
  local dsn, password = tenant.dsn(config, source.cluster, source.database_name)
  backup.probe { source = dsn, password = password }
  local from <close> = tenant.open(config, source, true)
  local to <close> = tenant.admin(config, target.cluster)
  local function major(conn) return tonumber(conn:value("SHOW server_version_num")) // 10000 end
  local a, b = major(from), major(to)
  if b < a then
    refuse("E_SERVER_TOO_OLD", "cluster %s runs PostgreSQL %d, older than the %d of %s: it may not "
      .. "understand the copy; upgrade it", target.cluster, b, a, source.ctx)
  end
end

--- The stores of files must let us in: a wrong key would else be found out with the doors shut.
local function check_stores(config, source, target)
  for _, kind in ipairs { "templates", "attachments" } do
    for _, customer in ipairs { source, target } do
      local store = tenant.files(config, kind, customer)
      local ok, e = pcall(store.stat, store, "cloner")
      if not ok then
        error(errors.wrap(e, ("blobs.%s.%s of the configuration"):format(kind, customer.cluster)), 0)
      end
    end
  end
end

--- What mask.lua says must fit the source.
local function check_policy(config, params, source, strategy)
  local of = copy.policy(config, params, M.users(config, params))
  local from <close> = tenant.open(config, source, true)
  policy.check(of, from)
  if strategy == "golden" then
    policy.check_image(policy.of_image(params.mail_domain, params.source, params.target), of)
  end
  return of
end

--- Raises when the clone must not start; writes nothing.
function M.preflight(ctx)
  local config, params = ctx.config, ctx.params
  if params.source == params.target then
    refuse("E_SAME_TENANT", "source and target are both %s", params.source)
  end
  if not params.confirm then
    refuse("E_NOT_CONFIRMED", "confirm=yes says that %s may be overwritten", params.target)
  end
  local source = registry.customer(config, params.source)
  local target = registry.customer(config, params.target)
  check_tenants(source, target)
  M.prove_apart(config, source, target)
  check_servers(config, source, target)
  check_privileges(config, source, target)
  check_stores(config, source, target)
  attachments.check(params.attachments)
  local package = licence.package(config, target.licence_package or target.serial_no)
  if package.company_name ~= M.owner_name(source) then
    refuse("E_LICENCE_OWNER", "the licence package of %s is made out to '%s', the copy will belong to '%s'",
      target.ctx, package.company_name, M.owner_name(source))
  end
  local of = check_policy(config, params, source, copy.choose(config, params).strategy)
  for _, warning in ipairs(M.mail_warnings(of)) do log.warn(warning) end
end

--- What to know about the domain that a policy lets masked addresses point at.
---@return string[]
function M.mail_warnings(of)
  if of.rules:describe().sink_domain:lower() ~= "mailinator.com" then return {} end
  return { 'anyone can read an inbox of mailinator.com: mail_domain=test.invalid, or a domain of your own, keeps '
    .. 'test mail private, and so does mode "invalid" in mask.lua; with mode "hash" nobody guesses an inbox' }
end

-- Who may sign in --------------------------------------------------------------------------------

local function same(a, b) return a and b and a:lower() == b:lower() end

--- The source's users among those named; those of the target's SuperId users when none is named.
local function chosen(config, params)
  local source = registry.customer(config, params.source)
  local from <close> = tenant.open(config, source, true)
  local known = from:query([[SELECT associate_id, name, username FROM crm7.associate
    WHERE deleted = 0 AND type = 0 AND username LIKE '%_@_%' ORDER BY associate_id]])
  local named, strict = params.users, true
  if #named == 0 then
    named, strict = {}, false
    for i, user in ipairs(superid.users(config, params.target)) do named[i] = user.upn end
  end
  local users, taken = {}, {}
  for _, name in ipairs(named) do
    local found
    for _, user in ipairs(known) do
      if same(user.name, name) or same(user.username, name) then found = user break end
    end
    if not found and strict then
      refuse("E_UNKNOWN_USER", "%s has no user '%s' who could sign in", params.source, name)
    end
    if found and not taken[found.name] then
      taken[found.name] = true
      users[#users + 1] = { associate_id = found.associate_id, associate = found.name,
        sign_in = found.username }
    end
  end
  return users
end

--- The chosen users with their plans, checked against the target's licence package.
---@return table[] {associate_id, associate, sign_in, plan, licences = {…}}
function M.users(config, params)
  local target = registry.customer(config, params.target)
  local package = licence.package(config, target.licence_package or target.serial_no)
  local plans, names = licence.plans(package)
  local users, used = chosen(config, params), {}
  if #params.plans > 1 and #params.plans ~= #users then
    refuse("E_PLANS", "%d plans for %d users: give one for all, or one each", #params.plans, #users)
  end
  for i, user in ipairs(users) do
    user.plan = #params.plans > 1 and params.plans[i] or params.plans[1] or names[1]
    local plan = plans[user.plan or ""]
    if not plan then
      refuse("E_UNKNOWN_PLAN", "the licence package of %s has no user plan '%s'%s", target.ctx,
        tostring(user.plan), #names > 0 and ": it has " .. table.concat(names, ", ") or "")
    end
    used[user.plan] = (used[user.plan] or 0) + 1
    if used[user.plan] > plan.number and not plan.unrestricted then
      refuse("E_OVER_ASSIGNED", "more users than the %d '%s' of the licence package of %s: name fewer in users=",
        plan.number, user.plan, target.ctx)
    end
    user.licences = { user.plan, table.unpack(plan.licences) }
  end
  return users
end

-- What a plan can say beforehand -------------------------------------------------------------------

local COPY_TOUCHES = {
  golden = "a masked image of every table on the target's cluster, before anything goes offline",
  archive = "an archive of every table", stream = "nothing yet",
  template = "the files of the source, copied on its cluster",
}

--- Rows and bytes of the source by its statistics.
function M.size_of_source(ctx, touches)
  local source = registry.customer(ctx.config, ctx.params.source)
  local from <close> = tenant.open(ctx.config, source, true)
  local size = from:row([[SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS rows,
    coalesce(sum(pg_table_size(c.oid)), 0)::bigint AS bytes FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema']])
  return { touches = touches, rows = size.rows, bytes = size.bytes, warnings = {} }
end

--- How the data will travel, and why so.
function M.plan_of_copy(ctx)
  local way = copy.choose(ctx.config, ctx.params)
  local plan = M.size_of_source(ctx, ("strategy %s: %s"):format(way.strategy, COPY_TOUCHES[way.strategy]))
  plan.warnings[1] = way.why ~= "asked for" and ("strategy %s: %s"):format(way.strategy, way.why) or nil
  return plan
end

--- What is left for step 5: nothing that grows with the source where step 1 has made the copy.
function M.plan_of_restore(ctx)
  local way = copy.choose(ctx.config, ctx.params).strategy
  if way == "golden" or way == "template" then
    return { touches = "renames the copy that step 1 made", warnings = {} }
  end
  return M.size_of_source(ctx, "writes a database beside the old one")
end

--- What is left for step 9: the same; and what becomes of each column by then.
function M.plan_of_scan(ctx)
  local way = copy.choose(ctx.config, ctx.params).strategy
  local ahead = way == "golden" or way == "template"
  local plan = ahead and { touches = "reads what was written since step 1 scanned the copy" }
    or M.size_of_source(ctx, "reads the finished copy once")
  local from <close> = tenant.open(ctx.config, registry.customer(ctx.config, ctx.params.source), true)
  local of = copy.policy(ctx.config, ctx.params, M.users(ctx.config, ctx.params))
  plan.warnings = M.mail_warnings(of)
  plan.details = preview.lines(preview.columns(from, of), false)
  return plan
end

--- Number and bytes of the source's files.
function M.size_of_files(ctx, kind)
  local source = registry.customer(ctx.config, ctx.params.source)
  local count, bytes = 0, 0
  for _, item in ipairs(tenant.files(ctx.config, kind, source):list()) do
    count, bytes = count + 1, bytes + item.size
  end
  return { touches = ("%s of %d files"):format(kind, count), rows = count, bytes = bytes, warnings = {} }
end

-- What is said at the end -------------------------------------------------------------------------

--- What the certificate found where no mask reaches: in definitions, which came with the schema.
---@return string[]
function M.unmasked(certificate)
  local lines = {}
  for i, one in ipairs(findings.places(certificate.definitions or {})) do
    lines[i] = ("not masked: %d address(es) in the %s"):format(one.count, one.place)
  end
  return lines
end

local function certificate_lines(lines, c)
  lines[#lines + 1] = ("Certificate: %d addresses outside %s in %s (oid %s, system %s)"):format(c.leaks,
    c.rules.sink_domain, c.database.name, c.database.oid, c.database.system_identifier)
  lines[#lines + 1] = ("  scanned %d rows in %d columns of %d tables; rules %s"):format(c.scanned.rows,
    c.scanned.columns, c.scanned.tables, c.rules.hash:sub(1, 12))
  for _, kept in ipairs(c.kept) do
    lines[#lines + 1] = ("  kept on purpose: %d in %s.%s: %s"):format(kept.count, kept.table, kept.column,
      kept.reason)
  end
  for _, gap in ipairs(M.unmasked(c)) do lines[#lines + 1] = "  " .. gap end
end

--- The closing lines of a clone; `run` knows its results.
---@return string[]
function M.summary(run)
  local lines = { "" }
  local made, scan, live = run:result("restore"), run:result("mask_email"), run:result("enter_running")
  if scan and scan.certificate then certificate_lines(lines, scan.certificate) end
  if made and made.masked then
    lines[#lines + 1] = ("Copied %d rows; %d addresses masked, %d of them shortened"):format(made.rows,
      made.masked, made.shortened)
  end
  if live and live.live then
    lines[#lines + 1] = ("%s is live; it was offline for %.1f s of %.1f s in all (strategy %s)"):format(
      run.params.target, live.offline_s or 0, live.total_s or 0, made and made.strategy or "its own")
  else
    lines[#lines + 1] = run.params.target .. " stays in offline maintenance"
  end
  if made and made.previous then
    lines[#lines + 1] = ("The old environment is kept as %s: `cloner undo %s` brings it back"):format(
      made.previous, run.id)
  end
  return lines
end

return M
