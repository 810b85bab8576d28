-- certificate: what mask.scan found, as files and for people to read.
local blob = require "blob"
local certify = require "certify"
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local tool = require "tool"

local M = {}

--- The name of a place: schema.table.column, or what in the schema.
function M.where(place)
  if place.object then return ("the %s %s"):format(place.kind, place.object) end
  return ("%s.%s.%s"):format(place.schema, place.table, place.column)
end

local function scanned(lines, c)
  local s = c.scanned
  lines[#lines + 1] = { "scanned", ("%d tables, %d columns, %d rows, %d large objects, %d values, %s in %.1f s"):format(
    s.tables, s.columns, s.rows, s.large_objects, s.values, tool.size(s.bytes), c.seconds) }
  lines[#lines + 1] = { "definitions", ("%d searched"):format(s.definitions) }
  for _, part in ipairs(c.again or {}) do
    lines[#lines + 1] = { "scanned again", ("%d rows in %d tables written since"):format(part.scanned.rows,
      #part.tables) }
  end
end

--- The certificate line by line: pairs of a label and a text.
---@return table[]
function M.lines(c)
  local lines, system = {}, c.database.system_identifier
  local function add(label, text, ...)
    lines[#lines + 1] = { label, select("#", ...) > 0 and text:format(...) or text }
  end
  add("database", "%s (oid %s) on system %s, PostgreSQL %s", c.database.name, c.database.oid,
    system ~= "" and system or "unknown", c.database.server_version)
  add("snapshot", "%s taken %s", c.snapshot, c.taken_at)
  add("may be there", table.concat({ c.rules.sink_domain, table.unpack(c.rules.allow) }, ", "))
  add("rules", "sha256 " .. c.rules.hash)
  scanned(lines, c)
  for _, gap in ipairs(c.not_scanned) do add("not scanned", "%s (%s)", gap.name, gap.kind) end
  for _, kept in ipairs(c.kept) do
    add("kept", "%d in %s.%s: %s", kept.count, kept.table, kept.column, kept.reason)
  end
  for _, one in ipairs(c.definitions) do
    add(c.strict_definitions and "LEAK" or "in the schema", "%d in %s: %s, such as %s", one.count,
      M.where(one), one.domain, one.sample)
  end
  for _, place in ipairs(c.places) do
    add("LEAK", "%d in %s: %s, such as %s", place.count, M.where(place), place.domain, place.sample)
  end
  if c.signature then add("signed", "%s, key %s", c.signature.algorithm, c.signature.key_id) end
  add("result", c.leaks == 0 and "no real address found"
    or ("%d real address(es) in %d place(s)"):format(c.leaks, #certify.leaks(c)))
  return lines
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text) return (text:gsub('[&<>"]', ENTITIES)) end

local PAGE = [[
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Certificate of %s</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
th { text-align: left; vertical-align: top; padding-right: 2em; font-weight: normal; color: #555; white-space: nowrap; }
td { overflow-wrap: anywhere; }
.LEAK th, .LEAK td { color: #b00; }
</style></head><body>
<h1>Certificate of %s</h1>
<p>%s</p>
<table>
%s
</table>
</body></html>]]

--- The certificate as a page that needs nothing else.
---@return string HTML
function M.page(c)
  local rows = {}
  for i, line in ipairs(M.lines(c)) do
    rows[i] = ('<tr class="%s"><th>%s</th><td>%s</td></tr>'):format(line[1], line[1], escape(line[2]))
  end
  local name = escape(c.database.name)
  return PAGE:format(name, name, c.leaks == 0 and "No real e-mail address was found."
    or "There are real e-mail addresses in it.", table.concat(rows, "\n"))
end

-- The folder of a path as a store, and the name in it.
local function place_of(path)
  local folder, name = path:match("^(.*)/([^/]+)$")
  if not folder or path:sub(1, 1) ~= "/" then
    errors.raise("invalid", "E_PARAM", ("'%s' is not the full path of a file"):format(path))
  end
  return blob.open("file://" .. (folder ~= "" and folder or "/")), name
end

--- Writes a certificate as JSON.
function M.write(path, c)
  local store, name = place_of(path)
  store:put(name, json.encode(c, { pretty = true }) .. "\n")
end

---@return table certificate
function M.read(path)
  local store, name = place_of(path)
  local c = json.decode(store:get(name))
  if type(c) ~= "table" or type(c.database) ~= "table" or type(c.rules) ~= "table" then
    errors.raise("invalid", "E_CERTIFICATE", path .. " is no certificate")
  end
  return c
end

--- Raises unless the certificate is as its signature says, and, with an identity, that database's.
---@param identity table|nil {system_identifier, database_oid}
function M.check(c, key, identity)
  local valid, why = mask.verify(c, key)
  if not valid then
    errors.raise("permission", "E_CERTIFICATE", ("the certificate of %s is refused: %s"):format(c.database.name, why))
  end
  if identity and (tostring(c.database.oid) ~= tostring(identity.database_oid)
    or tostring(c.database.system_identifier) ~= tostring(identity.system_identifier)) then
    errors.raise("leak", "E_CERTIFICATE", ("the certificate is of another database, %s"):format(c.database.name))
  end
end

return M
