-- mask: what a column's values become instead of being swept. Constructors make plain descriptions, and
-- never raise: what is wrong with their options, and which columns they suit, is told where they are
-- applied, so that the message names the column, too.
local errors = require "errors"

local M = { constructors = {} }

local function refuse(message, ...)
  errors.raise("invalid", "E_RULES", message:format(...))
end

local function wrong(message, ...) error(message:format(...), 0) end

--- Where the rule is written: the first function that is not of this file.
local function position()
  for level = 3, 8 do
    local info = debug.getinfo(level, "Sl") -- luacheck: ignore 113
    if not info then return nil end
    if info.currentline > 0 and not info.source:find("bindings/mask_methods.lua", 1, true) then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
end

local function text(value, kind, name)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if type(value) == "number" then return ("%.14g"):format(value) end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "string" then wrong("method '%s': '%s' must be a string or a number", kind, tostring(name)) end
  return value
end

--- {name = value} as a list of pairs, in order of the names.
local function to_pairs(map, kind)
  local list = {}
  if map ~= nil and type(map) ~= "table" then wrong("method '%s' takes a table of options", kind) end
  for name, value in pairs(map or {}) do list[#list + 1] = { text(name, kind, name), text(value, kind, name) } end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

--- fill: a function that adds to the method, and calls wrong() when it cannot.
local function describe(kind, options, fill)
  local method = { kind = kind, where = position() }
  local ok, why = pcall(function()
    method.options = to_pairs(options, kind)
    if fill then fill(method) end
  end)
  if not ok then method.wrong = why end
  return method
end

local constructors = M.constructors

--- Keyed hash. form: "hex" (of 32), "letters" (26) or "uuid"; length: another number of characters.
---@param options {form: string|nil, length: integer|nil}|nil
---@return table method
function constructors.hash(options) return describe("hash", options) end

--- Every character is replaced; length: whatever the value's, so many characters.
---@param options {fill: string|nil, length: integer|nil}|nil
---@return table method
function constructors.redact(options) return describe("redact", options) end

--- The same for all; `mask.constant "x"`, or {value = "x"}.
---@param value string|number|table
---@return table method
function constructors.constant(value)
  return describe("constant", type(value) == "table" and value or { value = value })
end

---@return table method
function constructors.null() return describe("null") end

--- Keeps the first and last characters; what is between becomes asterisks.
---@param options {first: integer|nil, last: integer|nil}
---@return table method
function constructors.partial(options) return describe("partial", options) end

--- Moves dates and timestamps by 1 to `days` days, to either side. by: a column of the same row (a key, say);
--- all that has the same value there moves by the same number of days. Without, each value by its own.
---@param options {days: integer, by: string|nil}
---@return table method
function constructors.date_shift(options) return describe("date_shift", options) end

--- Numbers a few per cent off; sign and decimals stay.
---@param options {percent: number}
---@return table method
function constructors.noise(options) return describe("noise", options) end

--- Something that looks real; the same value always becomes the same.
---@param of string first_name, last_name, full_name, company, street, city, or phone (which keeps its form)
---@return table method
function constructors.fake(of) return describe("fake", type(of) == "table" and of or { of = of }) end

--- Numbers become the lowest of their bucket (towards zero), dates the first day of their month or year.
---@param options {bucket: integer|nil, to: string|nil} bucket = 10, or to = "month", "year"
---@return table method
function constructors.generalise(options) return describe("generalise", options) end

--- Values swap rows within their table: each row gets that of another, and its own only where no other has
--- another. unit: columns that say the same move together, like a first and a last name. within: a column;
--- rows with the same value there swap among themselves. NULL stays where it is.
---@param options {unit: string|nil, within: string|nil}|nil
---@return table method
function constructors.shuffle(options) return describe("shuffle", options) end

--- Values of the map become what it says, all others `default`.
---@param spec {map: table<string, string>, default: string}
---@return table method
function constructors.dictionary(spec)
  local options, map = {}, type(spec) == "table" and spec.map or nil
  for key, value in pairs(type(spec) == "table" and spec or {}) do
    if key ~= "map" then options[key] = value end
  end
  return describe("dictionary", options, function(method)
    if type(map) ~= "table" then wrong "method 'dictionary' needs a 'map'" end
    method.entries = to_pairs(map, "dictionary")
  end)
end

--- What the function makes of each value, in the workers of a copy: a string or a number, nil for NULL. It
--- sees the pure part of the sandbox, and keeps nothing (bindings/README.md).
---@param fn fun(value: string, context: {table: string, column: string}): string|number|nil
---@return table method
function constructors.lua(fn)
  return describe("script", nil, function(method)
    if type(fn) ~= "function" then wrong "mask.lua needs a function" end
    method.script = fn
  end)
end

local NO_METHOD = "not a method (mask.hash {…} and the like make them)"

local function is_method(value) return type(value) == "table" and type(value.kind) == "string" end

--- Raises when it is none, or was made wrongly.
local function check(method, name)
  if not is_method(method) then refuse("%s: %s", name, NO_METHOD) end
  if method.wrong then
    refuse("%s%s: %s", method.where and method.where .. ": " or "", name, method.wrong)
  end
end

--- Methods for the values at paths of a JSON document, like `$.items[*].name`, and all below them. A
--- function is for a whole column, never for a path.
---@param paths table<string, table>
---@return table method
function constructors.json(paths)
  return describe("json", nil, function(method)
    if type(paths) ~= "table" then wrong "method 'json' takes a table of paths" end
    method.parts = {}
    for path, part in pairs(paths) do
      local at = ("path '%s': "):format(tostring(path))
      if not is_method(part) then wrong("%s%s", at, NO_METHOD) end
      if part.wrong then wrong("%s%s", at, part.wrong) end
      if part.script then
        wrong("%sa function of mask.lua cannot stand at a path: give it the whole column, or choose another method", at)
      end
      table.insert(method.parts, { path = tostring(path), kind = part.kind, options = part.options,
        entries = part.entries })
    end
    table.sort(method.parts, function(a, b) return a.path < b.path end)
  end)
end

--- The columns of rules, as core.rules wants them.
---@param columns table<string, table>|nil
---@return table[]
function M.list(columns)
  local list = {}
  for name, method in pairs(columns or {}) do
    local schema, rest, column = tostring(name):match("^([^.]+)%.(.+)%.([^.]+)$")
    if not schema then refuse("columns: '%s' is not schema.table.column", tostring(name)) end
    check(method, name)
    local entry = { schema = schema, table = rest, column = column, name = name }
    for key, value in pairs(method) do entry[key] = value end
    list[#list + 1] = entry
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- A method that is applied to single values.
function M.alone(method)
  check(method, "apply")
  local entry = { schema = "mask", table = "apply", column = "value" }
  for key, value in pairs(method) do entry[key] = value end
  return entry
end

return M
