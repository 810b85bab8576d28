-- logins: the roles of a test environment, and what they own and may read in its database.
local db = require "db"

local M = {}

--- Makes a login role, or alters it; a verifier is all the server's log may see of a password.
---@param verifier string "": no password
function M.set_role(admin, name, verifier)
  local verb = admin:value("SELECT to_regrole($1)::oid", name) and "ALTER" or "CREATE"
  admin:exec(("%s ROLE %s LOGIN PASSWORD %s"):format(verb, db.ident(name),
    verifier == "" and "NULL" or db.literal(verifier)))
end

--- Everything in the tenant's schema belongs to its application role; the query role may read
--- what holds no secrets.
---@param roles table {app, query}
---@param secret_tables string[]
function M.hand_over(conn, roles, secret_tables)
  local app, query = db.ident(roles.app), db.ident(roles.query)
  for _, row in ipairs(conn:query([[
    SELECT format('ALTER %s %s OWNER TO ', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
      WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass) AS change
    FROM pg_class c WHERE relnamespace = 'crm7'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND relowner <> to_regrole($1) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid
        AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO ', oid::regprocedure)
    FROM pg_proc WHERE pronamespace = 'crm7'::regnamespace AND proowner <> to_regrole($1)]], app)) do
    conn:exec(row.change .. app)
  end
  conn:exec("ALTER SCHEMA crm7 OWNER TO " .. app)
  conn:exec("GRANT USAGE ON SCHEMA crm7 TO " .. query)
  conn:exec("GRANT SELECT ON ALL TABLES IN SCHEMA crm7 TO " .. query)
  for _, name in ipairs(secret_tables) do
    local schema, relation = name:match("^(.-)%.(.*)$")
    conn:exec(("REVOKE ALL ON %s FROM %s"):format(db.ident(schema, relation), query))
  end
end

return M
