-- archive: looks into the archives that backup.create makes, and takes things out. Needs no server.
--
--   cloner scripts/archive.lua action=list    archive=PLACE [key=SECRET] [format=text|json]
--   cloner scripts/archive.lua action=verify  archive=PLACE [key=SECRET] [jobs=2]
--   cloner scripts/archive.lua action=cat     archive=PLACE [key=SECRET] table=SCHEMA.TABLE [to=FILE]
--   cloner scripts/archive.lua action=decrypt archive=PLACE key=SECRET to=FOLDER
--
-- PLACE: a folder, file:///folder, azblob://account/container/prefix (credentials from the
-- AZURE_STORAGE_* variables). SECRET: file:/path or env:NAME. cat writes COPY data, in the format list
-- tells, to standard output or a new file; decrypt makes a plain archive of an encrypted one.
local backup = require "backup"
local json = require "json"
local secret = require "secret"
local tool = require "tool"

local line, refuse, size = tool.line, tool.refuse, tool.size

local TAKES = {
  list = { format = true },
  verify = { jobs = true },
  cat = { table = true, to = true },
  decrypt = { to = true },
}

local given = ... or {}
local takes = TAKES[given.action]
if not takes then refuse "parameter action: list, verify, cat or decrypt is needed" end
local known = { action = true, archive = true, key = true }
for name in pairs(takes) do known[name] = true end
local params = tool.params(given, known)
if not params.archive then refuse "missing parameter: give archive=PLACE" end

local function options(more)
  local all = { archive = params.archive, key = params.key and secret(params.key) }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local ACTIONS = {}

function ACTIONS.list()
  local all = backup.list(options())
  if params.format == "json" then
    print(json.encode(all, { pretty = true }))
    return
  end
  line("database", ("%s, PostgreSQL %s"):format(all.database, all.server_version))
  line("created", all.created)
  line("format", ("version %d, zstd %s, %s"):format(all.format_version,
    all.level and "level " .. all.level or "level not known",
    all.encrypted and "encrypted" or "not encrypted"))
  line("checksum", "sha256 " .. all.checksum)
  line("holds", ("%d tables, %d rows, %s in %s"):format(#all.tables, all.rows, size(all.bytes),
    size(all.stored_bytes)))
  print(("%12s %10s %10s %5s  %-6s  %s"):format("rows", "data", "stored", "files", "format", "table"))
  for _, t in ipairs(all.tables) do
    print(("%12d %10s %10s %5d  %-6s  %s.%s"):format(t.rows, size(t.bytes), size(t.stored_bytes),
      t.files, t.format, t.schema, t.name))
  end
end

function ACTIONS.verify()
  local done = backup.verify(options { jobs = params.jobs, progress = tool.progress "verified" })
  print(("right: %d tables, %d rows, %s, sha256 %s"):format(done.tables, done.rows, size(done.bytes),
    done.checksum))
end

function ACTIONS.cat()
  if not params.table then refuse "missing parameter: give table=SCHEMA.TABLE" end
  backup.cat(options { table = params.table, to = params.to or "-", progress = tool.progress "wrote" })
end

function ACTIONS.decrypt()
  if not params.to then refuse "missing parameter: give to=FOLDER" end
  local done = backup.decrypt(options { to = params.to, progress = tool.progress "decrypted" })
  print(("%s: %d tables, %d rows, %s, sha256 %s"):format(params.to, done.tables, done.rows,
    size(done.stored_bytes), done.checksum))
end

ACTIONS[params.action]()
