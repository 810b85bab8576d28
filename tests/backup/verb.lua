-- Runs one verb of backup for the tests beside it and prints what came of it as JSON:
--   cloner verb.lua verb=stream source=DSN target=DSN [mask_domain=D] [exclude=a.b,c.d] [tables=a.b] [resume=KEY] …
-- rules=NAME case=WORD takes the rules that rules/NAME.lua makes of the word.
-- key_file=/path encrypts or opens an archive; account_key=K endpoint=URL go with azblob:// URLs.
-- cancel=start gives up at the first sign of life, cancel=rows once rows are moving. watch=yes prints
-- every progress, too, each on a line of its own before the last.
local backup = require "backup"
local json = require "json"
local mask = require "mask"
local secret = require "secret"

local args = ...
local options = {}
for _, name in ipairs { "source", "target", "archive", "to", "password", "resume", "key" } do
  options[name] = args[name]
end
for _, name in ipairs { "archive", "to" } do
  if args.account_key and options[name] and options[name]:find("^azblob:") then
    options[name] = { url = options[name], key = args.account_key, endpoint = args.endpoint }
  end
end
if args.key_file then options.key = secret("file:" .. args.key_file) end
options.table = args.table
if args.tables then
  options.tables = {}
  for name in args.tables:gmatch("[^,]+") do table.insert(options.tables, name) end
end
if args.level then options.level = math.tointeger(tonumber(args.level)) end
if args.compare then options.compare = true end
if args.toast_lz4 then options.toast_lz4 = args.toast_lz4 == "yes" end
if args.jobs then options.jobs = math.tointeger(tonumber(args.jobs)) end
if args.keep_s then options.keep_snapshot_s = math.tointeger(tonumber(args.keep_s)) end
if args.part_bytes then options.part_bytes = math.tointeger(tonumber(args.part_bytes)) end
if args.tablespaces then
  options.tablespaces = {}
  for from, to in args.tablespaces:gmatch("([^,=]+)=([^,=]+)") do options.tablespaces[from] = to end
end
for _, name in ipairs { "data_only", "truncate" } do
  if args[name] then options[name] = true end
end
if args.leave then
  options.leave = {}
  for name in args.leave:gmatch("[^,]+") do table.insert(options.leave, name) end
end
for _, name in ipairs { "max_bytes_per_second", "max_replica_lag_ms", "warn_xmin_age" } do
  if args[name] then options[name] = math.tointeger(tonumber(args[name])) end
end
if args.mask_domain then options.mask = mask.rules { sink_domain = args.mask_domain } end
if args.rules then options.mask = require("rules." .. args.rules)(args.case) end
if args.restored_with then options.restored_with = require("rules." .. args.restored_with)(args.case) end
if args.exclude then
  options.exclude_data = {}
  for name in args.exclude:gmatch("[^,]+") do table.insert(options.exclude_data, name) end
end
local calls, last = 0, nil
local function progress(p)
  calls, last = calls + 1, p
  if args.watch then print(json.encode { progress = p }) end
  if args.cancel == "start" or args.cancel == "rows" and p.bytes > 0 then error("gave up", 0) end
end
if args.verb ~= "forget" and args.verb ~= "list" then options.progress = progress end

local ok, result = pcall(backup[args.verb], options)
if ok then
  result = result or {}
  result.progress_calls, result.progress = calls, last
  print(json.encode(result))
elseif type(result) == "table" then
  print(json.encode { class = result.class, code = result.code, message = result.message,
    retryable = result.retryable })
else
  print(json.encode { stopped = tostring(result), progress = last })
end
