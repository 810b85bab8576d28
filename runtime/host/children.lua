-- children: runs that steps start and join. They are executed by tasks of this process, or by
-- whichever process owns them; a joiner takes over what nobody owns any more.
local control = require "control"
local errors = require "errors"
local event = require "event"
local execution = require "execution"
local host = require "host"
local program = require "program"
local task = require "task"
local worker = require "worker"

local M = {}

local POLL_MS = 500
local SWEEP_EVERY = 10 -- polls

--- Executes a claimed child in a task of its own; row: what it was when it was taken over.
local function spawn(parent, run_id, epoch, loaded, row)
  local x = execution.new { run_id = run_id, epoch = epoch, owner = parent.owner,
    phase = row and row.phase, cancelling = row and row.cancel_requested or nil,
    journal = parent.journal, program = loaded, config = parent.config, report = parent.report,
    control = parent.control, children = M, parent = parent, ended = {} }
  x.task = task.spawn(function()
    local outcome = execution.run(x)
    for _, waiter in ipairs(x.ended) do waiter:set() end
    return outcome
  end)
  parent.control.runs[run_id] = x
  local list = parent.control.spawned or {}
  list[#list + 1] = x
  parent.control.spawned = list
  return x
end

--- The answer when the idempotency key is known: the same run, if the same was asked for.
local function known_run(parent, known, loaded)
  program.same_params(known, loaded)
  return known.run_id, known.parent_run_id == parent.run_id
end

--- Starts or joins; -> run id, did we create it?
function M.start(parent, script, given, opts)
  local bundle = program.sibling(parent.program.bundle, script)
  local loaded = program.load(bundle, given)
  if not loaded then
    errors.raise("invalid", "E_NOT_A_PROCEDURE", ("'%s' is not a procedure"):format(script))
  end
  local p = loaded.procedure
  local target_key = opts.target_key or loaded.target_key
  local journal = parent.journal
  local known = journal:run_by_idempotency(p.name, opts.idempotency_key)
  if known then return known_run(parent, known, loaded) end
  for _ = 1, 5 do
    local live = target_key and journal:live_run(target_key)
    if live then
      if live.name == p.name then return live.run_id, false end
      errors.raise("conflict", "E_TARGET_BUSY", ("'%s' is in use by run %s (%s)")
        :format(target_key, live.run_id, live.title))
    end
    if p.preflight then p.preflight { params = loaded.params, config = parent.config } end
    journal:put_bundle(bundle)
    local run_id = host.uuid()
    local ok, epoch = pcall(journal.create_run, journal, { run_id = run_id, name = p.name,
      title = program.title(loaded), bundle_hash = bundle.hash, target_key = target_key,
      idempotency_key = opts.idempotency_key, parent_run_id = parent.run_id,
      params = loaded.params, owner = parent.owner, steps_total = #loaded.steps })
    if ok then
      host.fault("run_created")
      spawn(parent, run_id, epoch, loaded)
      return run_id, true
    end
    if errors.from(epoch).code ~= "23505" then error(epoch, 0) end
    known = journal:run_by_idempotency(p.name, opts.idempotency_key)
    if known then return known_run(parent, known, loaded) end
  end
  errors.raise("transient", "E_TARGET_BUSY", ("'%s' is claimed by others again and again")
    :format(target_key))
end

--- Takes over a run nobody owns; -> its execution, or nil when somebody was faster.
local function adopt(parent, row)
  local runs, adopting = parent.control.runs, parent.control.adopting
  -- A claim may be said twice, so two tasks of this process must not both say it.
  if runs[row.run_id] or adopting[row.run_id] then return nil end
  adopting[row.run_id] = true
  local _ <close> = setmetatable({}, { __close = function() adopting[row.run_id] = nil end })
  local loaded = program.load(program.pinned(parent.journal, row), row.params)
  local epoch = parent.journal:claim(row, parent.owner)
  if not epoch then return nil end
  parent.journal:event(row.run_id, nil, "adopted", { by = parent.run_id })
  return spawn(parent, row.run_id, epoch, loaded, row)
end

local function progress_of(journal, run_id)
  local found
  for _, step in ipairs(journal:steps(run_id)) do
    if step.state == "started" then found = step.progress end
  end
  return found
end

local function result_of(row)
  if row.result == "succeeded" then return row.output end
  errors.raise("conflict", "E_CHILD", ("run %s (%s) was %s"):format(row.run_id, row.title, row.result))
end

--- Waits for a run; -> its output. tick(progress|nil) is called while waiting, and may raise.
function M.join(parent, run_id, tick)
  local journal, polls, retried = parent.journal, 0, false
  while true do
    local x = parent.control.runs[run_id]
    if x and x.ended then
      local ended = event.new()
      x.ended[#x.ended + 1] = ended
      while not x.outcome do
        tick(x.progress)
        ended:wait(POLL_MS)
      end
      retried = true -- it had its attempts before our eyes
    end
    local row = journal:run(run_id)
    if not row then errors.raise("not_found", "E_NO_RUN", "there is no run " .. run_id) end
    if row.state == "done" then return result_of(row) end
    if row.state == "paused" and retried then
      errors.raise("conflict", "E_CHILD", ("run %s (%s) is paused: %s"):format(run_id, row.title,
        row.error and row.error.message or "see `cloner show`"))
    end
    if row.state == "ready" or row.state == "paused" then
      tick(nil)
      if adopt(parent, row) then retried = true end
    else
      tick(progress_of(journal, run_id))
      polls = polls + 1
      if polls % SWEEP_EVERY == 1 then worker.sweep(journal) end
      event.new():wait(POLL_MS)
    end
  end
end

--- Asks for a run to be cancelled; when nobody owns it, undoes it here. A run that others wait for
--- goes on.
function M.cancel(parent, run_id)
  local journal = parent.journal
  local row = journal:run(run_id)
  if not row or row.state == "done" then return row and row.result end
  local other = journal:joined_by(run_id, parent.run_id)
  if other then
    parent.report:event("note", parent, { text = ("run %s goes on: run %s waits for it"):format(run_id,
      other) })
    return nil
  end
  journal:request_cancel(run_id, "its parent " .. parent.run_id .. " was undone")
  if parent.control.runs[run_id] then
    parent.control:cancel(run_id, "its parent was undone")
  end
  local retried = false
  while true do
    local x = parent.control.runs[run_id]
    while x and x.ended and not x.outcome do
      control.safe_point(parent)
      event.new():wait(POLL_MS)
    end
    row = journal:run(run_id)
    if row.state == "done" then return row.result end
    control.safe_point(parent)
    if row.state == "paused" and retried then
      errors.raise("conflict", "E_CHILD", ("run %s (%s) could not be undone: %s"):format(run_id,
        row.title, row.error and row.error.message or "see `cloner show`"))
    end
    if row.state == "running" then
      event.new():wait(POLL_MS)
    elseif adopt(parent, row) then
      retried = true
    end
  end
end

--- Lets go of every child still running here, so that others may take it over.
function M.leave(of)
  for _, x in ipairs(of.spawned or {}) do
    if not x.outcome then control.leave(x) end
  end
  for _, x in ipairs(of.spawned or {}) do x.task:join(60 * 1000) end
end

return M
