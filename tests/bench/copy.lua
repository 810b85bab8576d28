-- One verb of backup for bench.sh, which times the whole process:
--   cloner copy.lua verb=stream|rewrite|create|restore [source=DSN] [archive=DIR] [target=DSN]
--     [mask_domain=D] [tables=A,B] [jobs=N] [toast_lz4=no]
local backup = require "backup"
local json = require "json"
local mask = require "mask"

local args = ...
local rules = args.mask_domain and mask.rules { sink_domain = args.mask_domain } or nil
local jobs = math.tointeger(tonumber(args.jobs or 2))

local run = {
  stream = function()
    return backup.stream { source = args.source, target = args.target, mask = rules, jobs = jobs,
      toast_lz4 = args.toast_lz4 ~= "no" }
  end,
  rewrite = function()
    local tables = {}
    for name in args.tables:gmatch("[^,]+") do table.insert(tables, name) end
    return backup.rewrite { source = args.source, target = args.target, mask = rules, tables = tables, jobs = jobs }
  end,
  create = function() return backup.create { source = args.source, to = args.archive, jobs = jobs } end,
  restore = function()
    return backup.restore { archive = args.archive, target = args.target, mask = rules, jobs = jobs }
  end,
}

print(json.encode(run[args.verb]()))
