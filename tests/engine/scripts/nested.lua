-- nested: transactions within others, and some that are left out; a step fails after its first when
-- the knob of its name says so.
local db = require "db"
local errors = require "errors"
local P = require("procedure").new { name = "nested", title = "Nested ${key}",
  params = { key = "string" }, target_key = function(p) return p.key end }
P:step { "nested", retry = { attempts = 1 }, run = function(run)
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

-- The second attempt leaves out the first transaction, and so comes by the second one as the first.
P:step { "order", retry = { attempts = 1 }, run = function(run)
  local conn <close> = db.connect(run.config.target)
  if conn:value("SELECT count(*) FROM effect WHERE step = 'a'") == 0 then
    run:transaction(conn, function() conn:exec("INSERT INTO effect (step, n) VALUES ('a', 1)") end)
  end
  if conn:value("SELECT value FROM knob WHERE name = 'order'") == "fail" then
    errors.raise("invalid", "E_NO", "between the two")
  end
  run:transaction(conn, function() conn:exec("INSERT INTO effect (step, n) VALUES ('b', 1)") end)
end }
return P
