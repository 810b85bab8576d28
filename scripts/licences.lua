-- licences: the licence rows of a copy: the target's package in the place of production's, and who of its
-- users gets what of it.
local errors = require "errors"
local licence = require "platform.licence"

local M = {}

--- Gives the copy its owner and the modules of a licence package. In the transaction conn is in.
---@param owner string
---@param serial string
---@param package table of licence.package()
---@return integer unassigned how many assignments of production's are gone
function M.exchange(conn, owner, serial, package)
  local company = conn:row("SELECT company_id, ownercontactid FROM crm7.company")
  conn:exec([[UPDATE crm7.company SET ownercontactname = $1, dbcontactname = $1, serialno = $2,
    encryptedcheck = $3]], owner, serial, licence.seal(owner, serial))
  conn:exec("UPDATE crm7.contact SET name = $1 WHERE contact_id = $2", owner, company.ownercontactid)
  -- Production's assignments go first: a package with fewer licences than are assigned is refused.
  local unassigned = conn:exec("DELETE FROM crm7.licenseassoclink")
  conn:exec("DELETE FROM crm7.modulelicense")
  conn:exec([[UPDATE crm7.moduleowner SET licenseversion = $1, expiration = $2::text::timestamp,
    graceto = $3::text::timestamp, maintenanceto = $4::text::timestamp,
    adminwarningdate = NULL, nextcheckdate = NULL, signature = NULL, signedpublickey = NULL,
    encryptedcheck = $5]], package.version, package.expiration, package.grace_to,
    package.maintenance_to, licence.seal(serial, package.company_name))
  for _, m in ipairs(package.modules) do
    conn:exec([[INSERT INTO crm7.modulelicense (modulename, moduledescription, moduleversion,
        licensetype, licensenumber, extraflags, extrainfo, hidden, unrestricted, sortorder,
        moduleowner_id, encryptedcheck)
      SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, moduleowner_id, $11
      FROM crm7.moduleowner ORDER BY moduleowner_id LIMIT 1]], m.name, m.description, m.version,
      m.type, m.number, m.extra_flags, m.extra_info, m.hidden, m.unrestricted, m.sort_order,
      licence.seal(serial, m.name, m.number))
  end
  return unassigned
end

--- Gives users the licences of their plans. In the transaction conn is in.
---@param serial string
---@param users table[] {associate, sign_in, licences = {…}}
---@return integer assigned
function M.assign(conn, serial, users)
  local assigned = 0
  for _, user in ipairs(users) do
    local associate = conn:value([[SELECT associate_id FROM crm7.associate
      WHERE name = $1 AND username = $2 AND deleted = 0]], user.associate, user.sign_in)
    if not associate then
      errors.raise("invalid", "E_NO_USER", ("the copy has no user %s (%s)"):format(user.associate, user.sign_in))
    end
    for _, name in ipairs(user.licences) do
      assigned = assigned + conn:exec([[INSERT INTO crm7.licenseassoclink
          (modulelicenseid, associd, licensenumber, encryptedcheck)
        SELECT modulelicense_id, $2, 1, $3 FROM crm7.modulelicense WHERE modulename = $1
        ON CONFLICT (modulelicenseid, associd) DO NOTHING]],
        name, associate, licence.seal(serial, name, associate))
    end
  end
  local over = conn:row([[SELECT m.modulename, m.licensenumber, count(*) AS assigned
    FROM crm7.modulelicense m JOIN crm7.licenseassoclink l ON l.modulelicenseid = m.modulelicense_id
    WHERE NOT m.unrestricted GROUP BY 1, 2 HAVING count(*) > m.licensenumber LIMIT 1]])
  if over then
    errors.raise("invalid", "E_OVER_ASSIGNED", ("%d users are to get '%s', the licence package has %d")
      :format(over.assigned, over.modulename, over.licensenumber))
  end
  return assigned
end

return M
