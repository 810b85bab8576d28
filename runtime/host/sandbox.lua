-- sandbox: the world a script sees. An allow-list of globals, read-only libraries, and a `require`
-- that finds the runtime's public modules and the modules of the run's own bundle.
--
-- One sandbox a bundle: two runs never share a module's state.
local errors = require "errors"
local host = require "host"
local task = require "task"

local M = {}

rawset(string, "dump", nil)
getmetatable("").__metatable = "the string metatable is protected"

-- Tables scripts may look at and never change; rawset asks here.
local protected = setmetatable({}, { __mode = "k" })

local function read_only(real, name)
  local proxy = {}
  local function no_write(_, key)
    error(("'%s.%s' cannot be set: %s is read-only"):format(name, tostring(key), name), 2)
  end
  local meta = {
    __index = real,
    __newindex = no_write,
    __pairs = function() return next, real, nil end,
    __len = function() return #real end,
    __name = name,
    __metatable = "protected",
  }
  local callable = getmetatable(real)
  if type(callable) == "table" and callable.__call then
    meta.__call = function(_, ...) return real(...) end
  end
  protected[proxy] = true
  return setmetatable(proxy, meta)
end
M.read_only = read_only

--- An error no script may swallow: the task was cancelled, or the run belongs to somebody else.
local function unstoppable(e)
  local cancelled = task.cancelled()
  if cancelled then return cancelled end
  if errors.is(e, "lease_lost") then return e end
end

local function settle(ok, ...)
  if ok then return true, ... end
  local stop = unstoppable((...))
  if stop then error(stop, 0) end
  return false, ...
end

local function safe_pcall(f, ...)
  return settle(pcall(f, ...))
end

local function safe_xpcall(f, handler, ...)
  return settle(xpcall(f, function(e)
    if unstoppable(e) then return e end
    return handler(e)
  end, ...))
end

--- error(): strings and error objects as they are; other tables become error objects.
local function safe_error(value, level)
  if type(value) == "table" and not errors.is_object(value) then
    local class = type(value.class) == "string" and value.class or "bug"
    local code = type(value.code) == "string" and value.code or "E_SCRIPT"
    local message = type(value.message) == "string" and value.message or "an error without message"
    local more = {}
    for k, v in pairs(value) do
      if k ~= "class" and k ~= "code" and k ~= "message" then more[k] = v end
    end
    error(errors.new(class, code, message, more), 0)
  end
  level = level or 1
  error(value, level > 0 and level + 1 or 0)
end

local function safe_rawset(t, k, v)
  if protected[t] then error("the table is read-only", 2) end
  return rawset(t, k, v)
end

local function safe_setmetatable(t, meta)
  if protected[t] then error("the table is read-only", 2) end
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    error("__gc is not for scripts: use <close>", 2)
  end
  return setmetatable(t, meta)
end

--- Where print() goes; a live view puts itself here while it is on the screen.
function M.print(line)
  host.write("out", line .. "\n")
end

local function safe_print(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  M.print(table.concat(parts, "\t", 1, parts.n))
end

local FORBIDDEN = { "collectgarbage", "coroutine", "debug", "dofile", "io", "loadfile", "os",
  "package", "_G" }

local BASE = {
  assert = assert, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
  rawequal = rawequal, rawget = rawget, rawlen = rawlen, select = select, tonumber = tonumber,
  tostring = tostring, type = type, _VERSION = _VERSION,
  error = safe_error, pcall = safe_pcall, xpcall = safe_xpcall, print = safe_print,
  rawset = safe_rawset, setmetatable = safe_setmetatable,
  string = read_only(string, "string"), table = read_only(table, "table"),
  math = read_only(math, "math"), utf8 = read_only(utf8, "utf8"),
}

local public = {} -- name -> read-only view of a runtime module

local function public_module(name)
  if not public[name] then
    local real = require(name)
    public[name] = type(real) == "table" and read_only(real, name) or real
  end
  return public[name]
end

--- Makes the environment of one bundle.
---@param bundle table {folder=, entry=, modules={path -> source}}
---@return table {load = fn(path) -> chunk, require = fn(name)}
function M.new(bundle)
  local base, loaded, loading = {}, {}, {}
  for k, v in pairs(BASE) do base[k] = v end

  local env = setmetatable({}, {
    __index = function(_, name)
      local value = base[name]
      if value == nil then
        for _, forbidden in ipairs(FORBIDDEN) do
          if forbidden == name then
            error(("the global '%s' is not available to scripts"):format(name), 2)
          end
        end
        error(("unknown global '%s'"):format(tostring(name)), 2)
      end
      return value
    end,
    __newindex = function(_, name)
      error(("cannot set the global '%s': use a local"):format(tostring(name)), 2)
    end,
    __metatable = "protected",
  })
  protected[env] = true

  local self = {}

  --- The chunk of a module of the bundle; raises class invalid with file:line.
  function self.load(path)
    local source = bundle.modules[path]
    if not source then
      errors.raise("not_found", "E_NO_SCRIPT",
        ("there is no script '%s' in '%s'"):format(path, bundle.folder))
    end
    local name = bundle.folder == "." and path or bundle.folder .. "/" .. path
    local chunk, why = load(source, "@" .. name, "t", env)
    if not chunk then errors.raise("invalid", "E_SYNTAX", why) end
    return chunk
  end

  --- The file "./x" stands for, a path from the scripts' folder, even where the runtime has a module x.
  --- otherwise: what to give when the scripts have no such file, instead of an error.
  function self.require(name, otherwise)
    if type(name) ~= "string" then error("require needs a module's name", 2) end
    local own = name:match("^%./(.+)$")
    if not own and host.is_public(name) then return public_module(name) end
    local path = (own or name:gsub("%.", "/")) .. ".lua"
    if loaded[path] ~= nil then return loaded[path] end
    if not bundle.modules[path] then
      if otherwise ~= nil then return otherwise end
      error(("there is no module '%s': neither the runtime nor '%s/%s'")
        :format(name, bundle.folder, path), 2)
    end
    if loading[path] then error(("module '%s' requires itself"):format(name), 2) end
    loading[path] = true
    local value = self.load(path)(name)
    loading[path] = nil
    if value == nil then value = true end
    loaded[path] = value
    return value
  end

  base.require = self.require
  base.load = function(text, name, _, environment)
    if type(text) ~= "string" then error("load needs a string", 2) end
    return load(text, name or "=(load)", "t", environment or env)
  end
  return self
end

return M
