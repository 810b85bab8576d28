-- Rules for ../check.t: methods that cannot work in the columns they are given.
local mask = require "mask"

return function()
  return mask.rules { sink_domain = "sink.test", columns = {
    ["shop.staff.code"] = mask.partial { first = 1 },
    ["shop.staff.born"] = mask.null(),
    ["shop.staff.pin"] = mask.constant "none",
    ["shop.staff.nick"] = mask.redact(),
    ["shop.dept.code"] = mask.redact(),
  } }
end
