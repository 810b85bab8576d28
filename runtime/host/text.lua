-- text: small pure helpers for what people read and type.
local M = {}

--- Puts values into "${name}" places; unknown names stay as they are.
function M.fill(template, values)
  return (template:gsub("%${([%w_]+)}", function(name)
    local v = values[name]
    if v == nil then return nil end
    return tostring(v)
  end))
end

--- 90061000 -> "25h 01m 01s", 1234 -> "1.2s", 35 -> "35ms".
function M.duration(ms)
  if ms < 1000 then return ("%dms"):format(math.floor(ms)) end
  local s = ms / 1000
  if s < 10 then return ("%.1fs"):format(s) end
  s = math.floor(s + 0.5)
  if s < 60 then return ("%ds"):format(s) end
  if s < 3600 then return ("%dm %02ds"):format(s // 60, s % 60) end
  return ("%dh %02dm %02ds"):format(s // 3600, s % 3600 // 60, s % 60)
end

--- 1536 -> "1.5 kB"
function M.bytes(n)
  local units = { "B", "kB", "MB", "GB", "TB" }
  local i = 1
  while n >= 1000 and i < #units do n, i = n / 1000, i + 1 end
  return i == 1 and ("%d B"):format(n) or ("%.1f %s"):format(n, units[i])
end

--- 1234567 -> "1 234 567"
function M.count(n)
  local digits = ("%d"):format(n)
  local out = digits:reverse():gsub("(%d%d%d)", "%1 "):reverse()
  return (out:gsub("^ ", ""):gsub("^%- ", "-"))
end

local UNITS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }

--- "12h", "90s", "1h30m", "250ms" or a number of seconds -> milliseconds; nil when it is neither.
function M.parse_duration(v)
  if type(v) == "number" then return v >= 0 and math.floor(v * 1000) or nil end
  if type(v) ~= "string" then return nil end
  if v:match("^%d+$") then return math.tointeger(tonumber(v)) * 1000 end
  local total, rest = 0, v
  while rest ~= "" do
    local n, unit, after = rest:match("^(%d+%.?%d*)(%l+)(.*)$")
    if not n or not UNITS[unit] or not tonumber(n) then return nil end
    total, rest = total + tonumber(n) * UNITS[unit], after
  end
  return v ~= "" and math.floor(total) or nil
end

--- Edits between two words; two letters changing places count as one.
local function distance(a, b)
  local last, row = nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local before = last
    last, row = row, { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The name among names closest to what was typed, or nil when none is close.
function M.nearest(typed, names)
  local best, best_distance
  for _, name in ipairs(names) do
    local d = distance(typed:lower(), name:lower())
    if not best_distance or d < best_distance or (d == best_distance and name < best) then
      best, best_distance = name, d
    end
  end
  if best and best_distance <= math.max(1, math.min(#typed, #best) // 3) then return best end
end

--- ": did you mean 'x'?" or a list of what there is.
function M.hint(typed, names)
  local near = M.nearest(typed, names)
  if near then return (": did you mean '%s'?"):format(near) end
  if #names == 0 then return "" end
  local sorted = { table.unpack(names) }
  table.sort(sorted)
  return " (there is: " .. table.concat(sorted, ", ") .. ")"
end

--- The keys of a table, sorted.
function M.keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

--- Only the lines of a traceback that speak of scripts.
function M.script_traceback(traceback)
  local lines = {}
  for line in (traceback or ""):gmatch("[^\n]+") do
    local place = line:match("^%s+(.*)$")
    if place and not place:match("^%[C%]") and not place:match("^runtime/host/")
      and not place:match("^%.%.%.%s*%(") and not place:match("^%(") then
      lines[#lines + 1] = "  " .. place
    end
  end
  return table.concat(lines, "\n")
end

return M
