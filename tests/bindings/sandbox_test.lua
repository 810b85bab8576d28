-- What scripts may and may not do.
local t = require "tap"
local errors = require "errors"
local time = require "time"

t.test("an unknown global is an error that names it", function()
  t.raises(function() return nosuch end, { match = "unknown global 'nosuch'" }) -- luacheck: ignore
  t.raises(function() nosuch = 1 end, { match = "cannot set the global 'nosuch'" }) -- luacheck: ignore
end)

t.test("what reaches outside is not there, and says so", function()
  for _, name in ipairs { "io", "os", "debug", "package", "coroutine", "dofile", "loadfile", "_G",
    "collectgarbage" } do
    local read = load("return " .. name)
    t.raises(read, { match = "'" .. name .. "' is not available to scripts" })
  end
end)

t.test("libraries and modules are read-only", function()
  t.raises(function() string.rep = nil end, { match = "'string.rep' cannot be set" }) -- luacheck: ignore
  t.raises(function() time.now = nil end, { match = "'time.now' cannot be set" })
  t.raises(function() rawset(string, "rep", 1) end, { match = "read%-only" })
  t.raises(function() setmetatable(math, {}) end, { match = "read%-only" })
  t.eq(getmetatable(""), "the string metatable is protected")
  t.eq(getmetatable(math), "protected")
  t.eq(string.dump, nil)
  t.eq(("x").dump, nil)
end)

t.test("libraries can be listed", function()
  local found = false
  for k in pairs(string) do found = found or k == "rep" end
  t.ok(found)
end)

t.test("load takes text only and keeps to the sandbox", function()
  t.eq(load("return 1 + 1")(), 2)
  t.eq((load("\27Lua")), nil)
  t.raises(load("return io"), { match = "not available" })
end)

t.test("finalizers are refused", function()
  t.raises(function() setmetatable({}, { __gc = function() end }) end, { match = "<close>" })
end)

t.test("require finds the runtime's public modules only", function()
  t.raises(function() require "host" end, { match = "no module 'host'" })
  t.raises(function() require "task" end, { match = "no module 'task'" })
  t.raises(function() require "journal" end, { match = "no module 'journal'" })
  t.raises(function() require "no.such" end, { match = "no/such%.lua" })
end)

t.test("require by path finds the scripts' own, a module of the runtime or not", function()
  t.ok(require "./tap" == t)
  t.raises(function() require "./mask" end, { match = "no module './mask'" })
  t.eq(require("./no/such", false), false)
  t.ok(require("tap", false) == t)
end)

t.test("tables that are no error objects become some", function()
  local e = t.raises(function() error { class = "conflict", code = "E_X", message = "taken", more = 1 } end)
  t.ok(errors.is(e, "conflict"))
  t.eq(e.more, 1)
  e = t.raises(function() error {} end)
  t.ok(errors.is(e, "bug"))
end)

t.test("error() keeps the place of strings", function()
  local e = t.raises(function() error("broken") end)
  t.like(e, "sandbox_test%.lua:%d+: broken$")
  e = t.raises(function() error("broken", 0) end)
  t.eq(e, "broken")
end)

t.test("pcall gives errors and results through, across waits", function()
  local ok, a, b = pcall(function() time.sleep(1) return 1, nil end)
  t.eq({ ok, a, b }, { true, 1, nil })
  local caught, what = xpcall(function() time.sleep(1) error("x", 0) end, function(e) return e .. "!" end)
  t.eq({ caught, what }, { false, "x!" })
end)

-- string.gsub calls back from C, where a coroutine cannot be suspended. The wait that was begun there
-- raised, but stayed: when its time came it woke the task out of the next wait it was in, half done.
t.test("a wait inside a callback of C raises and leaves nothing behind", function()
  t.raises(function()
    return (("x"):gsub("x", function() time.sleep(30) return "y" end))
  end, { match = "cannot wait inside a function called by C" })
  for _ = 1, 2 do
    local began = time.monotonic()
    time.sleep(60)
    t.ok(time.monotonic() - began >= 55, "a sleep takes its time")
  end
end)

t.test("a lost lease cannot be swallowed", function()
  -- The outer pcall is the test's own, and the same rule holds for it: so only a task boundary
  -- may see the error. Here it is enough that one pcall passes it on to the next.
  local passed = false
  local function inner()
    local value = setmetatable({}, { __close = function() passed = true end })
    local guard <close> = value -- luacheck: ignore
    error("plain", 0)
  end
  pcall(inner)
  t.ok(passed)
end)

t.done()
