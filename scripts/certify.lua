-- certify: proves a database free of addresses. A full scan costs as much as the database is large;
-- what was written after it is found by the server's own counters, so that only those tables are read
-- again. Whatever those cannot prove is answered by a full scan.
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local time = require "time"

local M = {}

local ALONE_MS, POLL_MS = 5000, 50
local XID_MASK, XIDS_MAX = 0xffffffff, 2000000000 -- ids wrap around: of two, the half of them can be told apart
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
    pg_current_xact_id()::text::bigint AS xid,
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
  WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    OR c.oid = 'pg_catalog.pg_largeobject'::regclass]]

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
    resets = state.resets, enums = state.enums, xid = state.xid, tables = tables }
end

--- A transaction that comes before whatever is written from now on: an id as mask.scan takes it.
function M.now(conn) return conn:value("SELECT pg_current_xact_id()::text::bigint") & XID_MASK end

--- The tables written between two marks of one database, or not there at the first; nil when the
--- counters cannot tell, and why.
---@return table|nil written {tables = every name, whole = those to be read from end to end, newer =
---  those whose rows say what is new, by_name = set, since = of which transaction}, string|nil why
function M.written(before, after)
  if not before then return nil, "nothing was noted then" end
  if before.lost or after.lost then return nil, before.lost or after.lost end
  if before.system_identifier ~= after.system_identifier or before.oid ~= after.oid then
    return nil, "it is another database"
  end
  if before.started ~= after.started then return nil, "the server was started again" end
  if before.resets ~= after.resets then return nil, "counters were set back" end
  if before.enums ~= after.enums then return nil, "the words of an enum have changed" end
  if after.xid - before.xid > XIDS_MAX then return nil, "too much was written since" end
  local found = { tables = {}, whole = {}, newer = {}, by_name = {}, since = before.xid & XID_MASK }
  for name, now in pairs(after.tables) do
    local was = before.tables[name]
    local same = was and was.shape == now.shape
    if same and now.writes < was.writes then return nil, "counters went back" end
    if not same or was.writes ~= now.writes then
      local list = same and found.newer or found.whole
      list[#list + 1], found.tables[#found.tables + 1], found.by_name[name] = name, name, true
    end
  end
  table.sort(found.tables)
  return found
end

--- The same since a scan: what was written to an image before its files were copied, too.
---@param base table {mark, suspects = the written() of the image, or nil}
function M.since(base, mark)
  local found, why = M.written(base.mark, mark)
  for _, kind in ipairs(found and base.suspects and { "whole", "newer" } or {}) do
    for _, name in ipairs(base.suspects[kind]) do
      if not found.by_name[name] then
        found[kind][#found[kind] + 1], found.tables[#found.tables + 1] = name, name
        found.by_name[name] = true
      elseif kind == "whole" then
        found.whole[#found.whole + 1] = name -- whatever was written to it later
      end
    end
  end
  return found, why
end

--- The mark of a database just made from the files of another: as if it had been taken there. Counters
--- of a new database begin at nought.
---@param scanned table the other's mark at its scan: newer rows are newer than that
---@param original table the other's mark when it was copied
---@param copied table the new one's
function M.carried(scanned, original, copied)
  if original.lost or copied.lost then return { lost = original.lost or copied.lost } end
  local mark = { system_identifier = copied.system_identifier, oid = copied.oid, started = copied.started,
    resets = copied.resets, enums = original.enums, xid = scanned.xid, tables = {} }
  for name, entry in pairs(original.tables) do
    mark.tables[name] = { shape = entry.shape, writes = 0 }
  end
  return mark
end

--- The certificate where addresses in the schema itself are leaks, too.
---@return table certificate
function M.strict(certificate)
  local strict = { strict_definitions = true }
  for key, value in pairs(certificate) do strict[key] = value end
  for _, one in ipairs(certificate.definitions) do strict.leaks = strict.leaks + one.count end
  return strict
end

--- Where a certificate has leaks.
function M.leaks(certificate)
  local list = {}
  for i, place in ipairs(certificate.places) do list[i] = place end
  for _, one in ipairs(certificate.strict_definitions and certificate.definitions or {}) do list[#list + 1] = one end
  return list
end

--- Raises class leak when a certificate has leaks.
function M.refuse_leaks(certificate, database, what)
  if certificate.leaks == 0 then return end
  errors.raise("leak", "E_LEAK", ("%d address(es) outside %s %s %s"):format(certificate.leaks,
    certificate.rules.sink_domain, what, database), { detail = M.leaks(certificate) })
end

--- What neither could read, of tables read by one of them or by both.
local function not_scanned(full, again)
  local list, seen = {}, {}
  for i, gap in ipairs(again.not_scanned) do
    list[i], seen[gap.kind .. " " .. gap.name] = gap, true
  end
  for _, gap in ipairs(full.not_scanned) do
    if not seen[gap.kind .. " " .. gap.name] then list[#list + 1] = gap end
  end
  return json.array(list)
end

local function append(list, more)
  for _, item in ipairs(more) do list[#list + 1] = item end
end

--- Reads what was written: tables from end to end, of others the rows that are new.
---@param spec table {dsn, password, rules, progress=}
local function read_again(spec, written)
  local whole, rows, keeps = {}, {}, {}
  append(whole, written.whole)
  -- What passes on purpose is counted over the whole table.
  for _, entry in ipairs(spec.rules:describe().keep) do keeps[entry.table] = true end
  for _, name in ipairs(written.newer) do append(keeps[name] and whole or rows, { name }) end
  local found = mask.scan { dsn = spec.dsn, password = spec.password, rules = spec.rules,
    tables = whole, progress = spec.progress }
  if #rows == 0 then return found end
  local newer = mask.scan { dsn = spec.dsn, password = spec.password, rules = spec.rules,
    tables = rows, since = written.since, progress = spec.progress }
  append(newer.places, found.places)
  append(newer.kept, found.kept)
  newer.leaks, newer.not_scanned = newer.leaks + found.leaks, not_scanned(found, newer)
  for key, value in pairs(found.scanned) do
    if key ~= "definitions" then newer.scanned[key] = newer.scanned[key] + value end -- both read all of them
  end
  return newer
end

--- Values that passed on purpose: of a table read again the rows that are new may be all, or not.
local function kept(full, again, tables)
  local list, read = {}, {}
  append(list, again.kept)
  for _, name in ipairs(tables) do read[name] = true end
  for _, one in ipairs(full.kept) do
    if not read[one.table] then append(list, { one }) end
  end
  return list
end

--- One certificate of a full scan and of what was read again: of the database the second has read.
local function bind(full, again, tables)
  local bound = {}
  for key, value in pairs(again) do bound[key] = value end
  bound.scanned, bound.leaks = full.scanned, full.leaks + again.leaks
  bound.not_scanned, bound.kept = not_scanned(full, again), json.array(kept(full, again, tables))
  -- The first scan of the whole, and each that was added.
  bound.full, bound.again = full.full or full, {}
  append(bound.again, full.again or {})
  append(bound.again, { { tables = json.array(tables), scanned = again.scanned } })
  return bound
end

--- May a certificate speak for this database under these rules? The database is the one that was
--- scanned, or made from its files; what might pass then may pass now.
---@param base table {certificate, oid = of what was scanned, new_oid = what became of it,
---  stricter = nil or the hash of rules that let pass no more than these}
local function speaks(base, identity, rules)
  local full = base.certificate
  if base.new_oid ~= identity.database_oid or tostring(full.database.oid) ~= tostring(base.oid)
    or tostring(full.database.system_identifier) ~= tostring(identity.system_identifier) then
    return false, "the certificate is another database's"
  end
  local hash = full.rules.hash
  if full.leaks ~= 0 or hash ~= rules:hash() and hash ~= base.stricter then
    return false, "it was scanned by other rules"
  end
  return true
end

--- The certificate of a copy. On the base of another that can speak for it only what was written since
--- is read.
---@param spec table {conn, dsn, password, rules, identity, base=, progress=}
---@return table {certificate, mark, full = why the whole was read, or nil}
function M.certificate(spec)
  local mark, base = M.mark(spec.conn), spec.base
  local written, why = nil, "there was no certificate"
  if base then
    local fine
    fine, why = speaks(base, spec.identity, spec.rules)
    if fine then written, why = M.since(base, mark) end
  end
  if written then
    return { certificate = bind(base.certificate, read_again(spec, written), written.tables), mark = mark }
  end
  return { mark = mark, full = why, certificate = mask.scan { dsn = spec.dsn, password = spec.password,
    rules = spec.rules, progress = spec.progress } }
end

--- Step 24: reads what was written since step 9 looked. Where counters cannot tell, every row says
--- whether it is new.
---@param spec table {conn, dsn, password, rules}
---@param scanned table {mark, horizon} of step 9
---@return table certificate
function M.again(spec, scanned)
  local written = M.written(scanned.mark, M.mark(spec.conn))
  if written then return read_again(spec, written) end
  return mask.scan { dsn = spec.dsn, password = spec.password, rules = spec.rules, since = scanned.horizon }
end

return M
