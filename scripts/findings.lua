-- findings: what a masked copy would stumble over, as people read it: where, what, how many, the way out.
local backup = require "backup"
local errors = require "errors"
local log = require "log"

local M = {}

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
  method = function(f)
    return ("%s no value for the column's method, %s: mend those rows, or the rule"):format(
      rows(f.count, "has", "have"), f.name)
  end,
  ["not null"] = function(f)
    return ("%s NULL by the column's method, %s, which the column does not allow: choose another method")
      :format(rows(f.count, "becomes", "become"), f.name)
  end,
  methods = function(f)
    return ("it refers to %s (%s), which has another method, or none: give both columns the same"):format(
      f.other, f.name)
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

--- Raises when a masked copy would fail, naming what stands against it.
---@param name string of the database, for the message
---@param options table for backup.check: source, password, mask, exclude_data …
function M.refuse(name, options)
  local report = backup.check(options)
  for _, gap in ipairs(report.not_checked) do log.warn(M.gap(gap)) end
  local lines = {}
  for i, finding in ipairs(report.findings) do lines[i] = M.finding(finding) end
  for i = 2, #lines do log.warn(lines[i]) end
  if #lines > 0 then
    errors.raise("invalid", "E_MASK_CHECK", ("%s cannot be copied with this mask: %s%s"):format(name, lines[1],
      #lines > 1 and (" (and %d more)"):format(#lines - 1) or ""), { detail = report.findings })
  end
end

return M
