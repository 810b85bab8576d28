-- blob, against a folder always, and against Azurite when AZURITE_ENDPOINT names one.
local t = require "tap"
local azurite = require "azurite"
local blob = require "blob"
local crypto = require "crypto"
local errors = require "errors"
local secret = require "secret"
local testing = require "testing"

local function environment(name)
  local ok, value = pcall(function() return secret.reveal(secret("env:" .. name)) end)
  return ok and value or nil
end

local endpoint = environment("AZURITE_ENDPOINT")
local folder = (environment("TEST_TMP") or "/tmp") .. "/blob-test-" .. crypto.uuid()
local container = "test-" .. crypto.hex(crypto.random(6))
local other = container .. "-b"

-- What every store has to keep apart. A backslash is a slash to Azure: refused there.
local AWKWARD = { "with space.txt", " lead", "trail ", "100%.txt", "a%2Fb", "%41", "a+b", "a#b", "a?b=c&d",
  "ümläut/日本語/🙂.bin", "trailing.", "dots...", "..hidden", "quote'\"<&>", "semi;colon:,@$!*()", "[x]{y}~^`|",
  "deep/er/and/deeper/x", "Case", "case" }

local function open_file(prefix)
  return blob.open("file://" .. folder .. "/" .. prefix)
end

local function opener(account, name)
  return function(prefix, page)
    return blob.open(("azblob://%s/%s/%s"):format(account, name, prefix),
      { endpoint = endpoint, key = azurite.keys[account], page = page })
  end
end

local function by_name(items)
  local map = {}
  for _, item in ipairs(items) do map[item.name] = item end
  return map
end

local function names_of(items)
  local names = {}
  for i, item in ipairs(items) do names[i] = item.name end
  return names
end

--- Bytes that no compression and no off-by-one survives, without a slow loop.
local function bytes_of(n, seed)
  local block = {}
  for i = 1, 1024 do block[i] = crypto.hmac_sha256(seed, tostring(i)) end
  local text = table.concat(block)
  return text:rep(n // #text + 1):sub(1, n)
end

-- One store -----------------------------------------------------------------

local function suite(kind, open)
  local function test(name, fn) t.test(kind .. ": " .. name, fn) end

  test("put, get, stat, list, delete", function()
    local s = open("basic")
    t.eq(s:list(), {})
    s:put("a/b.txt", "hello")
    t.eq(s:get("a/b.txt"), "hello")
    local item = s:stat("a/b.txt")
    t.eq({ item.name, item.size, item.md5 }, { "a/b.txt", 5, "5d41402abc4b2a76b9719d911017c592" })
    t.eq(names_of(s:list()), { "a/b.txt" })
    s:put("a/b.txt", "other bytes")
    t.eq(s:get("a/b.txt"), "other bytes")
    s:delete("a/b.txt")
    t.eq(s:stat("a/b.txt"), nil)
    t.eq(s:list(), {})
  end)

  test("a blob that is not there", function()
    local s = open("basic")
    t.eq(s:stat("nothing"), nil)
    s:delete("nothing")
    local e = t.raises(function() s:get("nothing") end, { class = "not_found", code = "E_NO_BLOB" })
    t.like(e.message, "'nothing'")
    t.ok(e.message:find(s.url:match("[^/]+/[^/]+$"), 1, true), "the message names the store")
  end)

  test("bytes of every value, and none", function()
    local s = open("bytes")
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local text = table.concat(all)
    s:put("all", text)
    s:put("none", "")
    t.eq(s:get("all"), text)
    t.eq(s:get("none"), "")
    t.eq(s:stat("none").size, 0)
  end)

  test("headers and metadata are kept, and go with an overwrite", function()
    local s = open("props")
    s:put("x", "1", { content_type = "text/html; charset=utf-8", cache_control = "no-cache",
      content_encoding = "gzip", content_language = "nb-NO", content_disposition = "inline",
      metadata = { Author = "Jane Doe", empty = "", note = "a=b; c" } })
    for _, item in ipairs { s:stat("x"), s:list()[1] } do
      t.eq(item.content_type, "text/html; charset=utf-8")
      t.eq(item.cache_control, "no-cache")
      t.eq(item.content_encoding, "gzip")
      t.eq(item.content_language, "nb-NO")
      t.eq(item.content_disposition, "inline")
      t.eq(item.metadata.author, "Jane Doe")
      t.eq(item.metadata.note, "a=b; c")
    end
    s:put("x", "2")
    t.eq(s:stat("x").metadata, {})
    t.eq(s:stat("x").cache_control, nil)
  end)

  test("awkward names come back as they went", function()
    local s = open("awkward")
    for _, name in ipairs(AWKWARD) do s:put(name, "of " .. name, { metadata = { n = "1" } }) end
    local sorted = { table.unpack(AWKWARD) }
    table.sort(sorted)
    local got = names_of(s:list())
    table.sort(got)
    t.eq(got, sorted)
    for _, name in ipairs(AWKWARD) do t.eq(s:get(name), "of " .. name) end
    t.eq(s:delete_all(""), #AWKWARD)
    t.eq(s:list(), {})
  end)

  test("names that would leave the store are refused", function()
    local s = open("escape")
    for _, name in ipairs { "", "..", "../x", "a/../../x", "a/..", "./a", "a/./b", ("x"):rep(2000) } do
      for _, use in ipairs { "get", "stat", "delete" } do
        t.raises(function() s[use](s, name) end, { class = "invalid", code = "E_BLOB_NAME" })
      end
      t.raises(function() s:put(name, "x") end, { class = "invalid", code = "E_BLOB_NAME" })
    end
    t.raises(function() s:get("nul\0byte") end, { match = "NUL" })
  end)

  test("a prefix is a folder: the neighbour's blobs are not seen and not deleted", function()
    local one, ten = open("Cust1"), open("Cust10")
    one:put("a", "1")
    ten:put("a", "10")
    t.eq(names_of(one:list()), { "a" })
    t.eq(one:delete_all(""), 1)
    t.eq(ten:get("a"), "10")
  end)

  test("list and delete_all by the start of the name", function()
    local s = open("starts")
    for _, name in ipairs { "a/1", "a/2", "ab", "b/a/3" } do s:put(name, name) end
    t.eq(names_of(s:list("a/")), { "a/1", "a/2" })
    t.eq(names_of(s:list("a")), { "a/1", "a/2", "ab" })
    t.eq(s:delete_all("a/"), 2)
    t.eq(names_of(s:list()), { "ab", "b/a/3" })
  end)

  test("many blobs in many pages", function()
    local s = open("pages", 7)
    for i = 1, 30 do s:put(("n%02d & <%d>"):format(i, i), tostring(i)) end
    local items = s:list()
    t.eq(#items, 30)
    t.eq(items[30].name, "n30 & <30>")
  end)

  test("20 MB go up in blocks and come down in parts", function()
    local s = open("large")
    local text = bytes_of(20 * 1024 * 1024 + 17, kind)
    s:put("big.bin", text, { content_type = "application/x-big", metadata = { k = "v" } })
    local item = s:stat("big.bin")
    t.eq(item.size, #text)
    t.eq(item.content_type, "application/x-big")
    t.eq(item.metadata, { k = "v" })
    t.ok(item.md5, "the MD5 of the whole is kept")
    t.eq(crypto.sha256(s:get("big.bin")), crypto.sha256(text))
  end)
end

-- Two stores ----------------------------------------------------------------

local function fill(s)
  for i = 1, 20 do
    s:put(("d%d/n %02d%%.txt"):format(i % 3, i), ("content %d"):format(i),
      { content_type = "text/plain", metadata = { number = tostring(i) } })
  end
  s:put("empty", "")
  s:put("big.bin", bytes_of(9 * 1024 * 1024, "copy"))
end

local function copies(kind, open_from, open_to, server_side)
  local from, to = open_from("from-" .. crypto.uuid()), open_to("to-" .. crypto.uuid())
  local function test(name, fn) t.test(kind .. ": " .. name, fn) end

  test("copies everything, verified", function()
    fill(from)
    local seen
    local r = blob.copy { from = from, to = to, progress = function(p) seen = p end }
    t.eq({ r.objects, r.copied, r.skipped, r.server_side }, { 22, 22, 0, server_side and 22 or 0 })
    t.eq(#r.manifest, 22)
    local got, want = by_name(to:list("", { md5 = true })), by_name(from:list("", { md5 = true }))
    local bytes = 0
    for name, item in pairs(want) do
      t.ok(got[name], "there is no " .. name)
      t.eq({ got[name].size, got[name].md5, got[name].metadata }, { item.size, item.md5, item.metadata })
      t.eq(got[name].content_type or "application/octet-stream",
        item.content_type or "application/octet-stream")
      bytes = bytes + item.size
    end
    t.eq(r.bytes, bytes)
    t.ok(seen == nil or seen.total == bytes and seen.done <= bytes and seen.rows <= 22, "progress")
  end)

  test("skips what is equal", function()
    local r = blob.copy { from = from, to = to }
    t.eq({ r.objects, r.copied, r.skipped }, { 22, 0, 22 })
  end)

  test("copies what differs: bytes of the same length, metadata, what is gone", function()
    to:put("d1/n 01%.txt", "CONTENT 1", { content_type = "text/plain", metadata = { number = "1" } })
    to:put("d2/n 02%.txt", "content 2", { content_type = "text/plain", metadata = { number = "9" } })
    to:delete("d0/n 03%.txt")
    local r = blob.copy { from = from, to = to }
    t.eq({ r.copied, r.skipped }, { 3, 19 })
    t.eq(to:get("d1/n 01%.txt"), "content 1")
    t.eq(to:stat("d2/n 02%.txt").metadata, { number = "2" })
    for _, entry in ipairs(r.manifest) do
      if entry.name == "d0/n 03%.txt" then t.eq(entry.how, server_side and "server_side" or "copied") end
    end
  end)

  test("by filter, by names", function()
    local some, few = open_to("some-" .. crypto.uuid()), open_to("few-" .. crypto.uuid())
    local r = blob.copy { from = from, to = some,
      filter = function(item) return item.metadata.number == "7" or item.name == "empty" end }
    t.eq(r.objects, 2)
    t.eq(names_of(some:list()), { "d1/n 07%.txt", "empty" })
    r = blob.copy { from = from, to = few, names = { "empty", "d1/n 07%.txt", "empty" } }
    t.eq({ r.objects, r.copied }, { 2, 2 })
    t.eq(#few:list(), 2)
    t.raises(function() blob.copy { from = from, to = few, names = { "no such" } } end,
      { class = "not_found", match = "no such" })
    t.raises(function()
      blob.copy { from = from, to = few, names = { "no such" }, filter = function() return true end }
    end, { class = "not_found", match = "no such" })
  end)
end

suite("file", open_file)
copies("file to file", open_file, open_file, false)

t.test("file: what is not a URL, a name or an option", function()
  for _, url in ipairs { "file://relative", "file:///a/../b", "file:///a%zz", "file:///a%00b", "nowhere", "",
    "s3://bucket", "azblob://", "azblob://acme", "azblob://acme/", "azblob://ACME/docs",
    "azblob://acme/docs/a//b", "azblob://acme/docs/../other" } do
    t.raises(function() blob.open(url) end, { class = "invalid", code = "E_BLOB_URL" })
  end
  local e = t.raises(function() blob.open("azblob://acme/docs?sv=1&sig=hush") end, { code = "E_BLOB_URL" })
  t.ok(not tostring(e):find("hush"), "a signature is not printed")
  t.raises(function() blob.open("file:///tmp", { account_key = "x" }) end, { match = "account_key" })
  t.raises(function() open_file("x"):put("a", "b", { metadata = { a = 1 } }) end, { match = "metadata" })
  t.raises(function() open_file("x"):put(".cl-meta.x", "b") end, { code = "E_BLOB_NAME" })
  t.raises(function() open_file("x"):put("a//b", "b") end, { code = "E_BLOB_NAME" })
  t.raises(function() blob.copy { from = open_file("x"), to = open_file("x") } end, { code = "E_BLOB_SAME" })
end)

t.test("file: a URL is percent-encoded, and printed so", function()
  local s = blob.open("file://" .. folder .. "/with%20space%25/")
  s:put("x", "1")
  t.eq(s.url, "file://" .. folder .. "/with%20space%25")
  t.eq(names_of(open_file(""):list("with space%/")), { "with space%/x" })
end)

t.test("file: a blob where a folder would have to be", function()
  local s = open_file("clash")
  s:put("a", "1")
  t.raises(function() s:put("a/b", "2") end, { match = "a/b" })
  t.eq(s:stat("a/b"), nil)
  s:put("c/d", "1")
  t.raises(function() s:put("c", "2") end, { match = "'c'" })
  t.eq(names_of(s:list()), { "a", "c/d" })
end)

t.test("a cancelled task stops its copy", function()
  local from, to = open_file("cancel-from"), open_file("cancel-to")
  for i = 1, 300 do from:put(("n%03d"):format(i), bytes_of(64 * 1024, "c")) end
  local started = 0
  local task = testing.task.spawn(function()
    started = 1
    blob.copy { from = from, to = to, concurrency = 1 }
  end)
  local time = require "time"
  local deadline = time.monotonic() + 20000
  while #to:list() == 0 and time.monotonic() < deadline do time.sleep(1) end
  task:cancel(errors.new("cancelled", "E_CANCELLED", "enough"))
  local ok, e = task:join()
  t.eq(started, 1)
  t.eq(ok, false)
  t.eq(e.class, "cancelled")
  -- The job ends at its next look; a copy after it is whole.
  local r = blob.copy { from = from, to = to }
  t.eq(r.objects, 300)
  t.eq(#to:list(), 300)
end)

if not endpoint then
  t.skip("azblob", "AZURITE_ENDPOINT is not set")
  t.done()
  return
end

azurite.create(endpoint, "acmetmpl", container)
azurite.create(endpoint, "acmetmpl", other)
azurite.create(endpoint, "acmecust", container)

local open_azure = opener("acmetmpl", container)

suite("azblob", open_azure)
copies("file to azblob", open_file, open_azure, false)
copies("azblob to azblob, same account", open_azure, opener("acmetmpl", other), true)
copies("azblob to azblob, other account", open_azure, opener("acmecust", container), true)
copies("azblob to file", open_azure, open_file, false)

t.test("azblob: a wrong key, a missing container, a missing account", function()
  local s = blob.open("azblob://acmetmpl/" .. container, { endpoint = endpoint,
    key = crypto.base64_encode("not the key") })
  for _, use in ipairs { "list", "get", "stat", "delete" } do
    local e = t.raises(function() s[use](s, "x") end, { class = "permission" })
    t.like(e.message, "azblob://acmetmpl/")
  end
  t.raises(function() s:put("x", "1") end, { class = "permission" })
  local gone = opener("acmetmpl", "no-such-container")("p")
  t.raises(function() gone:list() end, { class = "not_found", code = "ContainerNotFound" })
  t.raises(function() gone:put("x", "1") end, { class = "not_found", code = "ContainerNotFound" })
  t.raises(function() gone:stat("x") end, { class = "not_found", code = "ContainerNotFound" })
  local nobody = blob.open("azblob://nobody/docs", { endpoint = endpoint, key = azurite.keys.acmetmpl })
  t.raises(function() nobody:list() end, { class = "not_found" })
end)

t.test("azblob: with a signature instead of a key", function()
  local function signed(name, permissions, prefix)
    return blob.open(("azblob://acmetmpl/%s/%s"):format(name, prefix),
      { endpoint = endpoint, sas = "?" .. azurite.sas("acmetmpl", name, permissions) })
  end
  local from, to = signed(container, "racwdl", "sas"), signed(other, "racwdl", "sas")
  from:put("a b", "signed", { metadata = { k = "v" } })
  t.eq(from:get("a b"), "signed")
  local r = blob.copy { from = from, to = to }
  t.eq({ r.copied, r.server_side }, { 1, 1 })
  local cust = opener("acmecust", container)("sas")
  r = blob.copy { from = signed(container, "rl", "sas"), to = cust }
  t.eq({ r.copied, r.server_side }, { 1, 1 })
  t.eq(cust:stat("a b").metadata, { k = "v" })
  local e = t.raises(function() signed(container, "rl", "sas"):put("x", "1") end, { class = "permission" })
  t.ok(not (e.message .. (e.detail or "")):find("sig=", 1, true), "a signature is not printed")
end)

t.test("azblob: what Azure cannot keep is refused by name", function()
  local s = open_azure("refuse")
  t.raises(function() s:put("a\\b", "1") end, { code = "E_BLOB_NAME" })
  t.raises(function() s:put("x", "1", { metadata = { ["not-an-identifier"] = "1" } }) end,
    { code = "E_BLOB_META", match = "not%-an%-identifier" })
  t.raises(function() s:put("x", "1", { metadata = { a = "line\nbreak" } }) end, { code = "E_BLOB_META" })
  t.raises(function() s:put("x", "1", { content_type = "text/plain\r\nx-ms-meta-a: b" }) end,
    { code = "E_BLOB_HEADER" })
  t.eq(s:list(), {})
end)

t.test("azblob: nobody listens", function()
  local s = blob.open("azblob://acme/docs", { endpoint = "http://127.0.0.1:1", key = azurite.keys.acmetmpl })
  local e = t.raises(function() s:get("x") end, { class = "transient" })
  t.like(e.message, "azblob://acme/docs")
end)

t.done()
