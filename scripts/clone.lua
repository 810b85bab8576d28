-- clone: replaces a test environment with a fresh, masked copy of its production tenant.
--
--   cloner scripts/clone.lua source=Cust26759 target=Cust26760
--
-- Read it top to bottom: the parameters, what is refused, then the 24 steps in the order they run.
-- Every step may be run twice. `check` says, after a crash, whether a step had taken effect; `undo`
-- puts back what was there before. SQL on the tenant's database stands in the step it belongs to, or in
-- a module named after what it does; whatever talks to the operator's own services is in platform/, one
-- small file each.
local crypto = require "crypto"
local db = require "db"
local errors = require "errors"
local apps = require "platform.apps"
local licence = require "platform.licence"
local mask = require "mask"
local mail = require "platform.mail"
local recycle = require "platform.recycle"
local registry = require "platform.registry"
local superid = require "platform.superid"
local tenant = require "platform.tenant"
local time = require "time"
local attachments = require "attachments"
local certify = require "certify"
local checks = require "checks"
local copy = require "copy"
local licences = require "licences"
local logins = require "logins"
local opening = require "opening"
local own = require "own"
local partners = require "partners"
local policy = require "policy"
local shared = require "shared"
local stores = require "stores"
local wizard = require "wizard"

local tenants, database_names, progress = shared.tenants, shared.database_names, shared.progress

local STATE = registry.STATE
local TASK_POLL_MS = 250

local P = require("procedure").new {
  name = "clone",
  title = "Clone a production tenant to its test environment",
  params = {
    source = { "tenant", help = "the production tenant; only ever read" },
    target = { "tenant", help = "its test environment; replaced" },
    users = { "list", default = {}, help = "who may sign in, by sign-in name or initials; "
      .. "default: those who can today" },
    plans = { "list", default = {}, help = "one user plan for all, or one per user; "
      .. "default: the first of the licence package" },
    mail_domain = { "string", default = policy.MAIL_DOMAIN, help = "where masked addresses point" },
    strict_definitions = { "boolean", default = false, help = "addresses in views, functions and other "
      .. "definitions stop the run, as those in rows do; default: they are told of" },
    documents = { "choice", "none", "some", "all", default = "none",
      help = "document files; some: those of the chosen users" },
    attachments = { "list", default = { "system" },
      help = "none, all, system, or any of requests, faq, replies, packages" },
    keep_scheduled_tasks = { "boolean", default = false, help = "leave scheduled tasks enabled" },
    enter_running_mode = { "boolean", default = true, help = "go live at the end" },
    strategy = { "choice", "auto", "golden", "archive", "stream", "template", default = "auto",
      help = "how the data travels; auto: golden where the cluster has room, else archive" },
    image_max_age = { "duration", default = 0, help = "golden: an image of at most this age will do; "
      .. "default: a new one" },
    ahead = { "boolean", default = true, help = "golden: do what is large in steps 6, 12 and 22 ahead, while "
      .. "the test environment is online" },
    keep_image = { "boolean", default = false, help = "golden: copy the image's files and keep it for others" },
    backup = { "boolean", default = false, help = "wait for a backup where the strategy needs none, too" },
    check = { "boolean", default = true, help = "read the source through the mask first, and refuse what a copy "
      .. "would stumble over" },
    confirm = { "boolean", default = true, help = "the target may be overwritten" },
  },
  target_key = function(params) return params.target end,
  preflight = function(ctx)
    wizard.preflight(ctx)
    checks.preflight(ctx)
  end,
  summary = wizard.summary,
}

-- Phase 1: a verified backup of production, the test environment offline --------------------------

-- 1
P:step { "wait_backup", title = "Wait for saga 'Backup Source Customer' to complete",
  timeout = "24h",
  run = function(run)
    local began_ms = run:once("began_ms", function() return time.now() end)
    local users = run:once("users", function() return wizard.users(run.config, run.params) end)
    local _, target = tenants(run)
    local made = copy.prepare(run, { target = target, name = database_names(run, target).new, users = users,
      policy = copy.policy(run.config, run.params, users), progress = progress(run, "bytes") })
    if made.copy and run.params.ahead then
      local conn <close> = tenant.connect(run.config, target.cluster, database_names(run, target).new)
      attachments.look_ahead(run, conn, users)
    end
    made.users, made.began_ms = users, began_ms
    return made
  end,
  undo = function(run)
    local _, target = tenants(run)
    copy.forget(run, target, database_names(run, target).new)
  end,
  plan = wizard.plan_of_copy,
}

--- Waits until the target's customer tasks have ended; returns how many there were.
local function drain(run)
  local seen, count = {}, 0
  while true do
    local tasks = registry.unfinished_tasks(run.config, run.params.target)
    for _, task in ipairs(tasks) do
      if not seen[task.id] then seen[task.id], count = true, count + 1 end
    end
    run:progress { done = count - #tasks, total = count, unit = "tasks" }
    if #tasks == 0 then return count end
    run:sleep(TASK_POLL_MS)
  end
end

-- 2
P:step { "enter_maintenance", title = "Wait for customer tasks, enter offline maintenance mode",
  timeout = "4h",
  run = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    run:once("before", function()
      return { state = target.state, connect = tenant.connect_grants(admin, target.database_name) }
    end)
    local tasks = drain(run)
    registry.update(run.config, target.ctx, { state = STATE.offline_maintenance })
    tenant.revoke_connect(admin, target.database_name)
    return { tasks = tasks, sessions = tenant.close_sessions(admin, target.database_name),
      offline_since_ms = time.now() }
  end,
  undo = function(run)
    local before = run:once_value("before")
    if not before then return end
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    tenant.grant_connect(admin, target.database_name, before.connect)
    registry.update(run.config, target.ctx, { state = before.state })
  end,
}

-- 3
P:step { "wait_tasks", title = "Wait for customer task", timeout = "4h",
  run = function(run) return { tasks = drain(run) } end,
}

-- 4
P:step { "connect_clusters", title = "Connect customer to old clusters",
  run = function(run)
    local source, target = tenants(run)
    run:once("before", function() return registry.binding(run.config, target.ctx) or {} end)
    local identity = wizard.prove_apart(run.config, source, target)
    registry.bind(run.config, target.ctx, { database_cluster = target.cluster,
      file_cluster = target.cluster, system_identifier = identity.system_identifier,
      database_oid = identity.database_oid })
    return { cluster = target.cluster, database = target.database_name }
  end,
  undo = function(run)
    local before = run:once_value("before")
    if not before then return end
    registry.bind(run.config, run.params.target, before.database_cluster and before or nil)
  end,
}

-- Phase 2: the copy, masked on its way, beside the old database and then in its place --------------

--- The result of step 5 once the copy has taken the old database's place; nil before that.
local function swapped(run, admin, target)
  local names, made = database_names(run, target), run:once_value("copy")
  local identity = tenant.identity(admin, names.live)
  if not made or not identity or identity.database_oid ~= made.new_oid then return nil end
  registry.bind(run.config, target.ctx, { database_cluster = target.cluster, file_cluster = target.cluster,
    system_identifier = identity.system_identifier, database_oid = identity.database_oid })
  made.database, made.previous = names.live, names.previous
  return made
end

-- 5
P:step { "restore", title = "Restore backup from ${source}", timeout = "12h",
  run = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    local names = database_names(run, target)
    run:once("old_oid", function() return tenant.database_oid(admin, names.live) end)
    run:once("copy", function()
      return copy.aside(run, admin, target, names.new, shared.mask_rules(run), progress(run, "bytes"))
    end)
    if not swapped(run, admin, target) then
      tenant.rename_databases(admin, { { names.live, names.previous }, { names.new, names.live } })
    end
    return swapped(run, admin, target)
  end,
  check = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    return swapped(run, admin, target)
  end,
  undo = function(run)
    local old_oid = run:once_value("old_oid")
    if not old_oid then return end
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    local names = database_names(run, target)
    if swapped(run, admin, target) then
      tenant.rename_databases(admin, { { names.live, names.new }, { names.previous, names.live } })
    elseif tenant.database_oid(admin, names.live) ~= old_oid then
      errors.raise("conflict", "E_REPLACED", names.live .. " was replaced by a later run")
    end
    tenant.drop_database(admin, names.new)
  end,
  plan = wizard.plan_of_restore,
}

-- Phase 3: the copy becomes the target's own ------------------------------------------------------

-- 6
P:step { "copy_customer_info", title = "Copy customer info",
  run = function(run)
    local source, target = tenants(run)
    local was = own.configuration(run.config, target, run:result("restore").previous)
    local unique_id = run:once("unique_id", function()
      return was.unique_id or crypto.hex(crypto.random(16))
    end)
    local conn <close> = tenant.open(run.config, target)
    local done, done_ahead = copy.done_ahead(run, conn)
    return run:transaction(conn, function()
      own.configure(conn, target, was, unique_id)
      local count = own.clean(conn, source, target, done)
      for what, n in pairs(done_ahead) do count[what] = count[what] + n end
      return count
    end)
  end,
}

-- 7
P:step { "create_login", title = "Create SQL login",
  run = function(run)
    local _, target = tenants(run)
    local roles = tenant.roles(target.ctx)
    local admin <close> = tenant.admin(run.config, target.cluster)
    for kind, name in pairs(roles) do
      run:once("known_" .. kind, function() return admin:value("SELECT to_regrole($1)::oid", name) ~= nil end)
      local password = tenant.new_password(run.config, admin, name, shared.short_id(run))
      logins.set_role(admin, name, tenant.scram_verifier(password))
    end
    local conn <close> = tenant.open(run.config, target)
    conn:transaction(function() logins.hand_over(conn, roles, shared.mask_rules(run):empty()) end)
    admin:exec(("ALTER DATABASE %s OWNER TO %s"):format(db.ident(target.database_name), db.ident(roles.app)))
    tenant.revoke_connect(admin, target.database_name)
    return { app = roles.app, query = roles.query }
  end,
  undo = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    for kind, name in pairs(tenant.roles(target.ctx)) do
      local verifier = tenant.old_verifier(run.config, name, shared.short_id(run))
      local known = run:once_value("known_" .. kind)
      if known and verifier then
        logins.set_role(admin, name, verifier)
      elseif known == false and admin:value("SELECT to_regrole($1)::oid", name) then
        local conn <close> = tenant.open(run.config, target)
        tenant.drop_role(conn, name)
      end
      tenant.restore_password(run.config, name, shared.short_id(run))
    end
  end,
}

-- 8
P:step { "fix_system_users", title = "Fix system users",
  run = function(run)
    local _, target = tenants(run)
    local conn <close> = tenant.open(run.config, target)
    return run:transaction(conn, function()
      -- Sessions and outside credentials were never copied; what a tenant's own step brought goes.
      for _, name in ipairs { "credentials", "login", "login_customer", "user_candidate", "service_auth" } do
        conn:exec("DELETE FROM crm7." .. name)
      end
      local passwords = conn:exec("UPDATE crm7.ejuser SET password = NULL WHERE password IS NOT NULL")
      conn:exec("UPDATE crm7.associate SET lastlogin = NULL, lastlogout = NULL, waiting_for_approval = false")
      -- Partners' system users were authorised on the source; the target's come in step 20.
      local removed = conn:exec([[UPDATE crm7.associate SET deleted = 1 WHERE type = 13 AND deleted = 0
        AND name IN (SELECT 'app-' || clientid FROM crm7.onlineapp)]])
      -- The platform's own system user, and the Service user behind it.
      conn:exec([[INSERT INTO crm7.ejuser (id, loginname, username, status) VALUES (1, 'system', 'system', 1)
        ON CONFLICT (id) DO UPDATE SET status = 1]])
      local system = conn:exec([[INSERT INTO crm7.associate (name, type, ejuserid) VALUES ('SYSTEM', 13, 1)
        ON CONFLICT (name) DO UPDATE SET type = 13, deleted = 0, ejuserid = 1, username = NULL]])
      return { passwords_cleared = passwords, partner_users_removed = removed, system_users = system }
    end)
  end,
}

-- 9
P:step { "mask_email", title = "Replace personal e-mail domains", timeout = "12h",
  run = function(run)
    local _, target = tenants(run)
    local dsn, password = tenant.dsn(run.config, target.cluster, target.database_name)
    local conn <close> = tenant.open(run.config, target)
    local horizon = certify.now(conn)
    local identity, made = tenant.identity(conn, target.database_name), run:result("restore")
    local found = certify.certificate { conn = conn, dsn = dsn, password = password, identity = identity,
      rules = shared.mask_rules(run), base = copy.certified(run), progress = progress(run, "bytes") }
    local certificate, key = found.certificate, run.config.certificate_key
    if run.params.strict_definitions then certificate = certify.strict(certificate) end
    certify.refuse_leaks(certificate, target.database_name, "are left in")
    for _, gap in ipairs(wizard.unmasked(certificate)) do run:warn(gap) end
    if run:result("wait_backup").copy and found.full then run:log("the whole database was scanned: " .. found.full) end
    return { certificate = key and mask.sign(certificate, key) or certificate, horizon = horizon, mark = found.mark,
      database_oid = identity.database_oid, system_identifier = identity.system_identifier,
      masked = made.masked }
  end,
  plan = wizard.plan_of_scan,
}

-- Phase 4: the services around it -----------------------------------------------------------------

-- 10
P:step { "register_superid", title = "Register customer in SuperId",
  run = function(run)
    local source, target = tenants(run)
    local before = run:once("before", function() return superid.tenant(run.config, target.ctx) or {} end)
    superid.register(run.config, target.ctx, { company = wizard.owner_name(source),
      serial = target.serial_no, state = before.state or "Normal", test_of = source.ctx })
    return { ctx = target.ctx, company = wizard.owner_name(source), serial = target.serial_no }
  end,
  undo = function(run)
    local before = run:once_value("before")
    if not before then return end
    if before.ctx then
      superid.register(run.config, run.params.target, before)
    else
      superid.forget(run.config, run.params.target)
    end
  end,
}

-- 11
P:step { "clone_templates", title = "Clone Azure templates", timeout = "6h",
  run = function(run)
    local _, target = tenants(run)
    local result, files = stores.replace(run, "templates")
    local conn <close> = tenant.open(run.config, target)
    result.missing = {}
    for _, row in ipairs(conn:query([[SELECT name, filename FROM crm7.doctmpl
      WHERE deleted = 0 AND loadtemplatefromplugin = 0 AND filename IS NOT NULL ORDER BY name]])) do
      if not files[row.filename] then result.missing[#result.missing + 1] = row.filename end
    end
    for _, name in ipairs(result.missing) do run:warn("template file missing, in the source too: " .. name) end
    return result
  end,
  undo = function(run) stores.restore(run, "templates") end,
  plan = function(ctx) return wizard.size_of_files(ctx, "templates") end,
}

-- 12
P:step { "provision_mail", title = "Provision mail service",
  run = function(run)
    local _, target = tenants(run)
    local address, domain = mail.test_mailbox(run.config, run.params.target)
    run:once("before", function() return mail.routes(run.config, target.ctx) end)
    local conn <close> = tenant.open(run.config, target)
    local result = run:transaction(conn, function()
      for _, name in ipairs { "mail_alias", "mail_in_uidl", "inbox", "ms_filter_mail", "ms_trashbin" } do
        conn:exec("DELETE FROM crm7." .. name)
      end
      conn:exec("UPDATE crm7.ticket SET filter_id = NULL, filter_address = NULL WHERE filter_id IS NOT NULL")
      local removed = conn:exec("DELETE FROM crm7.mail_in_filter")
      conn:exec([[INSERT INTO crm7.mail_in_filter (server_type, domain, address, status, category_id, priority)
        VALUES (8, $1, $2, 1, (SELECT min(id) FROM crm7.ej_category), (SELECT min(id) FROM crm7.ticket_priority))]],
        domain, address)
      conn:exec("UPDATE crm7.config SET default_mail = $1", address)
      return { mailboxes_removed = removed, mailbox = address }
    end)
    local routes = mail.set_routes(run.config, target.ctx, { address })
    result.routes_added, result.routes_removed = routes.added, routes.removed
    return result
  end,
  undo = function(run)
    local before = run:once_value("before")
    if before then mail.set_routes(run.config, run.params.target, before) end
  end,
}

-- 13
P:step { "disable_tasks", title = "Disable scheduled tasks",
  run = function(run)
    if run.params.keep_scheduled_tasks then return { disabled = 0, kept = true } end
    local _, target = tenants(run)
    local conn <close> = tenant.open(run.config, target)
    return run:transaction(conn, function()
      return { disabled = conn:exec([[UPDATE crm7.schedule SET disabled = true, asap = false,
        lock_pid = NULL, lock_expire = NULL WHERE NOT disabled OR asap]]) }
    end)
  end,
}

-- 14
P:step { "recycle", title = "Recycle customer",
  run = function(run)
    local _, target = tenants(run)
    local conn <close> = tenant.open(run.config, target)
    local result = run:transaction(conn, function()
      return { caches = conn:exec([[UPDATE crm7.cacheinvalidation SET generation = generation + 1,
        lastchange = localtimestamp]]) }
    end)
    recycle.recycle(run.config, target.ctx, run:idempotency_key())
    return result
  end,
}

-- Phase 5: owner, licence and users ---------------------------------------------------------------

-- 15
P:step { "change_serial", title = "Change serial number",
  run = function(run)
    local source, target = tenants(run)
    local owner, serial = wizard.owner_name(source), target.serial_no
    local package = licence.package(run.config, target.licence_package or serial)
    local conn <close> = tenant.open(run.config, target)
    return run:transaction(conn, function()
      local unassigned = licences.exchange(conn, owner, serial, package)
      return { owner = owner, serial = serial, modules = #package.modules, unassigned = unassigned }
    end)
  end,
}

-- 16
P:step { "superid_migrating", title = "SuperId state: In migration",
  run = function(run)
    local target = run.params.target
    run:once("before", function() return superid.tenant(run.config, target) end)
    return { state = superid.set_state(run.config, target, "InMigration", run:idempotency_key()).state }
  end,
  undo = function(run)
    local before = run:once_value("before")
    if before then
      superid.set_state(run.config, run.params.target, before.state, run:idempotency_key("undo"))
    end
  end,
}

-- 17
P:step { "assign_plans", title = "Assign user plans",
  run = function(run)
    local _, target = tenants(run)
    local users = run:result("wait_backup").users
    local conn <close> = tenant.open(run.config, target)
    return run:transaction(conn, function()
      return { users = #users, licences = licences.assign(conn, target.serial_no, users) }
    end)
  end,
}

-- 18
P:step { "sync_superid", title = "Sync SuperId users",
  run = function(run)
    local _, target = tenants(run)
    run:once("before", function() return superid.users(run.config, target.ctx) end)
    local conn <close> = tenant.open(run.config, target)
    local wanted = conn:query([[
      SELECT DISTINCT a.username AS upn, a.associate_id, a.name AS display_name, true AS active
      FROM crm7.associate a JOIN crm7.licenseassoclink l ON l.associd = a.associate_id
        JOIN crm7.modulelicense m ON m.modulelicense_id = l.modulelicenseid AND m.extraflags = 1
      WHERE a.deleted = 0 AND a.username IS NOT NULL ORDER BY 1]])
    return superid.sync_users(run.config, target.ctx, wanted)
  end,
  undo = function(run)
    local before = run:once_value("before")
    if before then superid.sync_users(run.config, run.params.target, before) end
  end,
}

-- 19
P:step { "superid_normal", title = "SuperId state: Normal",
  run = function(run)
    return { state = superid.set_state(run.config, run.params.target, "Normal", run:idempotency_key()).state }
  end,
}

-- Phase 6: partners, files, and the doors open -----------------------------------------------------

-- 20
P:step { "partner_users", title = "Create partner system users",
  run = function(run)
    local _, target = tenants(run)
    local authorised = registry.authorised_apps(run.config, target.ctx)
    local conn <close> = tenant.open(run.config, target)
    return run:transaction(conn, function()
      return { apps = #authorised, system_users = partners.admit(conn, authorised) }
    end)
  end,
}

-- 21
P:step { "update_company", title = "Update company info",
  run = function(run)
    local _, target = tenants(run)
    run:once("before", function()
      return { company_name = target.company_name, serial_no = target.serial_no, version = target.version }
    end)
    local conn <close> = tenant.open(run.config, target)
    local now = conn:row("SELECT ownercontactname, serialno, version FROM crm7.company")
    local values = { company_name = now.ownercontactname, serial_no = now.serialno, version = now.version }
    registry.update(run.config, target.ctx, values)
    return values
  end,
  undo = function(run)
    local before = run:once_value("before")
    if before then registry.update(run.config, run.params.target, before) end
  end,
}

-- 22
P:step { "clone_attachments", title = "Clone SoArc attachments", timeout = "12h",
  run = function(run)
    local _, target = tenants(run)
    local conn <close> = tenant.open(run.config, target)
    return (stores.replace(run, "attachments", attachments.filter(run, conn, run:result("wait_backup").users)))
  end,
  undo = function(run) stores.restore(run, "attachments") end,
  plan = function(ctx) return wizard.size_of_files(ctx, "attachments") end,
}

-- 23
P:step { "notify_apps", title = "Notify apps: BackupRestored", timeout = "1h",
  run = function(run)
    local _, target = tenants(run)
    local receipts = {}
    for _, app in ipairs(registry.authorised_apps(run.config, target.ctx)) do
      if app.state_change_url then
        receipts[#receipts + 1] = run:once(app.client_id, function()
          return apps.notify(run.config, app, target, apps.CHANGE.backup_restored,
            run:idempotency_key(app.client_id))
        end)
      end
    end
    return { receipts = receipts }
  end,
}

-- 24
P:step { "enter_running", title = "Enter running mode", timeout = "12h",
  run = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    local roles = tenant.roles(target.ctx)
    -- After a crash behind open doors the users' own words stand there: those are not for us to judge.
    local rescanned = run:once_value("rescanned")
    if not (rescanned and tenant.may_connect(admin, target.database_name, roles.app)) then
      rescanned = opening.check_again(run, target)
      run:once("rescanned", function() return rescanned end)
    end
    copy.release(run)
    if not run.params.enter_running_mode then
      return { state = target.state, rescanned = rescanned, live = false }
    end
    tenant.grant_connect(admin, target.database_name, { roles.app, roles.query })
    registry.update(run.config, target.ctx, { state = STATE.running })
    local since_ms = (run:result("enter_maintenance") or {}).offline_since_ms
    local offline_s = since_ms and (time.now() - since_ms) / 1000
    local began_ms = run:result("wait_backup").began_ms
    return { state = STATE.running, rescanned = rescanned, live = true, offline_s = offline_s,
      total_s = began_ms and (time.now() - began_ms) / 1000, dropped = opening.drop_older(run, admin, target) }
  end,
  undo = function(run)
    local _, target = tenants(run)
    local admin <close> = tenant.admin(run.config, target.cluster)
    -- The first step to be undone: with nothing to go back to, nothing is undone.
    local previous = run:result("restore").previous
    if previous and not tenant.database_oid(admin, previous) then
      errors.raise("conflict", "E_PREVIOUS_GONE", previous .. " is gone: a later run has dropped it")
    end
    registry.update(run.config, target.ctx, { state = STATE.offline_maintenance })
    tenant.revoke_connect(admin, target.database_name)
    tenant.close_sessions(admin, target.database_name)
  end,
}

return P
