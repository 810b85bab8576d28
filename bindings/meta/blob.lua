---@meta blob
-- luacheck: ignore

---@class blob.item
---@field name string
---@field size integer
---@field etag string|nil
---@field md5 string|nil
---@field modified string|nil
---@field content_type string|nil
---@field metadata table|nil

---@class blob.store
---@field url string
local store = {}
---@return blob.item[]
function store:list(prefix) end
---@return string
function store:get(name) end
---@param options {content_type: string|nil, metadata: table|nil}|nil
function store:put(name, bytes, options) end
---@return blob.item|nil
function store:stat(name) end
function store:delete(name) end
function store:delete_all(prefix) end

local blob = {}

---@param url string file:///dir/prefix or azblob://account/container/prefix
---@param options {key: string|secret|nil, sas: string|secret|nil, token: string|secret|nil, endpoint: string|nil}|nil
---@return blob.store
function blob.open(url, options) end

---@param options {from: blob.store, to: blob.store, names: string[]|nil, filter: nil|fun(item: blob.item): boolean, concurrency: integer|nil, verify: boolean|nil, progress: fun(p: table)|nil}
---@return {objects: integer, bytes: integer, copied: integer, skipped: integer, server_side: boolean, manifest: table}
function blob.copy(options) end

return blob
