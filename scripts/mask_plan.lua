-- mask_plan: what would become of each column of a database by the policy of mask.lua, with what a sample
-- of it holds. Reads only.
--
--   cloner scripts/mask_plan.lua source=DSN [target=Cust26760] [table=crm7.person,…] [mail_domain=D]
--                                [password=file:/path] [format=text|json]
--
-- target: with what tenants/Cust26760.mask.lua says. Addresses are shown as j***@c***.com.
local db = require "db"
local json = require "json"
local policy = require "policy"
local preview = require "preview"
local tool = require "tool"

local params = tool.params(... or {}, { source = true, target = true, table = true, mail_domain = true,
  password = true, format = true })
if not params.source then tool.refuse "missing parameter: give source=DSN" end
if params.target and not params.target:match("^Cust%d+$") then
  tool.refuse "parameter target: a tenant looks like Cust12345"
end
local tables
if params.table then
  tables = {}
  for name in params.table:gmatch("[^,%s]+") do tables[#tables + 1] = name end
end

local conn <close> = db.connect { dsn = params.source, password = tool.password(params.password),
  application = "cloner mask_plan", readonly = true }
local of = policy.read { mail_domain = params.mail_domain or "mailinator.com", target = params.target }
policy.check(of, conn)
local items = preview.columns(conn, of, tables)
if params.format == "json" then
  print(json.encode(json.array(items), { pretty = true }))
else
  for _, line in ipairs(preview.lines(items, true)) do print(line) end
  local sum = { swept = 0, method = 0, empty = 0, ["passed over"] = 0 }
  for _, item in ipairs(items) do sum[item.does] = sum[item.does] + 1 end
  print(("%d columns swept into %s, %d by a method, %d in tables that stay empty, %d passed over"):format(
    sum.swept, of.rules:describe().sink_domain, sum.method, sum.empty, sum["passed over"]))
end
