local time = require "time"
local task = require "task"
local M = {}
function M.run(args)
  local h = task.spawn(function(a) time.sleep(50) return a + 1 end, 41)
  print(h:join(10))
  print(h:join())
  local h2 = task.spawn(function() time.sleep(5000) end)
  time.sleep(10)
  h2:cancel(require("errors").new("cancelled", "E_X", "stop it"))
  local ok, e = h2:join()
  print(ok, e, e.class)
  local h3 = task.spawn(function() local x = nil; return x.y end)
  ok, e = h3:join()
  print(ok, e, e.traceback)
  print(require("host").uuid(), args.script)
  return 0
end
return M
