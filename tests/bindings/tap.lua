-- tap: tests that speak the Test Anything Protocol.
--
--   local t = require "tap"
--   t.test("adds", function() t.eq(1 + 1, 2) end)
--   t.done()
local errors = require "errors"

local M = {}

local count, failures = 0, 0

local function show(v, depth)
  depth = depth or 0
  if type(v) == "string" then return ("%q"):format(v):gsub("\\\n", "\\n") end
  if type(v) ~= "table" then return tostring(v) end
  if errors.is_object(v) then return ("error(%s %s: %s)"):format(v.class, v.code, v.message) end
  if depth > 4 then return "{…}" end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    parts[#parts + 1] = ("[%s]=%s"):format(show(k, depth + 1), show(v[k], depth + 1))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end
M.show = show

local function same(a, b)
  if a == b then return math.type(a) == math.type(b) end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

--- Fails the running test unless value is true-ish.
function M.ok(value, what)
  if not value then error((what or "not ok") .. " (got " .. show(value) .. ")", 2) end
  return value
end

--- Fails unless got and want are the same, tables compared by content, integers apart from floats.
function M.eq(got, want, what)
  if not same(got, want) then
    error(("%s: got %s, want %s"):format(what or "not equal", show(got), show(want)), 2)
  end
end

--- Fails unless text contains the pattern.
function M.like(text, pattern)
  if type(text) ~= "string" or not text:find(pattern) then
    error(("%s does not match %q"):format(show(text), pattern), 2)
  end
end

--- Fails unless fn raises, and as expected.
---@param want table|nil {class=, code=, match=pattern}
---@return any the error
function M.raises(fn, want)
  local ok, e = pcall(fn)
  if ok then error("did not raise", 2) end
  want = want or {}
  local object = errors.is_object(e)
  for _, field in ipairs { "class", "code" } do
    if want[field] and (not object or e[field] ~= want[field]) then
      error(("raised %s, want %s %s"):format(show(e), field, want[field]), 2)
    end
  end
  if want.match and not tostring(e):find(want.match) then
    error(("raised %s, which does not match %q"):format(show(e), want.match), 2)
  end
  return e
end

--- Runs one test.
function M.test(name, fn)
  count = count + 1
  local ok, e = pcall(fn)
  if ok then
    print(("ok %d - %s"):format(count, name))
  else
    failures = failures + 1
    print(("not ok %d - %s"):format(count, name))
    for line in tostring(e):gmatch("[^\n]+") do print("# " .. line) end
    if type(e) == "table" and e.detail then print("# " .. tostring(e.detail)) end
  end
end

--- Reports a test that cannot run here.
function M.skip(name, why)
  count = count + 1
  print(("ok %d - %s # SKIP %s"):format(count, name, why))
end

--- Prints the plan; last line of a test file.
function M.done()
  print(("1..%d"):format(count))
  if failures > 0 then error(("%d of %d tests failed"):format(failures, count), 0) end
end

return M
