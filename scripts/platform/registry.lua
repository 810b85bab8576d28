-- registry: the operator's control plane, here the database of scripts/demo/registry.sql.
--
-- Another platform answers the same questions from somewhere else: replace this file.
local connect = require "platform.connect"
local errors = require "errors"

local M = {}

--- Tenant states; 7 and 9 are not published.
M.STATE = { running = 2, online_maintenance = 5, offline_maintenance = 6 }

--- A connection to the registry; close it with <close>.
---@param config table the run's configuration
function M.connect(config)
  return connect("registry", { dsn = config.registry.dsn, password = config.registry.password,
    application = "cloner registry" })
end

--- Calls fn with a connection of its own and returns what fn returns.
function M.use(config, fn)
  local conn <close> = M.connect(config)
  return fn(conn)
end

--- The tenant's row, or an error of class not_found.
---@return table the columns selected here
function M.customer(config, ctx)
  return M.use(config, function(conn)
    local row = conn:row([[SELECT t.ctx, t.company_name, t.serial_no, t.state, t.endpoint, t.version,
        t.file_version, t.cluster, t.database_name, t.is_test_of, t.licence_package, c.isolated
      FROM registry.customer t JOIN registry.cluster c ON c.name = t.cluster WHERE t.ctx = $1]], ctx)
    if not row then
      errors.raise("invalid", "E_UNKNOWN_TENANT", "the registry knows no tenant " .. ctx)
    end
    return row
  end)
end

--- Sets what is given of {state, company_name, serial_no, version, licence_package}.
function M.update(config, ctx, values)
  return M.use(config, function(conn)
    return conn:exec([[UPDATE registry.customer SET state = coalesce($2, state),
        company_name = coalesce($3, company_name), serial_no = coalesce($4, serial_no),
        version = coalesce($5, version), updated_at = clock_timestamp()
      WHERE ctx = $1]], ctx, values.state, values.company_name, values.serial_no, values.version)
  end)
end

--- The tenant's jobs that have not ended: {id, kind, state}.
function M.unfinished_tasks(config, ctx)
  return M.use(config, function(conn)
    return conn:query([[SELECT id, kind, state FROM registry.customer_task
      WHERE ctx = $1 AND state IN ('queued', 'running') ORDER BY id]], ctx)
  end)
end

--- Which database and files the tenant is connected to, or nil.
function M.binding(config, ctx)
  return M.use(config, function(conn)
    return conn:row([[SELECT database_cluster, file_cluster, system_identifier, database_oid
      FROM registry.binding WHERE ctx = $1]], ctx)
  end)
end

--- Connects the tenant to a database and files; nil disconnects it.
---@param binding table|nil {database_cluster, file_cluster, system_identifier, database_oid}
function M.bind(config, ctx, binding)
  return M.use(config, function(conn)
    if not binding then return conn:exec("DELETE FROM registry.binding WHERE ctx = $1", ctx) end
    return conn:exec([[
      INSERT INTO registry.binding (ctx, database_cluster, file_cluster, system_identifier, database_oid)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (ctx) DO UPDATE SET database_cluster = excluded.database_cluster,
        file_cluster = excluded.file_cluster, system_identifier = excluded.system_identifier,
        database_oid = excluded.database_oid, bound_at = clock_timestamp()]],
      ctx, binding.database_cluster, binding.file_cluster, binding.system_identifier,
      binding.database_oid)
  end)
end

--- The apps this tenant has authorised, as consented on this very tenant.
---@return table[] {client_id, name, partner_name, state_change_url, wants_system_user, system_token}
function M.authorised_apps(config, ctx)
  return M.use(config, function(conn)
    return conn:query([[SELECT a.client_id, a.name, a.partner_name, a.state_change_url,
        a.wants_system_user, z.system_token
      FROM registry.app a JOIN registry.app_authorization z USING (client_id)
      WHERE z.ctx = $1 AND z.revoked_at IS NULL AND a.approved ORDER BY a.client_id]], ctx)
  end)
end

return M
