-- Rules of ../../mask/planted.t: nothing of an address is left.
local mask = require "mask"

return function() return mask.rules {
  sink_domain = "mailinator.com", mode = "hash", key = "a key of the tests, of no secret",
} end
