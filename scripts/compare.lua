-- compare: says whether a database holds what another one, or an archive, holds. Nothing is written.
--
--   cloner scripts/compare.lua source=DSN|archive=PATH target=DSN [mask_domain=D] [exclude=a.b,c.d]
--       [jobs=2] [format=text|json] [key=file:/path] [source_password=file:/path]
--       [target_password=file:/path]
--
-- key opens an encrypted archive. With mask_domain the target must hold the source's rows as the mask
-- makes them. Tables in exclude must be empty in the target. What differs is listed, with the keys of
-- some rows, and the exit code is 1.
local backup = require "backup"
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local tool = require "tool"

local function read_params(given)
  local params = tool.params(given, { source = true, archive = true, key = true, target = true,
    mask_domain = true, exclude = true, jobs = true, format = true, source_password = true,
    target_password = true })
  if not params.target then tool.refuse "missing parameter: give target=DSN" end
  if (params.source == nil) == (params.archive == nil) then
    tool.refuse "give either source=DSN or archive=PATH to compare the target with"
  end
  if params.exclude then
    local names = {}
    for name in params.exclude:gmatch("[^,]+") do names[#names + 1] = name end
    params.exclude = names
  end
  return params
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

local params = read_params(... or {})
local result = backup.compare { source = params.source, archive = params.archive,
  key = tool.password(params.key), target = params.target,
  source_password = tool.password(params.source_password),
  target_password = tool.password(params.target_password), exclude_data = params.exclude,
  mask = params.mask_domain and mask.rules { sink_domain = params.mask_domain }, jobs = params.jobs,
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
