-- engine: the entry points the command line calls; each returns the process's exit code.
local errors = require "errors"
local host = require "host"
local params = require "params"
local program = require "program"
local text = require "text"

local M = {}

local EXIT = { done = 0, failed = 1, usage = 2, refused = 3, paused = 4, cancelled = 5,
  interrupted = 6 }

local USAGE_CODES = { E_NO_SCRIPT = true, E_SYNTAX = true, E_PARAM = true }

local function fail(e)
  e = errors.from(e)
  host.write("err", "cloner: " .. e.message .. "\n")
  local trace = text.script_traceback(e.traceback)
  if trace ~= "" then host.write("err", trace .. "\n") end
  return USAGE_CODES[e.code] and EXIT.usage or EXIT.failed
end

local function guarded(f)
  return function(args)
    local trace
    local ok, result = xpcall(f, function(e)
      if not errors.is_object(e) then trace = debug.traceback("", 2) end
      return e
    end, args)
    if ok then return result or EXIT.done end
    local e = errors.from(result)
    e.traceback = e.traceback or trace
    return fail(e)
  end
end

local function positional(args)
  local list = {}
  while args["arg" .. #list + 1] do list[#list + 1] = args["arg" .. #list + 1] end
  return list
end

M.run = guarded(function(args)
  local given = params.parse(positional(args))
  local bundle = program.read(args.script)
  local loaded, value = program.load(bundle, given)
  if not loaded then return math.type(value) == "integer" and value or EXIT.done end
  errors.raise("bug", "E_PROCEDURE", "procedures cannot run yet")
end)

return M
