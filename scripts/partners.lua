-- partners: the apps a test environment knows, and the system users of those that want one.
local licence = require "platform.licence"

local M = {}

--- Lists these apps in the copy instead of the source's, and makes their system users. In the transaction
--- conn is in.
---@param apps table[] of registry.authorised_apps()
---@return string[] the apps that have a system user
function M.admit(conn, apps)
  -- The copy lists the source's apps: an authorisation is per app and tenant.
  conn:exec("DELETE FROM crm7.onlineapp")
  local made = {}
  for _, app in ipairs(apps) do
    conn:exec("INSERT INTO crm7.onlineapp (clientid, displayname, partnername) VALUES ($1, $2, $3)",
      app.client_id, app.name, app.partner_name)
    if app.wants_system_user and app.system_token then
      local associate = conn:value([[INSERT INTO crm7.associate (name, type, group_idx)
        VALUES ('app-' || $1, 13, (SELECT min(usergroup_id) FROM crm7.usergroup))
        ON CONFLICT (name) DO UPDATE SET type = 13, deleted = 0, username = NULL
        RETURNING associate_id]], app.client_id)
      conn:exec([[INSERT INTO crm7.userrolelink (associate_id, role_id, encryptedcheck)
        SELECT $1, min(role_id), $2 FROM crm7.role WHERE type = 13 HAVING count(*) > 0
        ON CONFLICT DO NOTHING]], associate, licence.seal(app.client_id))
      -- The token stays what it was: it is constant for a tenant and an app.
      conn:exec([[INSERT INTO crm7.credentials (associateid, credentialtype, searchname, displayname,
        secret, isactive, encryptedcheck) VALUES ($1, 'PartnerSystemUser', $2, $3, $4, 1, $5)]], associate,
        app.client_id, app.name, app.system_token, licence.seal(app.client_id, app.system_token))
      made[#made + 1] = app.client_id
    end
  end
  return made
end

return M
