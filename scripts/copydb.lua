-- copydb: copies one database into an existing, empty one, and proves the copy.
--
--   cloner scripts/copydb.lua source=DSN target=DSN [tenant=Cust26760 [users=U,U]] [mail_domain=D] [mask=no]
--     [jobs=N] [resume=NAME]
--
-- The copy is what mask.lua says: every e-mail address is rewritten into mail_domain on its way, and so on;
-- with mask=no rows pass as they are. Nothing is journalled: when it fails, drop the target and start
-- again; or give the copy a name with resume=NAME, and the same command goes on with what a killed one left.
local backup = require "backup"
local db = require "db"
local errors = require "errors"
local findings = require "findings"
local tool = require "tool"

local function limit(value)
  return value > 0 and value or nil
end

--- What the copy's rows are made by, and the tables that stay empty; nil: rows pass as they are.
local function rules(run)
  if not run.params.mask then return nil end
  local conn <close> = db.connect { dsn = run.params.source, application = "cloner copydb", readonly = true }
  local of = tool.policy_for(run.params, function() return run.config end, conn)
  return of.rules, of.rules:empty()
end

local P = require("procedure").new {
  name = "copydb",
  title = "Copy a database",
  durable = false,
  params = {
    source = { "dsn", help = "the database to copy; only read" },
    target = { "dsn", help = "an existing database without tables" },
    jobs = { "integer", default = 2, min = 1, max = 64, help = "tables copied at once" },
    leave = { "list", default = {}, help = "what stays behind: owners, privileges, publications, "
      .. "subscriptions, user_mappings, tablespaces, large_objects" },
    tablespaces = { "list", default = {}, help = "what is called otherwise in the target: old=new" },
    max_bytes_per_second = { "integer", default = 0, min = 0, help = "read from the source; 0: no limit" },
    max_replica_lag_ms = { "integer", default = 0, min = 0,
      help = "wait while the source's replicas are further behind; 0: never" },
    warn_xmin_age = { "integer", default = 0, min = 0,
      help = "warn when the snapshot holds back more transactions; 0: never" },
    resume = { "string", default = "", help = "a name for this copy: killed, it goes on when run again" },
    mask = { "boolean", default = true, help = "mask rows as mask.lua says; no: they pass as they are" },
    mail_domain = { "string", optional = true, help = "where masked addresses point; default: as a clone's" },
    tenant = { "tenant", optional = true, help = "as in a copy for this test environment" },
    users = { "list", default = {}, help = "with tenant: who may sign in; default: those who can today" },
    allow = { "list", default = {}, help = "domains whose addresses stay, besides those of mask.lua" },
    check = { "boolean", default = true, help = "read the source through the mask first, and refuse what the "
      .. "copy would stumble over" },
  },
  summary = function(run)
    local copied, compared = run:result("copy"), run:result("compare")
    return ("%d tables, %d rows, %d bytes copied in %.1f s (%d addresses masked), %d tables read back and equal")
      :format(copied.tables, copied.rows, copied.bytes, copied.seconds, copied.masked, compared.tables)
  end,
  preflight = function(ctx)
    local mask, empty = rules(ctx)
    if ctx.params.resume ~= "" then return end -- the target may be half full
    backup.preflight { source = ctx.params.source, target = ctx.params.target,
      max_replica_lag_ms = limit(ctx.params.max_replica_lag_ms) }
    if ctx.params.check and mask then
      findings.refuse("the source", { source = ctx.params.source, mask = mask, exclude_data = empty,
        jobs = ctx.params.jobs,
        max_bytes_per_second = limit(ctx.params.max_bytes_per_second),
        max_replica_lag_ms = limit(ctx.params.max_replica_lag_ms) })
    end
  end,
}

local function tablespaces(run)
  local map = {}
  for _, pair in ipairs(run.params.tablespaces) do
    local from, to = pair:match("^([^=]+)=([^=]+)$")
    if not from then
      errors.raise("invalid", "E_TABLESPACES", ("tablespaces: '%s' is not OLD=NEW"):format(pair))
    end
    map[from] = to
  end
  return map
end

local function progress(run)
  return function(p) run:progress(p) end
end

-- The proof is part of the copying: what passed is added up, so that the source is read only once.
P:step { "copy", title = "Copy schema, rows and indexes, read the copy back", timeout = "48h",
  retry = { attempts = 1 },
  run = function(run)
    local mask, empty = rules(run)
    local done = backup.stream { source = run.params.source, target = run.params.target,
      mask = mask, exclude_data = empty, jobs = run.params.jobs, leave = run.params.leave,
      tablespaces = tablespaces(run), compare = true,
      progress = progress(run), max_bytes_per_second = limit(run.params.max_bytes_per_second),
      max_replica_lag_ms = limit(run.params.max_replica_lag_ms),
      warn_xmin_age = limit(run.params.warn_xmin_age),
      resume = run.params.resume ~= "" and run.params.resume or nil }
    for _, warning in ipairs(done.warnings) do run:warn(warning) end
    return done
  end,
}

P:step { "compare", title = "Compare source and target",
  run = function(run)
    local done = run:result("copy")
    if not done.compared then errors.raise("bug", "E_NOT_COMPARED", "the copy was not read back") end
    return { tables = done.compared, rows = done.rows }
  end,
}

return P
