-- nested: a transaction within a transaction, then another; the step fails after the first when the
-- knob `nested` says so.
local db = require "db"
local errors = require "errors"
local P = require("procedure").new { name = "nested", title = "Nested ${key}",
  params = { key = "string" }, target_key = function(p) return p.key end }
P:step { "work", retry = { attempts = 1 }, run = function(run)
  local conn <close> = db.connect(run.config.target)
  local function add(what)
    conn:exec("INSERT INTO effect (step, n) VALUES ($1, 1)", what)
    return what
  end
  local outer = run:transaction(conn, function()
    add("outer")
    run:transaction(conn, function() return add("inner") end)
    return "outer"
  end)
  if conn:value("SELECT value FROM knob WHERE name = 'nested'") == "fail" then
    errors.raise("invalid", "E_NO", "between the two")
  end
  return { outer, run:transaction(conn, function() return add("next") end) }
end }
return P
