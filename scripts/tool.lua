-- tool: what scan.lua, compare.lua and archive.lua have in common: parameters, refusals, progress.
local errors = require "errors"
local log = require "log"
local secret = require "secret"
local time = require "time"

local M = {}

local PROGRESS_MS = 10 * 1000

--- Ends the script as used wrongly.
function M.refuse(message)
  errors.raise("invalid", "E_PARAM", message)
end

--- The parameters given, of which `known` ({name = true}) may be there. jobs becomes a number, format is
--- "text", "json", or one more.
function M.params(given, known, more)
  local params = {}
  for name, value in pairs(given) do
    if not known[name] then M.refuse(("unknown parameter '%s'"):format(name)) end
    if value ~= "" then params[name] = value end
  end
  params.jobs = math.tointeger(tonumber(params.jobs or "2"))
  if not params.jobs or params.jobs < 1 or params.jobs > 64 then
    M.refuse "parameter jobs: 1 to 64 is needed"
  end
  params.format = params.format or "text"
  if params.format ~= "text" and params.format ~= "json" and params.format ~= more then
    M.refuse(("parameter format: %stext or json is needed"):format(more and more .. ", " or ""))
  end
  return params
end

--- A password given as file:/path; nil without one.
function M.password(given)
  return given and secret(given)
end

function M.size(bytes)
  local units, i = { "bytes", "kB", "MB", "GB", "TB" }, 1
  while bytes >= 1000 and i < #units do bytes, i = bytes / 1000, i + 1 end
  return (i == 1 and "%d %s" or "%.1f %s"):format(bytes, units[i])
end

--- A progress function that logs a line every ten seconds: "scanned 1.2 GB of 4.0 GB, 1234 rows".
function M.progress(verb)
  local last = time.monotonic()
  return function(p)
    if p.total > 0 and time.monotonic() - last >= PROGRESS_MS then
      last = time.monotonic()
      log.info(("%s %s of %s, %d rows"):format(verb, M.size(p.done), M.size(p.total), p.rows))
    end
  end
end

--- Prints a labelled line.
function M.line(label, text)
  print(("%-13s %s"):format(label, text))
end

return M
