-- Rules for ../check.t: methods that cannot work in the columns they are given.
local mask = require "mask"

return function(case)
  if case == "lossy" then
    return mask.rules { sink_domain = "sink.test", columns = { ["shop.dept.code"] = mask.redact { length = 9 } } }
  end
  if case == "hash" then
    return mask.rules { sink_domain = "sink.test", mode = "hash", key = "a key of the tests" }
  end
  if case == "cut" then
    return mask.rules { sink_domain = "sink.test", columns = { ["shop.visit.login"] = mask.null() } }
  end
  return mask.rules { sink_domain = "sink.test", columns = {
    ["shop.staff.code"] = mask.dictionary { map = { xyz = "z" }, default = "a" },
    ["shop.staff.born"] = mask.null(),
    ["shop.staff.pin"] = mask.constant "none",
    ["shop.staff.nick"] = mask.lua(function(value) return "x" .. #value end),
    ["shop.dept.code"] = mask.dictionary { map = { sales = "x" }, default = "y" },
  } }
end
