-- backup: copies PostgreSQL databases: to an archive, from an archive, or straight into another
-- database, masking addresses while the rows pass; and proves copies. Everything runs on native
-- threads; the script waits and may watch.
--
-- Wherever a connection string is taken, a password (string or secret) may stand beside it.
-- progress(p) is called about four times a second with what run:progress{} takes: p = {done, total,
-- unit, bytes, rows, parts_done, parts_total, phase, objects, note, bytes_per_second, seconds_left}.
-- resume = KEY names a copy, so that a killed one can go on: call the verb again with the same key and
-- options. The source's snapshot is then held by a process of its own, and stays for keep_snapshot_s (900)
-- seconds after the last run that used it, or until forget{key}. A target that holds half of a copy whose
-- snapshot is lost raises E_SNAPSHOT_LOST: make that database anew and call again; the copy then starts over
-- and says so in its warnings. A target that another process fills raises E_TARGET_BUSY.
-- create goes on with the files of a folder, and begins anew, saying so, when it cannot.
local core = ...
local blob = require "blob"
local json = require "json"
local secret = require "secret"
local time = require "time"

local M = {}

local POLL_MS = 250
local SMOOTH_S = 10 -- a rate is that of about the last so many seconds

--- Measures a counter: a function of its value that returns its smoothed growth a second, nil at first.
local function speedometer()
  local at, last, weight, rate = time.monotonic(), 0, 0, 0
  return function(value)
    local now = time.monotonic()
    local seconds = (now - at) / 1000
    if seconds > 0 then
      local keep = math.exp(-seconds / SMOOTH_S)
      weight = weight * keep + (1 - keep) -- of all that was seen so far: no slow start from zero
      rate = rate * keep + (value - last) / seconds * (1 - keep)
      at, last = now, value
    end
    return weight > 0 and rate / weight or nil
  end
end

-- What the verbs that read a database take to spare it: bytes read from it a second, by all workers
-- together; how far its replicas may be behind before workers wait for them; how many transactions
-- the snapshot may keep from cleanup before there is a warning.
local PROTECTION = { "max_bytes_per_second", "max_replica_lag_ms", "warn_xmin_age" }

-- Options that go to the core as they are; it checks them.
local PASSED = { "source", "target", "mask", "restored_with", "jobs", "exclude_data", "tables", "leave",
  "part_bytes", "tablespaces", "level", "resume", "keep_snapshot_s", "compare", "toast_lz4", "data_only",
  "truncate", table.unpack(PROTECTION) }

local function reveal(value)
  if value == nil then return nil end
  return secret.reveal(value)
end

--- Runs one verb to its end; a cancelled wait stops it.
---@param spec table what the core gets besides, and for options that are not given
local function run(verb, options, spec)
  for _, name in ipairs(PASSED) do
    if options[name] ~= nil then spec[name] = options[name] end
  end
  for _, side in ipairs { "source", "target" } do
    spec[side .. "_password"] = reveal(options[side .. "_password"] or options.password)
  end
  if options.truncate and not options.data_only then
    error(("backup.%s: 'truncate' goes with 'data_only'"):format(verb), 3)
  end
  if options.progress ~= nil and type(options.progress) ~= "function" then
    error("backup." .. verb .. ": 'progress' must be a function", 3)
  end
  local job <close> = core.start(verb, spec)
  local bytes_rate, done_rate = speedometer(), speedometer()
  local last
  while true do
    local finished, value = job:wait(options.progress and POLL_MS or nil)
    if finished then
      json.array(value.warnings)
      if value.differences then
        json.array(value.tables)
        json.array(value.differences)
      end
      if last then -- the end is always seen
        options.progress { done = last.total, total = last.total, unit = "bytes", bytes = value.bytes,
          rows = value.rows, parts_done = last.parts_total, parts_total = last.parts_total,
          objects = json.array {} }
      end
      return value
    end
    last = value
    value.unit = "bytes"
    value.bytes_per_second = bytes_rate(value.bytes)
    local pace, left = done_rate(value.done), value.total - value.done
    if pace and pace > 0 and left > 0 then value.seconds_left = left / pace end
    json.array(value.objects)
    options.progress(value)
  end
end

--- A place of an archive as `archive` and `to` name it: a folder, "file:///folder", "azblob://…", a
--- store of blob.open or what blob.open takes. Returns its name and the store, if it needs one.
local function place(verb, name, value)
  if type(value) == "string" and (not value:find("://", 1, true) or value:find("^file://")) then
    return value
  end
  if type(value) ~= "string" and type(value) ~= "table" then
    error(("backup.%s: '%s' must be a folder, a URL or a store"):format(verb, name), 4)
  end
  local is_store = type(value) == "table" and getmetatable(value) ~= nil
  local store = is_store and value or blob.open(value)
  return store.url, blob.handle(store)
end

--- The key of an encrypted archive, nil without one.
local function reveal_key(verb, key)
  if type(key) == "string" and (key:find("^file:/") or key:find("^env:")) then key = secret(key) end
  if key ~= nil and type(key) ~= "string" and not secret.is(key) then
    error("backup." .. verb .. ": 'key' must be a secret", 4)
  end
  return reveal(key)
end

--- Runs a verb on an archive.
local function run_archive(verb, options, where, spec)
  spec.archive, spec.store = place(verb, where, options[where])
  spec.key = reveal_key(verb, options.key)
  return run(verb, options, spec)
end

local function check(verb, options, known)
  if type(options) ~= "table" then
    error("backup." .. verb .. ": a table of options expected", 3)
  end
  for name in pairs(options) do
    if not known[name] then
      error("backup." .. verb .. ": unknown option '" .. tostring(name) .. "'", 3)
    end
  end
end

local function set(...)
  local names = {}
  for _, name in ipairs { ... } do names[name] = true end
  return names
end

local CREATE = set("source", "password", "source_password", "to", "key", "level", "jobs", "restored_with",
  "part_bytes", "exclude_data", "leave", "resume", "keep_snapshot_s", "progress",
  table.unpack(PROTECTION))
local PROBE = set("source", "password")
local VERIFY = set("archive", "key", "jobs", "progress")
local LIST = set("archive", "key")
local CAT = set("archive", "key", "table", "to", "progress")
local DECRYPT = set("archive", "key", "to", "progress")
local RESTORE = set("archive", "key", "tables", "target", "password", "target_password", "mask",
  "exclude_data", "jobs", "leave", "tablespaces", "resume", "progress", "compare", "toast_lz4")
local STREAM = set("source", "source_password", "target", "target_password", "mask", "exclude_data",
  "jobs", "part_bytes", "leave", "tablespaces", "resume", "keep_snapshot_s", "progress", "compare",
  "toast_lz4", table.unpack(PROTECTION))
local REWRITE = set("source", "source_password", "target", "target_password", "mask", "tables",
  "exclude_data", "jobs", "leave", "progress", "compare")
local FORGET = set("key")
local CHECK = set("source", "password", "source_password", "mask", "exclude_data", "tables", "jobs",
  "progress", table.unpack(PROTECTION))
local COMPARE = set("source", "source_password", "archive", "key", "target", "target_password",
  "password", "mask", "exclude_data", "jobs", "part_bytes", "leave", "progress",
  table.unpack(PROTECTION))

-- restore and stream with data_only: rows alone go into tables that are there already, matched by name,
-- partitions by their root. These must be empty, unless truncate lets what they hold go first. They may have
-- more columns, if these need no value. No trigger fires, foreign keys are kept, sequences set; materialised
-- views are not refreshed. compare, tables and resume do not go with it.
for _, name in ipairs { "data_only", "truncate" } do RESTORE[name], STREAM[name] = true, true end

-- Where an archive is given (to, archive): a folder, "file:///folder", "azblob://account/container/prefix"
-- (credentials from the AZURE_STORAGE_* variables), a store of blob.open, or what blob.open takes,
-- {url=, key=, …}. key: a secret of 32 random bytes, in hexadecimal, base64 or as they are; an archive is
-- encrypted with it, and read.

--- Backs a database up to a place where there is nothing yet. Nothing is masked: an archive is a
--- backup of the source. Tables in exclude_data ("schema.table") are kept without rows. level: of
--- zstd, 1 (default) to 19. Of leave only "large_objects" means something here: all else can be left
--- behind when it is restored. restored_with: rules of a mask whose methods restore shall be able to apply
--- (tables of numbers, dates and the like are then archived as text).
---@param options {source: string, password: any, to: any, key: any, level: integer|nil, jobs: integer|nil,
---  restored_with: userdata|nil,
---  exclude_data: string[]|nil, leave: string[]|nil, resume: string|nil,
---  keep_snapshot_s: integer|nil, progress: function|nil, max_bytes_per_second: integer|nil,
---  max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return table summary {tables, rows, large_objects, bytes, stored_bytes, checksum, seconds, snapshot,
---  snapshot_seconds, xmin_age, archive, warnings}
function M.create(options)
  check("create", options, CREATE)
  return run_archive("create", options, "to", {})
end

--- Checks an archive without a server: every file there, of its size and checksum, readable, with as
--- many rows as were written. Raises naming the file and what is wrong with it.
---@param options {archive: any, key: any, jobs: integer|nil, progress: function|nil}
---@return table summary
function M.verify(options)
  check("verify", options, VERIFY)
  return run_archive("verify", options, "archive", {})
end

--- What is in an archive, from its manifest.
---@param options {archive: any, key: any}
---@return table listing {created, database, server_version, format_version, encrypted, level, rows,
---  bytes, stored_bytes, checksum, tables}: tables is a list of {schema, name, format, rows, bytes,
---  stored_bytes, files}
function M.list(options)
  check("list", options, LIST)
  local listing = run_archive("list", options, "archive", {})
  json.array(listing.tables)
  return listing
end

--- Writes the rows of one table ("schema.table") of an archive to a new file, or to standard output
--- ("-"), as one stream of COPY data in the format list tells.
---@param options {archive: any, key: any, table: string, to: string, progress: function|nil}
---@return table summary {rows, bytes, seconds}
function M.cat(options)
  check("cat", options, CAT)
  for _, name in ipairs { "table", "to" } do
    if type(options[name]) ~= "string" then
      error(("backup.cat: '%s' must be a string"):format(name), 2)
    end
  end
  return run_archive("cat", options, "archive", { table = options.table, to = options.to })
end

--- Makes an archive that is not encrypted of one that is: the same rows in a new folder.
---@param options {archive: any, key: any, to: string, progress: function|nil}
---@return table summary {tables, rows, bytes, stored_bytes, checksum, seconds}
function M.decrypt(options)
  check("decrypt", options, DECRYPT)
  if type(options.to) ~= "string" then error("backup.decrypt: 'to' must be a folder", 2) end
  return run_archive("decrypt", options, "archive", { to = options.to })
end

--- Restores an archive into an existing, empty database. When it raises, the database is left
--- half filled: drop it. With compare, what the rows add up to as they pass is kept, the target is read
--- back at the end, and a difference is E_COPY_DIFFERS (class conflict) naming the table. With tables
--- ("schema.table") only these are restored, with what is theirs and whatever that needs: types, functions,
--- sequences, other tables without their rows. Foreign keys to tables that are not there are left out.
--- toast_lz4 (true): wide values are compressed with lz4 where the target's server can (14 and newer, built
--- with it): half the time for tables that hold many, somewhat larger on disk; false: as the server does by
--- itself. Columns that say how stay as they say.
---@param options {archive: any, key: any, target: string, password: any, mask: userdata|nil,
---  tables: string[]|nil, exclude_data: string[]|nil, jobs: integer|nil, resume: string|nil,
---  compare: boolean|nil, toast_lz4: boolean|nil, progress: function|nil}
---@return table summary {…, masked, shortened, kept}; compared: the number of tables, with compare
function M.restore(options)
  check("restore", options, RESTORE)
  if options.tables ~= nil and (type(options.tables) ~= "table" or #options.tables == 0) then
    error("backup.restore: 'tables' must be a list of \"schema.table\"", 2)
  end
  return run_archive("restore", options, "archive", { toast_lz4 = true })
end

--- Copies a database into an existing, empty one with nothing between but the mask. compare, toast_lz4:
--- as for restore; the source is not read again.
---@param options {source: string, source_password: any, target: string, target_password: any,
---  mask: userdata|nil, exclude_data: string[]|nil, jobs: integer|nil, compare: boolean|nil,
---  toast_lz4: boolean|nil, resume: string|nil, keep_snapshot_s: integer|nil, progress: function|nil,
---  max_bytes_per_second: integer|nil, max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return table summary as restore's
function M.stream(options)
  check("stream", options, STREAM)
  return run("stream", options, { toast_lz4 = true })
end

--- Fills tables of a copy again that was made from the source's files (CREATE DATABASE … TEMPLATE):
--- those named are emptied and come from the source through the mask, those of exclude_data stay empty,
--- materialised views are refreshed. Indexes stay; foreign keys are made again. So are all large objects; of
--- leave, "owners" and "privileges" are theirs. compare: as for restore.
---@param options {source: string, source_password: any, target: string, target_password: any,
---  mask: userdata|nil, tables: string[], exclude_data: string[]|nil, jobs: integer|nil, leave: string[]|nil,
---  compare: boolean|nil, progress: function|nil}
---@return table summary as restore's
function M.rewrite(options)
  check("rewrite", options, REWRITE)
  return run("rewrite", options, { tables = {} })
end

--- Raises what stream would raise before it writes anything.
---@param options table as for stream; mask and progress are not looked at
---@return table summary tables, and their bytes on disk
function M.preflight(options)
  check("preflight", options, STREAM)
  local looked_at = {}
  for name, value in pairs(options) do looked_at[name] = value end
  for _, name in ipairs { "mask", "resume", "keep_snapshot_s", "compare", "progress" } do
    looked_at[name] = nil
  end
  return run("preflight", looked_at, {})
end

--- Raises when the source's server is too old, or too new for every pg_dump that is installed here.
---@param options {source: string, password: any}
function M.probe(options)
  check("probe", options, PROBE)
  run("probe", options, {})
end

--- Reads a database through the mask and says what a copy would stumble over: addresses that do not fit
--- their column once masked ("width"), rows whose keys become equal ("unique"), CHECK constraints of tables
--- ("check") and domains ("domain") that masked values break, rows that no "partition" takes, references that no
--- longer lead to their row ("foreign key"), or lead to a table that is left empty ("emptied"). Addresses in the
--- schema itself are in `definitions`, as scan has them. Findings do not raise. Nothing is written, and no
--- original is in what it returns.
---@param options {source: string, password: any, mask: userdata, exclude_data: string[]|nil,
---  tables: string[]|nil, jobs: integer|nil, progress: function|nil, max_bytes_per_second: integer|nil,
---  max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return table {columns, findings, not_checked, references, definitions, tables, rows, bytes, seconds, warnings}
function M.check(options)
  check("check", options, CHECK)
  if not options.mask then error("backup.check: 'mask' is missing", 2) end
  local result = run("check", options, {})
  for _, name in ipairs { "columns", "findings", "not_checked", "references", "definitions" } do
    json.array(result[name])
  end
  return result
end

--- The copy called key (its option resume) will not be gone on with: its snapshot is let go. Fine when
--- there is none.
---@param options {key: string}
function M.forget(options)
  check("forget", options, FORGET)
  if type(options.key) ~= "string" then error("backup.forget: 'key' must be a string", 2) end
  run("forget", { resume = options.key }, {})
end

--- Compares a source (database or archive), masked, with a target: row counts and checksums that do
--- not depend on the order of rows, the states of sequences, and which materialised views are filled.
--- Tables in exclude_data must be empty in the target. Large objects are compared, too, unless leave
--- names them; of leave nothing else is looked at.
---@param options {source: string|nil, archive: any, key: any, source_password: any, target: string,
---  target_password: any, password: any, mask: userdata|nil, exclude_data: string[]|nil,
---  jobs: integer|nil, progress: function|nil, max_bytes_per_second: integer|nil,
---  max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return table result {equal, rows, seconds, n_differences, tables, differences}: both are lists of
---  {kind, table, problem, source_rows, target_rows, rows}, tables of all compared, differences of the
---  first 1000 that are not what they should be; kind says what has the name in `table`: a table, a
---  sequence …; rows are lines that name some of the rows that differ, by masked and shortened keys
function M.compare(options)
  check("compare", options, COMPARE)
  local start = options.archive == nil and run or function(verb, given, spec)
    return run_archive(verb, given, "archive", spec)
  end
  local result = start("compare", options, {})
  result.equal = result.n_differences == 0
  return result
end

return M
