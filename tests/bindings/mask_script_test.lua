-- mask.lua: a function as the method of a column, as scripts write it.
local t = require "tap"
local crypto = require "crypto"
local mask = require "mask"

local function apply(fn, value) return mask.apply(mask.lua(fn), value) end

t.test("a function makes the values of a column", function()
  t.eq(apply(function(value) return value:upper() end, "Ola"), "OLA")
  t.eq(apply(function(value) return #value end, "Ola"), "3")
  t.eq(apply(function() return nil end, "Ola"), nil)
  t.eq(apply(function(_, context) return context.column end, "Ola"), "value")
end)

t.test("what it returns is swept", function()
  t.eq(apply(function(value) return "write to " .. value end, "john.doe@company.com"),
    "write to john.doe_company.com@mailinator.com")
end)

local greeting, count, names = "Hei ", 3, { "Kari", "Ola", deep = { "Liv" } }
local function greet(name) return greeting .. name end

t.test("values, tables and functions from outside go along", function()
  t.eq(apply(function(value) return greet(value):rep(count, "/") end, "x"), "Hei x/Hei x/Hei x")
  t.eq(apply(function(value) return names[#value] .. names.deep[1] .. #names end, "ab"), "OlaLiv2")
end)

t.test("so does the pure part of the runtime's modules", function()
  local find, text = string.find, string
  t.eq(apply(function(value) return find(value, "b") .. text.upper(value) end, "ab"), "2AB")
  t.eq(apply(function(value) return crypto.sha256(value) end, "ab"), crypto.sha256("ab"))
  t.eq(apply(function(value) return mask.email(value, "x.example") end, "a@b.no"),
    mask.email("a_b.no@x.example"))
end)

t.test("other things from outside are refused by name", function()
  local json, rules = require "json", mask.rules()
  t.raises(function() apply(function(value) return json.encode(value) end, "x") end,
    { class = "invalid", match = "mask_script_test.lua:%d+: the function uses 'json' from outside" })
  t.raises(function()
    mask.rules { columns = { ["crm7.person.firstname"] = mask.lua(function() return rules end) } }
  end, { class = "invalid", match = "^crm7%.person%.firstname: .*'rules'" })
  t.raises(function() apply("x", "x") end, { class = "invalid", match = "mask.lua needs a function" })
end)

t.test("a function sees no clock, no chance, no world", function()
  t.raises(function() apply(function() return math.random() end, "x") end, { class = "invalid", match = "random" })
  t.raises(function() apply(function() return require("db") end, "x") end,
    { class = "invalid", match = "mask_script_test.lua:%d+: there is no 'require'" })
end)

t.test("it keeps nothing from value to value", function()
  local n = 0
  t.raises(function() apply(function(value) n = n + 1 return value end, "x") end,
    { class = "invalid", match = "changes 'n'" })
  t.eq(n, 0)
  t.raises(function() apply(function(value) names[1] = value end, "x") end, { match = "cannot set '1'" })
end)

t.test("errors name file and line", function()
  t.raises(function() apply(function(value) return value.x.y end, "x") end,
    { class = "invalid", match = "mask_script_test.lua:%d+: attempt to index" })
  t.raises(function() apply(function() while true do end end, "x") end, { class = "invalid", match = "endless loop" })
end)

t.test("the rules' hash tells what functions do", function()
  local function hash(fn) return mask.rules { columns = { ["a.b.c"] = mask.lua(fn) } }:hash() end
  local one, two = "1", "2"
  local first, same = function(value) return value .. one end, function(other) return other .. one end
  first, same = hash(first), hash(same)
  t.eq(first, same)
  t.ok(first ~= hash(function(value) return value .. two end))
  t.ok(first ~= hash(function(value) return one .. value end))
  t.ok(first ~= mask.rules():hash())
end)

t.done()
