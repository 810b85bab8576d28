-- connect: opens a database that the configuration names; a failure says which place to look at.
local db = require "db"
local errors = require "errors"

---@param place string of the configuration, e.g. "clusters.prod1"
---@param options table as for db.connect
return function(place, options)
  local ok, conn = pcall(db.connect, options)
  if ok then return conn end
  local e = errors.wrap(conn, place)
  if e.class == "permission" then
    e.message = e.message .. ": mend dsn or password of " .. place .. " in the configuration"
  end
  error(e, 0)
end
