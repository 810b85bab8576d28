-- template: a copy by the server's own file copying, for a source on the target's cluster. What must
-- not come along is taken out of it.
local errors = require "errors"
local time = require "time"
local registry = require "platform.registry"
local tenant = require "platform.tenant"

local M = {}

local BUSY_MS, POLL_MS = 3000, 100

local function busy(source, why)
  errors.raise("conflict", "E_TEMPLATE_BUSY", ("strategy=template copies the files of %s, which the server does "
    .. "only while nobody is connected to it: %s; end the sessions or choose another strategy"):format(
    source.database_name, why))
end

--- Raises unless source and target lie on one cluster, and nobody is connected to the source.
function M.check(config, params)
  local source, target = registry.customer(config, params.source), registry.customer(config, params.target)
  local admin <close> = tenant.admin(config, target.cluster)
  do
    local from <close> = tenant.open(config, source, true)
    if tenant.server(from) ~= tenant.server(admin) then
      errors.raise("invalid", "E_TEMPLATE_CLUSTER", ("strategy=template copies files, and %s lies on another "
        .. "cluster than %s"):format(source.ctx, target.ctx))
    end
  end
  local deadline, others = time.monotonic() + BUSY_MS, nil
  repeat -- our own sessions take a moment to end
    if others then time.sleep(POLL_MS) end
    others = admin:value([[SELECT count(*) FROM pg_stat_activity WHERE datname = $1
      AND backend_type IS DISTINCT FROM 'autovacuum worker']], source.database_name)
  until others == 0 or time.monotonic() >= deadline
  if others > 0 then busy(source, ("%d session(s) are"):format(others)) end
end

--- Copies the source's files as database `name`.
function M.copy(admin, source, name)
  local ok, e = pcall(tenant.create_from, admin, source.database_name, name)
  if ok then return end
  if errors.from(e).code == "55006" then busy(source, errors.from(e).message) end
  error(e, 0)
end

-- Statements that take production's roles out of the database conn is in. No REASSIGN or DROP OWNED:
-- those reach for what a role has beyond this database.
local LEAVE = {
  -- Owners: ours from now on. A sequence follows the column it belongs to, an extension has no other.
  [[SELECT format('ALTER %s %s OWNER TO CURRENT_USER', i.type, i.identity) AS statement
    FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, d.objsubid) i
    WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND d.deptype = 'o'
      AND d.refobjid <> current_user::regrole AND i.type NOT IN ('extension', 'publication', 'subscription')
      AND NOT EXISTS (SELECT FROM pg_depend x JOIN pg_class c ON c.oid = x.objid AND c.relkind = 'S'
        WHERE x.classid = 'pg_class'::regclass AND d.classid = x.classid AND x.objid = d.objid
          AND x.deptype IN ('a', 'i'))]],
  -- Privileges, of roles and of everybody.
  [[SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', CASE d.classid
      WHEN 'pg_class'::regclass THEN CASE i.type WHEN 'sequence' THEN 'SEQUENCE' ELSE 'TABLE' END
      WHEN 'pg_namespace'::regclass THEN 'SCHEMA' WHEN 'pg_proc'::regclass THEN 'ROUTINE'
      WHEN 'pg_type'::regclass THEN 'TYPE' WHEN 'pg_language'::regclass THEN 'LANGUAGE'
      WHEN 'pg_foreign_server'::regclass THEN 'FOREIGN SERVER'
      WHEN 'pg_foreign_data_wrapper'::regclass THEN 'FOREIGN DATA WRAPPER' END,
      i.identity, d.refobjid::regrole) AS statement
    FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, 0) i
    WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND d.deptype = 'a'
      AND d.refobjid <> current_user::regrole AND d.classid IN ('pg_class'::regclass,
        'pg_namespace'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_language'::regclass,
        'pg_foreign_server'::regclass, 'pg_foreign_data_wrapper'::regclass)]],
  [[SELECT DISTINCT format('REVOKE ALL ON %s %s FROM PUBLIC', CASE c.relkind WHEN 'S' THEN 'SEQUENCE'
      ELSE 'TABLE' END, c.oid::regclass) AS statement
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE a.grantee = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema']],
  -- Nothing flows out, and nobody signs in elsewhere.
  "SELECT format('DROP PUBLICATION %I', pubname) AS statement FROM pg_publication",
  [[SELECT format('DROP USER MAPPING FOR %s SERVER %I', CASE umuser WHEN 0 THEN 'PUBLIC'
      ELSE umuser::regrole::text END, srvname) AS statement FROM pg_user_mappings]],
}

--- Leaves behind what a copy is to leave behind.
---@return integer statements
function M.leave_behind(conn)
  local count = 0
  for _, query in ipairs(LEAVE) do
    for _, row in ipairs(conn:query(query)) do
      conn:exec(row.statement)
      count = count + 1
    end
  end
  return count
end

--- The tables that are to be filled again: of the places a scan has found (views follow theirs, large
--- objects come in any case), and others whose columns more is done to.
---@param certificate table
---@param others string[]
---@param except string[] tables that are emptied in any case
---@return string[]
function M.tables_of(conn, certificate, others, except)
  local list, seen = {}, {}
  for _, name in ipairs(except) do seen[name] = true end
  seen["pg_catalog.pg_largeobject"] = true
  local function add(schema, relation)
    local name = schema .. "." .. relation
    if not seen[name] and conn:value([[SELECT c.relkind = 'r' FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2]],
        schema, relation) then
      list[#list + 1] = name
    end
    seen[name] = true
  end
  for _, place in ipairs(certificate.places) do add(place.schema, place.table) end
  for _, name in ipairs(others) do add(name:match("^([^.]+)%.(.+)$")) end
  return list
end

return M
