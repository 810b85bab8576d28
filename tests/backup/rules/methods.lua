-- Rules of methods.t: every kind of method once.
local mask = require "mask"

return function() return mask.rules {
  sink_domain = "sink.test",
  key = "a key of the tests, of no secret",
  columns = {
    ["m.person.code"] = mask.hash { form = "uuid" },
    ["m.person.login"] = mask.hash { form = "letters", length = 20 },
    ["m.person.first"] = mask.fake "first_name",
    ["m.person.last"] = mask.fake "last_name",
    ["m.person.full"] = mask.fake "full_name",
    ["m.person.firm"] = mask.fake "company",
    ["m.person.street"] = mask.fake "street",
    ["m.person.city"] = mask.fake "city",
    ["m.person.phone"] = mask.fake "phone",
    ["m.person.ssn"] = mask.redact(),
    ["m.person.card"] = mask.partial { last = 4 },
    ["m.person.fixed"] = mask.constant "ask it@corp.example",
    ["m.person.gone"] = mask.null(),
    ["m.person.born"] = mask.date_shift { days = 30, by = "id" },
    ["m.person.seen"] = mask.date_shift { days = 30, by = "id" },
    ["m.person.joined"] = mask.generalise { to = "month" },
    ["m.person.salary"] = mask.noise { percent = 10 },
    ["m.person.score"] = mask.noise { percent = 10 },
    ["m.person.rank"] = mask.noise { percent = 50 },
    ["m.person.age"] = mask.generalise { bucket = 10 },
    ["m.person.grade"] = mask.dictionary { map = { gold = "A", silver = "B" }, default = "C" },
    ["m.person.doc"] = mask.json { ["$.name"] = mask.redact { length = 3 }, ["items[*].price"] = mask.null() },
    ["m.person.raw"] = mask.json { ["contact.phone"] = mask.fake "phone", ["age"] = mask.generalise { bucket = 10 } },
    ["m.alias.login"] = mask.hash { form = "letters", length = 20 },
    ["m.event.day"] = mask.date_shift { days = 300 },
    ["m.empty.born"] = mask.date_shift { days = 3, by = "id" }, -- has no partition
  },
} end
