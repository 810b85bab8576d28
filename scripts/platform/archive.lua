-- archive: which verified backups exist, who needs them, and which have had their time.
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local M = {}

--- Records a verified archive of a tenant.
---@param summary table what backup.create returned
function M.register(config, ctx, folder, summary)
  registry.use(config, function(conn)
    conn:exec([[INSERT INTO registry.archive (folder, ctx, tables, rows, bytes)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (folder) DO NOTHING]],
      folder, ctx, summary.tables, summary.rows, summary.bytes)
  end)
end

--- A run needs this archive until it says release().
function M.hold(config, folder, run_id)
  registry.use(config, function(conn)
    conn:exec([[INSERT INTO registry.archive_use (folder, run_id) VALUES ($1, $2)
      ON CONFLICT DO NOTHING]], folder, run_id)
  end)
end

--- The run needs its archives no longer.
function M.release(config, run_id)
  registry.use(config, function(conn)
    conn:exec("DELETE FROM registry.archive_use WHERE run_id = $1", run_id)
  end)
end

--- Archives of a tenant older than keep_days that no run needs; `except` stays in any case.
---@return string[] folders
function M.expired(config, ctx, keep_days, except)
  return registry.use(config, function(conn)
    local folders = {}
    for i, row in ipairs(conn:query([[SELECT folder FROM registry.archive a
      WHERE ctx = $1 AND created_at < now() - make_interval(days => $2) AND folder <> $3
        AND NOT EXISTS (SELECT FROM registry.archive_use u WHERE u.folder = a.folder)
      ORDER BY created_at]], ctx, keep_days, except)) do
      folders[i] = row.folder
    end
    return folders
  end)
end

--- Deletes an archive's files, half made ones too, then its record.
function M.remove(config, folder)
  tenant.folder(folder):delete_all("")
  tenant.folder(folder .. ".partial"):delete_all("")
  registry.use(config, function(conn)
    conn:exec("DELETE FROM registry.archive WHERE folder = $1", folder)
  end)
end

return M
