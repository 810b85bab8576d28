local t = require "tap"
local crypto = require "crypto"
local errors = require "errors"
local json = require "json"
local secret = require "secret"

local ok, folder = pcall(secret.reveal, secret "env:TEST_TMP")
local path = (ok and folder or "/tmp") .. "/secret-test-" .. crypto.uuid()
local name = "file:" .. path
local VALUE = "correct horse\"battery\\staple"

t.test("put writes what reveal reads", function()
  secret.put(name, VALUE)
  t.eq(secret.reveal(secret(name)), VALUE)
  secret.put(secret(name), "a new value")
  t.eq(secret.reveal(secret(name)), "a new value")
  secret.put(name, VALUE)
end)

t.test("the end of a line is the editor's, not the secret's", function()
  secret.put(name, "line\n\r\n")
  t.eq(secret.reveal(secret(name)), "line")
  secret.put(name, "a key that ends with a zero byte\0")
  t.eq(secret.reveal(secret(name)), "a key that ends with a zero byte\0")
  secret.put(name, VALUE)
end)

t.test("env: is read from the environment", function()
  t.ok(#secret.reveal(secret "env:PATH") > 0)
  t.raises(function() secret.reveal(secret "env:CLONER_NO_SUCH_VARIABLE") end,
    { class = "not_found", code = "E_SECRET", match = "env:CLONER_NO_SUCH_VARIABLE" })
end)

t.test("strings pass through", function()
  t.eq(secret.reveal "plain", "plain")
  t.ok(not secret.is "plain")
  t.ok(secret.is(secret(name)))
  t.eq(secret(secret(name)), secret(name))
end)

t.test("missing and empty files are named", function()
  t.raises(function() secret.reveal(secret "file:/nowhere/at/all") end,
    { class = "not_found", match = "file:/nowhere/at/all" })
  t.raises(function() secret.put("file:/nowhere/at/all", "x") end, { class = "not_found" })
  t.raises(function() secret.reveal(secret "file:/dev/null") end,
    { class = "not_found", match = "empty" })
  t.raises(function() secret.reveal(secret "file:/dev/zero") end,
    { class = "invalid", match = "larger" })
end)

t.test("names without a kind are refused", function()
  for _, bad in ipairs { "hunter2", "", "env:", "file:", "vault:x" } do
    t.raises(function() secret(bad) end, { match = "env:NAME or file:/path" })
  end
  t.raises(function() secret.put("env:X", "y") end, { match = "only a secret named file" })
end)

-- Every way a value could get out of the object without being asked for.
t.test("the object shows its name alone", function()
  local s = secret(name)
  secret.reveal(s)
  t.eq(tostring(s), name)
  t.eq(("%s"):format(s), name)
  t.raises(function() return json.encode { password = s } end)
  t.raises(function() return "password=" .. s end)
  t.raises(function() return s.value end)
  t.raises(function() return next(s) end)
  t.raises(function() return #s end)
  t.eq(getmetatable(s), "a secret")
end)

t.test("a revealed value is not in error objects", function()
  secret.reveal(secret(name))
  local e = errors.new("permission", "E_X", "cannot log in with " .. VALUE, { detail = VALUE })
  t.eq(e.message, "cannot log in with ***")
  t.eq(e.detail, "***")
  e = errors.from("bad " .. VALUE)
  t.eq(e.message, "bad ***")
  e = errors.wrap(e, "step " .. VALUE)
  t.eq(e.message, "step ***: bad ***")
  e = errors.new("bug", "E_X", "as JSON: " .. json.encode { p = VALUE })
  t.ok(not e.message:find("battery"), e.message)
end)

t.test("conceal hides what came from elsewhere", function()
  local token = secret.conceal("token-" .. crypto.uuid())
  t.eq(errors.new("bug", "E_X", token .. "!").message, "***!")
end)

t.done()
