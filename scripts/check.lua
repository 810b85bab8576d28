-- check: says whether a masked copy of a database would work, before one is made.
--
--   cloner scripts/check.lua source=DSN [mask_domain=D] [allow=D,D] [password=file:/path] [jobs=2]
--     [tables=S.T,S.T] [format=text|json]
--
-- Nothing is written. Reads every row once, masks what holds an address and lists what would stop a copy:
-- values that do not fit their column, keys that become equal, constraints that break, references that lead
-- nowhere. The exit code is 1 when there is any.
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local findings = require "findings"
local tool = require "tool"

local function list(given)
  local names = {}
  for name in (given or ""):gmatch("[^,%s]+") do names[#names + 1] = name end
  return names
end

local params = tool.params(... or {}, { source = true, mask_domain = true, allow = true, password = true,
  jobs = true, tables = true, format = true })
if not params.source then tool.refuse "missing parameter: give source=DSN" end

local report = mask.check { dsn = params.source, password = tool.password(params.password),
  rules = mask.rules { sink_domain = params.mask_domain or "mailinator.com", allow = list(params.allow) },
  tables = params.tables and list(params.tables), jobs = params.jobs, progress = tool.progress "checked" }

if params.format == "json" then
  print(json.encode(report, { pretty = true }))
else
  tool.line("read", ("%d tables, %d rows, %s in %.1f s"):format(report.tables, report.rows,
    tool.size(report.bytes), report.seconds))
  for _, column in ipairs(report.columns) do
    tool.line("masked", ("%d in %s.%s.%s%s"):format(column.changed, column.schema, column.table, column.column,
      column.shortened > 0 and (", %d of them shortened, %d for the column's width"):format(column.shortened,
        column.squeezed) or ""))
  end
  for _, gap in ipairs(report.not_checked) do tool.line("", findings.gap(gap)) end
  for _, finding in ipairs(report.findings) do tool.line("FINDING", findings.finding(finding)) end
  tool.line("result", #report.findings == 0 and "nothing stands against a masked copy"
    or ("%d finding(s)"):format(#report.findings))
end
if #report.findings > 0 then
  errors.raise("invalid", "E_MASK_CHECK", ("%d thing(s) stand against a masked copy"):format(#report.findings))
end
