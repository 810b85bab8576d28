-- mutex: one task at a time; the others wait in line.
local event = require "event"

local M = {}
M.__index = M

local function release(guard)
  local self = guard.mutex
  if not self then return end
  guard.mutex = nil
  while true do
    local waiter = table.remove(self.line, 1)
    if not waiter then
      self.held = false
      return
    end
    if not waiter.gone then
      waiter.granted = true
      waiter.event:set()
      return
    end
  end
end

local Guard = { __close = release }

function M.new()
  return setmetatable({ held = false, line = {} }, M)
end

--- Waits for the mutex; the value returned must be kept in a `<close>` variable.
function M:acquire()
  local guard = setmetatable({ mutex = self }, Guard)
  if not self.held then
    self.held = true
    return guard
  end
  local waiter <close> = setmetatable({ event = event.new() }, { __close = function(w)
    if w.taken then return end
    w.gone = true -- cancelled while waiting; what was granted meanwhile goes to the next
    if w.granted then release(guard) end
  end })
  self.line[#self.line + 1] = waiter
  waiter.event:wait()
  waiter.taken = true
  return guard
end

return M
