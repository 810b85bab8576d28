-- image: a golden image, a masked copy of a tenant's database on the cluster of its test environments,
-- proved, and scanned from end to end.
--
--   cloner scripts/image.lua source=Cust26759 cluster=test1
--
-- Clones start it, or join the one that is under way, while their test environment is still online;
-- then they rename the image into place, or copy its files. It holds no address that a test
-- environment may have of its own, so that every one of them may share it: unless mask.lua, or a file
-- tenants/CTX.mask.lua, says something of one of them alone. Such an image is for that `target`.
local backup = require "backup"
local errors = require "errors"
local mask = require "mask"
local certify = require "certify"
local copy = require "copy"
local policy = require "policy"
local images = require "platform.images"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local KEEP_HOURS = 24
local ABANDONED_S = 7 * 24 * 3600 -- what nobody finished in this time, nobody will

local P = require("procedure").new {
  name = "image",
  title = "Make a golden image",
  params = {
    source = { "tenant", help = "the tenant to copy; only read" },
    cluster = { "string", help = "where the image is to lie: a name of the configuration's clusters" },
    mail_domain = { "string", default = policy.MAIL_DOMAIN, help = "where masked addresses point" },
    target = { "tenant", optional = true, help = "the test environment it is for; default: any of the source" },
    keep_hours = { "integer", optional = true, min = 1, max = 24 * 365,
      help = "older images are dropped, unless a run still needs them; default: the configuration's" },
  },
  target_key = function(params)
    return copy.image_key(params.source, params.cluster, params.mail_domain, params.target)
  end,
  customise = "source",
  preflight = function(ctx)
    local source = registry.customer(ctx.config, ctx.params.source)
    copy.check_image_space(ctx.config, source, ctx.params.cluster)
    local from <close> = tenant.open(ctx.config, source, true)
    policy.check(policy.of_image(ctx.params.mail_domain, ctx.params.source, ctx.params.target), from)
  end,
}

--- What mask.lua says of it.
local function policy_of(run)
  return policy.of_image(run.params.mail_domain, run.params.source, run.params.target)
end

--- The image's name on its cluster: no other run's.
local function database_name(run, source)
  return tenant.beside(source.database_name, "image") .. (run.id:gsub("%-", ""):sub(-8))
end

local function progress(run, unit)
  return function(p) run:progress { done = p.done, total = p.total, unit = p.unit or unit } end
end

P:step { "check", title = "Check that ${source} can be copied to ${cluster}",
  run = function(run)
    local source = registry.customer(run.config, run.params.source)
    if not copy.SOURCE_STATES[source.state] then
      errors.raise("invalid", "E_SOURCE_STATE", ("%s is in state %d"):format(source.ctx, source.state))
    end
    copy.check_image_space(run.config, source, run.params.cluster)
    local dsn, password = tenant.dsn(run.config, source.cluster, source.database_name)
    backup.probe { source = dsn, password = password }
    return { database = source.database_name, image = database_name(run, source) }
  end,
}

P:step { "stream", title = "Stream the masked image", timeout = "12h",
  run = function(run)
    local source = registry.customer(run.config, run.params.source)
    local admin <close> = tenant.admin(run.config, run.params.cluster)
    local name, of = database_name(run, source), policy_of(run)
    images.begin(run.config, { saga = run.id, ctx = source.ctx, cluster = run.params.cluster,
      database_name = name, rules = policy.hash(of) })
    local done = copy.stream(run, admin, source, run.params.cluster, name, of.rules, progress(run, "bytes"))
    done.database, done.identity = name, tenant.identity(admin, name)
    return done
  end,
  undo = function(run)
    copy.give_up(run)
    for _, image in ipairs(images.list(run.config, run.params.source)) do
      if image.saga == run.id and not images.drop(run.config, image, run.id) then
        run:log(("image %s stays: a run needs it"):format(image.database_name))
      end
    end
  end,
}

P:step { "scan", title = "Scan every column of it", timeout = "12h",
  run = function(run)
    local made, cluster = run:result("stream"), run.params.cluster
    local conn <close> = tenant.connect(run.config, cluster, made.database)
    -- Before the scan, so that what is written while it reads counts as written since.
    local mark = certify.mark(conn)
    local dsn, password = tenant.dsn(run.config, cluster, made.database)
    local certificate = mask.scan { dsn = dsn, password = password,
      rules = policy_of(run).rules, progress = progress(run, "bytes") }
    certify.refuse_leaks(certificate, made.database, "are left in")
    return { certificate = certificate, mark = mark }
  end,
}

P:step { "expire", title = "Drop images that had their time",
  run = function(run)
    local hours = run.params.keep_hours or (run.config.images or {}).keep_hours or KEEP_HOURS
    local rules, dropped = policy.hash(policy_of(run)), {}
    for _, image in ipairs(images.list(run.config, run.params.source)) do
      -- One saga at a time makes images like ours, so that another's half-made one was given up.
      local given_up = image.state == "making" and image.saga ~= run.id
        and (image.cluster == run.params.cluster and image.rules == rules or image.age_s > ABANDONED_S)
      local old = image.state == "ready" and image.age_s > hours * 3600 or image.taken_by == run.id
      if (given_up or old) and images.drop(run.config, image, given_up and image.saga or run.id, true) then
        dropped[#dropped + 1] = image.database_name
      end
    end
    return { dropped = dropped }
  end,
}

P:step { "register", title = "Register the image",
  run = function(run)
    local made, scanned = run:result("stream"), run:result("scan")
    images.ready(run.config, run.id, { identity = made.identity, tables = made.tables, rows = made.rows,
      bytes = made.bytes, masked = made.masked, shortened = made.shortened,
      certificate = scanned.certificate, mark = scanned.mark })
    return { image = made.database, database_oid = made.identity.database_oid, tables = made.tables,
      rows = made.rows, bytes = made.bytes, masked = made.masked }
  end,
}

return P
