-- backup: the saga "Backup Source Customer". Makes a verified archive of a tenant's database.
--
--   cloner scripts/backup.lua source=Cust26759
--
-- Clones start it, or join the one that is under way: a tenant is backed up once at a time. Nothing is
-- masked; but columns that mask.lua has methods for are written so that these can be applied when the archive
-- is restored. Where a file tenants/CTX.mask.lua has others, the archive is for that `target`.
local backup = require "backup"
local errors = require "errors"
local copy = require "copy"
local policy = require "policy"
local archive = require "platform.archive"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local P = require("procedure").new {
  name = "backup",
  title = "Backup Source Customer",
  params = {
    source = { "tenant", help = "the tenant to back up; only read" },
    target = { "tenant", optional = true,
      help = "the test environment the archive is for; default: any of the source" },
    keep_days = { "integer", optional = true, min = 1, max = 3650,
      help = "older archives are deleted, unless a run still needs them; default: the configuration's" },
  },
  target_key = function(params) return copy.archive_key(params.source, params.target) end,
  customise = "source",
  preflight = function(ctx) registry.customer(ctx.config, ctx.params.source) end,
}

local function folder(run)
  return ("%s/%s-%s"):format(run.config.archive.folder, run.params.source, run.id)
end

P:step { "check", title = "Check that ${source} can be backed up",
  run = function(run)
    local source = registry.customer(run.config, run.params.source)
    if source.state ~= registry.STATE.running and source.state ~= registry.STATE.online_maintenance
      and source.state ~= registry.STATE.offline_maintenance then
      errors.raise("invalid", "E_SOURCE_STATE", ("%s is in state %d"):format(source.ctx, source.state))
    end
    local conn <close> = tenant.open(run.config, source, true)
    return conn:row([[SELECT current_database() AS database, current_setting('server_version') AS server,
      pg_database_size(current_database()) AS bytes]])
  end,
}

local function verified(run)
  local ok, summary = pcall(backup.verify, { archive = folder(run) })
  return ok and summary or nil
end

P:step { "create", title = "Write the archive", timeout = "12h",
  run = function(run)
    local source = registry.customer(run.config, run.params.source)
    local dsn, password = tenant.dsn(run.config, source.cluster, source.database_name)
    local made = backup.create(tenant.spare(run.config, source.cluster, { source = dsn, password = password,
      to = folder(run), restored_with = policy.of_archive(run.params.source, run.params.target),
      resume = run.id, progress = function(p) run:progress(p) end }))
    for _, warning in ipairs(made.warnings) do run:warn(warning) end
    return { archive = folder(run), tables = made.tables, rows = made.rows, bytes = made.bytes,
      seconds = made.seconds, snapshot = made.snapshot, resumed_parts = made.resumed_parts }
  end,
  check = function(run)
    local made = verified(run)
    return made and { archive = folder(run), tables = made.tables, rows = made.rows, bytes = made.bytes }
  end,
  undo = function(run)
    backup.forget { key = run.id }
    archive.remove(run.config, folder(run))
  end,
}

P:step { "verify", title = "Verify every file of it", timeout = "6h",
  run = function(run)
    local summary = backup.verify { archive = folder(run) }
    return { archive = folder(run), tables = summary.tables, rows = summary.rows, bytes = summary.bytes }
  end,
}

P:step { "expire", title = "Delete archives that had their time",
  run = function(run)
    local days = run.params.keep_days or run.config.archive.keep_days or 7
    local gone = archive.expired(run.config, run.params.source, days, folder(run))
    for _, old in ipairs(gone) do archive.remove(run.config, old) end
    return { deleted = gone }
  end,
}

P:step { "register", title = "Register the archive",
  run = function(run)
    local made = run:result("create")
    archive.register(run.config, run.params.source, made.archive, made)
    return made
  end,
}

return P
