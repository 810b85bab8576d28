-- scan: reads a database and says whether real e-mail addresses are in it. Works on any PostgreSQL.
--
--   cloner scripts/scan.lua target=DSN [tenant=Cust26760 [users=U,U]] [mail_domain=D] [allow=D,D]
--     [password=file:/path] [jobs=2] [format=text|json|page] [strict_definitions=yes] [key=file:/path]
--     [certificate=/FILE]
--   cloner scripts/scan.lua verify=/FILE key=file:/path [target=DSN] [format=text|json|page]
--
-- Nothing is written to it. What may be there is what mask.lua lets pass (of that tenant): addresses in the
-- sink, mail_domain, and in the domains it allows, their subdomains included; the values it keeps; and the
-- domains given as allow. Any other address is a leak: the places are listed and the exit code is 1. Those in
-- the schema itself (views, functions, comments, ...) are listed, and leaks with strict_definitions. The
-- certificate is signed with key, an Ed25519 key (openssl genpkey -algorithm ed25519), and verified with
-- it or its public half; with target it must also be that database's.
local certificates = require "certificate"
local certify = require "certify"
local db = require "db"
local errors = require "errors"
local json = require "json"
local mask = require "mask"
local secret = require "secret"
local tool = require "tool"

local given, config = ...

local function read_params()
  local params = tool.params(given or {}, tool.with_policy { target = true, password = true, jobs = true,
    format = true, key = true, certificate = true, verify = true, strict_definitions = true }, "page")
  if params.verify and not params.key then tool.refuse "missing parameter: give key=file:/path with verify" end
  if not params.target and not params.verify then tool.refuse "missing parameter: give target=DSN" end
  params.key = params.key and secret(params.key)
  params.strict = tool.flag(params, "strict_definitions", false)
  return params
end

local function show(certificate, format)
  if format == "json" then
    print(json.encode(certificate, { pretty = true }))
  elseif format == "page" then
    print(certificates.page(certificate))
  else
    for _, line in ipairs(certificates.lines(certificate)) do tool.line(line[1], line[2]) end
  end
end

local function identity(params)
  local conn <close> = db.connect { dsn = params.target, password = tool.password(params.password), readonly = true }
  return conn:row [[SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    oid::bigint AS database_oid FROM pg_database WHERE datname = current_database()]]
end

local function verify(params)
  local certificate = certificates.read(params.verify)
  certificates.check(certificate, params.key, params.target and identity(params))
  return certificate
end

local function scan(params)
  local certificate = mask.scan { dsn = params.target, password = tool.password(params.password),
    rules = tool.policy(params, config).rules, jobs = params.jobs, progress = tool.progress "scanned" }
  if params.strict then certificate = certify.strict(certificate) end
  if params.key then certificate = mask.sign(certificate, params.key) end
  if params.certificate then certificates.write(params.certificate, certificate) end
  return certificate
end

local params = read_params()
local certificate = params.verify and verify(params) or scan(params)
show(certificate, params.format)

if certificate.leaks > 0 then
  local seen, names = {}, {}
  for _, place in ipairs(certify.leaks(certificate)) do
    local name = certificates.where(place)
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  errors.raise("leak", "E_LEAK", ("%d real address(es) in %s: %s"):format(certificate.leaks,
    certificate.database.name, table.concat(names, ", ", 1, math.min(#names, 10))
    .. (#names > 10 and (" and %d more places"):format(#names - 10) or "")))
end
