-- five: five steps whose effects are rows of the table `effect`, each made safe another way.
local db = require "db"
local P = require("procedure").new { name = "five", title = "Five steps for ${key}",
  params = { key = "string" }, target_key = function(p) return p.key end }

local function target(run) return db.connect(run.config.target) end

P:step { "marked", title = "Insert once by a marker in the target",
  run = function(run)
    local conn <close> = target(run)
    return run:transaction(conn, function(c)
      c:exec("INSERT INTO effect (step, n) VALUES ('marked', 1)")
      return { n = 1 }
    end)
  end,
  undo = function(run, result)
    local conn <close> = target(run)
    run:transaction(conn, function(c)
      c:exec("DELETE FROM effect WHERE step = 'marked'")
      c:exec("INSERT INTO effect (step, n, note) VALUES ('undo marked', 1, $1)",
        result and "known" or "unknown")
    end)
  end }

P:step { "checked", title = "Insert unless the check finds it",
  run = function(run)
    local conn <close> = target(run)
    conn:exec("INSERT INTO effect (step, n) VALUES ('checked', 1)")
    return { by = "run" }
  end,
  check = function(run)
    local conn <close> = target(run)
    if conn:value("SELECT count(*)::int FROM effect WHERE step = 'checked'") > 0 then
      return { by = "check" }
    end
  end,
  undo = function(run)
    local conn <close> = target(run)
    conn:exec("DELETE FROM effect WHERE step = 'checked'")
  end }

P:step { "remembered", title = "Make up a value once",
  run = function(run)
    local made = run:once("value", function() return { id = require("crypto").uuid() } end)
    local conn <close> = target(run)
    conn:exec("DELETE FROM effect WHERE step = 'remembered'")
    conn:exec("INSERT INTO effect (step, n, note) VALUES ('remembered', 1, $1)", made.id)
    return made
  end,
  undo = function(run)
    local conn <close> = target(run)
    conn:exec("DELETE FROM effect WHERE step = 'remembered' AND note = $1",
      run:once_value("value") and run:once_value("value").id or "")
  end }

P:step { "reader", title = "Use an earlier result",
  run = function(run)
    return { same = run:result("remembered").id, first = run:result("marked").n }
  end }

P:step { "last", title = "Insert twice, in two marked transactions",
  run = function(run)
    local conn <close> = target(run)
    for i = 1, 2 do
      run:transaction(conn, function(c)
        c:exec("INSERT INTO effect (step, n) VALUES ('last', $1)", i)
      end)
    end
    return { rows = 2 }
  end,
  undo = function(run)
    local conn <close> = target(run)
    conn:exec("DELETE FROM effect WHERE step = 'last'")
  end }

return P
