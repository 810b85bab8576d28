-- recycle: tells the application servers to restart a tenant's web application.
local http = require "http"

local M = {}

--- Asks for a recycle; the same key recycles once.
---@param key string idempotency key
function M.recycle(config, ctx, key)
  http.request { method = "POST", url = config.recycle.url .. "/" .. ctx, timeout_ms = 60000,
    auth = { bearer = config.recycle.token }, json = { reason = "cloned" }, idempotency_key = key }
end

return M
