-- knobs: a step does what the row named after it in the table `knob` says, so that a test can make
-- it fail, wait or leak, and then change its mind.
local db = require "db"
local errors = require "errors"
local time = require "time"

local P = require("procedure").new { name = "knobs", title = "Knobs of ${key}",
  params = { key = "string", bad = { "boolean", default = false } },
  target_key = function(p) return p.key end,
  preflight = function(ctx)
    if ctx.params.bad then errors.raise("permission", "E_BAD", "the target is not a test environment") end
  end,
  summary = function(run) return { "summary of " .. run.params.key } end }

local function obey(run)
  local conn <close> = db.connect(run.config.target)
  local what = conn:value("SELECT value FROM knob WHERE name = $1", run.step) or "ok"
  conn:exec("INSERT INTO effect (step, n, note) VALUES ($1, 1, $2)", run.step, what)
  if what == "transient" then errors.raise("transient", "E_BUSY", "the service is down") end
  if what == "once" then
    conn:exec("DELETE FROM knob WHERE name = $1", run.step)
    errors.raise("throttled", "E_SLOW", "too fast", { retry_after_ms = 300 })
  end
  if what == "invalid" then errors.raise("invalid", "E_NO", "the input is wrong") end
  if what == "leak" then errors.raise("leak", "E_LEAK", "3 addresses", { detail = { places = { "a.b" } } }) end
  if what == "bug" then local x = nil; return x.y end
  if what == "loop" then while true do end end
  if what == "global" then return undefined_thing end -- luacheck: ignore
  if what == "swallow" then
    pcall(function() time.sleep(60000) end)
    conn:exec("INSERT INTO effect (step, n, note) VALUES ($1, 2, 'swallowed')", run.step)
  end
  if what == "wait" then
    while conn:value("SELECT value FROM knob WHERE name = $1", run.step) == "wait" do
      run:progress { done = 1, total = 2, unit = "rows" }
      time.sleep(20)
    end
  end
  if what == "silent" then
    while conn:value("SELECT value FROM knob WHERE name = $1", run.step) == "silent" do time.sleep(20) end
  end
  return { what = what }
end

local function undo(run, result)
  local conn <close> = db.connect(run.config.target)
  local what = conn:value("SELECT value FROM knob WHERE name = $1", "undo " .. run.step)
  if what == "transient" then errors.raise("transient", "E_BUSY", "the service is down") end
  conn:exec("INSERT INTO effect (step, n, note) VALUES ($1, 1, $2)", "undo " .. run.step,
    result and "known" or "unknown")
end

local quick = { attempts = 3, base_ms = 20, cap_ms = 50 }
P:step { "one", run = obey, undo = undo, retry = quick }
P:step { "two", run = obey, undo = undo, retry = quick, timeout = "1s" }
P:step { "three", run = obey, undo = undo, retry = quick }
return P
