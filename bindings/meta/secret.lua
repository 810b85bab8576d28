---@meta secret
-- luacheck: ignore

---@class secret a value known by its name: secret "env:NAME" or secret "file:/path"

---@class secret.module
---@overload fun(name: string): secret
local secret = {}
---@return string
function secret.reveal(value) end
---Writes a file only its owner reads, atomically.
function secret.put(name, value) end

return secret
