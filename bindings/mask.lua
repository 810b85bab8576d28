-- mask: e-mail addresses replaced in text, and a finished database proved free of them.
local core = ...
local crypto = require "crypto"
local db = require "db"
local errors = require "errors"
local json = require "json"
local methods = require "mask_methods"
local secret = require "secret"

local M = { email = core.email, find = core.find }
for name, fn in pairs(methods.constructors) do M[name] = fn end

--- What the rules say, for a certificate.
---@return table {sink_domain, allow, keep = {{table, column, count, reason}}, empty, hash}
function core.methods:describe()
  local sink, allow, keep = core.describe(self)
  return { sink_domain = sink, allow = allow, keep = keep, hash = self:hash(),
    empty = table.move(self:empty(), 1, #self:empty(), 1, {}) }
end

local RULE_FIELDS = { sink_domain = "string", allow = "table", keep = "table", empty = "table", mode = "string",
  key = true, columns = "table" }
local MODES = { domain = true, invalid = true, hash = true }
local UNDELIVERABLE = "invalid" -- RFC 2606: a top-level domain that never is

local function split(name, what)
  local schema, rest = name:match("^([^.]+)%.(.+)$")
  if not schema then
    errors.raise("invalid", "E_RULES", ("%s: '%s' is not schema.table"):format(what, name))
  end
  return schema, rest
end

local function keep_entry(entry, i)
  local what = "keep " .. i
  if type(entry) ~= "table" or type(entry.table) ~= "string" or type(entry.column) ~= "string"
    or type(entry.values) ~= "table" then
    errors.raise("invalid", "E_RULES", what .. " needs table, column and values")
  end
  if type(entry.reason) ~= "string" or entry.reason == "" then
    errors.raise("invalid", "E_RULES",
      ("%s (%s.%s) gives no reason"):format(what, entry.table, entry.column))
  end
  local schema, name = split(entry.table, what)
  return { schema = schema, table = name, column = entry.column, values = entry.values,
    reason = entry.reason }
end

--- The sink as the mode wants it.
local function sink_of(spec)
  if spec.mode and not MODES[spec.mode] then
    errors.raise("invalid", "E_RULES", ("there is no mode '%s'"):format(spec.mode))
  end
  local sink = spec.sink_domain
  if spec.mode ~= "invalid" then return sink end
  if not sink then return "masked." .. UNDELIVERABLE end
  return sink:lower():match("%." .. UNDELIVERABLE .. "$") and sink or sink .. "." .. UNDELIVERABLE
end

--- Rules: what is masked to what, what may pass and why, which tables stay empty, which columns have a
--- method instead of the sweep. mode: "domain" (local_domain@sink), "invalid" (the same, the sink below
--- .invalid), "hash" (HASH@sink, made with the key). key: what hashes, fakes and the like are made with.
---@param spec table {sink_domain=, mode=, key=, allow={…}, empty={…}, columns={["schema.table.column"]=method},
---  keep={{table=, column=, values={…}, reason=}}}
---@return userdata
function M.rules(spec)
  spec = spec or {}
  for key, value in pairs(spec) do
    if RULE_FIELDS[key] ~= true and RULE_FIELDS[key] ~= type(value) then
      errors.raise("invalid", "E_RULES", RULE_FIELDS[key]
        and ("'%s' must be a %s"):format(key, RULE_FIELDS[key])
        or ("there is no rule '%s'"):format(tostring(key)))
    end
  end
  local keep = {}
  for i, entry in ipairs(spec.keep or {}) do keep[i] = keep_entry(entry, i) end
  for _, name in ipairs(spec.empty or {}) do
    if type(name) == "string" then split(name, "empty") end
  end
  return core.rules { sink_domain = sink_of(spec), hash = spec.mode == "hash", allow = spec.allow, keep = keep,
    key = spec.key and secret.reveal(spec.key), methods = methods.list(spec.columns),
    empty = table.move(spec.empty or {}, 1, #(spec.empty or {}), 1, {}) }
end

--- What a method makes of one value; nil for NULL. Its result is swept as rules without options do.
---@param method table mask.hash{…} and the like
---@param value string|number|nil
---@param key any where the method needs one: a string or secret of 16 bytes or more
---@return string|nil
function M.apply(method, value, key)
  if value == nil then return nil end
  return core.apply(methods.alone(method), tostring(value), key and secret.reveal(key))
end

--- The columns that can hold text, as scan() sees them.
---@param conn any to the database
---@param tables string[]|nil "schema.table": only these
---@return table[] {schema, table, column, type, bytes = of its table, kind = "text", or "foreign" (not read)}
function M.columns(conn, tables)
  return conn:query(core.columns_sql(), tables and db.array(tables))
end

local PROGRESS_MS = 500 -- between two calls of progress

local SCAN_FIELDS = { dsn = true, password = true, rules = "userdata", jobs = "number",
  tables = "table", since = "number", part_bytes = "number", progress = "function" }

local function check_fields(verb, spec, fields)
  for key, value in pairs(spec) do
    local want = fields[key]
    if not want or (want ~= true and want ~= type(value)) then
      error(want and ("%s: '%s' must be a %s"):format(verb, key, want)
        or ("%s: there is no option '%s'"):format(verb, tostring(key)), 3)
    end
  end
  if not spec.dsn then error(verb .. ": 'dsn' is missing", 3) end
end

--- Reads every text-like column of a database, and its large objects, in one snapshot and counts the
--- addresses that the rules do not let pass. Leaks do not raise: look at `leaks` and `places`; those in the
--- schema itself are in `definitions`. tables: only these, large objects being "pg_catalog.pg_largeobject".
--- since: only rows that this transaction (an id of the cluster, not more than 2^31 old) or a later one
--- wrote. part_bytes: tables above it are read in parts.
---@param spec table {dsn=, password=, rules=, jobs=2, tables={"schema.table", …}, since=xid, part_bytes=,
---  progress=fn}
---@return table certificate
function M.scan(spec)
  check_fields("scan", spec, SCAN_FIELDS)
  local rules = spec.rules or M.rules()
  local job <close> = core.scan(secret.reveal(spec.dsn), spec.password and secret.reveal(spec.password), rules,
    spec.jobs or 2, spec.tables, spec.since, spec.part_bytes)
  local done, result
  repeat
    done, result = job:wait(PROGRESS_MS)
    if spec.progress and not done then spec.progress(result) end
  until done
  result.rules = rules:describe()
  for _, list in ipairs { result.places, result.kept, result.not_scanned, result.definitions,
    result.rules.allow, result.rules.keep, result.rules.empty } do
    json.array(list) -- an empty list is [] in the journal and on paper
  end
  return result
end

local CHECK_FIELDS = { dsn = true, password = true, rules = "userdata", jobs = "number",
  tables = "table", progress = "function" }

--- What would a masked copy of this database stumble over? See backup.check.
---@param spec table {dsn=, password=, rules=, jobs=2, tables={"schema.table", …}, progress=fn}
---@return table {columns, findings, not_checked, tables, rows, bytes, seconds}
function M.check(spec)
  check_fields("check", spec, CHECK_FIELDS)
  local rules = spec.rules or M.rules()
  return require "backup".check { source = spec.dsn, password = spec.password, jobs = spec.jobs, mask = rules,
    exclude_data = rules:empty(), tables = spec.tables, progress = spec.progress }
end

-- What is signed: the certificate as JSON, keys sorted, without white space and without its signature.
local function canonical(certificate)
  local bare = {}
  for key, value in pairs(certificate) do
    if key ~= "signature" then bare[key] = value end
  end
  return json.encode(bare)
end

--- The certificate with a signature by that key (Ed25519), over its canonical form: JSON with sorted keys
--- and no white space, without `signature`.
---@param certificate table
---@param key string|userdata private key as PEM, or a secret
---@return table
function M.sign(certificate, key)
  local signed = {}
  for name, value in pairs(certificate) do signed[name] = value end
  signed.signature = { algorithm = "Ed25519", key_id = crypto.ed25519_id(key),
    value = crypto.base64_encode(crypto.ed25519_sign(key, canonical(certificate))) }
  return signed
end

--- Is the certificate as it was when the owner of that key signed it?
---@param certificate table
---@param key string|userdata public (or private) key as PEM, or a secret
---@return boolean, string|nil why not
function M.verify(certificate, key)
  local signature = certificate.signature
  if type(signature) ~= "table" or type(signature.value) ~= "string" then return false, "it is not signed" end
  if signature.algorithm ~= "Ed25519" then return false, "it was signed in a way that is not known here" end
  if signature.key_id ~= crypto.ed25519_id(key) then return false, "it was signed with another key" end
  local ok, value = pcall(crypto.base64_decode, signature.value)
  if not ok or not crypto.ed25519_verify(key, canonical(certificate), value) then
    return false, "it was changed after it was signed"
  end
  return true
end

return M
