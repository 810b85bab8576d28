-- tenant: what a tenant's own file changes (tenants/Cust7.lua).
local P = require("procedure").new { name = "tenant", title = "For ${target}",
  params = { target = "tenant", word = { "string", default = "plain" } }, durable = false,
  summary = function(run) return { run.params.word, tostring(run:result("b").said) } end }
P:step { "a", run = function() return { said = "a" } end }
P:step { "b", run = function() return { said = "b" } end }
return P
