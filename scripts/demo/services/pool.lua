-- pool: registry connections for request handlers, which run side by side while a connection
-- serves one operation at a time.
local db = require "db"

local M = {}
local MAX_IDLE = 8

--- A pool over one database; pool:use(fn) lends fn a connection and returns what fn returns.
---@param options table for db.connect
function M.new(options)
  local idle = {}
  local pool = {}

  function pool.use(_, fn)
    local conn = table.remove(idle)
    if not conn or not conn:is_open() then conn = db.connect(options) end
    local results = table.pack(pcall(fn, conn))
    if conn:is_open() and #idle < MAX_IDLE then
      idle[#idle + 1] = conn
    else
      conn:close()
    end
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end

  return pool
end

return M
