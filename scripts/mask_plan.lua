-- mask_plan: what would become of each column of a database by the policy of mask.lua, with what a sample
-- of it holds. Reads only.
--
--   cloner scripts/mask_plan.lua source=DSN [tenant=Cust26760 [users=U,U]] [mail_domain=D] [allow=D,D]
--                                [table=crm7.person,…] [password=file:/path] [format=text|json]
--
-- tenant: with what is said of that test environment alone. Addresses are shown as j***@c***.com.
local db = require "db"
local json = require "json"
local preview = require "preview"
local tool = require "tool"

local given, config = ...
local params = tool.params(given or {}, tool.with_policy { source = true, table = true, password = true,
  format = true })
if not params.source then tool.refuse "missing parameter: give source=DSN" end

local conn <close> = db.connect { dsn = params.source, password = tool.password(params.password),
  application = "cloner mask_plan", readonly = true }
local of = tool.policy_for(params, config, conn)
local items = preview.columns(conn, of, params.table and tool.list(params.table))
if params.format == "json" then
  print(json.encode(json.array(items), { pretty = true }))
else
  for _, line in ipairs(preview.lines(items, true)) do print(line) end
  local sum = { swept = 0, method = 0, empty = 0, ["passed over"] = 0 }
  for _, item in ipairs(items) do sum[item.does] = sum[item.does] + 1 end
  print(("%d columns swept into %s, %d by a method, %d in tables that stay empty, %d passed over"):format(
    sum.swept, of.rules:describe().sink_domain, sum.method, sum.empty, sum["passed over"]))
end
