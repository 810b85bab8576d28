-- findings: what a masked copy would stumble over, as people read it: where, what, how many, the way out.
local backup = require "backup"
local errors = require "errors"
local log = require "log"

local M = {}

local DEFINITIONS_MAX = 20 -- lines about the schema

--- "1 row does", "7 rows do"
local function rows(n, one, many)
  return n == 1 and "1 row " .. one or ("%d rows %s"):format(n, many)
end

local SAID = {
  width = function(f)
    return ("%s not fit its %d characters once masked, %d are needed: widen the column, or choose a shorter "
      .. "mail domain"):format(rows(f.count, "does", "do"), f.limit, f.needed)
  end,
  unique = function(f)
    if f.other then
      return ("%s the key of another in %s by the column's method, %s: choose one that keeps values apart, such "
        .. "as hash"):format(rows(f.count, "would have", "would have"), f.name, f.other)
    end
    return ("%s have the key of another in %s once masked: change one of each, or choose another mail "
      .. "domain (addresses that are in it already stay as they are)"):format(rows(f.count, "would", "would"), f.name)
  end,
  check = function(f)
    return ("%s the constraint %s once masked: change it, or those rows"):format(
      rows(f.count, "breaks", "break"), f.name)
  end,
  domain = function(f)
    return ("%s %s, a constraint of the column's domain, once masked: change it, or those rows"):format(
      rows(f.count, "breaks", "break"), f.name)
  end,
  partition = function(f)
    return ("%s no partition of %s once masked: add a default partition, or let the column keep those values")
      :format(rows(f.count, "has", "have"), f.name)
  end,
  method = function(f)
    return ("%s no value for the column's method, %s: mend those rows, or the rule"):format(
      rows(f.count, "has", "have"), f.name)
  end,
  ["not null"] = function(f)
    return ("%s NULL by the column's method, %s, which the column does not allow: choose another method")
      :format(rows(f.count, "becomes", "become"), f.name)
  end,
  emptied = function(f)
    return ("%s to %s (%s), of which no row is copied: leave this table empty, too, make the column NULL, or copy "
      .. "that one"):format(rows(f.count, "refers", "refer"), f.other, f.name)
  end,
  folded = function(f)
    return ("%s to one of %s (%s) that is written in another way, which the mask tells apart: write both alike"):format(
      rows(f.count, "refers", "refer"), f.other, f.name)
  end,
  methods = function(f)
    return ("it refers to %s (%s), and they have different methods, or none, or are shuffled each by itself: "
      .. "give both the same, but no shuffle"):format(f.other, f.name)
  end,
  ["foreign key"] = function(f)
    return ("%s nowhere in %s (%s) once masked: let both columns keep the same values and have the same "
      .. "width"):format(rows(f.count, "leads", "lead"), f.other, f.name)
  end,
}

--- A line about a finding of backup.check.
---@return string
function M.finding(f)
  return ("%s.%s (%s): %s%s"):format(f.schema, f.table, f.columns, SAID[f.kind](f),
    f.sample and ", such as " .. f.sample or "")
end

--- A line about what backup.check could not look into.
---@return string
function M.gap(gap)
  return ("not checked: %s %s, %s"):format(gap.kind, gap.name, gap.reason)
end

--- A line about a foreign key whose values are addresses.
---@return string
function M.reference(key)
  return ("%s.%s.%s refers to %s by address (%s): %d value(s) are masked like those there"):format(key.schema,
    key.table, key.column, key.other, key.name, key.count)
end

-- Masked on their way into a copy: as values, or in the dump.
local MASKED = { comment = true, ["security label"] = true, ["default of an added column"] = true }

-- Of these constants are masked that are text and still fit.
local PARTLY = { ["default or generated expression"] = true, ["domain default"] = true }

local WHAT_OF_IT = {
  ["materialised view"] = "rows of the copy may hold them again, at which its scan stops: change the definition",
  ["enum label"] = "rows of the copy that have such a label show them",
  ["partition bound"] = "no masked row belongs there",
  ["default or generated expression"] = "the copy has masked ones where they are text and fit; generated rows that "
    .. "hold another stop its scan",
  ["domain default"] = "the copy has masked ones where they are text and fit" }

--- Addresses in definitions, those of one object together.
---@param definitions table[] of backup.check or of a certificate
---@return {kind: string, place: string, count: integer}[]
function M.places(definitions)
  local list, known = {}, {}
  for _, one in ipairs(definitions) do
    local place = one.kind .. " " .. one.object
    if not known[place] then
      known[place] = { kind = one.kind, place = place, count = 0 }
      list[#list + 1] = known[place]
    end
    known[place].count = known[place].count + one.count
  end
  return list
end

--- Lines about the addresses that a copy gets with its schema.
---@param report table of backup.check
---@param sure boolean|nil without those that may be masked
---@return string[]
function M.definitions(report, sure)
  local lines = {}
  for _, one in ipairs(M.places(report.definitions)) do
    if not (MASKED[one.kind] or sure and PARTLY[one.kind]) then
      lines[#lines + 1] = ("in the schema: %d address(es) in the %s: %s"):format(one.count, one.place,
        WHAT_OF_IT[one.kind] or "the copy gets it as it is")
    end
  end
  return lines
end

--- So many of the lines, and how many more there are.
local function first_of(lines, most)
  local list = table.move(lines, 1, math.min(#lines, most), 1, {})
  if #lines > most then list[most + 1] = ("and %d more in the schema"):format(#lines - most) end
  return list
end

--- Raises when a masked copy would fail, naming what stands against it.
---@param name string of the database, for the message
---@param options table for backup.check: source, password, mask, exclude_data …
---@param strict boolean|nil addresses in the schema stand against it, too
function M.refuse(name, options, strict)
  local report = backup.check(options)
  for _, key in ipairs(report.references) do log.info(M.reference(key)) end
  for _, gap in ipairs(report.not_checked) do log.warn(M.gap(gap)) end
  local lines, told = {}, first_of(M.definitions(report, strict), DEFINITIONS_MAX)
  for i, finding in ipairs(report.findings) do lines[i] = M.finding(finding) end
  if strict then
    table.move(told, 1, #told, #lines + 1, lines)
  else
    for _, line in ipairs(told) do log.warn(line) end
  end
  for i = 2, #lines do log.warn(lines[i]) end
  if #lines > 0 then
    errors.raise("invalid", "E_MASK_CHECK", ("%s cannot be copied with this mask: %s%s"):format(name, lines[1],
      #lines > 1 and (" (and %d more)"):format(#lines - 1) or ""), { detail = report.findings })
  end
end

return M
