-- scan: reads a database and says whether real e-mail addresses are in it. Works on any PostgreSQL.
--
--   cloner scripts/scan.lua target=DSN [allow=D,D] [password=file:/path] [jobs=2] [format=text|json]
--
-- Nothing is written. Addresses in the allowed domains (default: mailinator.com) and in their
-- subdomains may be there; any other is a leak: the places are listed and the exit code is 1.
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local tool = require "tool"

local function read_params(given)
  local params = tool.params(given, { target = true, allow = true, password = true, jobs = true,
    format = true })
  if not params.target then tool.refuse "missing parameter: give target=DSN" end
  local allow = {}
  for domain in (given.allow or "mailinator.com"):gmatch("[^,%s]+") do allow[#allow + 1] = domain end
  if #allow == 0 then
    tool.refuse "parameter allow: a domain, or several with commas between, is needed"
  end
  local sink = table.remove(allow, 1)
  params.rules = mask.rules { sink_domain = sink, allow = allow }
  return params
end

local function column(place)
  return ("%s.%s.%s"):format(place.schema, place.table, place.column)
end

--- The certificate as people read it.
local function page(c)
  local line = tool.line
  line("database", ("%s (oid %s) on system %s, PostgreSQL %s"):format(c.database.name, c.database.oid,
    c.database.system_identifier ~= "" and c.database.system_identifier or "unknown",
    c.database.server_version))
  line("snapshot", ("%s taken %s"):format(c.snapshot, c.taken_at))
  line("may be there", table.concat({ c.rules.sink_domain, table.unpack(c.rules.allow) }, ", "))
  line("rules", "sha256 " .. c.rules.hash)
  line("scanned", ("%d tables, %d columns, %d rows, %d values, %s in %.1f s"):format(c.scanned.tables,
    c.scanned.columns, c.scanned.rows, c.scanned.values, tool.size(c.scanned.bytes), c.seconds))
  for _, gap in ipairs(c.not_scanned) do
    line("not scanned", gap.name and ("%s (%s)"):format(gap.name, gap.kind)
      or ("%d %s"):format(gap.count, gap.kind))
  end
  for _, kept in ipairs(c.kept) do
    line("kept", ("%d in %s.%s: %s"):format(kept.count, kept.table, kept.column, kept.reason))
  end
  for _, place in ipairs(c.places) do
    line("LEAK", ("%d in %s: %s, such as %s"):format(place.count, column(place), place.domain,
      place.sample))
  end
  line("result", c.leaks == 0 and "no real address found" or ("%d real address(es) in %d place(s)")
    :format(c.leaks, #c.places))
end

local params = read_params(... or {})
local certificate = mask.scan { dsn = params.target, password = tool.password(params.password),
  rules = params.rules, jobs = params.jobs, progress = tool.progress "scanned" }

if params.format == "json" then
  print(json.encode(certificate, { pretty = true }))
else
  page(certificate)
end
if certificate.leaks > 0 then
  local seen, names = {}, {}
  for _, place in ipairs(certificate.places) do
    if not seen[column(place)] then
      seen[column(place)] = true
      names[#names + 1] = column(place)
    end
  end
  errors.raise("leak", "E_LEAK", ("%d real address(es) in %s: %s"):format(certificate.leaks,
    certificate.database.name, table.concat(names, ", ", 1, math.min(#names, 10))
    .. (#names > 10 and (" and %d more columns"):format(#names - 10) or "")))
end
