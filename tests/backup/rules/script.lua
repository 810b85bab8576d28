-- Rules for ../mask_script.t: Lua functions of columns, by what is to come of them.
local mask = require "mask"

local names = { "Kari", "Ola", "Liv", "Per", "Åse" }
local suffix = "!"

local function initial(value) return value:match(utf8.charpattern) or "" end

local cases = {}

cases.good = {
  ["crm.person.first"] = mask.lua(function(value) return names[#value % #names + 1] end),
  ["crm.person.last"] = mask.lua(function(value, context)
    return initial(value) .. " of " .. context.table .. "." .. context.column
  end),
  ["crm.person.mail"] = mask.lua(function(value) return "write to " .. value end),
  ["crm.person.note"] = mask.lua(function(value)
    if value == "secret" then return nil end
    return value .. suffix
  end),
  ["crm.person.wide"] = mask.lua(function(value) return value:reverse() end),
  ["crm.other.age"] = mask.lua(function(value) return value // 10 * 10 end),
  ["crm.other.born"] = mask.lua(function(value) return value:sub(1, 4) .. "-01-01" end),
  ["crm.other.doc"] = mask.lua(function(value) return ('{"chars": %d, "by": "x@corp.example"}'):format(#value) end),
  ["crm.other.photo"] = mask.lua(function(value) return value .. "21" end),
  ["crm.other.tags"] = mask.lua(function(value) return value:upper() end),
}

cases.fails = {
  ["crm.person.first"] = mask.lua(function(value)
    if value == "name 1234" then error("cannot make anything of " .. value .. " of a@corp.example") end
    return value
  end),
}

cases.loops = { ["crm.person.last"] = mask.lua(function(value) while #value > 0 do value = value .. "" end end) }

cases.counts = {
  ["crm.person.first"] = (function()
    local n = 0
    return mask.lua(function(value) n = n + 1 return value .. n end)
  end)(),
}

cases.cuts = { ["crm.person.last"] = mask.lua(function(value) return value:sub(1, 1) end) }

cases.takes = { ["crm.person.first"] = mask.lua(function(value) return mask.lua(value) end) }

local rules = mask.rules {}
cases.userdata = { ["crm.person.first"] = mask.lua(function(value) return mask.email(value, rules) end) }

--- The rules of one case.
---@param case string
return function(case)
  return mask.rules { sink_domain = "sink.test", columns = assert(cases[case]) }
end
