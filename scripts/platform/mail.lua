-- mail: the mail platform's routes, an address and its mailbox each.
local http = require "http"

local M = {}

local function escape(address)
  return (address:gsub("[^%w%.%-_]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function request(config, method, path, more)
  local options = { method = method, url = config.mail.url .. path, timeout_ms = 30000,
    auth = { bearer = config.mail.token } }
  for k, v in pairs(more or {}) do options[k] = v end
  return http.request(options)
end

--- The address every test mail of an environment arrives at, and its domain.
---@return string address, string domain
function M.test_mailbox(config, ctx)
  local domain = ctx:lower() .. "." .. config.mail_domain_hosted
  return "test@" .. domain, domain
end

--- The addresses delivered to this tenant, sorted.
---@return string[]
function M.routes(config, ctx)
  local addresses = {}
  for _, route in ipairs(request(config, "GET", "/" .. ctx .. "/routes"):json().routes) do
    addresses[#addresses + 1] = route.address
  end
  table.sort(addresses)
  return addresses
end

--- Makes the tenant's routes exactly these, mailboxes included. Only differences are sent.
---@param wanted string[]
---@return table {added=, removed=} counts
function M.set_routes(config, ctx, wanted)
  local count = { added = 0, removed = 0 }
  local keep = {}
  for _, address in ipairs(wanted) do keep[address] = true end
  for _, address in ipairs(M.routes(config, ctx)) do
    if keep[address] then
      keep[address] = nil
    else
      request(config, "DELETE", "/" .. ctx .. "/routes/" .. escape(address), { expect = { 204, 404 } })
      count.removed = count.removed + 1
    end
  end
  for _, address in ipairs(wanted) do
    if keep[address] then
      request(config, "PUT", "/" .. ctx .. "/routes/" .. escape(address), { json = { test = true } })
      count.added = count.added + 1
    end
  end
  return count
end

return M
