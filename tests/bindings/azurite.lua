-- azurite: the test accounts of tests/support/azurite.sh, and containers in them. Signs by itself:
-- the product's signing is what the tests look at.
local crypto = require "crypto"
local http = require "http"

local M = {
  keys = {
    acmetmpl = crypto.base64_encode("template-key-0123456789abcdef"),
    acmecust = crypto.base64_encode("customer-key-0123456789abcdef"),
  },
}

--- Makes a container; one that is there is fine.
---@param endpoint string "http://127.0.0.1:PORT"
---@param account string
---@param container string
function M.create(endpoint, account, container)
  local path = ("/%s/%s"):format(account, container)
  local date = "Sun, 22 Nov 2026 12:00:00 GMT"
  local text = ("PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:%s\nx-ms-version:2021-12-02\n/%s%s\nrestype:container")
    :format(date, account, path)
  local signature = crypto.base64_encode(
    crypto.hmac_sha256(crypto.base64_decode(M.keys[account]), text))
  http.request { method = "PUT", url = endpoint .. path .. "?restype=container", expect = { 409 },
    headers = { ["x-ms-date"] = date, ["x-ms-version"] = "2021-12-02",
      Authorization = ("SharedKey %s:%s"):format(account, signature) } }
end

--- A signature for a container.
---@param account string
---@param container string
---@param permissions string of "racwdl", in this order
function M.sas(account, container, permissions)
  local expiry = "2099-01-01T00:00:00Z"
  local fields = { permissions, "", expiry, ("/blob/%s/%s"):format(account, container), "", "", "",
    "2021-12-02", "c", "", "", "", "", "", "", "" }
  local signature = crypto.base64_encode(crypto.hmac_sha256(crypto.base64_decode(M.keys[account]),
    table.concat(fields, "\n")))
  local escaped = signature:gsub("[+/=]", { ["+"] = "%2B", ["/"] = "%2F", ["="] = "%3D" })
  return ("sv=2021-12-02&sr=c&sp=%s&se=2099-01-01T00%%3A00%%3A00Z&sig=%s"):format(permissions, escaped)
end

return M
