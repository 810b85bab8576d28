-- json: exact numbers, canonical text, clear refusals.
local json = require "json"
local t = require "tap"

t.test("integers go through exactly", function()
  for _, n in ipairs { 0, 1, -1, 123456789012345, 9007199254740993, -9007199254740993,
    math.maxinteger, math.mininteger } do
    t.eq(json.encode(n), ("%d"):format(n))
    t.eq(json.decode(("%d"):format(n)), n)
    t.eq(json.decode(json.encode({ n = n, list = { n } })), { n = n, list = { n } })
  end
  t.eq(json.decode("[3]"), { 3 })
  t.eq(json.decode("-0"), 0)
end)

t.test("an integer beyond 64 bits raises with its place", function()
  t.raises(function() json.decode('{"a": 9223372036854775808}') end,
    { class = "invalid", code = "E_JSON", match = "64 bits at byte 7" })
  t.raises(function() json.decode("[-9223372036854775809]") end, { match = "64 bits at byte 2" })
end)

t.test("floats stay floats and come back the same", function()
  for _, x in ipairs { 0.1, 1 / 3, 1e300, -2.5e-300, 3.0, 1e15, 5e-324, 123456789.123456789 } do
    t.eq(json.decode(json.encode(x)), x)
  end
  t.eq(json.encode(3.0), "3.0")
  t.eq(json.encode(0.1), "0.1")
  t.eq(json.decode("1e3"), 1000.0)
  t.raises(function() json.encode(1 / 0) end, { class = "invalid", match = "infinite" })
  t.raises(function() json.encode { a = { 0 / 0 } } end, { match = "at %.a%[1%]" })
  t.raises(function() json.decode("1e999") end, { match = "too large" })
end)

t.test("numbers JSON does not have", function()
  for _, text in ipairs { "01", "-", "+1", "1.", ".5", "1e", "0x10", "NaN", "Infinity", "-Infinity",
    "1-2", "--1", "1.2.3" } do
    t.raises(function() json.decode(text) end, { class = "invalid" })
  end
  t.raises(function() json.decode(("1"):rep(600)) end, { match = "too many digits" })
end)

t.test("keys are sorted by their bytes", function()
  t.eq(json.encode { b = 1, a = { z = 1, y = 2 }, B = 3, ["é"] = 4, aa = 5, [""] = 6 },
    '{"":6,"B":3,"a":{"y":2,"z":1},"aa":5,"b":1,"é":4}')
end)

t.test("strings", function()
  local every = {}
  for c = 0, 127 do every[#every + 1] = string.char(c) end
  local text = table.concat(every) .. "é€😀\u{10FFFF}"
  t.eq(json.decode(json.encode(text)), text)
  t.eq(json.encode('a/"\\\n\0'), '"a/\\"\\\\\\n\\u0000"')
  t.eq(json.decode('"\\u00e9\\ud83d\\ude00\\/"'), "é😀/")
  t.eq(json.decode('"\\u0000"'), "\0")
  t.eq(json.decode('"\\u00ff7"'), "ÿ7")
  t.raises(function() json.encode { list = { "ok", "\xff" } } end,
    { class = "invalid", match = "not UTF%-8.* at %.list%[2%]" })
  t.raises(function() json.decode('["\xff1"]') end, { match = "not UTF%-8 at byte 3" })
  t.raises(function() json.decode('"\xc0\x80"') end, { match = "not UTF%-8" })
  t.raises(function() json.decode('"\xed\xa0\x80"') end, { match = "not UTF%-8" })
  t.raises(function() json.decode('"\\ud800"') end, { class = "invalid" })
  t.raises(function() json.decode('"a\nb"') end, { match = "control character .* byte 3" })
  t.raises(function() json.decode('"abc') end, { match = "without its end at byte 1" })
  t.raises(function() json.decode('"abc\\') end, { class = "invalid" })
end)

t.test("null, booleans, nothing", function()
  t.eq(json.decode("null"), json.null)
  t.eq(json.decode('{"a":null,"b":[null]}'), { a = json.null, b = { json.null } })
  t.eq(json.encode { a = json.null, b = true, c = false }, '{"a":null,"b":true,"c":false}')
  t.eq(json.encode(nil), "null")
  t.eq(json.decode(" true "), true)
end)

t.test("arrays and objects stay what they are", function()
  for _, text in ipairs { "[]", "{}", '{"a":[],"b":{}}', "[[],{},[[]],[1,[]]]", "[1]", '[{"a":[]}]',
    '{"1":2}' } do
    t.eq(json.encode(json.decode(text)), text)
  end
  t.eq(json.encode(json.decode("[ \n ]")), "[]")
  t.eq(#json.decode("[]"), 0)
  t.eq(next(json.decode("[]")), nil)
  t.eq(json.encode {}, "{}")
  t.eq(json.encode(json.array {}), "[]")
  t.eq(json.encode(json.array(json.array { 1 })), "[1]")
  local list = json.decode("[1]")
  list[1] = nil
  t.eq(json.encode(list), "[]")
end)

t.test("what is neither is refused", function()
  t.raises(function() json.encode { 1, 2, x = 3 } end, { match = "neither an array nor an object" })
  t.raises(function() json.encode { 1, nil, 3, [6] = 4 } end, { class = "invalid" })
  t.raises(function() json.encode { [2] = 1 } end, { match = "key that is not a string" })
  t.raises(function() json.encode { a = print } end, { match = "a function at %.a" })
  t.raises(function() json.encode(json.array { x = 1 }) end, { class = "invalid" })
  t.raises(function() json.array(setmetatable({}, {})) end, { match = "metatable" })
  t.raises(function() json.array(1) end, { match = "table expected" })
  t.raises(function() json.decode(nil) end, { match = "string expected" })
end)

t.test("depth is bounded both ways", function()
  local text = ("["):rep(400) .. ("]"):rep(400)
  t.eq(json.encode(json.decode(text)), text)
  t.raises(function() json.decode(("["):rep(100000)) end, { class = "invalid", match = "nested" })
  t.raises(function() json.decode(('{"a":'):rep(600)) end, { class = "invalid", match = "nested" })
  local loop = {}
  loop.self = loop
  t.raises(function() json.encode(loop) end, { class = "invalid", match = "cycle.*%.self%.self" })
end)

t.test("errors name the byte of the original text", function()
  local function at(text, byte)
    t.raises(function() json.decode(text) end,
      { class = "invalid", code = "E_JSON", match = "at byte " .. byte .. "$" })
  end
  at('{"a": 1, "b": }', 15)
  at('[1, 2, 3, [], 12345, x]', 22)
  at('{"a" 1}', 6)
  at('[1 2]', 4)
  at('{"a":1} tail', 9)
  at("", 1)
  at("[1,", 4)
  at('"\\x"', 2)
  at("[1]\0", 4)
end)

t.test("pretty", function()
  t.eq(json.encode({ b = { 1, 2 }, a = {}, c = json.array {} }, { pretty = true }),
    '{\n  "a": {},\n  "b": [\n    1,\n    2\n  ],\n  "c": []\n}')
end)

t.test("a large document", function()
  local list = {}
  for i = 1, 20000 do
    list[i] = { id = i, name = "name " .. i, ratio = i / 7, tags = { "a", "b" } }
  end
  t.eq(json.decode(json.encode(list)), list)
end)

t.done()
