---@meta blob
-- luacheck: ignore

---@class blob.item
---@field name string
---@field size integer
---@field etag string|nil
---@field md5 string|nil
---@field modified integer|nil milliseconds since 1970 UTC
---@field content_type string|nil
---@field content_encoding string|nil
---@field content_language string|nil
---@field content_disposition string|nil
---@field cache_control string|nil
---@field metadata table<string, string>
---@field how string|nil in a manifest: "copied", "server_side" or "skipped"

---@class blob.store
---@field url string
local store = {}
---@param prefix string|nil
---@param options {md5: boolean|nil}|nil md5: also of files, by reading them
---@return blob.item[]
function store:list(prefix, options) end
---@return string
function store:get(name) end
---@param options {content_type: string|nil, content_encoding: string|nil, content_language: string|nil, content_disposition: string|nil, cache_control: string|nil, metadata: table<string, string>|nil}|nil
---@return blob.item
function store:put(name, bytes, options) end
---@return blob.item|nil
function store:stat(name) end
function store:delete(name) end
---@param prefix string "" for everything in the store
---@return integer
function store:delete_all(prefix) end

local blob = {}

---@param url string|table file:///dir/prefix or azblob://account/container/prefix, or a table of url and options
---@param options {key: string|secret|nil, sas: string|secret|nil, token: string|secret|nil, endpoint: string|nil, ca_file: string|nil, page: integer|nil}|nil
---@return blob.store
function blob.open(url, options) end

---@param options {from: blob.store, to: blob.store, names: string[]|nil, filter: nil|fun(item: blob.item): boolean, concurrency: integer|nil, verify: boolean|nil, progress: fun(p: table)|nil}
---@return {objects: integer, bytes: integer, copied: integer, skipped: integer, server_side: integer, manifest: blob.item[]}
function blob.copy(options) end

return blob
