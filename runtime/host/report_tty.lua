-- report_tty: the steps of a run as a live list on a terminal, with a bar on the long ones.
-- Redrawn at most every DRAW_MS; everything else that wants to be printed goes above the list.
local event = require "event"
local host = require "host"
local sandbox = require "sandbox"
local task = require "task"
local text = require "text"
local time = require "time"

local M = {}
M.__index = M

local DRAW_MS = 100
local TICK_MS = 250
local BAR = 24
local SPIN = { "|", "/", "-", "\\" }
local COLOUR = { done = "\27[32m", failed = "\27[31m", running = "\27[1m", skipped = "\27[2m",
  waiting = "\27[2m", undone = "\27[33m", retry = "\27[33m" }
local MARK = { done = "✓", failed = "✗", skipped = "-", waiting = " ", undone = "↩", retry = "!" }

function M.new()
  local self = setmetatable({ drawn = 0, states = {}, last_draw = 0, wake = event.new(),
    lists_steps = true }, M)
  host.setup_log("error", false)
  return self
end

--- The part of a line that fits; counts code points, which is right for what we print.
local function fit(line, columns)
  if utf8.len(line) and utf8.len(line) > columns then
    return line:sub(1, utf8.offset(line, columns) - 1) .. "…"
  end
  return line
end

local function bar(p, began)
  local parts = {}
  if p.total and p.total > 0 and p.done then
    local share = math.max(0, math.min(1, p.done / p.total))
    local full = math.floor(share * BAR + 0.5)
    parts[#parts + 1] = "[" .. ("█"):rep(full) .. ("·"):rep(BAR - full) .. "]"
    parts[#parts + 1] = ("%3d%%"):format(math.floor(share * 100))
  end
  local report = require "report"
  parts[#parts + 1] = report.progress_text(p)
  if p.bytes_per_second or p.seconds_left then -- measured where the work is done
    parts[#parts + 1] = report.pace_text(p)
    parts[#parts + 1] = report.objects_text(p)
    return table.concat(parts, " ")
  end
  local seconds = (time.monotonic() - began) / 1000
  local moved = p.bytes or (p.unit == "bytes" and p.done)
  if moved and moved > 0 and seconds > 0.5 then
    parts[#parts + 1] = text.bytes(math.floor(moved / seconds)) .. "/s"
  end
  if p.total and p.done and p.done > 0 and p.total > p.done and seconds > 2 then
    parts[#parts + 1] = text.duration(seconds / p.done * (p.total - p.done) * 1000) .. " left"
  end
  return table.concat(parts, " ")
end

local function line_of(self, x, i, step, columns)
  local s = self.states[step.name] or { state = "waiting" }
  local mark, note = MARK[s.state], s.note or ""
  if s.state == "running" then
    mark = SPIN[(time.monotonic() // TICK_MS) % #SPIN + 1]
    local elapsed = time.monotonic() - s.began
    note = elapsed >= 1000 and text.duration(elapsed) or ""
    if s.undoing then note = "undoing " .. note end
    if s.progress then note = note .. " " .. bar(s.progress, s.began) end
  end
  local line = fit(("%s %2d  %s  %s"):format(mark, i, step.label, note), columns - 1)
  return (COLOUR[s.state] or "") .. line .. "\27[0m", x
end

--- Which steps fit, around the current one.
local function window(count, current, room)
  if count <= room then return 1, count end
  local first = math.max(1, math.min(current - room // 2, count - room + 1))
  return first, first + room - 1
end

function M:draw(force)
  local x = self.top
  if not x then return end
  local now = time.monotonic()
  if not force and now - self.last_draw < DRAW_MS then return end
  self.last_draw = now
  local columns, rows = host.terminal("out")
  if not columns then return end
  local out = { "\27[?25l" }
  if self.drawn > 0 then out[#out + 1] = ("\27[%dA"):format(self.drawn) end
  out[#out + 1] = "\r\27[J"
  for _, line in ipairs(self.above or {}) do out[#out + 1] = line .. "\n" end
  self.above = nil
  local steps = x.program.steps
  -- The last picture may scroll: nothing is drawn over it.
  local room = self.closed and #steps or math.max(3, rows - 4)
  local first, last = window(#steps, self.current or 1, room)
  out[#out + 1] = fit(("%s  (run %s, %s)"):format(require("program").title(x.program),
    x.run_id:sub(-12), text.duration(now - self.began)), columns - 1) .. "\n"
  for i = first, last do out[#out + 1] = line_of(self, x, i, steps[i], columns) .. "\n" end
  self.drawn = last - first + 2
  host.write("out", table.concat(out))
end

--- A line above the list.
function M:say(line)
  self.above = self.above or {}
  self.above[#self.above + 1] = line
  self:draw(true)
end

local function begin(self, x)
  self.top, self.began = x, time.monotonic()
  sandbox.print = function(line) self:say(line) end
  for _, row in ipairs(x.journal:steps(x.run_id)) do
    if row.state == "done" then
      self.states[row.step_key] = { state = row.undo_state == "done" and "undone" or "done",
        note = row.elapsed_ms and text.duration(row.elapsed_ms) or "" }
    elseif row.state == "skipped" then
      self.states[row.step_key] = { state = "skipped", note = row.reason }
    end
  end
  self.ticker = task.spawn(function()
    while not self.closed do
      self:draw()
      self.wake:wait(TICK_MS)
    end
  end)
end

local STEP = {}

function STEP.step_started() return { state = "running", began = time.monotonic() } end
function STEP.undo_started() return { state = "running", began = time.monotonic(), undoing = true } end
function STEP.step_done(d) return { state = "done", note = text.duration(d.elapsed_ms) } end
function STEP.undo_done() return { state = "undone", note = "undone" } end
function STEP.step_skipped(d) return { state = "skipped", note = "skipped: " .. d.step.skipped } end
function STEP.step_failed(d) return { state = "failed", note = d.error.message } end
STEP.undo_failed = STEP.step_failed
function STEP.step_retry(d)
  return { state = "retry", note = ("%s; again in %s"):format(d.error.message, text.duration(d.wait_ms)) }
end

function M:event(kind, x, d)
  if kind == "run_started" or kind == "run_resumed" then
    begin(self, x)
    return
  end
  if kind == "log" or kind == "warning" or kind == "note" then
    self:say(("%s %s%s"):format(kind == "warning" and "!" or " ", d.step and d.step.name .. ": " or "",
      d.text))
    return
  end
  if x ~= self.top then return end
  if kind == "step_progress" then
    local s = self.states[d.step.name]
    if s then s.progress = d.progress end
    self:draw()
    return
  end
  if STEP[kind] then
    self.states[d.step.name] = STEP[kind](d)
    for i, step in ipairs(x.program.steps) do
      if step.name == d.step.name then self.current = i end
    end
    self:draw(true)
  end
end

function M:close()
  if self.closed then return end
  self.closed = true
  self.wake:set()
  if self.ticker then self.ticker:join(1000) end
  self:draw(true)
  if self.top then host.write("out", "\27[?25h") end
  sandbox.print = function(line) host.write("out", line .. "\n") end
end

return M
