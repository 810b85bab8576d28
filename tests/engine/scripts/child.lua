-- child: what parent.lua starts. Waits or fails while the knob `child` says so; `undo child` may fail
-- its undo.
local db = require "db"
local time = require "time"
local P = require("procedure").new { name = "child", title = "Child for ${source}",
  params = { source = "string" }, target_key = function(p) return "child:" .. p.source end }
P:step { "work", run = function(run)
  local conn <close> = db.connect(run.config.target)
  conn:exec("INSERT INTO effect (step, n) VALUES ('child', 1)")
  if conn:value("SELECT value FROM knob WHERE name = 'child'") == "invalid" then
    require("errors").raise("invalid", "E_NO", "it cannot be done")
  end
  while conn:value("SELECT value FROM knob WHERE name = 'child'") == "wait" do
    run:progress { done = 1, total = 4, unit = "bytes" }
    time.sleep(20)
  end
  return { from = run.id }
end, undo = function(run)
  local conn <close> = db.connect(run.config.target)
  if conn:value("SELECT value FROM knob WHERE name = 'undo child'") == "invalid" then
    require("errors").raise("invalid", "E_NO", "it cannot be undone")
  end
  conn:exec("INSERT INTO effect (step, n) VALUES ('undo child', 1)")
end }
return P
