-- Procedures: what is refused when they are written, and how a tenant's file changes them.
local t = require "tap"
local procedure = require "procedure"

local function noop() end

local function make(more)
  local def = { name = "p", title = "P", params = { a = "string", n = { "integer", default = 1 } } }
  for k, v in pairs(more or {}) do def[k] = v end
  local P = procedure.new(def)
  P:step { "one", run = noop }
  P:step { "two", title = "Two ${a}", run = noop, undo = noop, timeout = "90s", retry = { attempts = 2 } }
  P:step { "three", run = noop }
  return P
end

local function names(P)
  local list = {}
  for i, step in ipairs(P.steps) do list[i] = step.name end
  return list
end

t.test("steps keep their order and know their file", function()
  local P = make()
  t.eq(names(P), { "one", "two", "three" })
  t.like(P.steps[1].origin, "procedure_test%.lua$")
  t.ok(P.steps[1].line > 0)
  t.eq(P.steps[2].timeout_ms, 90000)
  t.eq(P.steps[2].retry.attempts, 2)
end)

t.test("place says where a call stands", function()
  local function entry() return { procedure.place(2) } end
  local here, there = { procedure.place(1) }, entry()
  t.like(here[1], "procedure_test%.lua$")
  t.eq(there, here)
end)

t.test("before, after, replace and skip change the list", function()
  local P = make()
  P:before("one", { "zero", run = noop })
  P:after("two", { "two_b", run = noop })
  P:replace("three", { run = noop, timeout = "1h" })
  P:skip("one", "not here")
  t.eq(names(P), { "zero", "one", "two", "two_b", "three" })
  t.eq(P.steps[2].skipped, "not here")
  t.eq(P.steps[5].timeout_ms, 3600000)
  P.params.n.default = 7
  t.eq(P.params.n.default, 7)
end)

t.test("what is wrong is said at the line it is written", function()
  local P = make()
  t.raises(function() P:step { "one", run = noop } end, { match = "procedure_test.*is there already" })
  t.raises(function() P:step { "x" } end, { match = "procedure_test.*no run function" })
  t.raises(function() P:step { "x", run = noop, tiemout = "1s" } end, { match = "did you mean 'timeout'" })
  t.raises(function() P:step { "x", run = noop, timeout = "soon" } end, { match = "timeout must look like" })
  t.raises(function() P:step { "x", run = noop, retry = { attempts = 0 } } end, { match = "retry.attempts" })
  t.raises(function() P:step { "x y", run = noop } end, { match = "letters" })
  t.raises(function() P:step { "x", run = "f" } end, { match = "must be a function" })
  t.raises(function() P:skip("tow", "why") end, { match = "did you mean 'two'" })
  t.raises(function() P:skip("two") end, { match = "needs a reason" })
  t.raises(function() procedure.new { name = "p", parms = {} } end, { match = "did you mean 'params'" })
  t.raises(function() procedure.new { name = "p", params = { a = "strnig" } } end,
    { match = "did you mean 'string'" })
  t.raises(function() procedure.new { name = "p", params = { _a = "string" } } end, { match = "name" })
  t.raises(function() procedure.new { name = "p", params = { a = { "choice" } } } end, { match = "choice" })
end)

t.done()
