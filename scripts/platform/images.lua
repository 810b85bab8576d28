-- images: which masked images of production lie ready on which cluster, who needs them, and which
-- have had their time. An image is a database; the registry knows what is in it.
local db = require "db"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local M = {}

local COLUMNS = [[saga, ctx, cluster, database_name, system_identifier, database_oid, rules, state,
  taken_by, kept, tables, rows, bytes, masked, shortened, certificate, mark,
  extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_s]]

--- Records an image before it is begun, so that a half-made one is found again.
---@param image table {saga, ctx, cluster, database_name, rules}
function M.begin(config, image)
  registry.use(config, function(conn)
    conn:exec([[INSERT INTO registry.image (saga, ctx, cluster, database_name, rules)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (saga) DO UPDATE SET state = 'making', created_at = clock_timestamp()]],
      image.saga, image.ctx, image.cluster, image.database_name, image.rules)
  end)
end

--- It is complete, proved and scanned: others may have it.
---@param made table {identity, tables, rows, bytes, masked, shortened, certificate, mark}
function M.ready(config, saga, made)
  registry.use(config, function(conn)
    conn:exec([[UPDATE registry.image SET state = 'ready', system_identifier = $2, database_oid = $3,
        tables = $4, rows = $5, bytes = $6, masked = $7, shortened = $8, certificate = $9, mark = $10
      WHERE saga = $1 AND state = 'making']], saga, made.identity.system_identifier,
      made.identity.database_oid, made.tables, made.rows, made.bytes, made.masked, made.shortened,
      db.json(made.certificate), db.json(made.mark))
  end)
end

local function add_use(conn, saga, run_id)
  conn:exec([[INSERT INTO registry.image_use (saga, run_id) VALUES ($1, $2) ON CONFLICT DO NOTHING]],
    saga, run_id)
end

--- A run needs what this saga makes, or has made, until it says release().
function M.hold(config, saga, run_id)
  registry.use(config, function(conn)
    add_use(conn, saga, run_id)
  end)
end

--- Holds the newest image that will do, unless the run holds one already.
---@param wanted table {ctx, cluster, rules, max_age_s}
---@return table|nil image
function M.hold_newest(config, wanted, run_id)
  return registry.use(config, function(conn)
    return conn:transaction(function()
      -- The row is locked, so that nobody takes or drops it before our hold is there.
      local saga = conn:value([[SELECT saga FROM registry.image WHERE ctx = $1 AND cluster = $2
          AND rules = $3 AND state = 'ready' AND created_at > clock_timestamp() - make_interval(secs => $4)
        ORDER BY created_at DESC LIMIT 1 FOR UPDATE]], wanted.ctx, wanted.cluster, wanted.rules,
        wanted.max_age_s)
      if not saga then return nil end
      add_use(conn, saga, run_id)
      return conn:row("SELECT " .. COLUMNS .. " FROM registry.image WHERE saga = $1", saga)
    end)
  end)
end

--- The finished image the run holds or has taken; nil: none, or it is gone.
---@return table|nil image
function M.held(config, run_id)
  return registry.use(config, function(conn)
    return conn:row("SELECT " .. COLUMNS .. [[ FROM registry.image i WHERE taken_by = $1
        OR state = 'ready' AND EXISTS (SELECT FROM registry.image_use u
          WHERE u.saga = i.saga AND u.run_id = $1)
      ORDER BY created_at DESC LIMIT 1]], run_id)
  end)
end

--- It is to stay for others, until it has had its time.
function M.keep(config, saga)
  registry.use(config, function(conn)
    conn:exec("UPDATE registry.image SET kept = true WHERE saga = $1", saga)
  end)
end

--- Makes the image the run's own, to rename or to drop, if nobody else needs it.
---@param even_kept boolean|nil its time is over
---@return boolean
function M.take(config, saga, run_id, even_kept)
  return registry.use(config, function(conn)
    return conn:transaction(function()
      if not conn:value("SELECT saga FROM registry.image WHERE saga = $1 FOR UPDATE", saga) then
        return false
      end
      return conn:exec([[UPDATE registry.image i SET state = 'taken', taken_by = $2
        WHERE saga = $1 AND (taken_by = $2 OR state = 'ready' AND (NOT kept OR $3) AND NOT EXISTS (
          SELECT FROM registry.image_use u WHERE u.saga = i.saga AND u.run_id <> $2))]], saga, run_id,
        even_kept or false) == 1
    end)
  end)
end

--- The run needs its images no longer. One it had taken and not used is everybody's again.
function M.release(config, run_id)
  local taken = registry.use(config, function(conn)
    conn:exec("DELETE FROM registry.image_use WHERE run_id = $1", run_id)
    return conn:query("SELECT " .. COLUMNS .. " FROM registry.image WHERE taken_by = $1", run_id)
  end)
  for _, image in ipairs(taken) do
    local admin <close> = tenant.admin(config, image.cluster)
    local there = tenant.database_oid(admin, image.database_name) == image.database_oid
    registry.use(config, function(conn)
      conn:exec(there and "UPDATE registry.image SET state = 'ready', taken_by = NULL WHERE saga = $1"
        or "DELETE FROM registry.image WHERE saga = $1", image.saga)
    end)
  end
end

--- Every image, the oldest first, with the number of runs that need it.
---@param ctx string|nil of this tenant only
function M.list(config, ctx)
  return registry.use(config, function(conn)
    return conn:query("SELECT " .. COLUMNS .. [[, (SELECT count(*) FROM registry.image_use u
        WHERE u.saga = i.saga) AS users
      FROM registry.image i WHERE ctx = coalesce($1, ctx) ORDER BY created_at]], ctx)
  end)
end

--- Drops an image and its record, unless a run needs it. One that is still being made is its saga's.
---@param by string the run that drops it
---@param even_kept boolean|nil its time is over
---@return boolean dropped
function M.drop(config, image, by, even_kept)
  if not (image.state == "making" and image.saga == by or M.take(config, image.saga, by, even_kept)) then
    return false
  end
  local admin <close> = tenant.admin(config, image.cluster)
  local oid = tenant.database_oid(admin, image.database_name)
  -- A name can be somebody else's by now, an oid cannot.
  if oid and (not image.database_oid or oid == image.database_oid) then
    tenant.drop_database(admin, image.database_name)
  end
  registry.use(config, function(conn)
    conn:exec("DELETE FROM registry.image WHERE saga = $1", image.saga)
    conn:exec("DELETE FROM registry.image_use WHERE saga = $1", image.saga)
  end)
  return true
end

return M
