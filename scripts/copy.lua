-- copy: the ways the data travels from production to a test environment, and what each needs.
--
--   golden    a masked image is streamed onto the target's cluster, proved, scanned and made the target's
--             own while the test environment is still online; then it is renamed into place
--   archive   a backup is written and verified, and restored while the test environment is offline
--   stream    rows go straight from the source to the copy while the test environment is offline
--   template  source and target on one cluster: the source's files are copied, what must be masked is
--             rewritten, all while the test environment is still online
local backup = require "backup"
local errors = require "errors"
local mask = require "mask"
local time = require "time"
local archive = require "platform.archive"
local certify = require "certify"
local own = require "own"
local policy = require "policy"
local template = require "template"
local images = require "platform.images"
local mail = require "platform.mail"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local M = {}

-- Running, online maintenance, offline maintenance (an earlier run stopped there).
M.SOURCE_STATES = { [2] = true, [5] = true, [6] = true }

-- What of production's schema stays there: its roles have no business here (step 7 makes the target's),
-- nothing may flow out of the copy, and it may not sign in where production can.
M.LEFT_BEHIND = { "owners", "privileges", "publications", "subscriptions", "user_mappings", "tablespaces" }

local IMAGES_TRIED = 3 -- images that somebody took or dropped before we could hold them
local BUSY_TRIES, BUSY_MS = 20, 500 -- another run looks into the image for a moment
local ROOM = 1.2 -- a copy may be larger than its source: indexes built anew, WAL, what is written later

-- Which strategy -----------------------------------------------------------------------------------

local function size(bytes)
  return bytes < 1e9 and ("%.1f MB"):format(bytes / 1e6) or ("%.1f GB"):format(bytes / 1e9)
end

--- Does the cluster hold another copy of the source? true, false, or nil when nobody can tell; and a
--- sentence on it.
---@param source table the tenant's row of the registry
local function room(config, source, cluster_name)
  local from <close> = tenant.open(config, source, true)
  local bytes = from:value("SELECT pg_database_size(current_database())")
  local admin <close> = tenant.admin(config, cluster_name)
  local space, need = tenant.space(config, admin, cluster_name), math.ceil(bytes * ROOM)
  if not space.capacity then
    return nil, ("whether cluster %s has room for %s more is not checked: clusters.%s.capacity_bytes of "
      .. "the configuration would say how much it holds"):format(cluster_name, size(need), cluster_name)
  elseif not space.used then
    return nil, ("whether cluster %s has room for %s more is not checked: our role may not see the size of "
      .. "every database there (GRANT pg_read_all_stats)"):format(cluster_name, size(need))
  end
  local left = space.capacity - space.used
  return left >= need, ("cluster %s has %s left, an image of %s takes %s"):format(cluster_name, size(left),
    source.ctx, size(need))
end

--- Raises when an image would not fit onto the cluster, as far as anybody knows.
function M.check_image_space(config, source, cluster_name)
  if tenant.is_readonly(config, cluster_name) then
    errors.raise("invalid", "E_TARGET_READONLY", ("the configuration declares cluster %s read-only")
      :format(cluster_name))
  end
  local fits, why = room(config, source, cluster_name)
  if fits == false then errors.raise("invalid", "E_NO_SPACE", why) end
end

--- The strategy a clone will take, and why: golden where the cluster has room, else by an archive, or
--- straight where the configuration has no place for archives.
---@return table {strategy=, why=}
function M.choose(config, params)
  local source, target = registry.customer(config, params.source), registry.customer(config, params.target)
  local wanted = params.strategy
  if wanted == "template" then template.check(config, params) end
  if wanted == "golden" or wanted == "auto" then
    local fits, why = room(config, source, target.cluster)
    if fits ~= false then return { strategy = "golden", why = why } end
    if wanted == "golden" then errors.raise("invalid", "E_NO_SPACE", why) end
    return { strategy = config.archive and "archive" or "stream", why = why }
  end
  return { strategy = wanted, why = "asked for" }
end

-- Masks --------------------------------------------------------------------------------------------

--- What mask.lua says of a clone's copy.
---@param users table[] those whose sign-in names stay what they are
function M.policy(config, params, users)
  local names = {}
  for i, user in ipairs(users) do names[i] = user.sign_in end
  local _, hosted = mail.test_mailbox(config, params.target)
  return policy.read { mail_domain = params.mail_domain, source = params.source, target = params.target,
    hosted = hosted, sign_in_names = names, allow = params.allow }
end

--- What a run that makes an image claims: one is made at a time.
---@param target string|nil of an image that is for one test environment alone
function M.image_key(source, cluster, mail_domain, target)
  return ("image:%s@%s/%s%s"):format(source, cluster, mail_domain, target and "/" .. target or "")
end

--- What a run that writes an archive claims: one is written at a time.
---@param target string|nil of an archive that is for one test environment alone
function M.archive_key(source, target)
  return ("backup:%s%s"):format(source, target and "/" .. target or "")
end

-- Copying ------------------------------------------------------------------------------------------

local function outcome(run, done)
  for _, warning in ipairs(done.warnings) do run:warn(warning) end
  return { tables = done.tables, rows = done.rows, bytes = done.bytes, masked = done.masked,
    shortened = done.shortened, kept = done.kept, seconds = done.seconds,
    resumed_parts = done.resumed_parts }
end

local function stream_into(run, source, cluster_name, name, rules, progress)
  local from, from_password = tenant.dsn(run.config, source.cluster, source.database_name)
  local to, to_password = tenant.dsn(run.config, cluster_name, name)
  return outcome(run, backup.stream(tenant.spare(run.config, source.cluster, { source = from,
    source_password = from_password, target = to, target_password = to_password, mask = rules,
    exclude_data = rules:empty(), leave = M.LEFT_BEHIND, compare = true,
    resume = run.id, progress = progress })))
end

local function restore_into(run, from, cluster_name, name, rules, progress)
  local dsn, password = tenant.dsn(run.config, cluster_name, name)
  return outcome(run, backup.restore { archive = from, target = dsn, password = password, mask = rules,
    exclude_data = rules:empty(), leave = M.LEFT_BEHIND, compare = true, resume = run.id,
    progress = progress })
end

--- Copies a tenant's data into database `name` by `into`, a function: goes on with what a killed attempt
--- has copied there, or makes the database anew where that cannot be.
local function go_on(run, admin, source, name, into)
  if tenant.database_oid(admin, name) then
    tenant.revoke_connect(admin, name)
    local ok, done = pcall(into)
    if ok then return done end
    local code = errors.from(done).code
    if code ~= "E_SNAPSHOT_LOST" and code ~= "E_NOT_EMPTY" then error(done, 0) end
    run:log("the copy that was begun cannot go on, it starts over: " .. errors.from(done).message)
  end
  tenant.create_like(run.config, admin, source, name)
  return into()
end

--- Streams a tenant's database into a new one, masked, and proves it. What a killed attempt has copied is
--- gone on with, while its snapshot of the source lives.
---@return table {tables, rows, bytes, masked, shortened, kept, seconds}
function M.stream(run, admin, source, cluster_name, name, rules, progress)
  return go_on(run, admin, source, name, function()
    return stream_into(run, source, cluster_name, name, rules, progress)
  end)
end

--- A copy that was begun will not go on: its snapshot is given back.
function M.give_up(run) backup.forget { key = run.id } end

-- Step 1: what can be had before the test environment goes offline -----------------------------------

local function wait_backup(run)
  local source = run.params.source
  local _, for_target = policy.of_archive(source, run.params.target)
  local target = for_target and run.params.target or nil
  local saga = run:start("backup.lua", { source = source, target = target },
    { target_key = M.archive_key(source, target) })
  local made = run:join(saga, { progress = true })
  archive.hold(run.config, made.archive, run.id)
  return { saga = saga, archive = made.archive, rows = made.rows, bytes = made.bytes }
end

local function image_attempt(run, n) return ("%s/image/%d"):format(run.id, n) end

--- Is the image what the registry says, with a place for every user who is to sign in? An image may be
--- older than the user.
local function is_usable(run, image, users)
  local admin <close> = tenant.admin(run.config, image.cluster)
  local identity = tenant.identity(admin, image.database_name)
  if not identity or identity.database_oid ~= image.database_oid
    or identity.system_identifier ~= image.system_identifier then
    return false
  end
  local conn <close> = tenant.connect(run.config, image.cluster, image.database_name, true)
  for _, user in ipairs(users) do
    if not conn:value("SELECT associate_id FROM crm7.associate WHERE associate_id = $1 AND deleted = 0",
      user.associate_id) then
      return false
    end
  end
  return true
end

--- An image that is ours to use: one that is there and young enough, or one made now.
---@param of table what mask.lua says of it
local function wait_image(run, users, of)
  local source, target = registry.customer(run.config, run.params.source),
    registry.customer(run.config, run.params.target)
  local domain = run.params.mail_domain
  local image = images.held(run.config, run.id)
  if not image and run.params.image_max_age > 0 then
    image = images.hold_newest(run.config, { ctx = source.ctx, cluster = target.cluster,
      rules = policy.hash(of), max_age_s = run.params.image_max_age / 1000 }, run.id)
    if image then
      run:log(("uses image %s, %.0f minutes old"):format(image.database_name, image.age_s / 60))
    end
  end
  for n = 1, IMAGES_TRIED do
    -- One that is taken is on its way into place: by another name, maybe.
    if image and (image.taken_by == run.id or is_usable(run, image, users)) then return image end
    images.release(run.config, run.id)
    local saga = run:start("image.lua", { source = source.ctx, cluster = target.cluster, mail_domain = domain,
      target = of.context.target }, { idempotency_key = image_attempt(run, n),
      target_key = M.image_key(source.ctx, target.cluster, domain, of.context.target) })
    images.hold(run.config, saga, run.id)
    run:join(saga, { progress = true })
    image = images.held(run.config, run.id)
  end
  errors.raise("conflict", "E_IMAGE_GONE", ("%d images were taken or dropped before they could be used")
    :format(IMAGES_TRIED))
end

--- In an image every sign-in name is masked: these users get theirs back.
local function put_sign_in_names(conn, users)
  for _, user in ipairs(users) do
    if conn:exec([[UPDATE crm7.associate SET username = $2 WHERE associate_id = $1 AND deleted = 0]],
      user.associate_id, user.sign_in) ~= 1 then
      errors.raise("invalid", "E_NO_USER", ("the copy has no user %s (%s)"):format(user.associate,
        user.sign_in))
    end
  end
end

local function mark_of(run, cluster_name, name)
  local conn <close> = tenant.connect(run.config, cluster_name, name)
  return certify.mark(conn)
end

--- Copies an image's files. Others may look into it for a moment, which the server refuses.
local function copy_files(admin, image, name)
  for attempt = 1, BUSY_TRIES do
    local ok, e = pcall(tenant.create_from, admin, image.database_name, name)
    if ok then return end
    if errors.from(e).code ~= "55006" or attempt == BUSY_TRIES then error(e, 0) end
    time.sleep(BUSY_MS)
  end
end

--- Makes an image database `name`: itself when nobody else needs it, a copy of its files else.
---@return table {saga, name, age_s, way, mark, suspects}
local function take_image(run, admin, image, name)
  local result = { saga = image.saga, name = image.database_name, age_s = image.age_s, mark = image.mark }
  if images.take(run.config, image.saga, run.id) then
    if tenant.database_oid(admin, name) ~= image.database_oid then
      tenant.drop_database(admin, name)
      tenant.rename_databases(admin, { { image.database_name, name } })
    end
    if tenant.database_oid(admin, name) ~= image.database_oid then
      errors.raise("conflict", "E_IMAGE_GONE", name .. " is not the image that was made")
    end
    result.way = "renamed"
    return result
  end
  -- Written to before the copy, or while we look: those tables are read again, like any other.
  local before = mark_of(run, image.cluster, image.database_name)
  copy_files(admin, image, name)
  local written = certify.written(image.mark, before)
  local meanwhile = certify.written(before, mark_of(run, image.cluster, image.database_name))
  result.way, result.suspects = "copied", written
  result.mark = written and meanwhile and #meanwhile.tables == 0
    and certify.carried(image.mark, before, mark_of(run, image.cluster, name))
    or { lost = "the image was in use when it was copied" }
  return result
end

--- Makes the copy the target's own; -> what was counted, nil when steps 6 and 12 are to do it.
local function personalise(run, spec, source)
  local conn <close> = tenant.connect(run.config, spec.target.cluster, spec.name)
  run:transaction(conn, function() put_sign_in_names(conn, spec.users) end, "sign in")
  if not run.params.ahead then return nil end
  return run:transaction(conn, function() return own.clean(conn, source, spec.target, {}) end, "own")
end

--- A copy made from an image, for this target, with a certificate of its own.
local function golden_copy(run, spec)
  local began, target, name, rules = time.monotonic(), spec.target, spec.name, spec.policy.rules
  local of = policy.of_image(run.params.mail_domain, run.params.source, run.params.target)
  policy.check_image(of, spec.policy)
  local source, image = registry.customer(run.config, run.params.source), wait_image(run, spec.users, of)
  if run.params.keep_image then images.keep(run.config, image.saga) end
  local admin <close> = tenant.admin(run.config, target.cluster)
  local taken = take_image(run, admin, image, name)
  local identity, counts = tenant.identity(admin, name), personalise(run, spec, source)
  -- Another session than the one that wrote: what that has counted is seen once it has ended.
  local conn <close> = tenant.connect(run.config, target.cluster, name)
  local dsn, password = tenant.dsn(run.config, target.cluster, name)
  local found = certify.certificate { conn = conn, dsn = dsn, password = password, identity = identity,
    rules = rules, progress = spec.progress, base = { certificate = image.certificate,
      stricter = of.rules:hash(), mark = taken.mark, suspects = taken.suspects, oid = image.database_oid,
      new_oid = identity.database_oid } }
  certify.refuse_leaks(found.certificate, name, "are left in")
  if found.full then run:log("the whole copy was scanned: " .. found.full) end
  return { image = { saga = taken.saga, name = taken.name, age_s = taken.age_s, way = taken.way,
      database_oid = image.database_oid }, new_oid = identity.database_oid, counts = counts,
    certificate = found.certificate, mark = found.mark, tables = image.tables, rows = image.rows,
    bytes = image.bytes, masked = image.masked, shortened = image.shortened,
    seconds = (time.monotonic() - began) / 1000 }
end

--- What lies between a source and its template copy, for as long as that is made.
local function raw_name(target, name) return tenant.beside(target.database_name, "raw") .. name:sub(-8) end

--- A copy made from the source's files: a first one, which the source is held up for no longer than
--- that takes, and of that another, in which every table with something to mask is filled again.
local function template_copy(run, spec)
  local began, target, name, rules = time.monotonic(), spec.target, spec.name, spec.policy.rules
  local source, raw = registry.customer(run.config, run.params.source), raw_name(target, name)
  local admin <close> = tenant.admin(run.config, target.cluster)
  template.copy(admin, source, raw)
  tenant.create_from(admin, raw, name)
  local dsn, password = tenant.dsn(run.config, target.cluster, name)
  local tables
  do
    local conn <close> = tenant.connect(run.config, target.cluster, name)
    template.leave_behind(conn)
    tables = template.tables_of(conn, mask.scan { dsn = dsn, password = password, rules = rules,
      progress = spec.progress }, policy.transformed(spec.policy), rules:empty())
  end
  local from, from_password = tenant.dsn(run.config, target.cluster, raw)
  local made = outcome(run, backup.rewrite { source = from, source_password = from_password, target = dsn,
    target_password = password, mask = rules, tables = tables, exclude_data = rules:empty(),
    leave = M.LEFT_BEHIND, compare = true, progress = spec.progress })
  tenant.drop_database(admin, raw)
  made.counts = personalise(run, spec, source)
  local conn <close> = tenant.connect(run.config, target.cluster, name)
  local found = certify.certificate { conn = conn, dsn = dsn, password = password,
    identity = tenant.identity(admin, name), rules = rules, progress = spec.progress }
  certify.refuse_leaks(found.certificate, name, "are left in")
  made.new_oid, made.certificate, made.mark = tenant.database_oid(admin, name), found.certificate, found.mark
  made.rewritten, made.seconds = tables, (time.monotonic() - began) / 1000
  return made
end

--- Drops an image that nobody needs and nobody keeps.
local function drop_image(run, saga)
  for _, image in ipairs(images.list(run.config, run.params.source)) do
    if image.saga == saga then images.drop(run.config, image, run.id) end
  end
end

--- Gets ready what the strategy needs, while the test environment is online.
---@param spec table {target, name = of the database beside the live one, users = who may sign in, policy,
---  progress}
---@return table for the step's result
function M.prepare(run, spec)
  local chosen = run:once("strategy", function() return M.choose(run.config, run.params) end)
  local made = {}
  if chosen.strategy == "archive" or run.params.backup then made = wait_backup(run) end
  made.strategy, made.why = chosen.strategy, chosen.why
  if chosen.strategy == "template" then
    made.copy = run:once("copy", function() return template_copy(run, spec) end)
    made.rows, made.bytes = made.copy.rows, made.copy.bytes
  elseif chosen.strategy == "golden" then
    made.copy = run:once("copy", function() return golden_copy(run, spec) end)
    made.rows, made.bytes = made.copy.rows, made.copy.bytes
    images.release(run.config, run.id)
    drop_image(run, made.copy.image.saga)
  elseif not made.archive then
    local source = registry.customer(run.config, run.params.source)
    local dsn, password = tenant.dsn(run.config, source.cluster, source.database_name)
    backup.probe { source = dsn, password = password }
  end
  return made
end

--- Undoes prepare().
function M.forget(run, target, name)
  local ours, saga = run:started("backup.lua")
  if ours then run:cancel(saga) end
  M.give_up(run)
  local admin <close> = tenant.admin(run.config, target.cluster)
  tenant.drop_database(admin, raw_name(target, name))
  tenant.drop_database(admin, name)
  M.release(run)
  for n = 1, IMAGES_TRIED do
    ours, saga = run:started("image.lua", { idempotency_key = image_attempt(run, n) })
    if ours then
      run:cancel(saga)
      drop_image(run, saga)
    end
  end
end

--- Archives and images are needed no longer.
function M.release(run)
  archive.release(run.config, run.id)
  images.release(run.config, run.id)
end

-- Step 5: the copy, beside the old database ------------------------------------------------------------

--- Step 9: the certificate that step 1 could already give, and the counters then; nil: none.
function M.certified(run)
  local made = (run:result("wait_backup") or {}).copy
  return made and { certificate = made.certificate, mark = made.mark, oid = made.new_oid,
    new_oid = made.new_oid }
end

--- Step 6: the tables in which nothing was written since they were made the target's own in step 1, and
--- what was counted then.
---@return table done set of names, table counts
function M.done_ahead(run, conn)
  local made, done = (run:result("wait_backup") or {}).copy, {}
  if not made or not made.counts then return done, {} end
  local mark = certify.mark(conn)
  local written = certify.written(made.mark, mark)
  for name in pairs(written and mark.tables or {}) do
    if not written.by_name[name] then done[name] = true end
  end
  return done, made.counts
end

local ASIDE = {}

function ASIDE.archive(run, admin, target, name, rules, progress)
  return go_on(run, admin, registry.customer(run.config, run.params.source), name, function()
    return restore_into(run, run:result("wait_backup").archive, target.cluster, name, rules, progress)
  end)
end

function ASIDE.stream(run, admin, target, name, rules, progress)
  local source = registry.customer(run.config, run.params.source)
  return M.stream(run, admin, source, target.cluster, name, rules, progress)
end

function ASIDE.golden(run, admin, _, name)
  local made = run:result("wait_backup").copy
  if tenant.database_oid(admin, name) ~= made.new_oid then
    errors.raise("conflict", "E_IMAGE_GONE", ("the copy that step 1 made, %s, is gone: cancel this run and "
      .. "start another"):format(name))
  end
  return { image = made.image, tables = made.tables, rows = made.rows, bytes = made.bytes,
    masked = made.masked, shortened = made.shortened, seconds = made.seconds }
end

ASIDE.template = ASIDE.golden

--- Makes the copy as database `name` on the target's cluster, which nobody may enter yet.
---@return table {new_oid, tables, rows, bytes, masked, …}
function M.aside(run, admin, target, name, rules, progress)
  local made = ASIDE[run:result("wait_backup").strategy](run, admin, target, name, rules, progress)
  made.strategy = run:result("wait_backup").strategy
  made.new_oid = tenant.database_oid(admin, name)
  return made
end

return M
