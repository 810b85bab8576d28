-- worker: this process as the journal knows it. One lease, renewed by one heartbeat on a connection
-- of its own, covers every run the process owns. When the lease cannot be renewed in time the
-- process stops by itself, before anybody else may take its runs.
local db = require "db"
local errors = require "errors"
local event = require "event"
local host = require "host"
local task = require "task"
local time = require "time"

local M = {}
M.__index = M

local LEASE_MS = 30 * 1000

local function lease_ms()
  local set = host.getenv("CLONER_LEASE_MS")
  return set and math.tointeger(tonumber(set)) or LEASE_MS
end

--- Marks processes of this very machine that are gone, and frees their runs and those of workers
--- whose lease ran out.
function M.sweep(journal)
  local me = host.identity()
  local neighbours = me.machine ~= "" and journal:call("worker_local", me.machine) or {}
  for _, row in ipairs(neighbours) do
    if host.process_gone(row.pid, row.process_started) then
      journal:call("worker_stop", row.worker_id)
    end
  end
  journal:call("worker_sweep")
  return journal:call("run_sweep")
end

--- Registers this process and starts the heartbeat.
---@param journal table an open journal; it will keep trying for as long as this lease holds
---@param control table told of lost leases and of runs to cancel
function M.start(journal, control)
  local me = host.identity()
  local self = setmetatable({ id = host.uuid(), journal = journal, control = control,
    ttl_ms = lease_ms(), wake = event.new(), stopping = false }, M)
  local sent = time.monotonic()
  journal:call("worker_register", self.id, me.host, me.pid, me.machine, me.started, self.ttl_ms)
  self.renewed = sent
  journal.worker = self
  M.sweep(journal)
  self.beats = task.spawn(function() self:run() end)
  return self
end

--- Until when the lease surely holds, on our clock.
function M:trusted_until()
  return self.renewed + self.ttl_ms - math.min(5000, self.ttl_ms // 6)
end

local function beat(self)
  if not self.conn or not self.conn:is_open() then
    self.conn = db.connect { dsn = self.journal.options.dsn, password = self.journal.options.password,
      application = "cloner heartbeat", timeout_ms = self.ttl_ms // 3 }
  end
  local sent = time.monotonic()
  local rows = self.conn:query(host.embedded("runtime/journal/worker_heartbeat.sql"), self.id,
    self.ttl_ms)
  if #rows == 0 then
    self.control:lose(errors.new("lease_lost", "E_LEASE_LOST",
      "this process was declared dead by another: its runs may go on elsewhere"))
    return
  end
  self.renewed = sent
  for _, row in ipairs(self.conn:query(host.embedded("runtime/journal/run_cancelled.sql"), self.id)) do
    self.control:cancel(row.run_id, row.cancel_reason)
  end
  self.conn:query(host.embedded("runtime/journal/worker_sweep.sql"))
  self.conn:query(host.embedded("runtime/journal/run_sweep.sql"))
end

function M:run()
  local pause_ms = math.min(self.ttl_ms // 3, 10 * 1000)
  local cancel_poll_ms = math.min(pause_ms, 2000)
  local next_ms = cancel_poll_ms
  -- Nothing here waits past the time the lease is trusted: losing it must be said before it ends.
  local function at_most(ms) return math.max(0, math.min(ms, self:trusted_until() - time.monotonic())) end
  while not self.control.lost do
    self.wake:wait(at_most(next_ms))
    if self.stopping then break end
    local t = task.spawn(beat, self)
    local ok = t:join(at_most(pause_ms))
    if not self.stopping and time.monotonic() >= self:trusted_until() then
      self.control:lose(errors.new("lease_lost", "E_LEASE_LOST",
        "the lease could not be renewed: the journal does not answer"))
    end
    if not ok then
      t:cancel(errors.new("timeout", "E_HEARTBEAT", "the journal did not answer"))
      t:join(1000)
      if self.conn then self.conn:close() end
      self.conn = nil
    end
    next_ms = ok and cancel_poll_ms or math.min(500, cancel_poll_ms)
  end
  if self.conn then self.conn:close() end
  self.conn = nil
end

--- Says goodbye. The journal stays open.
function M:stop()
  if self.stopping then return end
  self.stopping = true
  self.wake:set()
  self.beats:join(self.ttl_ms)
  self.journal.worker = nil
  pcall(function() self.journal:call("worker_stop", self.id) end)
end

return M
