-- Azurite for the shell tests: makes containers, fills them, says what is in them.
--
--   cloner azure_verb.lua verb=create account=A containers=a,b
--   cloner azure_verb.lua verb=fill account=A to=azblob://A/container from=/folder
--   cloner azure_verb.lua verb=list account=A of=azblob://A/container [prefix=…]
local p = ...
local azurite = require "azurite"
local blob = require "blob"
local crypto = require "crypto"

local function open(url)
  return blob.open(url, { endpoint = p.endpoint, key = azurite.keys[p.account] })
end

local VERBS = {}

function VERBS.create()
  for name in p.containers:gmatch("[^,]+") do azurite.create(p.endpoint, p.account, name) end
end

--- Every third blob gets what a file has no place for.
function VERBS.fill()
  local from, to = blob.open("file://" .. p.from), open(p.to)
  for i, item in ipairs(from:list()) do
    to:put(item.name, from:get(item.name), { content_type = i % 3 == 0 and "application/x-sample" or nil,
      metadata = i % 3 == 0 and { origin = "test" .. i } or nil })
  end
end

--- A line a blob: name, size, hash of its bytes, type and metadata.
function VERBS.list()
  local store = open(p.of)
  for _, item in ipairs(store:list(p.prefix or "")) do
    local known = store:stat(item.name)
    local more = {}
    for k, v in pairs(known.metadata or {}) do more[#more + 1] = k .. "=" .. v end
    table.sort(more)
    print(item.name, item.size, crypto.sha256(store:get(item.name)), known.content_type or "-",
      table.concat(more, ","))
  end
end

VERBS[p.verb]()
