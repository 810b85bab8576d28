-- session: the journal, opened for one command, with or without a worker.
local config = require "config"
local control = require "control"
local errors = require "errors"
local host = require "host"
local journal = require "journal"
local text = require "text"
local worker = require "worker"

local M = {}

local Session = {}
Session.__index = Session

function Session:__close()
  if self.worker then self.worker:stop() end
  self.journal:close()
end

--- Opens the journal named by --journal or the configuration. With a worker the schema is made or
--- upgraded when needed, and runs may be claimed.
function M.open(args, conf, with_worker)
  conf = conf or config.load(args.config)
  local where = config.journal(conf, args.journal)
  if not where then
    errors.raise("invalid", "E_USAGE", "no journal: give --journal DSN, or a configuration with " ..
      "journal = { dsn = … } (looked for: --config, $CLONER_CONFIG, " ..
      table.concat(config.PLACES, ", ") .. ")")
  end
  local s = setmetatable({ journal = journal.open(where, with_worker), config = conf,
    control = control.new() }, Session)
  if with_worker then
    local ok, w = pcall(worker.start, s.journal, s.control)
    if not ok then
      s.journal:close()
      error(w, 0)
    end
    s.worker = w
  end
  return s
end

--- Who did it, for the audit trail.
function M.actor(data)
  local me = host.identity()
  data.host, data.pid = me.host, me.pid
  data.user = host.getenv("SUDO_USER") or host.getenv("USER")
  return data
end

local function whose(row)
  if row.state == "running" then
    return ("running for %s in process %s on %s"):format(text.duration(row.age_ms),
      tostring(row.pid), tostring(row.host))
  end
  return row.state == "paused" and "paused" or "interrupted"
end

--- The error for a target another run holds.
function M.busy(row, target_key)
  local advice = row.state == "running"
    and ("`cloner show %s` follows it, `cloner cancel %s` stops and undoes it")
    or ("`cloner resume %s` goes on with it, `cloner cancel %s` undoes it")
  return errors.new("conflict", "E_TARGET_BUSY",
    ("'%s' is held by run %s (%s), which is %s"):format(target_key, row.run_id, row.title, whose(row)),
    { advice = advice:format(row.run_id, row.run_id) })
end

--- The error for a run somebody else executes.
function M.running(row)
  return errors.new("conflict", "E_RUN_BUSY", ("run %s (%s) is %s"):format(row.run_id, row.title,
    whose(row)), { advice = ("`cloner show %s` follows it"):format(row.run_id) })
end

--- The run meant by part of an id; raises when there is none or more than one.
function M.find(j, part)
  if not part:match("^[%x%-]+$") or #part < 4 then
    errors.raise("invalid", "E_USAGE",
      ("'%s' is not a run's id (the first or last characters of one will do)"):format(part))
  end
  local rows = j:find_runs(part)
  if #rows == 0 then
    errors.raise("not_found", "E_NO_RUN", ("there is no run '%s': `cloner list` shows them"):format(part))
  elseif #rows > 1 then
    errors.raise("invalid", "E_USAGE", ("'%s' fits more than one run: %s, %s"):format(part,
      rows[1].run_id, rows[2].run_id))
  end
  return rows[1]
end

--- The only unfinished run; raises when there is none or more than one.
function M.only(j)
  local rows = j:unfinished()
  if #rows == 0 then
    errors.raise("not_found", "E_NO_RUN", "there is no unfinished run")
  elseif #rows > 1 then
    local lines = {}
    for i, row in ipairs(rows) do lines[i] = ("  %s  %s (%s)"):format(row.run_id, row.title, row.state) end
    errors.raise("invalid", "E_USAGE", "which one? There are:\n" .. table.concat(lines, "\n"))
  end
  return rows[1]
end

return M
