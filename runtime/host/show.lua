-- show: the verbs that only read the journal: list and show.
local host = require "host"
local json = require "json"
local report = require "report"
local session = require "session"
local text = require "text"
local time = require "time"

local M = {}

local LIST_MAX = 50

local function out(line) host.write("out", line .. "\n") end

local function state_of(row)
  if row.state == "done" then return row.result end
  if row.phase == "undo" then return row.state == "running" and "undoing" or row.state .. " (undo)" end
  return row.state == "ready" and "interrupted" or row.state
end

local function run_data(row)
  return { run = row.run_id, procedure = row.name, title = row.title, state = row.state,
    phase = row.phase, result = row.result, target_key = row.target_key, parent = row.parent_run_id,
    params = row.params, error = row.error, steps_done = row.steps_done, steps_total = row.steps_total,
    step = row.state ~= "done" and row.step_key or nil, host = row.host, pid = row.pid,
    bundle = row.bundle_hash, epoch = row.epoch, created_at = time.iso(row.created_ms),
    finished_at = row.finished_ms and time.iso(row.finished_ms) or nil,
    cancel_requested = row.cancel_requested }
end

M.list = function(args) return require("engine").verb(function()
  local s <close> = session.open(args)
  local rows = s.journal:runs(LIST_MAX)
  if args.json then
    for _, row in ipairs(rows) do out(json.encode(run_data(row))) end
    return 0
  end
  if #rows == 0 then out("no runs yet") end
  for _, row in ipairs(rows) do
    local where = row.state ~= "done" and row.step_key and (" at %s"):format(row.step_key) or ""
    out(("%s  %s  %-12s %2d/%-2d %9s  %s%s"):format(row.run_id, time.iso(row.created_ms):sub(1, 19),
      state_of(row), row.steps_done, row.steps_total, text.duration(row.age_ms), row.title, where))
  end
end)(args) end

local function steps_data(s, row)
  local by_key, list = {}, {}
  for i, step in ipairs(s.journal:steps(row.run_id)) do
    local item = { step = step.step_key, title = step.title, state = step.state,
      attempts = step.attempts, result = step.result, error = step.error, reason = step.reason,
      progress = step.progress, started_at = time.iso(step.started_ms), elapsed_ms = step.elapsed_ms,
      undo_state = step.undo_state, undo_attempts = step.undo_attempts, undo_error = step.undo_error,
      failed = json.array {} }
    if step.finished_ms then item.finished_at = time.iso(step.finished_ms) end
    by_key[step.step_key], list[i] = item, item
  end
  for _, a in ipairs(s.journal:attempts(row.run_id)) do
    local item = by_key[a.step_key]
    if item then
      item.failed[#item.failed + 1] = { attempt = a.attempt, kind = a.kind, error = a.error,
        at = time.iso(a.ended_ms) }
    end
  end
  return list
end

local function show_text(row, steps, events)
  out(("run %s"):format(row.run_id))
  out(("  %s: %s, %d of %d steps done, begun %s, %s"):format(row.title, state_of(row), row.steps_done,
    row.steps_total, time.iso(row.created_ms), text.duration(row.age_ms)))
  if row.parent_run_id then out("  started by run " .. row.parent_run_id) end
  if row.state == "running" then
    out(("  in process %s on %s"):format(tostring(row.pid), tostring(row.host)))
  end
  out("  scripts " .. row.bundle_hash:sub(1, 12))
  for _, name in ipairs(text.keys(row.params)) do
    local v = row.params[name]
    out(("  %s = %s"):format(name, type(v) == "table" and json.encode(v) or tostring(v)))
  end
  for _, step in ipairs(steps) do
    out(("%s  %-8s %9s  %s%s"):format(step.started_at:sub(12, 19), step.state,
      step.state ~= "skipped" and text.duration(step.elapsed_ms) or "", step.title,
      step.reason and " (" .. step.reason .. ")" or ""))
    for _, failed in ipairs(step.failed) do
      out(("          %s attempt %d%s: %s [%s %s]"):format(failed.at:sub(12, 19), failed.attempt,
        failed.kind == "undo" and " to undo" or "", failed.error.message, failed.error.class,
        failed.error.code))
      if failed.error.traceback then out("        " .. failed.error.traceback:gsub("\n", "\n        ")) end
    end
    if step.progress and step.state ~= "done" then
      out("          " .. report.progress_text(step.progress))
    end
    if step.undo_state == "done" then
      out("          undone")
    elseif step.undo_state == "started" or step.undo_state == "failed" then
      out("          undo " .. step.undo_state)
    end
  end
  for _, e in ipairs(events) do
    local d = e.data or {}
    out(("%s  · %s%s%s"):format(time.iso(e.at_ms):sub(12, 19), e.kind,
      e.step_key and " in " .. e.step_key or "",
      d.text and ": " .. d.text or d.user and " by " .. d.user or ""))
  end
  if row.state ~= "done" and row.state ~= "running" then
    if row.error then out(("%s: %s"):format(state_of(row), row.error.message)) end
    out(report.advice { run_id = row.run_id, journal = { durable = true },
      outcome = row.state == "paused" and "paused" or "interrupted" })
  end
end

M.show = function(args) return require("engine").verb(function()
  local s <close> = session.open(args)
  local row
  if args.arg1 then
    row = session.find(s.journal, args.arg1)
  else
    row = s.journal:newest()
    if not row then
      out("no runs yet")
      return 0
    end
  end
  local steps, events = steps_data(s, row), s.journal:events(row.run_id)
  if args.json then
    local data = run_data(row)
    data.steps, data.output, data.events = json.array(steps), row.output, json.array {}
    for i, e in ipairs(events) do
      data.events[i] = { at = time.iso(e.at_ms), step = e.step_key, kind = e.kind, data = e.data }
    end
    out(json.encode(data))
  else
    show_text(row, steps, events)
  end
end)(args) end

return M
