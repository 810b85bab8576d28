-- shared: what the steps of clone.lua have in common: the two tenants of a run, the names its databases go
-- by, the mask's rules, progress.
local copy = require "copy"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local M = {}

--- The registry's rows of both tenants.
---@return table source, table target
function M.tenants(run)
  return registry.customer(run.config, run.params.source), registry.customer(run.config, run.params.target)
end

--- What of this run is told from another's by name.
---@return string
function M.short_id(run) return (run.id:gsub("%-", ""):sub(-8)) end

--- The three names the target's database goes by during a run.
---@return table {live, new, previous}
function M.database_names(run, target)
  local live, id = target.database_name, M.short_id(run)
  return { live = live, new = tenant.beside(live, "new") .. id,
    previous = tenant.beside(live, "prev") .. id }
end

--- The mask's rules for the copy: mask.lua says them.
function M.mask_rules(run)
  return copy.policy(run.config, run.params, run:result("wait_backup").users).rules
end

--- A function for the `progress` of what a step calls.
---@param unit string where the call does not say it
function M.progress(run, unit)
  return function(p)
    p.unit = p.unit or unit
    run:progress(p)
  end
end

return M
