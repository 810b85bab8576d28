-- check: says whether a masked copy of a database would work, before one is made.
--
--   cloner scripts/check.lua source=DSN [tenant=Cust26760 [users=U,U]] [mail_domain=D] [allow=D,D]
--     [password=file:/path] [jobs=2] [tables=S.T,S.T] [format=text|json]
--
-- Nothing is written. Reads every row once, masks it as mask.lua says (of a copy for that tenant), and lists
-- what would stop a copy:
-- values that do not fit their column, keys that become equal, constraints that break, references that lead
-- nowhere. The exit code is 1 when there is any.
local db = require "db"
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local findings = require "findings"
local tool = require "tool"

local given, config = ...
local params = tool.params(given or {}, tool.with_policy { source = true, password = true, jobs = true,
  tables = true, format = true })
if not params.source then tool.refuse "missing parameter: give source=DSN" end
local password = tool.password(params.password)

local function rules()
  local conn <close> = db.connect { dsn = params.source, password = password, application = "cloner check",
    readonly = true }
  return tool.policy_for(params, config, conn).rules
end

local report = mask.check { dsn = params.source, password = password, rules = rules(),
  tables = params.tables and tool.list(params.tables), jobs = params.jobs, progress = tool.progress "checked" }

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
  for _, key in ipairs(report.references) do tool.line("", findings.reference(key)) end
  for _, gap in ipairs(report.not_checked) do tool.line("", findings.gap(gap)) end
  for _, line in ipairs(findings.definitions(report)) do tool.line("", line) end
  for _, finding in ipairs(report.findings) do tool.line("FINDING", findings.finding(finding)) end
  tool.line("result", #report.findings == 0 and "nothing stands against a masked copy"
    or ("%d finding(s)"):format(#report.findings))
end
if #report.findings > 0 then
  errors.raise("invalid", "E_MASK_CHECK", ("%d thing(s) stand against a masked copy"):format(#report.findings))
end
