-- params: what a procedure may be given, and how text becomes values.
local db = require "db"
local errors = require "errors"
local text = require "text"

local M = {}

local function bad(name, value, want)
  errors.raise("invalid", "E_PARAM", ("parameter %s=%s: %s"):format(name, tostring(value), want))
end

local BOOLEANS = {
  yes = true, ["true"] = true, on = true, ["1"] = true,
  no = false, ["false"] = false, off = false, ["0"] = false,
}

-- type -> fn(name, text, definition) -> value; raises
local TYPES = {
  string = function(_, v) return v end,
  dsn = function(name, v)
    if v == "" then bad(name, v, "a connection string or URI is needed") end
    return v
  end,
  integer = function(name, v)
    local n = v:match("^[+-]?%d+$") and math.tointeger(tonumber(v))
    if not n then bad(name, v, "a whole number is needed") end
    return n
  end,
  boolean = function(name, v)
    local b = BOOLEANS[v:lower()]
    if b == nil then bad(name, v, "yes or no is needed") end
    return b
  end,
  tenant = function(name, v)
    if not v:match("^Cust%d+$") then bad(name, v, "a tenant looks like Cust12345") end
    return v
  end,
  list = function(_, v)
    local list = {}
    for item in v:gmatch("[^,]+") do
      item = item:match("^%s*(.-)%s*$")
      if item ~= "" then list[#list + 1] = item end
    end
    return list
  end,
  duration = function(name, v)
    local ms = text.parse_duration(v)
    if not ms then bad(name, v, "a duration looks like 90s, 15m or 12h") end
    return ms
  end,
  choice = function(name, v, def)
    for _, allowed in ipairs(def.choices) do
      if v == allowed then return v end
    end
    bad(name, v, "one of " .. table.concat(def.choices, ", ") .. " is needed")
  end,
}

local FIELDS = { type = true, choices = true, default = true, help = true, optional = true,
  min = true, max = true }

--- {"string", default=, help=} or "string" -> a definition table; raises with the caller's place.
function M.define(name, spec, level)
  level = (level or 1) + 1
  if type(name) ~= "string" or not name:match("^%a[%w_]*$") then
    error(("'%s' cannot be a parameter's name"):format(tostring(name)), level)
  end
  if type(spec) == "string" then spec = { spec } end
  if type(spec) ~= "table" or not TYPES[spec[1] or spec.type] then
    error(("parameter '%s' has no known type%s"):format(name,
      text.hint(tostring(type(spec) == "table" and (spec[1] or spec.type) or spec),
        text.keys(TYPES))), level)
  end
  local def = { type = spec[1] or spec.type }
  for k, v in pairs(spec) do
    if type(k) == "string" then
      if not FIELDS[k] then
        error(("parameter '%s': unknown field '%s'%s"):format(name, k,
          text.hint(k, text.keys(FIELDS))), level)
      end
      def[k] = v
    end
  end
  if def.type == "choice" then
    def.choices = def.choices or { table.unpack(spec, 2) }
    if #def.choices == 0 then
      error(("parameter '%s' offers no choice"):format(name), level)
    end
  end
  return def
end

local function convert(name, value, def)
  if type(value) == "string" then value = TYPES[def.type](name, value, def) end
  if def.type == "integer" then
    if math.type(value) ~= "integer" then bad(name, value, "a whole number is needed") end
    if def.min and value < def.min then bad(name, value, "at least " .. def.min) end
    if def.max and value > def.max then bad(name, value, "at most " .. def.max) end
  elseif def.type == "boolean" and type(value) ~= "boolean" then
    bad(name, value, "yes or no is needed")
  elseif def.type == "list" then
    if type(value) ~= "table" then bad(name, value, "a list is needed") end
    local copy = {}
    for i, item in ipairs(value) do copy[i] = item end
    value = copy
  elseif type(value) == "table" then
    bad(name, value, "a single value is needed")
  end
  return value
end

--- Checks and converts what was given; fills in defaults. Raises class invalid.
---@param defs table name -> definition
---@param given table name -> text (or a value, from another script)
function M.resolve(defs, given)
  local names, out = text.keys(defs), {}
  for _, name in ipairs(text.keys(given)) do
    if not defs[name] then
      errors.raise("invalid", "E_PARAM",
        ("unknown parameter '%s'%s"):format(name, text.hint(name, names)))
    end
  end
  local missing = {}
  for _, name in ipairs(names) do
    local def, value = defs[name], given[name]
    if value == nil then value = def.default end
    if value ~= nil then
      out[name] = convert(name, value, def)
    elseif not def.optional then
      missing[#missing + 1] = name
    end
  end
  if #missing > 0 then
    errors.raise("invalid", "E_PARAM", "missing parameter: give " ..
      table.concat(missing, "=… ") .. "=…")
  end
  return out
end

--- The parameters as they may be shown: connection strings without their passwords.
---@param defs table name -> definition
---@param values table what resolve() returned
function M.printable(defs, values)
  local out = {}
  for name, value in pairs(values) do
    out[name] = defs[name].type == "dsn" and db.safe_dsn(value) or value
  end
  return out
end

--- {"a=1", "b=x y"} -> {a="1", b="x y"}. Raises class invalid.
function M.parse(list)
  local given = {}
  for _, item in ipairs(list) do
    local name, value = item:match("^([%w_%-]+)=(.*)$")
    if not name then
      errors.raise("invalid", "E_PARAM",
        ("'%s' is not a parameter: they look like name=value"):format(item))
    end
    if name:sub(1, 1) == "_" then
      errors.raise("invalid", "E_PARAM", ("parameter names do not begin with '_': '%s'"):format(name))
    end
    if given[name] ~= nil then
      errors.raise("invalid", "E_PARAM", ("parameter '%s' is given twice"):format(name))
    end
    given[name] = value
  end
  return given
end

return M
