-- checks: what a clone reads before it starts: would its mask fit the source?
local copy = require "copy"
local findings = require "findings"
local registry = require "platform.registry"
local tenant = require "platform.tenant"
local wizard = require "wizard"

local M = {}

--- Raises when the copy would fail for its mask, naming why. Reads the source once; writes nothing.
function M.preflight(ctx)
  if not ctx.params.check then return end
  local config, params = ctx.config, ctx.params
  local source = registry.customer(config, params.source)
  local dsn, password = tenant.dsn(config, source.cluster, source.database_name)
  local rules = copy.policy(config, params, wizard.users(config, params)).rules
  findings.refuse(source.ctx, tenant.spare(config, source.cluster, { source = dsn, password = password,
    mask = rules, exclude_data = rules:empty() }), params.strict_definitions)
end

return M
