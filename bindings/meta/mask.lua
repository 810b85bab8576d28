---@meta mask
-- luacheck: ignore

---@class mask.rules
local rules = {}
---@return string
function rules:hash() end
---@return table
function rules:describe() end

---@return string[] tables that stay without rows
function rules:empty() end

---@class mask.place
---@field schema string
---@field table string
---@field column string
---@field domain string
---@field sample string
---@field count integer

---@class mask.certificate
---@field leaks integer
---@field places mask.place[]
---@field kept {table: string, column: string, reason: string, count: integer}[]
---@field not_scanned {kind: string, name: string}[]
---@field definitions {kind: string, object: string, domain: string, sample: string, count: integer}[]
---@field scanned {tables: integer, columns: integer, rows: integer, values: integer, bytes: integer, large_objects: integer, definitions: integer}
---@field rules table what rules:describe() gives
---@field database {name: string, oid: string, system_identifier: string, server_version: string}
---@field snapshot string
---@field snapshot_xmax string
---@field taken_at string
---@field seconds number
---@field version integer
---@field signature {algorithm: string, key_id: string, value: string}|nil

local mask = {}

---@class mask.method
---@field kind string

---@param spec {sink_domain: string|nil, mode: "domain"|"invalid"|"hash"|nil, key: string|secret|nil, columns: table<string, mask.method>|nil, allow: string[]|nil, keep: {table: string, column: string, values: string[], reason: string}[]|nil, empty: string[]|nil}|nil
---@return mask.rules
function mask.rules(spec) end
---@param text string
---@param rules mask.rules|string|nil rules, or the sink domain
---@return string
function mask.email(text, rules) end
---@param options {form: "hex"|"letters"|"uuid"|nil, length: integer|nil}|nil
---@return mask.method
function mask.hash(options) end
---@param options {fill: string|nil, length: integer|nil}|nil without length: as long as the value
---@return mask.method
function mask.redact(options) end
---@param value string|number|{value: string|number}
---@return mask.method
function mask.constant(value) end
---@return mask.method
function mask.null() end
---@param options {first: integer|nil, last: integer|nil}
---@return mask.method
function mask.partial(options) end
---@param options {days: integer, by: string|nil}
---@return mask.method
function mask.date_shift(options) end
---@param options {percent: number}
---@return mask.method
function mask.noise(options) end
---@param of "first_name"|"last_name"|"full_name"|"company"|"street"|"city"|"phone"
---@return mask.method
function mask.fake(of) end
---@param options {bucket: integer|nil, to: "month"|"year"|nil}
---@return mask.method
function mask.generalise(options) end
---@param options {unit: string|nil, within: string|nil}|nil unit: columns that move together; within: a column
---@return mask.method
function mask.shuffle(options) end
---@param spec {map: table<string, string|number>, default: string|number}
---@return mask.method
function mask.dictionary(spec) end
---@param paths table<string, mask.method>
---@return mask.method
function mask.json(paths) end
---What a method makes of one value; nil for NULL.
---@param method mask.method
---@param value string|number|nil
---@param key string|secret|nil
---@return string|nil
function mask.apply(method, value, key) end
---The addresses that would be masked.
---@param text string
---@param rules mask.rules|string|nil
---@return string[]
function mask.find(text, rules) end
---A function makes the values of a column, in the workers of a copy: a string or a number, nil for NULL.
---It keeps nothing from value to value; bindings/README.md says what it has and what goes along.
---@param fn fun(value: string, context: {table: string, column: string}): string|number|nil
---@return table method
function mask.lua(fn) end
---Counts the addresses the rules do not let pass. Leaks do not raise.
---@param spec {dsn: string|secret, password: string|secret|nil, rules: mask.rules|nil, jobs: integer|nil, tables: string[]|nil, since: integer|nil, part_bytes: integer|nil, progress: nil|fun(p: table)}
---@return mask.certificate
function mask.scan(spec) end
---What would a masked copy of this database stumble over? Findings do not raise.
---@param spec {dsn: string|secret, password: string|secret|nil, rules: mask.rules|nil, jobs: integer|nil, tables: string[]|nil, progress: nil|fun(p: table)}
---@return backup.check
function mask.check(spec) end

---The columns that can hold text, the largest tables first, as scan() sees them.
---@param conn db.connection
---@param tables string[]|nil only these
---@return {schema: string, table: string, column: string, type: string, bytes: integer, kind: "text"|"foreign", carrier: "text"|"json"|"bytes"|"nested"}[]
function mask.columns(conn, tables) end

---The certificate with a signature over its JSON: keys sorted, no white space, without `signature`.
---@param certificate mask.certificate
---@param key string|secret Ed25519 private key, PEM
---@return mask.certificate
function mask.sign(certificate, key) end
---@param certificate mask.certificate
---@param key string|secret Ed25519 public or private key, PEM
---@return boolean valid, string|nil why not
function mask.verify(certificate, key) end

return mask
