-- Rules of shuffle.t.
local mask = require "mask"

local CASES = {
  all = {
    ["s.person.first"] = mask.shuffle { unit = "name" },
    ["s.person.last"] = mask.shuffle { unit = "name" },
    ["s.person.mail"] = mask.shuffle(),
    ["s.person.city"] = mask.shuffle { within = "country" },
    ["s.person.born"] = mask.shuffle(),
    ["s.person.sex"] = mask.shuffle(),
    ["s.person.doc"] = mask.shuffle(),
    ["s.person.photo"] = mask.shuffle(),
    ["s.loose.word"] = mask.shuffle(),
    ["s.word.word"] = mask.shuffle(),
    ["s.event.what"] = mask.shuffle(),
  },
  kept = { ["s.person.mail"] = mask.shuffle() },
}

return function(case)
  return mask.rules { sink_domain = "sink.test", key = "a key of the tests, of no secret", columns = CASES[case],
    keep = case == "kept" and { { table = "s.person", column = "mail", values = { "x" }, reason = "a test" } } or nil }
end
