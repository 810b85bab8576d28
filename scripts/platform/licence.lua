-- licence: the licence package an operator issues for a serial number, as XML.
--
--   <LicensePackage serial="…"><CompanyName>…</CompanyName> … <Module name="…" number="2" …/> …
--
-- encryptedcheck values belong to the vendor: seal() stands where its hook would be called.
local crypto = require "crypto"
local errors = require "errors"
local registry = require "platform.registry"

local M = {}

local ENTITY = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function unescape(text)
  return (text:gsub("&#(%d+);", function(code) return utf8.char(tonumber(code)) end)
    :gsub("&(%w+);", ENTITY))
end

local function attributes(text)
  local found = {}
  for name, value in text:gmatch('([%w_:]+)%s*=%s*"([^"]*)"') do found[name:lower()] = unescape(value) end
  return found
end

local function flag(value) return value == "true" or value == "1" end

local function module(a)
  return { name = a.name, description = a.description or a.name, version = a.version or "",
    type = math.tointeger(tonumber(a.type)) or 1, number = math.tointeger(tonumber(a.number)) or 0,
    extra_flags = math.tointeger(tonumber(a.extraflags)) or 0, extra_info = a.extrainfo,
    hidden = flag(a.hidden), unrestricted = flag(a.unrestricted),
    sort_order = math.tointeger(tonumber(a.sortorder)) or 0 }
end

--- Reads a package.
---@param xml string
---@return table {company_name, version, expiration, grace_to, maintenance_to, modules = {…}}
function M.parse(xml)
  local package = { modules = {} }
  local function element(name)
    local value = xml:match("<" .. name .. ">%s*(.-)%s*</" .. name .. ">")
    return value and unescape(value)
  end
  package.company_name = element("CompanyName")
  package.version = math.tointeger(tonumber((element("LicenseVersion") or ""):match("^%d+")))
  package.expiration, package.grace_to = element("Expiration"), element("GraceTo")
  package.maintenance_to = element("MaintenanceTo")
  for text in xml:gmatch("<Module%s+([^>]*)>") do
    package.modules[#package.modules + 1] = module(attributes(text))
  end
  if #package.modules == 0 or not package.company_name then
    errors.raise("invalid", "E_LICENCE_PACKAGE", "the licence package names no company or no modules")
  end
  return package
end

--- The package issued for a serial number.
function M.package(config, serial)
  local xml = registry.use(config, function(conn)
    return conn:value("SELECT xml::text FROM registry.licence_package WHERE serial_no = $1", serial)
  end)
  if not xml then
    errors.raise("not_found", "E_NO_LICENCE", "no licence package was issued for serial " .. serial)
  end
  return M.parse(xml)
end

--- The user plans of a package and their names in order.
---@return table name -> {number, unrestricted, licences = {…}}
---@return string[] names
function M.plans(package)
  local plans, names = {}, {}
  for _, m in ipairs(package.modules) do
    if m.extra_flags == 1 then
      local licences = {}
      local set = (m.extra_info or ""):match("set=([^;]*)") or ""
      for name in set:gmatch("[^,%s][^,]*") do licences[#licences + 1] = name end
      plans[m.name] = { number = m.number, unrestricted = m.unrestricted, licences = licences }
      names[#names + 1] = m.name
    end
  end
  return plans, names
end

--- The check value of a row, from the facts it vouches for.
function M.seal(...)
  return crypto.sha256(table.concat({ "cloner", ... }, "\0"))
end

return M
