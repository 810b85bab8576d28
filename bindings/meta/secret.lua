---@meta secret
-- luacheck: ignore

---@class secret a value known by its name: secret "env:NAME" or secret "file:/path"

---@class secret.module
---@overload fun(name: string): secret
local secret = {}
---@param value string|secret
---@return string
function secret.reveal(value) end
---Writes a file only its owner reads, atomically.
---@param name string|secret "file:/path"
---@param value string
function secret.put(name, value) end
---From now on messages and logs show the value as ***.
---@param value string
---@return string value
function secret.conceal(value) end
---@return boolean is it a secret object?
function secret.is(value) end

return secret
