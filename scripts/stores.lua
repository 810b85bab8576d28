-- stores: puts a tenant's files in the place of its test environment's, which are kept beside them, and
-- brings those back.
local blob = require "blob"
local errors = require "errors"
local shared = require "shared"
local tenant = require "platform.tenant"

local M = {}

--- The target's files of a kind, and where this run keeps those from before it.
local function places(run, kind)
  local _, target = shared.tenants(run)
  return tenant.files(run.config, kind, target),
    tenant.files(run.config, kind, target, ".prev-" .. shared.short_id(run))
end

--- Puts files in the place of the target's, which are kept beside it first.
---@param kind string "templates", "attachments"
---@param filter function|nil item -> boolean
---@return table counts, table set of the names that are there now
function M.replace(run, kind, filter)
  local from = tenant.files(run.config, kind, (shared.tenants(run)))
  local to, previous = places(run, kind)
  run:once("kept", function() return blob.copy { from = to, to = previous, verify = true }.objects end)
  local copied = blob.copy { from = from, to = to, filter = filter, verify = true,
    progress = shared.progress(run, "bytes") }
  local wanted = {}
  for _, item in ipairs(from:list()) do
    if not filter or filter(item) then wanted[item.name] = true end
  end
  return { objects = copied.objects, bytes = copied.bytes, copied = copied.copied,
    skipped = copied.skipped, server_side = copied.server_side, removed = tenant.prune_files(to, wanted) },
    wanted
end

--- Undoes replace().
function M.restore(run, kind)
  local count = run:once_value("kept")
  if not count then return end
  local to, previous = places(run, kind)
  if not run:once_value("restored") then
    local kept, found = {}, previous:list()
    for _, item in ipairs(found) do kept[item.name] = true end
    if #found ~= count then
      errors.raise("conflict", "E_PREVIOUS_GONE", ("%s has %d of the %d files it kept"):format(
        previous.url, #found, count))
    end
    blob.copy { from = previous, to = to, verify = true }
    tenant.prune_files(to, kept)
    run:once("restored", function() return true end)
  end
  previous:delete_all("")
end

return M
