-- preview: what would become of each column of a database by its policy. Nothing is copied and nothing
-- written; a sample of each table is read, and what is shown of it tells nobody's address.
local db = require "db"
local errors = require "errors"
local mask = require "mask"
local time = require "time"

local M = {}

local ROWS = 200 -- of a table, at most
local VALUE_CHARS = 10000 -- of a value; what stands behind is not looked at
local WORDS, RESULT_CHARS = 3, 40 -- of a value are shown
local PAGES, PAGE_BYTES = 2000, 8192 -- of a larger table, about so many pages are drawn
local TABLE_MS, ALL_MS = 3000, 30000

-- What is shown of a value --------------------------------------------------------------------------

local function initial(text) return text:match("^" .. utf8.charpattern) or "" end

--- "j***@c***.com" of john.doe@company.com.
---@param address string
function M.veil(address)
  local name, domain = address:match("^(.*)@([^@]*)$")
  if not name then return initial(address) .. "***" end
  return ("%s***@%s***.%s"):format(initial(name), initial(domain), domain:match("%.(%a[%w-]*)$") or "***")
end

--- Of a masked address: what stands before the at-sign is the real one.
local function veil_masked(address)
  local name, domain = address:match("^(.*)@([^@]*)$")
  return name and initial(name) .. "***@" .. domain or M.veil(address)
end

-- Methods whose results hold nothing of the value.
local TELLS_NOTHING = { constant = true, fake = true, hash = true, null = true, redact = true }

--- "K*** N***" of Kari Nordmann.
local function veil_words(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[#words + 1] = initial(word) .. "***"
    if #words == WORDS then break end
  end
  return table.concat(words, " ")
end

local function veil_result(kind, text)
  if text == nil then return "NULL" end
  if not TELLS_NOTHING[kind] then return veil_words(text) end
  local cut = utf8.len(text) and utf8.offset(text, RESULT_CHARS + 1)
  return ((cut and text:sub(1, cut - 1) .. "…" or text):gsub("%c", " "))
end

-- What becomes of a column ----------------------------------------------------------------------------

--- By the policy alone.
local function by_policy(policy, column)
  local item = { schema = column.schema, table = column.table, column = column.column, type = column.type }
  item.name = ("%s.%s.%s"):format(column.schema, column.table, column.column)
  local empty = policy.emptied[column.schema .. "." .. column.table]
  local method, keep = (policy.spec.columns or {})[item.name], policy.kept[item.name]
  if empty then
    item.does, item.reason, item.at = "empty", empty.reason, empty.at
  elseif method then
    item.does, item.at, item.method, item.as = "method", policy.columns[item.name].at, method.kind, method
  elseif column.kind ~= "text" then
    item.does, item.reason = "passed over", column.kind == "foreign" and "a foreign table has no rows of its own"
      or "it is not read as text"
  else
    item.does = "swept"
  end
  if keep and item.does == "swept" then
    item.keeps, item.reason, item.at = #keep.values, keep.reason, keep.at
    item.kept = {}
    for _, value in ipairs(keep.values) do item.kept[value] = true end
  end
  return item
end

--- Reads for no longer than that.
local function within(conn, limit_ms, fn)
  return conn:transaction(function()
    conn:exec(("SET LOCAL statement_timeout = %d"):format(limit_ms))
    return fn()
  end, { readonly = true })
end

--- Columns that a method is for and that hold no text: dates, numbers.
local function others(conn, policy, listed, tables)
  local wanted, list = nil, {}
  if tables then
    wanted = {}
    for _, name in ipairs(tables) do wanted[name] = true end
  end
  for name in pairs(policy.spec.columns or {}) do
    local schema, relation, column = name:match("^([^.]+)%.(.+)%.([^.]+)$")
    if not listed[name] and (not wanted or wanted[schema .. "." .. relation]) then
      list[#list + 1] = conn:row([[SELECT n.nspname AS schema, c.relname AS table, a.attname AS column,
          format_type(a.atttypid, NULL) AS type, pg_table_size(c.oid) AS bytes, 'text' AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3]], schema, relation, column)
    end
  end
  return list
end

-- Samples --------------------------------------------------------------------------------------------

--- The rows of a sample, each a list of values as text.
local function read(conn, items, bytes)
  local first, exprs = items[1], {}
  for i, item in ipairs(items) do
    exprs[i] = ("left(%s::text, %d) AS c%d"):format(db.ident(item.column), VALUE_CHARS, i)
  end
  local query = ("SELECT %s FROM %s"):format(table.concat(exprs, ", "), db.ident(first.schema, first.table))
  local pages, rows = bytes // PAGE_BYTES, nil
  if pages > PAGES then
    rows = conn:query(("%s TABLESAMPLE SYSTEM (%.6f) REPEATABLE (0) LIMIT %d"):format(query, 100 * PAGES / pages, ROWS))
  end
  if not rows or #rows == 0 then rows = conn:query(("%s LIMIT %d"):format(query, ROWS)) end
  return rows
end

local function look_at_method(item, value, policy)
  local ok, after = pcall(mask.apply, item.as, value, policy.spec.key)
  if not ok then
    item.no_sample = "not a matter of single values" -- the message may hold the value
    return
  end
  if after == value then return end
  item.changed = item.changed + 1
  if not item.before then item.before, item.after = veil_words(value), veil_result(item.method, after) end
end

local function look(item, value, policy)
  if value == nil then return end
  item.values = item.values + 1
  if item.as then return look_at_method(item, value, policy) end
  if item.kept and item.kept[value] then return end
  local rules = policy.rules
  local found = mask.find(value, rules)
  if #found == 0 then return end
  item.changed = item.changed + 1
  if not item.before then
    item.before, item.after = M.veil(found[1]), veil_masked(mask.email(found[1], rules))
  end
end

--- Looks at a table's sample; a table that is slow to read, or may not be read, is told of.
local function sample(conn, items, bytes, policy)
  local ok, rows = pcall(within, conn, TABLE_MS, function() return read(conn, items, bytes) end)
  for i, item in ipairs(items) do
    if ok then
      item.rows, item.values, item.changed = #rows, 0, 0
      for _, row in ipairs(rows) do look(item, row["c" .. i], policy) end
    else
      local e = errors.from(rows)
      item.no_sample = e.code == "57014" and ("took longer than %d s"):format(TABLE_MS // 1000) or e.class
    end
  end
end

--- What would become of each column that can hold text, and of its values in a sample.
---@param conn any to the source, read-only
---@param policy table of policy.read()
---@param tables string[]|nil "schema.table": only these
---@return table[] {name, schema, table, column, type, does = "swept", "method", "empty" or "passed over", method,
---  reason, at, keeps, rows, values, changed, before, after, no_sample}
function M.columns(conn, policy, tables)
  local items, groups, order, listed = {}, {}, {}, {}
  local function add(column)
    local item = by_policy(policy, column)
    items[#items + 1], listed[item.name] = item, true
    if item.does ~= "swept" and item.does ~= "method" then return end
    local name = column.schema .. "." .. column.table
    if not groups[name] then
      groups[name] = { bytes = column.bytes }
      order[#order + 1] = groups[name]
    end
    table.insert(groups[name], item)
  end
  local columns = within(conn, ALL_MS, function() return mask.columns(conn, tables) end)
  for _, column in ipairs(columns) do add(column) end
  for _, column in ipairs(within(conn, ALL_MS, function() return others(conn, policy, listed, tables) end)) do
    add(column)
  end
  local deadline = time.monotonic() + ALL_MS
  for _, group in ipairs(order) do
    if time.monotonic() < deadline then
      sample(conn, group, group.bytes, policy)
    else
      for _, item in ipairs(group) do item.no_sample = "there was no time left" end
    end
  end
  table.sort(items, function(a, b) return a.name < b.name end)
  for _, item in ipairs(items) do item.kept, item.as = nil, nil end
  return items
end

-- Lines ------------------------------------------------------------------------------------------------

local function of_sample(item)
  if item.no_sample then return ", not sampled: " .. item.no_sample end
  if item.values == 0 then return ", no values in the sample" end
  if item.changed == 0 then return (", none of %d in the sample"):format(item.values) end
  return (", %d of %d in the sample: %s -> %s"):format(item.changed, item.values, item.before, item.after)
end

local function line(item)
  local what = item.does
  if item.does == "method" then
    what = ("%s (%s)%s"):format(item.method, item.at, of_sample(item))
  elseif item.does == "passed over" then
    what = "passed over: " .. item.reason
  else
    what = what .. of_sample(item)
    if item.keeps then what = ("%s; %d value(s) stay: %s (%s)"):format(what, item.keeps, item.reason, item.at) end
  end
  return ("%-44s %s"):format(item.name, what)
end

--- As people read it. A table that stays empty is one line.
---@param items table[] of columns()
---@param all boolean false: without columns where nothing would happen as far as the sample tells
---@return string[]
function M.lines(items, all)
  local lines, quiet, emptied = {}, 0, {}
  for _, item in ipairs(items) do
    local name = item.schema .. "." .. item.table
    if item.does == "empty" then
      if not emptied[name] then
        lines[#lines + 1] = ("%-44s empty: %s (%s)"):format(name, item.reason, item.at)
      end
      emptied[name] = true
    elseif all or item.does == "method" or item.keeps or item.no_sample or (item.changed or 0) > 0 then
      lines[#lines + 1] = line(item)
    else
      quiet = quiet + 1
    end
  end
  if quiet > 0 then
    lines[#lines + 1] = ("and %d more columns, swept, where the sample has nothing to mask: "
      .. "scripts/mask_plan.lua shows them"):format(quiet)
  end
  return lines
end

return M
