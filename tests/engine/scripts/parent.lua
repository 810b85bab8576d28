-- parent: starts or joins a run of child.lua and waits for it.
local P = require("procedure").new { name = "parent", title = "Parent ${key}",
  params = { key = "string", source = { "string", default = "s" } },
  target_key = function(p) return p.key end }
P:step { "wait", run = function(run)
  local id = run:start("child.lua", { source = run.params.source })
  return { child = id, result = run:join(id, { progress = true }) }
end, undo = function(run)
  local ours, id = run:started("child.lua")
  if ours then run:cancel(id) end
end }
P:step { "use", run = function(run) return run:result("wait").result end }
return P
