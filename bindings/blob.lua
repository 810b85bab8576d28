-- blob: files in stores, a folder (file://) or an Azure container (azblob://), behind one interface.
--
--   local from = blob.open("azblob://acme/templates/Cust26759")
--   local to   = blob.open("file:///srv/blobs/Cust26760")
--   local done = blob.copy{ from = from, to = to }
local core = ...
local errors = require "errors"
local secret = require "secret"

local getenv = require("os").getenv

local M = {}

local PROGRESS_MS = 200

local Store = {}
Store.__index = Store
Store.__name = "blob.store"
Store.__metatable = "protected"
function Store:__tostring() return self.url end

local cores = setmetatable({}, { __mode = "k" }) -- store -> its C half

local function core_of(store, what)
  local c = cores[store]
  if not c then error(what .. " must be a store of blob.open", 3) end
  return c
end

--- Waits for a job; its results.
local function finish(job, progress)
  local handle <close> = job
  while true do
    local done, result = handle:wait(progress and PROGRESS_MS or nil)
    if done then return result end
    progress(result)
  end
end

-- Credentials ---------------------------------------------------------------

local function environment(name)
  if not getenv(name) or getenv(name) == "" then return nil end
  return secret.reveal(secret("env:" .. name))
end

--- A value of options or configuration: as it is, a secret object, or "env:NAME", "file:/path".
local function reveal(value)
  if type(value) == "string" and (value:find("^env:") or value:find("^file:")) then
    value = secret(value)
  end
  return value ~= nil and secret.reveal(value) or nil
end

--- "AccountName=a;AccountKey=…;BlobEndpoint=…" as a table.
local function connection_string(text)
  local t = {}
  for part in (text or ""):gmatch("[^;]+") do
    local k, v = part:match("^%s*([^=]+)=(.*)$")
    if k then t[k] = v end
  end
  return t
end

--- What the conventional AZURE_STORAGE_* variables say about an account.
local function azure_environment(account)
  local conn = connection_string(environment("AZURE_STORAGE_CONNECTION_STRING"))
  if conn.AccountName == account then
    local endpoint = conn.BlobEndpoint
    if not endpoint and conn.EndpointSuffix then
      endpoint = ("%s://%s.blob.%s"):format(conn.DefaultEndpointsProtocol or "https", account,
        conn.EndpointSuffix)
    end
    for _, field in ipairs { "AccountKey", "SharedAccessSignature" } do
      if conn[field] then secret.conceal(conn[field]) end
    end
    return { key = conn.AccountKey, sas = conn.SharedAccessSignature, endpoint = endpoint }
  end
  local named = getenv("AZURE_STORAGE_ACCOUNT")
  if named and named ~= "" and named ~= account then return {} end
  return {
    key = environment("AZURE_STORAGE_KEY"),
    sas = environment("AZURE_STORAGE_SAS_TOKEN"),
    endpoint = getenv("AZURE_STORAGE_SERVICE_ENDPOINT"),
  }
end

local KNOWN = { url = true, key = true, sas = true, token = true, endpoint = true, ca_file = true,
  page = true }

--- Opens a store. Nothing is sent before its first use.
---@param url string|table "file:///folder", "azblob://account/container[/prefix]" (percent-encoded),
--- or a table with `url` and the options
---@param options table|nil {key=, sas=, token=, endpoint=, ca_file=, page=}; secrets may be
--- "env:NAME", "file:/path" or secret objects; without key, sas and token the AZURE_STORAGE_*
--- variables speak
---@return table store with field `url`
function M.open(url, options)
  if type(url) == "table" then
    url, options = url.url, url
  end
  if type(url) ~= "string" then error("blob.open needs a URL", 2) end
  local given = {}
  for k, v in pairs(options or {}) do
    if not KNOWN[k] then error(("blob.open knows no option '%s'"):format(tostring(k)), 2) end
    given[k] = v
  end
  local o = { endpoint = given.endpoint, ca_file = given.ca_file, page = given.page,
    key = reveal(given.key), sas = reveal(given.sas), token = reveal(given.token) }
  local account = url:match("^azblob://([^/]+)")
  if account then
    local env = azure_environment(account)
    if not (o.key or o.sas or o.token) then o.key, o.sas = env.key, env.sas end
    o.endpoint = o.endpoint or env.endpoint
  end
  local c = core.open(url, o)
  local store = setmetatable({ url = core.url(c) }, Store)
  cores[store] = c
  return store
end

--- For other bindings: what stands for the store there.
function M.handle(store)
  return core_of(store, "a store")
end

-- Stores --------------------------------------------------------------------

local function listing(store, prefix, md5, level)
  if prefix ~= nil and type(prefix) ~= "string" then error("a prefix must be a string", level) end
  return finish(core.list(core_of(store, "the store"), prefix or "", md5))
end

--- Every blob whose name starts with prefix, sorted by name.
---@param prefix string|nil
---@param options table|nil {md5=true}: also for files, by reading them
---@return table list of {name, size, etag, md5, modified (ms), content_type, metadata, …}
function Store:list(prefix, options)
  local all = listing(self, prefix, options and options.md5 or false, 3)
  local items = {}
  for i = 1, all:count() do items[i] = all:item(i) end
  return items
end

--- The bytes of a blob (256 MB at most); class not_found when there is none.
---@param name string
function Store:get(name)
  return finish(core.get(core_of(self, "the store"), name))
end

--- Writes a blob, all or nothing, over what was there.
---@param name string
---@param bytes string
---@param properties table|nil {content_type=, content_encoding=, …, metadata={name=text}}
---@return table item
function Store:put(name, bytes, properties)
  return finish(core.put(core_of(self, "the store"), name, bytes, properties or {}))
end

--- What is known of a blob, nil when there is none. The MD5 of a file is computed.
---@param name string
function Store:stat(name)
  return finish(core.stat(core_of(self, "the store"), name, true))
end

--- Deletes a blob; one that is not there is fine.
---@param name string
function Store:delete(name)
  finish(core.delete(core_of(self, "the store"), name))
end

--- Deletes every blob whose name starts with prefix ("": all of this store).
---@param prefix string
---@return integer how many
function Store:delete_all(prefix)
  if type(prefix) ~= "string" then error("delete_all needs a prefix ('' for everything)", 2) end
  return finish(core.delete_all(core_of(self, "the store"), prefix))
end

-- Copies --------------------------------------------------------------------

--- Numbers of the items of a listing that the filter wants and names hold.
local function choose(all, names, filter)
  local wanted
  if names then
    wanted = {}
    for _, name in ipairs(names) do wanted[name] = true end
  end
  local kept = {}
  for i = 1, all:count() do
    if not wanted and not filter then
      kept[i] = i
    else
      local item = all:item(i)
      if (not wanted or wanted[item.name]) and (not filter or filter(item)) then
        kept[#kept + 1] = i
      end
      if wanted then wanted[item.name] = nil end
    end
  end
  local missing = wanted and next(wanted)
  return kept, missing
end

--- Copies blobs: equal ones are skipped, Azure copies by itself where it can, the target is listed
--- and compared at the end.
---@param o table {from=store, to=store, names=list|nil, filter=fn(item)->boolean|nil,
--- concurrency=8, verify=true, progress=fn({done,total,bytes,rows})|nil}: done and total are bytes of
--- all blobs, bytes those that moved, rows the blobs copied
---@return table {objects, bytes, copied, skipped, server_side, manifest={{name,size,md5,how…}}}
function M.copy(o)
  if type(o) ~= "table" then error("blob.copy needs a table", 2) end
  local from, to = core_of(o.from, "'from'"), core_of(o.to, "'to'")
  if o.from.url == o.to.url then
    errors.raise("invalid", "E_BLOB_SAME", "source and target are the same store: " .. o.to.url)
  end
  local all, chosen = nil, o.names
  if o.filter or not o.names then
    all = listing(o.from, "", false, 3)
    local missing
    chosen, missing = choose(all, o.names, o.filter)
    if missing then
      errors.raise("not_found", "E_NO_BLOB",
        ("%s: there is no blob '%s'"):format(o.from.url, missing))
    end
  end
  local verify = o.verify == nil or o.verify
  return finish(core.copy(from, to, o.concurrency or 8, verify, all, chosen), o.progress)
end

return M
