-- certify: proves a database free of addresses. A full scan costs as much as the database is large;
-- what was written after it is found by the server's own counters, so that only those tables are read
-- again. Whatever those cannot prove is answered by a full scan.
local db = require "db"
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local time = require "time"

local M = {}

local ALONE_MS, POLL_MS = 5000, 50
local COUNTERS_SINCE = 150000 -- older servers may lose what a session has counted

-- A session has counted everything before it is gone from pg_stat_activity. Whatever sets counters
-- back leaves its time in one of the resets; a crash does so in those of the whole cluster.
local STATE = [[
  SELECT current_setting('server_version_num')::integer AS version,
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    d.oid::bigint AS oid, extract(epoch FROM pg_postmaster_start_time())::text AS started,
    concat_ws(' ', coalesce(extract(epoch FROM s.stats_reset)::text, '-'),
      (SELECT coalesce(extract(epoch FROM stats_reset)::text, '-') FROM pg_stat_bgwriter),
      (SELECT coalesce(extract(epoch FROM stats_reset)::text, '-') FROM pg_stat_archiver)) AS resets,
    current_setting('track_counts')::boolean AND NOT EXISTS (SELECT FROM pg_db_role_setting
      WHERE array_to_string(setconfig, ',') ~* 'track_counts') AS counting,
    (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.pid <> pg_backend_pid()
      AND a.backend_type IS DISTINCT FROM 'autovacuum worker') AS others,
    (SELECT count(*) FROM pg_prepared_xacts WHERE database = d.datname) AS prepared,
    (SELECT md5(coalesce(string_agg(e.oid || ' ' || e.enumlabel, E'\n' ORDER BY e.oid), ''))
      FROM pg_enum e WHERE e.oid >= 16384) AS enums
  FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid WHERE d.datname = current_database()]]

-- One word a table: which file its rows are in, what its columns are, how much was ever written.
local TABLES = [[
  SELECT n.nspname || '.' || c.relname AS name,
    pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
      + pg_stat_get_tuples_deleted(c.oid) AS writes,
    concat_ws(' ', c.oid, pg_relation_filenode(c.oid), (SELECT md5(string_agg(concat_ws(' ', a.attnum,
        a.attname, a.atttypid, a.atttypmod, a.attisdropped, a.attmissingval::text), E'\n' ORDER BY a.attnum))
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)) AS shape
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema']]

--- What the counters say now. Nobody else may be in the database: waits a while for sessions to end.
---@param conn any to the database
---@return table mark for written(); {lost = why} when counters will prove nothing
function M.mark(conn)
  local state, deadline = conn:row(STATE), time.monotonic() + ALONE_MS
  while state.others > 0 and time.monotonic() < deadline do
    time.sleep(POLL_MS)
    state = conn:row(STATE)
  end
  local lost = state.version < COUNTERS_SINCE and "the server is older than PostgreSQL 15"
    or not state.counting and "track_counts is off"
    or state.others > 0 and "others are in the database"
    or state.prepared > 0 and "there are prepared transactions"
  if lost then return { lost = lost } end
  local tables = {}
  for _, row in ipairs(conn:query(TABLES)) do
    tables[row.name] = { shape = row.shape, writes = row.writes }
  end
  return { system_identifier = state.system_identifier, oid = state.oid, started = state.started,
    resets = state.resets, enums = state.enums, tables = tables }
end

--- The tables written between two marks of one database, or not there at the first; nil when the
--- counters cannot tell, and why.
---@return string[]|nil names, string|nil why
function M.written(before, after)
  if not before then return nil, "nothing was noted then" end
  if before.lost or after.lost then return nil, before.lost or after.lost end
  if before.system_identifier ~= after.system_identifier or before.oid ~= after.oid then
    return nil, "it is another database"
  end
  if before.started ~= after.started then return nil, "the server was started again" end
  if before.resets ~= after.resets then return nil, "counters were set back" end
  if before.enums ~= after.enums then return nil, "the words of an enum have changed" end
  local names = {}
  for name, now in pairs(after.tables) do
    local was = before.tables[name]
    if was and was.shape == now.shape and now.writes < was.writes then
      return nil, "counters went back"
    end
    if not was or was.shape ~= now.shape or was.writes ~= now.writes then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The mark of a database just made from the files of another: as if it had been taken there. Counters
--- of a new database begin at nought.
---@param original table the other's mark
---@param copied table the new one's
function M.carried(original, copied)
  if original.lost or copied.lost then return { lost = original.lost or copied.lost } end
  local mark = { system_identifier = copied.system_identifier, oid = copied.oid, started = copied.started,
    resets = copied.resets, enums = original.enums, tables = {} }
  for name, entry in pairs(original.tables) do
    mark.tables[name] = { shape = entry.shape, writes = 0 }
  end
  return mark
end

--- Raises class leak when a certificate has leaks.
function M.refuse_leaks(certificate, database, what)
  if certificate.leaks == 0 then return end
  errors.raise("leak", "E_LEAK", ("%d address(es) outside %s %s %s"):format(certificate.leaks,
    certificate.rules.sink_domain, what, database), { detail = certificate.places })
end

--- What neither could read: columns of tables read once only, and what is counted or looked at anew.
local function not_scanned(full, again)
  local list, seen = {}, {}
  for i, gap in ipairs(again.not_scanned) do
    list[i], seen[gap.kind .. " " .. (gap.name or "")] = gap, true
  end
  for _, gap in ipairs(full.not_scanned) do
    if gap.name and not gap.kind:match(" with an address$") and not seen[gap.kind .. " " .. gap.name] then
      list[#list + 1] = gap
    end
  end
  return json.array(list)
end

--- One certificate of a full scan and of what was read again: of the database the second has read.
local function bind(full, again, tables)
  local bound = {}
  for key, value in pairs(again) do bound[key] = value end
  bound.scanned = {}
  for key, value in pairs(again.scanned) do
    bound.scanned[key] = type(value) == "number" and full.scanned[key] or value
  end
  bound.leaks, bound.not_scanned = full.leaks + again.leaks, not_scanned(full, again)
  -- What may pass in the first is less than in the second: nothing was kept there.
  bound.full, bound.again = full, { tables = json.array(tables), scanned = again.scanned }
  return bound
end

--- May the certificate of an image speak for this database under these rules?
local function speaks(image, identity, rules)
  local full = image.certificate
  if image.new_oid ~= identity.database_oid or image.system_identifier ~= identity.system_identifier then
    return false, "the image did not become this database"
  end
  if tostring(full.database.oid) ~= tostring(image.database_oid)
    or tostring(full.database.system_identifier) ~= tostring(identity.system_identifier) then
    return false, "the image's certificate is another database's"
  end
  local asked = rules:describe()
  if full.leaks ~= 0 or full.rules.sink_domain ~= asked.sink_domain or #full.rules.allow > 0
    or #full.rules.keep > 0 then
    return false, "the image was scanned by other rules"
  end
  return true
end

--- Step 9: the certificate of a finished copy. With an image's certificate only what was written since
--- is read.
---@param spec table {conn, dsn, password, rules, identity, image=, progress=}
---@return table {certificate, mark, full = why the whole was read, or nil}
function M.certificate(spec)
  local mark = M.mark(spec.conn)
  local image, tables, why = spec.image, nil, "it was made without an image"
  if image then
    local fine
    fine, why = speaks(image, spec.identity, spec.rules)
    if fine then tables, why = M.written(image.mark, mark) end
  end
  if tables then
    local seen = {}
    for _, name in ipairs(tables) do seen[name] = true end
    for _, name in ipairs(image.suspects or {}) do
      if not seen[name] then tables[#tables + 1] = name end
    end
  end
  local certificate = mask.scan { dsn = spec.dsn, password = spec.password, rules = spec.rules,
    tables = tables, progress = spec.progress }
  if tables then certificate = bind(image.certificate, certificate, tables) end
  return { certificate = certificate, mark = mark, full = not tables and why or nil }
end

--- Tables with rows written after the scan began, by looking at every row.
local function written_by_rows(conn, horizon)
  local asked = {}
  for i, row in ipairs(conn:query([[SELECT n.nspname AS schema, c.relname AS name FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema']])) do
    asked[i] = ("SELECT %s AS name WHERE EXISTS (SELECT FROM ONLY %s WHERE age(xmin) <= age($1::text::xid))")
      :format(db.literal(row.schema .. "." .. row.name), db.ident(row.schema, row.name))
  end
  local written = {}
  for i, row in ipairs(conn:query(table.concat(asked, " UNION ALL "), horizon)) do written[i] = row.name end
  return written
end

--- Step 24: tables written since step 9 looked.
---@param scanned table {mark, horizon}
---@return string[]
function M.written_since(conn, scanned)
  return M.written(scanned.mark, M.mark(conn)) or written_by_rows(conn, scanned.horizon)
end

return M
