-- testing: what tests need and scripts must not have. Public in test builds only.
return {
  task = require "task",
  collect = function() collectgarbage() end,
}
