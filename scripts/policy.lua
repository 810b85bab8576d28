-- policy: reads what mask.lua, and a target's own tenants/CTX.mask.lua, say; makes the mask's rules of it;
-- and holds it against a database before anything starts. Whatever is wrong is told with the file and line
-- of the entry, and the table and column it names.
local crypto = require "crypto"
local db = require "db"
local errors = require "errors"
local mask = require "mask"
local place = require("procedure").place

local M = {}

local LINES_MAX = 200 -- of one message
local LOCK_MS = 5000 -- a session that has locked a table is waited for

M.MAIL_DOMAIN = "mailinator.com" -- where masked addresses point, unless one says otherwise

-- Entries ------------------------------------------------------------------------------------------

local Entry = { __name = "policy entry" }

local function refuse(at, message, ...)
  errors.raise("invalid", "E_POLICY", ("%s: %s"):format(at, message:format(...)))
end

--- Makes an entry of what a policy's file gives; it stands level frames up, as for error(): no constructor
--- may call this as a tail call, which leaves no frame.
local function entry(kind, fields, level)
  local file, line = place(level + 1)
  fields.kind, fields.at = kind, ("%s:%d"):format(file, line)
  return setmetatable(fields, Entry)
end

--- What a list holds, without the gaps that a nil in it leaves.
local function compact(given)
  local keys, list = {}, {}
  for key in pairs(given) do
    if math.type(key) == "integer" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for i, key in ipairs(keys) do list[i] = given[key] end
  return list
end

--- Makes an entry of a list of names with fields; its constructor's caller is where it stands.
local function list_entry(kind, given, fields)
  local made = entry(kind, {}, 3)
  if type(given) ~= "table" then refuse(made.at, "%s needs { … }", kind) end
  made.names = compact(given)
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" then
      if not fields[key] then refuse(made.at, "%s has no '%s'", kind, tostring(key)) end
      made[key] = value
    end
  end
  for _, name in ipairs(made.names) do
    if type(name) ~= "string" then refuse(made.at, "%s: a %s is no name", kind, type(name)) end
  end
  if fields.reason and (type(made.reason) ~= "string" or made.reason == "") then
    refuse(made.at, "%s%s gives no reason", kind, made.names[1] and " " .. made.names[1] or "")
  end
  return made
end

--- Where masked addresses lead.
---@param domain string
function M.sink(domain)
  local made = entry("sink", { value = domain }, 2)
  if type(domain) ~= "string" then refuse(made.at, "sink needs a domain") end
  return made
end

--- How an address is replaced: "domain" (the default), "invalid", "hash".
---@param name string
function M.mode(name)
  local made = entry("mode", { value = name }, 2)
  return made
end

--- What keyed modes and methods are made with.
---@param value any secret "file:/path"
function M.key(value)
  local made = entry("key", { value = value }, 2)
  return made
end

--- Only columns of this list, as scripts/mask_columns.lua prints it, or named by another entry may be there.
---@param seen string[] "schema.table.column type"
function M.strict(seen)
  local made = entry("strict", { value = seen }, 2)
  if type(seen) ~= "table" then refuse(made.at, "strict needs the list of columns that were seen") end
  return made
end

--- Domains whose addresses stay.
---@param given table {"domain", …, reason=}
function M.allow(given)
  local made = list_entry("allow", given, { reason = true })
  return made
end

--- Tables whose rows are never copied.
---@param given table {"schema.table", …, reason=}
function M.empty(given)
  local made = list_entry("empty", given, { reason = true })
  return made
end

--- Values that stay, in these columns only.
---@param given table {"schema.table.column", …, values=, reason=}
function M.keep(given)
  local made = list_entry("keep", given, { values = true, reason = true })
  if type(made.values) ~= "table" then refuse(made.at, "keep %s needs values", made.names[1] or "") end
  return made
end

--- What becomes of every value of these columns: as = mask.fake "first_name", …; policy.SWEEP takes back
--- what mask.lua says of them.
---@param given table {"schema.table.column", …, as=}
function M.column(given)
  local made = list_entry("column", given, { as = true })
  if made.as == nil then refuse(made.at, "column %s needs as = …", made.names[1] or "") end
  return made
end

M.SWEEP = "swept like any other"

-- Reading ------------------------------------------------------------------------------------------

local CONTEXT = { mail_domain = true, source = true, target = true, hosted = true, sign_in_names = true }

--- What a policy's function gets: a name it does not know would else be nil, and say nothing.
local function context_of(given)
  return setmetatable({}, { __newindex = function() error("the context is read-only", 2) end,
    __index = function(_, key)
      if not CONTEXT[key] then
        local file, line = place(2)
        refuse(("%s:%d"):format(file, line), "the context has no '%s'", tostring(key))
      end
      return given[key]
    end })
end

--- The entries of one file.
local function entries_of(path, read, context)
  local list = type(read) == "function" and read(context) or read
  if type(list) ~= "table" then
    refuse(path .. ".lua", "must return function(c) return { … } end")
  end
  for key, value in pairs(list) do
    if getmetatable(value) ~= Entry or math.type(key) ~= "integer" then
      refuse(path .. ".lua", "what it returns must be a list of entries: '%s' is none", tostring(key))
    end
  end
  return compact(list)
end

--- "schema.table.column" in its parts.
local function split(at, name)
  local schema, table_name, column = name:match("^([^.]+)%.(.+)%.([^.]+)$")
  if not schema then refuse(at, "'%s' is not schema.table.column", name) end
  return schema .. "." .. table_name, column
end

local ADD = {} -- kind -> function(policy, entry): what it adds to the rules

function ADD.sink(self, e) self.spec.sink_domain = e.value end

function ADD.mode(self, e) self.spec.mode = e.value end

function ADD.key(self, e) self.spec.key = e.value end

function ADD.strict(self, e) self.strict = e end

local function add_all(list, more)
  for _, item in ipairs(more) do list[#list + 1] = item end
end

function ADD.allow(self, e) add_all(self.spec.allow, e.names) end

function ADD.empty(self, e)
  for _, name in ipairs(e.names) do
    if not self.emptied[name] then
      self.emptied[name] = e
      add_all(self.spec.empty, { name })
    end
  end
end

function ADD.keep(self, e)
  for _, name in ipairs(e.names) do
    local table_name, column = split(e.at, name)
    local twice = self.kept[name]
    if twice then refuse(e.at, "keep %s: stands at %s, too", name, twice.at) end
    if #e.values > 0 then
      self.kept[name] = e
      add_all(self.spec.keep, { { table = table_name, column = column, values = e.values, reason = e.reason } })
    end
  end
end

function ADD.column(self, e)
  for _, name in ipairs(e.names) do
    split(e.at, name)
    local twice = self.columns[name]
    if twice and twice.own == e.own then refuse(e.at, "column %s: stands at %s, too", name, twice.at) end
    self.columns[name] = e
    self.spec.columns = self.spec.columns or {}
    self.spec.columns[name] = e.as ~= M.SWEEP and e.as or nil
  end
end

--- The entries, put together.
local function gather(entries, context)
  local self = { context = context, spec = { allow = {}, empty = {}, keep = {} }, emptied = {}, kept = {},
    columns = {}, entries = entries }
  for _, e in ipairs(entries) do ADD[e.kind](self, e) end
  return self
end

--- The rules; what they refuse is told with the place of the first entry that they would not take.
local function rules_of(self)
  local ok, rules = pcall(mask.rules, self.spec)
  if ok then return rules end
  for n, e in ipairs(self.entries) do
    local fine, why = pcall(mask.rules, gather(table.move(self.entries, 1, n, 1, {}), self.context).spec)
    if not fine then
      local what = e.names and e.names[1] or e.kind ~= "key" and e.value or ""
      error(errors.wrap(why, ("%s: %s %s"):format(e.at, e.kind, what)), 0)
    end
  end
  error(rules, 0)
end

local function put_together(entries, context)
  local self = gather(entries, context)
  self.rules = rules_of(self)
  return self
end

--- What the policy says of one copy. Without hosted and sign_in_names: of an image; without target: of one
--- that is nobody's. allow: domains that the caller lets pass, besides.
---@param given table {mail_domain, source=, target=, hosted=, sign_in_names=, allow=}
---@return table policy {rules, spec, emptied, kept, columns, strict, entries, context}
function M.read(given)
  local context = context_of { mail_domain = given.mail_domain, source = given.source, target = given.target,
    hosted = given.hosted, sign_in_names = given.sign_in_names or {} }
  local entries = entries_of("mask", require "./mask", context)
  local own = ("tenants/%s.mask"):format(given.target)
  local read = given.target and require("./" .. own, false)
  for _, e in ipairs(read and entries_of(own, read, context) or {}) do
    e.own = true
    entries[#entries + 1] = e
  end
  for _, domain in ipairs(given.allow or {}) do
    entries[#entries + 1] = setmetatable({ kind = "allow", at = "the options", names = { domain } }, Entry)
  end
  return put_together(entries, context)
end

--- The schemas of the tables and columns that entries name, sorted.
local function schemas_of(entries)
  local seen, list = {}, {}
  for _, e in ipairs(entries) do
    for _, name in ipairs(e.kind ~= "allow" and e.names or {}) do
      local schema = name:match("^([^.]+)%.")
      if schema and not seen[schema] then seen[schema], list[#list + 1] = true, schema end
    end
  end
  table.sort(list)
  return list
end

--- The same for a database that may be another than the policy was written for: when it has none of the
--- schemas that are named, without what is said of tables and columns. Else all of it has to fit (check).
---@return table policy
---@return string[]|nil schemas that were named, where it is another database
function M.within(self, conn)
  local schemas = schemas_of(self.entries)
  local there = conn:value("SELECT count(*) FROM pg_namespace WHERE nspname = ANY ($1)", db.array(schemas))
  if #schemas == 0 or there > 0 then return self end
  local entries = {}
  for _, e in ipairs(self.entries) do
    if e.kind == "allow" or not e.names then entries[#entries + 1] = e end
  end
  return put_together(entries, self.context), schemas
end

local function hash(rules, spec)
  local names = table.move(spec.empty, 1, #spec.empty, 1, {})
  table.sort(names)
  return crypto.sha256(rules:hash() .. "\n" .. table.concat(names, "\n"))
end

--- Everything that decides what is in a copy, as a hash.
---@return string
function M.hash(self) return hash(self.rules, self.spec) end

--- What it says of an image. An image is for every test environment of the source, unless the policy says
--- something else for this target: then context.target is the one it is for.
function M.of_image(mail_domain, source, target)
  local common = M.read { mail_domain = mail_domain, source = source }
  if not target then return common end
  local own = M.read { mail_domain = mail_domain, source = source, target = target }
  return M.hash(own) == M.hash(common) and common or own
end

--- The rules' methods alone; nil: none.
local function methods_of(self)
  local columns = self.spec.columns or {}
  return next(columns) and mask.rules { key = self.spec.key, columns = columns } or nil
end

--- The methods that must be possible when an archive of the source is restored. An archive is for every test
--- environment of the source, unless the policy has other methods for this target.
---@return userdata|nil rules nil: no method
---@return boolean own the archive is for this target alone
function M.of_archive(source, target)
  local common = methods_of(M.read { mail_domain = M.MAIL_DOMAIN, source = source })
  local own = target and methods_of(M.read { mail_domain = M.MAIL_DOMAIN, source = source, target = target })
  if not own or common and own:hash() == common:hash() then return common, false end
  return own, true
end

--- The tables with a column that more is done to than sweeping it.
---@return string[]
function M.transformed(self)
  local list, seen = {}, {}
  for name in pairs(self.spec.columns or {}) do
    local table_name = split("", name)
    if not seen[table_name] then list[#list + 1] = table_name end
    seen[table_name] = true
  end
  table.sort(list)
  return list
end

-- Comparing ----------------------------------------------------------------------------------------

--- The same without what may pass.
local function masked(self)
  local spec = {}
  for key, value in pairs(self.spec) do spec[key] = value end
  spec.allow, spec.keep = nil, nil
  return hash(mask.rules(spec), spec)
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

--- Is every item of one list in another?
local function within(list, other)
  local set = set_of(other)
  for _, item in ipairs(list) do
    if not set[item] then return false end
  end
  return true
end

--- Raises unless an image of one policy may become a copy of another: the same is masked and emptied, and
--- nothing passes in the image that may not pass in the copy.
function M.check_image(image, copy)
  local same = masked(image) == masked(copy) and within(image.spec.allow, copy.spec.allow)
  for name, e in pairs(image.kept) do
    same = same and copy.kept[name] ~= nil and within(e.values, copy.kept[name].values)
  end
  if not same then
    errors.raise("invalid", "E_POLICY", "mask.lua says something else of an image than of the copy made of it: "
      .. "besides what passes by c.hosted and c.sign_in_names both must be the same; or choose another strategy")
  end
end

-- Before anything starts -----------------------------------------------------------------------------

local COLUMNS = [[
  SELECT n.nspname || '.' || c.relname AS table_name, a.attname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema']]

--- What the entries name and the database does not have, one line each.
local function missing(self, conn)
  local tables, lines = {}, {}
  for _, row in ipairs(conn:query(COLUMNS)) do
    tables[row.table_name] = tables[row.table_name] or {}
    tables[row.table_name][row.attname or ""] = true
  end
  for _, e in ipairs(self.entries) do
    for _, name in ipairs(e.kind ~= "allow" and e.names or {}) do
      local table_name, column = name, nil
      if e.kind ~= "empty" then table_name, column = split(e.at, name) end
      local columns = tables[table_name]
      if not columns or column and not columns[column] then
        lines[#lines + 1] = ("%s: %s %s: there is no %s"):format(e.at, e.kind, name,
          columns and ("column %s in %s"):format(column, table_name) or "table " .. table_name)
      end
    end
  end
  return lines
end

--- A column as the list of those that were seen names it.
local function seen_as(column)
  return ("%s.%s.%s %s"):format(column.schema, column.table, column.column, column.type)
end

local HOLDERS = [[
  SELECT DISTINCT l.relation::regclass::text AS name
  FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
  WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384
    AND l.pid <> pg_backend_pid()
  ORDER BY 1 LIMIT 5]]

--- The columns that can hold text. Their tables' sizes come with them, which whoever alters one withholds.
local function text_columns(conn)
  local ok, found = pcall(conn.transaction, conn, function()
    conn:exec(("SET LOCAL lock_timeout = %d"):format(LOCK_MS))
    return mask.columns(conn)
  end, { readonly = true })
  if ok then return found end
  if errors.from(found).code ~= "55P03" then error(found, 0) end
  local held = {}
  for i, row in ipairs(conn:query(HOLDERS)) do held[i] = row.name end
  errors.raise("transient", "E_LOCKED", ("another session has locked %s for more than %d s: its columns cannot be "
    .. "looked at; try again"):format(#held > 0 and table.concat(held, ", ") or "a table", LOCK_MS // 1000))
end

--- The columns that can hold text, as strict() takes them.
---@return string[]
function M.seen(conn)
  local lines = {}
  for i, column in ipairs(text_columns(conn)) do lines[i] = seen_as(column) end
  table.sort(lines)
  return lines
end

--- The columns that can hold text and that no entry has seen.
local function unseen(self, conn)
  local seen, lines = set_of(self.strict.value), {}
  for _, column in ipairs(text_columns(conn)) do
    local table_name = column.schema .. "." .. column.table
    local name = table_name .. "." .. column.column
    if not seen[seen_as(column)] and not self.emptied[table_name] and not self.kept[name]
      and not self.columns[name] then
      lines[#lines + 1] = seen_as(column)
    end
  end
  table.sort(lines)
  return lines
end

local function raise(code, title, lines)
  local shown = table.move(lines, 1, math.min(#lines, LINES_MAX), 1, {})
  if #lines > LINES_MAX then shown[#shown + 1] = ("and %d more"):format(#lines - LINES_MAX) end
  errors.raise("invalid", code, title .. "\n  " .. table.concat(shown, "\n  "))
end

--- Raises unless the policy fits the database: what it names is there, and with strict nothing is there
--- that no entry has seen.
function M.check(self, conn)
  local lines = missing(self, conn)
  if #lines > 0 then
    raise("E_POLICY", ("the policy names what %s does not have:"):format(self.context.source or "the database"), lines)
  end
  lines = self.strict and unseen(self, conn) or {}
  if #lines > 0 then
    raise("E_UNSEEN", ("%s: strict: %d column(s) that no rule has seen; look at them, then add what "
      .. "scripts/mask_columns.lua prints:"):format(self.strict.at, #lines), lines)
  end
end

return M
