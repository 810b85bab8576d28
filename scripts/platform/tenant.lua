-- tenant: a tenant's own database, roles and files: where they are and how they are reached.
local blob = require "blob"
local crypto = require "crypto"
local connect = require "platform.connect"
local db = require "db"
local errors = require "errors"
local secret = require "secret"

local M = {}

-- ---- databases --------------------------------------------------------------------------------

local function cluster(config, name)
  local found = config.clusters[name]
  if not found then
    errors.raise("invalid", "E_CONFIG", ("the configuration has no cluster '%s'"):format(name))
  end
  return found
end

local function quoted(value) return "'" .. value:gsub("[\\']", "\\%0") .. "'" end

--- Connection string and password of a database on a cluster.
---@return string dsn, any password
function M.dsn(config, cluster_name, database)
  local c = cluster(config, cluster_name)
  return c.dsn .. " dbname=" .. quoted(database), c.password
end

local PROTECTION = { "max_bytes_per_second", "max_replica_lag_ms", "warn_xmin_age" }

--- The options of a copy, with what the configuration asks of those that read from this cluster.
---@return table options
function M.spare(config, cluster_name, options)
  local c = cluster(config, cluster_name)
  for _, name in ipairs(PROTECTION) do
    if options[name] == nil then options[name] = c[name] end
  end
  return options
end

--- A connection to a database on a cluster; read-only where the cluster is declared so.
function M.connect(config, cluster_name, database, readonly)
  local dsn, password = M.dsn(config, cluster_name, database)
  return connect("clusters." .. cluster_name, { dsn = dsn, password = password, application = "cloner",
    readonly = readonly or cluster(config, cluster_name).readonly or false })
end

--- A connection to the tenant's database (`customer` is its row of the registry).
function M.open(config, customer, readonly)
  return M.connect(config, customer.cluster, customer.database_name, readonly)
end

--- A connection to the cluster's maintenance database.
function M.admin(config, cluster_name)
  return M.connect(config, cluster_name, "postgres")
end

--- What no rename can fake: the cluster's system identifier and the database's oid; nil: no such database.
---@return table|nil {system_identifier=, database_oid=}
function M.identity(conn, database)
  return conn:row([[SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    oid::bigint AS database_oid FROM pg_database WHERE datname = $1]], database)
end

--- Which server process this is, whatever the connection string says.
---@return string
function M.server(conn)
  return conn:value([[SELECT (SELECT system_identifier FROM pg_control_system()) || ' '
    || extract(epoch FROM pg_postmaster_start_time())]])
end

--- Is the cluster declared read-only?
function M.is_readonly(config, cluster_name) return cluster(config, cluster_name).readonly == true end

--- Ends every other session of a database.
---@return integer how many there were
function M.close_sessions(admin, database)
  return admin:value([[SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = $1 AND pid <> pg_backend_pid()]], database)
end

--- The roles that may connect, the owner and "PUBLIC" among them, sorted; not we ourselves.
---@return string[]
function M.connect_grants(admin, database)
  local names = {}
  for i, row in ipairs(admin:query([[
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS name
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = $1 AND a.privilege_type = 'CONNECT' AND a.grantee <> current_user::regrole
    ORDER BY 1]], database)) do
    names[i] = row.name
  end
  return names
end

--- Lets nobody connect but us.
function M.revoke_connect(admin, database)
  for _, name in ipairs(M.connect_grants(admin, database)) do
    admin:exec(("REVOKE CONNECT ON DATABASE %s FROM %s"):format(db.ident(database), name))
  end
end

--- Lets these roles connect; roles that are gone are passed over.
---@param names string[] as connect_grants() gives them
function M.grant_connect(admin, database, names)
  for _, name in ipairs(names) do
    if name == "PUBLIC" or admin:value("SELECT to_regrole($1)::oid", name) then
      admin:exec(("GRANT CONNECT ON DATABASE %s TO %s"):format(db.ident(database), name))
    end
  end
end

--- May the role connect?
function M.may_connect(admin, database, role)
  return admin:value("SELECT has_database_privilege(to_regrole($1), oid, 'CONNECT') FROM pg_database "
    .. "WHERE datname = $2", role, database) == true
end

--- Does the database exist? Its oid, or nil.
function M.database_oid(admin, database)
  return admin:value("SELECT oid::bigint FROM pg_database WHERE datname = $1", database)
end

--- Makes an empty database with the encoding and collation of the tenant's, which nobody may enter
--- yet; one of that name goes.
function M.create_like(config, admin, source, name)
  local from <close> = M.open(config, source, true)
  local like = from:row([[SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype
    FROM pg_database WHERE datname = current_database()]])
  M.drop_database(admin, name)
  admin:exec(("CREATE DATABASE %s TEMPLATE template0 ENCODING %s LC_COLLATE %s LC_CTYPE %s"):format(
    db.ident(name), db.literal(like.encoding), db.literal(like.datcollate), db.literal(like.datctype)))
  M.revoke_connect(admin, name)
end

--- Makes a database by copying the files of another on the cluster, which nobody may enter yet; one of
--- that name goes. The other must have no sessions: class conflict when it has.
function M.create_from(admin, template, name)
  M.drop_database(admin, name)
  -- Older servers know one way only, this one.
  local by_file = admin:value("SELECT current_setting('server_version_num')::integer") >= 150000
  admin:exec(("CREATE DATABASE %s TEMPLATE %s%s"):format(db.ident(name), db.ident(template),
    by_file and " STRATEGY FILE_COPY" or ""))
  M.revoke_connect(admin, name)
end

--- What a cluster may hold and holds: {capacity, used}; capacity is nil where the configuration
--- declares none, used where we may not look into every database.
function M.space(config, admin, cluster_name)
  local used = admin:row([[SELECT sum(CASE WHEN may THEN pg_database_size(oid) ELSE 0 END)::bigint AS bytes,
      bool_and(may) AS all_seen
    FROM (SELECT oid, has_database_privilege(oid, 'CONNECT')
      OR pg_has_role('pg_read_all_stats', 'USAGE') AS may FROM pg_database) d]])
  return { capacity = cluster(config, cluster_name).capacity_bytes, used = used.all_seen and used.bytes or nil }
end

--- Drops a database, sessions and all; fine when it is gone.
function M.drop_database(admin, database)
  admin:exec(("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(db.ident(database)))
end

local NAME_BYTES_MAX = 63 -- longer names are cut by PostgreSQL, silently
local BESIDE_BYTES = #"_image_" + 8 -- what stands behind, with the short id of the run

--- What the name of a database beside the tenant's begins with; a short id of the run follows. The
--- end of a long name gives way to its hash: cut off, the name would be the tenant's own again.
---@param kind string "new", "prev", "raw" or "image"
function M.beside(database, kind)
  if #database + BESIDE_BYTES > NAME_BYTES_MAX then
    local hash = "_" .. crypto.sha256(database):sub(1, 8)
    database = database:sub(1, NAME_BYTES_MAX - BESIDE_BYTES - #hash):gsub("[\x80-\xff]+$", "") .. hash
  end
  return database .. "_" .. kind .. "_"
end

--- Drops what earlier runs kept, and what runs that nobody undid left half made; all but `except`.
---@return string[] their names
function M.drop_older(admin, database, except)
  local dropped = {}
  for _, kind in ipairs { "new", "prev", "raw" } do
    for _, row in ipairs(admin:query([[SELECT datname FROM pg_database
      WHERE starts_with(datname, $1) AND datname <> $2
        AND substr(datname, length($1) + 1) ~ '^[0-9a-f]{8}$' ORDER BY 1]],
      M.beside(database, kind), except)) do
      M.drop_database(admin, row.datname)
      dropped[#dropped + 1] = row.datname
    end
  end
  return dropped
end

--- Renames databases in one transaction: all of them or none.
---@param renames table[] {from, to}
function M.rename_databases(admin, renames)
  for _, pair in ipairs(renames) do M.close_sessions(admin, pair[1]) end
  admin:transaction(function()
    for _, pair in ipairs(renames) do
      admin:exec(("ALTER DATABASE %s RENAME TO %s"):format(db.ident(pair[1]), db.ident(pair[2])))
    end
  end)
end

-- ---- roles ------------------------------------------------------------------------------------

--- The roles of a tenant: the application servers' and the one customers may query with.
function M.roles(ctx)
  return { app = ctx:lower() .. "_app", query = ctx:lower() .. "_query" }
end

local function xor(a, b)
  local bytes = {}
  for i = 1, #a do bytes[i] = string.char(a:byte(i) ~ b:byte(i)) end
  return table.concat(bytes)
end

local function raw(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

--- What PostgreSQL stores for a password (RFC 7677), so that its log never sees the password.
---@param password string ASCII
function M.scram_verifier(password)
  local iterations, salt = 4096, crypto.random(16)
  local block = crypto.hmac_sha256(password, salt .. "\0\0\0\1")
  local salted = block
  for _ = 2, iterations do
    block = crypto.hmac_sha256(password, block)
    salted = xor(salted, block)
  end
  local stored = raw(crypto.sha256(crypto.hmac_sha256(salted, "Client Key")))
  local server = crypto.hmac_sha256(salted, "Server Key")
  return ("SCRAM-SHA-256$%d:%s$%s:%s"):format(iterations, crypto.base64_encode(salt),
    crypto.base64_encode(stored), crypto.base64_encode(server))
end

--- The store of a folder on this machine.
---@param path string absolute
function M.folder(path)
  return blob.open("file://" .. path:gsub("[^%w/._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function password_file(config, name)
  return "file:" .. config.secrets.folder .. "/" .. name .. ".password"
end

--- The file's secret; nil when there is no such file.
local function read(file)
  local ok, value = pcall(function() return secret.reveal(secret(file)) end)
  if ok then return value end
  if not errors.is(value, "not_found") then error(value, 0) end
end

local NONE = "(none)"

--- This run's password of a role, made the first time. What was before, the password in our store
--- and the verifier in the server's, stays beside it for undo.
---@param run_id string tells this run's copy from another's
function M.new_password(config, admin, name, run_id)
  local file = password_file(config, name)
  local before = file .. ".prev-" .. run_id
  local current = read(file)
  if not read(before) then
    local known, verifier = pcall(function()
      return admin:value("SELECT rolpassword FROM pg_authid WHERE rolname = $1", name)
    end)
    if not known and not errors.is(verifier, "permission") then error(verifier, 0) end
    secret.put(before, (current or NONE) .. " " .. (known and verifier or NONE))
  end
  if not current or current == read(before):match("^%S+") then
    current = crypto.base64url_encode(crypto.random(24))
    secret.put(file, current)
  end
  return current
end

--- What the server kept for the role before this run: "" for no password; nil: not our doing.
---@return string|nil verifier
function M.old_verifier(config, name, run_id)
  local before = read(password_file(config, name) .. ".prev-" .. run_id)
  if not before then return nil end
  local password, verifier = before:match("^(%S+) (%S+)$")
  if verifier ~= NONE then return verifier end
  return password ~= NONE and M.scram_verifier(password) or ""
end

--- Puts the password before this run's back into our store.
function M.restore_password(config, name, run_id)
  local before = read(password_file(config, name) .. ".prev-" .. run_id)
  if not before then return end
  local password = before:match("^%S+")
  local store = M.folder(config.secrets.folder)
  if password == NONE then
    store:delete(name .. ".password")
  else
    secret.put(password_file(config, name), password)
  end
  store:delete(name .. ".password.prev-" .. run_id)
end

--- Forgets what earlier runs kept of a role's passwords.
function M.drop_older_passwords(config, name, run_id)
  local store = M.folder(config.secrets.folder)
  for _, item in ipairs(store:list(name .. ".password.prev-")) do
    if item.name ~= name .. ".password.prev-" .. run_id then store:delete(item.name) end
  end
end

--- Drops a role and what it was granted; what it owns in conn's database becomes ours.
function M.drop_role(conn, name)
  conn:exec(("REASSIGN OWNED BY %s TO CURRENT_USER"):format(db.ident(name)))
  conn:exec(("DROP OWNED BY %s"):format(db.ident(name)))
  conn:exec(("DROP ROLE %s"):format(db.ident(name)))
end

-- ---- files ------------------------------------------------------------------------------------

--- A folder in the blob store of a cluster. The configuration names the store by its URL, or by a
--- table {url=, key=, …} when it has credentials of its own; blobs.options are for all of them.
local function open_files(config, kind, cluster_name, path)
  local place = (config.blobs[kind] or {})[cluster_name]
  if type(place) == "string" then place = { url = place } end
  if type(place) ~= "table" or type(place.url) ~= "string" then
    errors.raise("invalid", "E_CONFIG", ("the configuration has no %s for cluster '%s'")
      :format(kind, cluster_name))
  end
  local options = {}
  for k, v in pairs(config.blobs.options or {}) do options[k] = v end
  for k, v in pairs(place) do
    if k ~= "url" then options[k] = v end
  end
  return blob.open(place.url .. path, options)
end

--- The tenant's folder in a blob store: kind is "templates" or "attachments".
---@param suffix string|nil ".prev-1a2b3c4d" for a folder beside it
function M.files(config, kind, customer, suffix)
  return open_files(config, kind, customer.cluster, "/" .. customer.ctx .. (suffix or ""))
end

--- Deletes the folders that earlier runs kept beside the tenant's, all but the one with `suffix`.
---@return integer how many files
function M.drop_older_files(config, kind, customer, suffix)
  local base = open_files(config, kind, customer.cluster, "")
  local kept, gone = customer.ctx .. suffix .. "/", 0
  for _, item in ipairs(base:list(customer.ctx .. ".prev-")) do
    if item.name:sub(1, #kept) ~= kept then
      base:delete(item.name)
      gone = gone + 1
    end
  end
  return gone
end

--- Raises unless the files of two tenants lie apart: nothing written for one may land with the other.
function M.prove_files_apart(config, source, target)
  for _, kind in ipairs { "templates", "attachments" } do
    local from = M.files(config, kind, source).url:gsub("/*$", "/")
    local to = M.files(config, kind, target).url:gsub("/*$", "/")
    if from:sub(1, #to) == to or to:sub(1, #from) == from then
      errors.raise("invalid", "E_SAME_FILES", ("the %s of %s (%s) and of %s (%s) lie in one another"):format(
        kind, source.ctx, from, target.ctx, to))
    end
  end
end

--- Deletes what `files` has and the set `keep` has not.
---@return integer how many
function M.prune_files(files, keep)
  local gone = 0
  for _, item in ipairs(files:list()) do
    if not keep[item.name] then
      files:delete(item.name)
      gone = gone + 1
    end
  end
  return gone
end

return M
