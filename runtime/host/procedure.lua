-- procedure: what a script returns. A list of steps with the file each comes from, and the means
-- for a tenant's own file to change it. Nothing here runs a step.
local params = require "params"
local text = require "text"

local M = {}

local P = {}
P.__index = P
P.__name = "procedure"
P.__metatable = "procedure"

local FIELDS = {
  name = "string", title = "string", params = "table", target_key = "function",
  preflight = "function", summary = "function", durable = "boolean", customise = "string",
  help = "string",
}

local STEP_FIELDS = {
  title = "string", run = "function", check = "function", undo = "function", plan = "function",
  timeout = "any", retry = "table", undo_timeout = "any", help = "string",
}

local RETRY_FIELDS = { attempts = true, base_ms = true, cap_ms = true }

M.DEFAULTS = {
  timeout_ms = 24 * 3600 * 1000,
  undo_timeout_ms = 24 * 3600 * 1000,
  attempts = 5,
  attempts_max = 1000,
  base_ms = 1000,
  cap_ms = 60 * 1000,
}

--- Where a call stands: "scripts/clone.lua", 12. level as for error().
---@return string file, integer line
function M.place(level)
  local info = debug.getinfo(level + 1, "Sl")
  if not info then return "?", 0 end
  return info.short_src, info.currentline
end
local place = M.place

local function check_fields(what, t, allowed, level)
  for k, v in pairs(t) do
    if type(k) == "string" then
      local want = allowed[k]
      if not want then
        error(("%s: unknown field '%s'%s"):format(what, k, text.hint(k, text.keys(allowed))),
          level + 1)
      end
      if want ~= "any" and type(v) ~= want then
        error(("%s: field '%s' must be a %s, not a %s"):format(what, k, want, type(v)), level + 1)
      end
    end
  end
end

local function duration(what, field, value, default, level)
  if value == nil then return default end
  local ms = text.parse_duration(value)
  if not ms or ms == 0 then
    error(("%s: %s must look like \"90s\" or \"12h\""):format(what, field), level + 1)
  end
  return ms
end

local function retry_policy(what, given, level)
  local policy = { attempts = M.DEFAULTS.attempts, base_ms = M.DEFAULTS.base_ms,
    cap_ms = M.DEFAULTS.cap_ms }
  for k, v in pairs(given or {}) do
    if not RETRY_FIELDS[k] then
      error(("%s: retry has no '%s'%s"):format(what, tostring(k),
        text.hint(tostring(k), text.keys(RETRY_FIELDS))), level + 1)
    end
    if math.type(v) ~= "integer" or v < 1 then
      error(("%s: retry.%s must be a whole number from 1"):format(what, k), level + 1)
    end
    policy[k] = v
  end
  if policy.attempts > M.DEFAULTS.attempts_max then
    error(("%s: retry.attempts is at most %d"):format(what, M.DEFAULTS.attempts_max), level + 1)
  end
  return policy
end

--- Validates one step's table; level as for error().
local function make_step(def, level)
  if type(def) ~= "table" or type(def[1]) ~= "string" then
    error('a step looks like P:step{ "name", run = function(run) … end }', level + 1)
  end
  local name = def[1]
  local what = ("step '%s'"):format(name)
  if not name:match("^%a[%w_]*$") or #name > 60 then
    error(("%s: a step's name is letters, digits and '_'"):format(what), level + 1)
  end
  check_fields(what, def, STEP_FIELDS, level + 1)
  if #def > 1 then error(what .. ": only the name stands without a field's name", level + 1) end
  if not def.run then error(what .. " has no run function", level + 1) end
  local source, line = place(level + 1)
  return {
    name = name, title = def.title or name:gsub("_", " "), run = def.run, check = def.check,
    undo = def.undo, plan = def.plan, help = def.help,
    timeout_ms = duration(what, "timeout", def.timeout, M.DEFAULTS.timeout_ms, level + 1),
    undo_timeout_ms = duration(what, "undo_timeout", def.undo_timeout,
      M.DEFAULTS.undo_timeout_ms, level + 1),
    retry = retry_policy(what, def.retry, level + 1),
    origin = source, line = line,
  }
end

--- Makes a procedure.
---@param def table {name=, title=, params=, target_key=, preflight=, durable=, summary=}
function M.new(def)
  if type(def) ~= "table" then error("procedure.new needs a table", 2) end
  check_fields("procedure", def, FIELDS, 2)
  if not def.name or not def.name:match("^%a[%w_%-]*$") then
    error("a procedure needs a name of letters, digits, '_' and '-'", 2)
  end
  local self = {
    name = def.name, title = def.title or def.name, help = def.help, params = {},
    target_key = def.target_key, preflight = def.preflight, summary = def.summary,
    durable = def.durable ~= false, customise = def.customise or "target", steps = {},
  }
  for name, spec in pairs(def.params or {}) do
    self.params[name] = params.define(name, spec, 2)
  end
  return setmetatable(self, P)
end

--- Is it a procedure?
function M.is(value)
  return type(value) == "table" and debug.getmetatable(value) == P
end

local function find(self, name, level)
  for i, step in ipairs(self.steps) do
    if step.name == name then return i, step end
  end
  local names = {}
  for i, step in ipairs(self.steps) do names[i] = step.name end
  error(("procedure '%s' has no step '%s'%s"):format(self.name, tostring(name),
    text.hint(tostring(name), names)), level + 1)
end

local function insert(self, at, def, level)
  local step = make_step(def, level + 1)
  for _, other in ipairs(self.steps) do
    if other.name == step.name then
      error(("step '%s' is there already (%s:%d)"):format(step.name, other.origin, other.line),
        level + 1)
    end
  end
  table.insert(self.steps, at, step)
  return step
end

--- Adds a step at the end.
function P:step(def)
  insert(self, #self.steps + 1, def, 2)
  return self
end

--- Leaves a step out of the run; it stays in the list, marked, with the reason.
function P:skip(name, why)
  local _, step = find(self, name, 2)
  if type(why) ~= "string" or why == "" then
    error(("skipping step '%s' needs a reason"):format(name), 2)
  end
  local source, line = place(2)
  step.skipped, step.origin, step.line = why, source, line
  return self
end

--- Puts another step in the place of one. Only the title is kept when the new one says none: check,
--- undo and limits belong to what a step does.
function P:replace(name, def)
  local i, old = find(self, name, 2)
  if type(def) ~= "table" then error("replace needs a step's table", 2) end
  local copy = { name, title = old.title }
  for k, v in pairs(def) do copy[k] = v end
  copy[1] = name
  self.steps[i] = make_step(copy, 2)
  self.steps[i].replaced = old.origin
  return self
end

--- Adds a step in front of another.
function P:before(name, def)
  insert(self, (find(self, name, 2)), def, 2)
  return self
end

--- Adds a step behind another.
function P:after(name, def)
  insert(self, (find(self, name, 2)) + 1, def, 2)
  return self
end

return M
