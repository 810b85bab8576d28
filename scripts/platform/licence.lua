-- licence: the licence package an operator issues for a serial number, as XML.
--
--   <LicensePackage><CompanyName>…</CompanyName><ExpiryDate>…</ExpiryDate> …
--     <ModuleLicenses><ModuleLicense><ModuleName>…</ModuleName> … </ModuleLicense> …
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

--- The text of the first element of that name, or nil.
local function element(xml, name)
  local value = xml:match("<" .. name .. ">(.-)</" .. name .. ">")
  return value and unescape(value:match("^%s*(.-)%s*$"))
end

local TYPES = { SiteLicense = 1, SatelliteLicense = 2, UserLicense = 3 }

local function number(text) return math.tointeger(tonumber(text)) or 0 end

local function module(xml)
  local name = element(xml, "ModuleName")
  if not name then errors.raise("invalid", "E_LICENCE_PACKAGE", "a licence has no ModuleName") end
  return { name = name, owner = element(xml, "OwnerName"), version = element(xml, "ModuleVersion") or "",
    description = element(xml, "ModuleDescription") or name, type = TYPES[element(xml, "LicenseType")] or 1,
    number = number(element(xml, "NumberOfLicenses")), extra_flags = number(element(xml, "ExtraFlags")),
    extra_info = element(xml, "ExtraInfo"), hidden = element(xml, "IsHidden") == "true",
    unrestricted = element(xml, "Unrestricted") == "true", sort_order = number(element(xml, "SortOrder")) }
end

--- Reads a package.
---@param xml string
---@return table {company_name, serial, version, expiry, grace, maintenance, warning, modules = {…}}
function M.parse(xml)
  local package = { modules = {}, company_name = element(xml, "CompanyName"),
    serial = element(xml, "SerialNumber"), version = number(element(xml, "LicenseVersion")),
    expiry = element(xml, "ExpiryDate"), grace = element(xml, "GraceDate"),
    maintenance = element(xml, "MaintenanceDate"), warning = element(xml, "AdminWarningDate") }
  for text in xml:gmatch("<ModuleLicense>(.-)</ModuleLicense>") do
    package.modules[#package.modules + 1] = module(text)
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
