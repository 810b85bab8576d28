-- report: what a person or a program sees of a run while it happens. One sink a process: a live
-- list on a terminal, log lines elsewhere, JSON objects with --json.
local host = require "host"
local text = require "text"
local time = require "time"

local M = {}
M.__index = M

--- Picks the sink. options = {json=bool, log_level=name}
function M.new(options)
  local sink
  if options.json then
    sink = require("report_json").new()
  elseif host.terminal("out") and not options.plain then
    sink = require("report_tty").new()
  else
    sink = require("report_log").new()
  end
  return setmetatable({ sink = sink, began = time.monotonic(), times = {} }, M)
end

--- Tells the sink; x is the execution it happened in.
function M:event(kind, x, data)
  if kind == "step_started" or kind == "undo_started" then
    x.step_began = time.monotonic()
  elseif kind == "step_done" or kind == "undo_done" then
    data.elapsed_ms = data.elapsed_ms or time.monotonic() - (x.step_began or time.monotonic())
  end
  self.sink:event(kind, x, data)
end

--- Did the view leave the list of steps on the screen?
function M:lists_steps()
  return self.sink.lists_steps or false
end

--- Ends the view; later text may be written freely.
function M:close()
  if self.sink.close then self.sink:close() end
end

--- What to do about a run that did not end: one line.
function M.advice(x)
  if not x.journal.durable then return nil end
  local id = x.run_id
  if x.outcome == "paused" then
    return ("`cloner resume %s` goes on when the cause is mended (with `--script F` an edited " ..
      "script), `cloner cancel %s` undoes it, `cloner show %s` tells more"):format(id, id, id)
  elseif x.outcome == "interrupted" then
    return ("`cloner resume %s` goes on, `cloner cancel %s` undoes it"):format(id, id)
  elseif x.outcome == "lost" then
    return ("`cloner show %s` tells who owns it now"):format(id)
  end
end

local OBJECTS_SHOWN = 4

--- What is in work: "rows: crm7.person (3/8), index crm7.person_email_idx 45 %, and 2 more", or nil.
function M.objects_text(p)
  local objects = p.objects or {}
  if #objects == 0 then return p.phase end
  local shown = table.concat(objects, ", ", 1, math.min(#objects, OBJECTS_SHOWN))
  if #objects > OBJECTS_SHOWN then shown = ("%s, and %d more"):format(shown, #objects - OBJECTS_SHOWN) end
  return p.phase and p.phase .. ": " .. shown or shown
end

--- "12.1 MB/s, 30s left", or nil.
function M.pace_text(p)
  local pace = p.bytes_per_second and text.bytes(math.floor(p.bytes_per_second)) .. "/s" or nil
  local left = p.seconds_left and text.duration(math.ceil(p.seconds_left) * 1000) .. " left" or nil
  return pace and left and pace .. ", " .. left or pace or left
end

--- "12.3 MB of 40.0 MB, 3 of 8 parts" or "12 of 40 rows", with its note.
function M.progress_text(p)
  local show = p.unit == "bytes" and text.bytes or text.count
  local done = p.done and show(math.floor(p.done)) or nil
  local line
  if done and p.total and p.total > 0 then
    line = done .. " of " .. show(math.floor(p.total))
  elseif p.done and p.done > 0 then
    line = done
  end
  if line and p.unit and p.unit ~= "bytes" then line = line .. " " .. p.unit end
  if line and p.parts_total and p.parts_total > 0 then
    line = ("%s, %d of %d parts"):format(line, p.parts_done or 0, p.parts_total)
  end
  if p.note then line = (line and line .. ", " or "") .. tostring(p.note) end
  return line or ""
end

--- How one step stands in a summary.
local MARKS = { done = "done", skipped = "skipped", failed = "failed", started = "stopped" }

--- The closing lines of a run: every step with its time, then what to look at next.
function M.summary(x)
  local lines, rows, total, done = {}, {}, 0, 0
  for _, row in ipairs(x.journal:steps(x.run_id)) do rows[row.step_key] = row end
  for i, step in ipairs(x.program.steps) do
    local row = rows[step.name]
    local state = row and MARKS[row.state] or "not begun"
    if row and row.undo_state == "done" then state = "undone" end
    local took = ""
    if row and row.state == "done" then
      done = done + 1
      if row.elapsed_ms then
        took, total = text.duration(row.elapsed_ms), total + row.elapsed_ms
      end
    end
    lines[#lines + 1] = ("%3d  %-9s %9s  %s"):format(i, state, took, step.label)
    if row and row.state == "skipped" then lines[#lines] = lines[#lines] .. " (" .. row.reason .. ")" end
  end
  local skipped = 0
  for _, row in pairs(rows) do if row.state == "skipped" then skipped = skipped + 1 end end
  lines[#lines + 1] = ("%d of %d steps done%s in %s"):format(done, #x.program.steps,
    skipped > 0 and (", %d skipped,"):format(skipped) or "", text.duration(total))
  return lines
end

return M
