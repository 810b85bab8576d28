-- program: from a bundle to what it runs: a procedure (customised for its tenant, parameters
-- resolved), or a plain script.
local errors = require "errors"
local files = require "files"
local host = require "host"
local json = require "json"
local params = require "params"
local procedure = require "procedure"
local sandbox = require "sandbox"
local text = require "text"

local M = {}

--- Reads the bundle of a script from disk.
function M.read(script)
  local bundle = files.bundle(script)
  return M.identify(bundle)
end

--- The bundle a run is pinned to: exactly the bytes it was started with.
function M.pinned(journal, row)
  local bundle = journal:get_bundle(row.bundle_hash)
  if not bundle then
    errors.raise("not_found", "E_NO_SCRIPT", ("the scripts of run %s are not in the journal")
      :format(row.run_id))
  end
  if M.identify(bundle).hash ~= row.bundle_hash then
    errors.raise("conflict", "E_SCRIPT_CHANGED",
      ("the scripts of run %s in the journal are not those it was started with"):format(row.run_id))
  end
  return bundle
end

--- Refuses an idempotency key that belongs to a run of other parameters.
function M.same_params(row, loaded)
  for name, had in pairs(row.params) do
    local given = loaded.params[name]
    if given ~= nil and json.encode(given) ~= json.encode(had) then
      errors.raise("conflict", "E_IDEMPOTENCY_KEY", ("run %s was started with this idempotency key " ..
        "and another '%s': the same key means the same run"):format(row.run_id, name))
    end
  end
end

--- Adds the hashes: of every module, and of the whole (canonical manifest).
function M.identify(bundle)
  local lines = { "entry " .. bundle.entry }
  bundle.hashes = {}
  for _, path in ipairs(text.keys(bundle.modules)) do
    local hash = host.sha256(bundle.modules[path])
    bundle.hashes[path] = hash
    lines[#lines + 1] = hash .. " " .. path
  end
  bundle.hash = host.sha256(table.concat(lines, "\n") .. "\n")
  return bundle
end

--- The same modules entered by another script of the same folder (for child runs).
function M.sibling(bundle, entry)
  entry = entry:gsub("^%./", "")
  if not bundle.modules[entry] then
    local names = {}
    for path in pairs(bundle.modules) do
      if not path:find("/") then names[#names + 1] = path end
    end
    errors.raise("not_found", "E_NO_SCRIPT", ("there is no script '%s' beside '%s'%s")
      :format(entry, bundle.entry, text.hint(entry, names)))
  end
  return M.identify { folder = bundle.folder, entry = entry, modules = bundle.modules }
end

--- Runs the bundle's entry chunk.
---@param config nil|fun(): table reads the configuration, for a plain script that wants it
---@return any what the script returned: a procedure, an exit code or nil
function M.enter(bundle, given, config)
  local box = sandbox.new(bundle)
  local chunk = box.load(bundle.entry)
  return chunk(given, config), box
end

--- Applies the tenant's own file, if the bundle has one.
local function customise(p, box, bundle, given)
  local tenant = given[p.customise]
  if type(tenant) ~= "string" or not tenant:match("^[%w_%-]+$") then return end
  local path = "tenants/" .. tenant .. ".lua"
  if not bundle.modules[path] then return end
  local change = box.require("tenants." .. tenant)
  if type(change) ~= "function" then
    errors.raise("invalid", "E_TENANT_FILE",
      ("%s/%s must return function(P) … end"):format(bundle.folder, path))
  end
  change(p)
end

--- Parameters are journalled, so a password among them would be kept.
local function refuse_passwords(p, resolved)
  for name, def in pairs(p.params) do
    local v = resolved[name]
    if def.type == "dsn" and v and (v:match("password%s*=") or v:match("^%w+://[^/@]*:[^/@]+@")) then
      errors.raise("invalid", "E_PARAM", ("parameter %s holds a password, and parameters are " ..
        "journalled: leave it out and use ~/.pgpass or the configuration"):format(name))
    end
  end
end

--- Loads a bundle as a procedure. Returns nil and the script's value when it is a plain script.
---@param config nil|fun(): table for a plain script
---@return table|nil {procedure, params, bundle, steps, target_key}
function M.load(bundle, given, config)
  local value, box = M.enter(bundle, given, config)
  if not procedure.is(value) then return nil, value end
  customise(value, box, bundle, given)
  local resolved = params.resolve(value.params, given)
  local program = { procedure = value, params = resolved, bundle = bundle, steps = value.steps }
  if value.target_key then
    program.target_key = value.target_key(resolved)
    if type(program.target_key) ~= "string" or program.target_key == "" then
      errors.raise("invalid", "E_TARGET_KEY",
        ("target_key of procedure '%s' must return a non-empty string"):format(value.name))
    end
  end
  for _, step in ipairs(program.steps) do step.label = text.fill(step.title, resolved) end
  if value.durable then refuse_passwords(value, resolved) end
  return program
end

--- The procedure's title with its parameters filled in.
function M.title(loaded)
  return text.fill(loaded.procedure.title, loaded.params)
end

return M
