-- mask_columns: the columns of a database that can hold text, as `strict` of mask.lua takes them.
--
--   cloner scripts/mask_columns.lua source=DSN [password=file:/path] > scripts/mask_seen.lua
--
-- Look at what is new in it (`git diff`) before it is kept: with strict(require "mask_seen") a clone stops
-- at every column that is not in this list.
local crypto = require "crypto"
local db = require "db"
local policy = require "policy"
local tool = require "tool"

local params = tool.params(... or {}, { source = true, password = true })
if not params.source then tool.refuse "missing parameter: give source=DSN" end
local conn <close> = db.connect { dsn = params.source, password = tool.password(params.password),
  application = "cloner mask_columns", readonly = true }
local lines = policy.seen(conn)

print(("-- %d columns that can hold text; sha256 %s"):format(#lines, crypto.sha256(table.concat(lines, "\n"))))
print "return {"
for _, line in ipairs(lines) do print(("  %q,"):format(line)) end
print "}"
