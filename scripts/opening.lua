-- opening: what step 24 does around opening the doors: a last look before, and after it what is older
-- than the environment that was replaced goes.
local errors = require "errors"
local certificates = require "certificate"
local certify = require "certify"
local shared = require "shared"
local tenant = require "platform.tenant"

local M = {}

--- The last look before the doors open: this is the database of the certificate, and what was written
--- since holds no address either. Returns how many tables that were.
function M.check_again(run, target)
  local scanned = run:result("mask_email")
  local conn <close> = tenant.open(run.config, target)
  local identity = tenant.identity(conn, target.database_name)
  if identity.database_oid ~= scanned.database_oid or identity.system_identifier ~= scanned.system_identifier then
    errors.raise("leak", "E_CERTIFICATE", target.database_name .. " is not the database that was scanned")
  end
  if run.config.certificate_key then certificates.check(scanned.certificate, run.config.certificate_key, identity) end
  local dsn, password = tenant.dsn(run.config, target.cluster, target.database_name)
  local again = certify.again({ conn = conn, dsn = dsn, password = password, rules = shared.mask_rules(run) }, scanned)
  if again.leaks > 0 then
    errors.raise("leak", "E_LEAK", ("%d address(es) were written after the scan"):format(again.leaks),
      { detail = again.places })
  end
  return again.scanned.tables
end

--- The environment before this run stays; those before it go.
---@return table dropped databases
function M.drop_older(run, admin, target)
  local id = shared.short_id(run)
  for _, kind in ipairs { "templates", "attachments" } do
    tenant.drop_older_files(run.config, kind, target, ".prev-" .. id)
  end
  for _, name in pairs(tenant.roles(target.ctx)) do
    tenant.drop_older_passwords(run.config, name, id)
  end
  return tenant.drop_older(admin, target.database_name, shared.database_names(run, target).previous)
end

return M
