-- journal_memory: what a run that is not durable keeps for itself; same calls as journal.lua.
local json = require "json"
local time = require "time"

local M = {}
M.__index = M

function M.new()
  return setmetatable({ durable = false, step_rows = {}, order = {}, memo = {} }, M)
end

local function copy(value)
  if value == nil then return nil end
  return json.decode(json.encode(value))
end

function M.close() end
function M.put_bundle() end
function M.create_run() return 1 end
function M.begin_undo() end
function M.fence() return { cancel_requested = false } end
function M.release() end
function M.finish() end
function M.event() end
function M.step_progress() end

function M:steps()
  return self.order
end

local function row(self, key)
  local r = self.step_rows[key]
  if not r then
    r = { step_key = key, attempts = 0, undo_state = "none", undo_attempts = 0 }
    self.step_rows[key] = r
    self.order[#self.order + 1] = r
  end
  return r
end

function M:step_intent(_, step)
  local r = row(self, step.name)
  r.attempts, r.state, r.undo_state = r.attempts + 1, "started", step.undo and "armed" or "none"
  r.began = time.monotonic()
  return r.attempts
end

function M:step_result(_, step, _, result)
  local r = row(self, step.name)
  r.state, r.result, r.elapsed_ms = "done", copy(result), time.monotonic() - r.began
  return r.elapsed_ms
end

function M:step_failed(_, step, _, e, state)
  local r = row(self, step.name)
  r.state, r.error = state, e
end

function M:step_skip(_, step)
  local r = row(self, step.name)
  r.state, r.reason = "skipped", step.skipped
end

function M:undo_intent(_, key)
  local r = row(self, key)
  r.undo_attempts = r.undo_attempts + 1
  return r.undo_attempts
end

function M:undo_result(_, key, state)
  row(self, key).undo_state = state
end

function M:undo_failed(_, key, _, _, state)
  row(self, key).undo_state = state
end

function M:memo_put(_, key, name, value)
  self.memo[key .. "/" .. name] = { v = copy(value) }
  return self.memo[key .. "/" .. name].v
end

function M:memo_get(_, key, name)
  local m = self.memo[key .. "/" .. name]
  if not m then return false end
  return true, m.v
end

return M
