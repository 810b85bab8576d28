-- config: the operator's configuration, a Lua file that returns a plain table. It is read by every
-- process anew and never journalled. Fields called password, token or key name secrets.
local errors = require "errors"
local files = require "files"
local host = require "host"
local secret = require "secret"

local M = {}

M.PLACES = { "cloner.conf", "build/demo/cloner.conf", "/etc/cloner/cloner.conf" }

local SECRETS = { password = true, token = true, key = true, signing_key = true, certificate_key = true,
  client_secret = true, sas = true, private_key = true }
local DEPTH_MAX = 10

local function name_secrets(t, depth)
  if depth > DEPTH_MAX then
    errors.raise("invalid", "E_CONFIG", "the configuration is nested too deeply")
  end
  for k, v in pairs(t) do
    if type(v) == "table" then
      name_secrets(v, depth + 1)
    elseif type(v) == "function" then
      errors.raise("invalid", "E_CONFIG",
        ("the configuration holds a function in '%s': plain values only"):format(tostring(k)))
    elseif SECRETS[k] and type(v) == "string" and v:match("^%l+:") then
      t[k] = secret(v)
    end
  end
  return t
end

--- The file that will be used, or nil.
---@param given string|nil from --config
function M.find(given)
  if given and given ~= "" then return given end
  local env = host.getenv("CLONER_CONFIG")
  if env and env ~= "" then return env end
  for _, path in ipairs(M.PLACES) do
    if files.exists(path) then return path end
  end
end

--- Reads a configuration; an empty one when there is no file. Raises class invalid.
---@return table config, string|nil path
function M.load(given)
  local path = M.find(given)
  if not path then return {}, nil end
  if not files.exists(path) then
    errors.raise("not_found", "E_CONFIG", ("there is no configuration '%s'"):format(path))
  end
  local chunk, why = load(files.read(path), "@" .. path, "t", setmetatable({}, {
    __index = function(_, name)
      error(("a configuration has no globals: '%s'"):format(tostring(name)), 2)
    end,
  }))
  if not chunk then errors.raise("invalid", "E_CONFIG", why) end
  local ok, value = pcall(chunk)
  if not ok then errors.raise("invalid", "E_CONFIG", tostring(value)) end
  if type(value) ~= "table" then
    errors.raise("invalid", "E_CONFIG", ("%s must return a table"):format(path))
  end
  return name_secrets(value, 1), path
end

--- Where the journal is: --journal DSN first, then the configuration; nil when nowhere.
function M.journal(config, given)
  if given and given ~= "" then return { dsn = given } end
  local env = host.getenv("CLONER_JOURNAL")
  if env and env ~= "" then return { dsn = env } end
  local j = config.journal
  if type(j) == "table" and j.dsn then return { dsn = j.dsn, password = j.password } end
end

return M
