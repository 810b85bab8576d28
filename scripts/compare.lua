-- compare: says whether a database holds what another one, or an archive, holds. Nothing is written.
--
--   cloner scripts/compare.lua source=DSN|archive=PATH target=DSN [tenant=Cust26760 [users=U,U]]
--       [mail_domain=D] [allow=D,D] [mask=no] [exclude=a.b,c.d] [jobs=2] [format=text|json]
--       [key=file:/path] [source_password=file:/path] [target_password=file:/path]
--
-- The target must hold the source's rows as mask.lua makes them (of a copy for that tenant): what copydb.lua
-- makes with the same options; with mask=no, as they are. Tables that mask.lua, or exclude, leaves empty
-- must be empty. key opens an encrypted archive. What differs is listed, with the keys of some rows, and
-- the exit code is 1.
local backup = require "backup"
local db = require "db"
local errors = require "errors"
local json = require "json"
local tool = require "tool"

local given, config = ...

local function read_params()
  local params = tool.params(given or {}, tool.with_policy { source = true, archive = true, key = true,
    target = true, mask = true, exclude = true, jobs = true, format = true, source_password = true,
    target_password = true })
  if not params.target then tool.refuse "missing parameter: give target=DSN" end
  if (params.source == nil) == (params.archive == nil) then
    tool.refuse "give either source=DSN or archive=PATH to compare the target with"
  end
  params.exclude = tool.list(params.exclude)
  params.target_password = tool.password(params.target_password)
  return params
end

--- What the target's rows were made by; nil: they are the source's. Adds to what is excluded.
local function rules(params)
  if not tool.flag(params, "mask", true) then return nil end
  local conn <close> = db.connect { dsn = params.target, password = params.target_password,
    application = "cloner compare", readonly = true }
  local of = tool.policy_for(params, config, conn)
  for _, name in ipairs(of.rules:empty()) do table.insert(params.exclude, name) end
  return of.rules
end

--- One difference as people read it.
local function describe(d)
  local rows = d.kind == "table" and d.problem ~= "missing in the target"
    and (" (%d rows, %d in the target)"):format(d.source_rows, d.target_rows) or ""
  return ("%s %s: %s%s"):format(d.kind, d.table, d.problem, rows)
end

local function page(result)
  tool.line("compared", ("%d tables, %d rows in %.1f s"):format(#result.tables, result.rows,
    result.seconds))
  for _, d in ipairs(result.differences) do
    tool.line("DIFFERS", describe(d))
    for _, row in ipairs(d.rows or {}) do tool.line("", row) end
  end
  if result.n_differences > #result.differences then
    tool.line("DIFFERS", ("%d more"):format(result.n_differences - #result.differences))
  end
  for _, warning in ipairs(result.warnings) do tool.line("warning", warning) end
  tool.line("result", result.equal and "no difference found"
    or ("%d difference(s)"):format(result.n_differences))
end

local params = read_params()
local mask = rules(params)
local result = backup.compare { source = params.source, archive = params.archive,
  key = tool.password(params.key), target = params.target,
  source_password = tool.password(params.source_password),
  target_password = params.target_password, exclude_data = params.exclude, mask = mask, jobs = params.jobs,
  progress = tool.progress "compared" }

if params.format == "json" then
  print(json.encode(result, { pretty = true }))
else
  page(result)
end
if not result.equal then
  errors.raise("conflict", "E_COPY_DIFFERS", ("%d difference(s), first %s"):format(result.n_differences,
    describe(result.differences[1])))
end
