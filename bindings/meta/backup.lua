---@meta backup
-- luacheck: ignore

---@class backup.summary
---@field tables integer
---@field rows integer
---@field large_objects integer copied
---@field bytes integer
---@field stored_bytes integer of the archive's files
---@field seconds number
---@field masked integer
---@field shortened integer
---@field kept integer
---@field resumed_parts integer of the parts, done by an earlier run (resume)
---@field resumed_rows integer in them
---@field snapshot string|nil
---@field snapshot_seconds number how long the source's snapshot was held
---@field xmin_age integer the greatest age of its xmin seen, in transactions; 0: not watched
---@field archive string|nil
---@field checksum string|nil SHA-256 of an archive's manifest, and so of all of it
---@field compared integer|nil tables that were read back, with compare
---@field warnings string[]

---@class backup.reading what reads a source takes
---@field source string|secret connection string or URI
---@field source_password string|secret|nil
---@field max_bytes_per_second integer|nil of all workers together
---@field max_replica_lag_ms integer|nil workers wait while a replica is further behind
---@field warn_xmin_age integer|nil a warning past so many transactions

---@class backup.writing what fills a target takes
---@field target string|secret connection string or URI of an existing, empty database
---@field target_password string|secret|nil
---@field mask mask.rules|nil
---@field exclude_data string[]|nil "schema.table": made, without rows
---@field leave string[]|nil what stays behind: owners, privileges, publications, subscriptions, user_mappings, tablespaces, large_objects
---@field tablespaces table<string, string>|nil of the source, what they are called in the target
---@field jobs integer|nil workers, 1 to 64; default 2
---@field compare boolean|nil the copy is read back: E_COPY_DIFFERS unless it is what passed
---@field toast_lz4 boolean|nil false: wide values are not stored with lz4
---@field resume string|nil a name for this copy: the same call goes on with one that was killed
---@field data_only boolean|nil rows alone, into tables that are there
---@field truncate boolean|nil with data_only: what these tables hold goes first
---@field progress nil|fun(p: backup.progress)

---@class backup.streaming: backup.reading, backup.writing
---@field part_bytes integer|nil tables above this are copied in parts of it; default: what suits the jobs
---@field keep_snapshot_s integer|nil how long the snapshot of a killed copy waits (resume); default 900

---@class backup.restoring: backup.writing
---@field archive backup.place
---@field key string|secret|nil of an encrypted archive
---@field password string|secret|nil of the target
---@field tables string[]|nil "schema.table": these alone, with what they need

---@class backup.creating: backup.reading
---@field password string|secret|nil of the source
---@field to backup.place where nothing is yet
---@field key string|secret|nil 32 bytes: the archive is encrypted with it
---@field level integer|nil of zstd, 1 to 19
---@field restored_with mask.rules|nil their methods can be applied when it is restored
---@field exclude_data string[]|nil
---@field leave string[]|nil "large_objects"
---@field jobs integer|nil
---@field part_bytes integer|nil
---@field resume string|nil
---@field keep_snapshot_s integer|nil
---@field progress nil|fun(p: backup.progress)

local backup = {}

---@class backup.progress
---@field done integer of total
---@field total integer 0 until it is known
---@field unit string what both are measured in: "bytes" on the source's disk
---@field bytes integer moved
---@field rows integer moved
---@field parts_done integer pieces of tables
---@field parts_total integer 0 until it is known
---@field phase string|nil "schema", "rows", "indexes", "views", "statistics", "compare"
---@field objects string[] in work now: "crm7.person", "index crm7.person_email_idx 45 %"
---@field note string|nil why it waits, or what is unusual
---@field bytes_per_second number|nil smoothed
---@field seconds_left number|nil an estimate

---@class backup.difference
---@field kind string "table", "sequence", "materialised view" …
---@field table string
---@field problem string|nil
---@field source_rows integer
---@field target_rows integer
---@field rows string[]|nil some of those that differ, by their keys

---@class backup.comparison
---@field equal boolean
---@field tables backup.difference[] all that were compared
---@field differences backup.difference[] the first 1000 that are not what they should be
---@field n_differences integer
---@field rows integer
---@field seconds number

---@alias backup.place string|table a folder, a URL, a store of blob.open, or what that takes

---@class backup.listing
---@field created string
---@field database string
---@field server_version string
---@field format_version integer
---@field encrypted boolean
---@field level integer|nil of zstd
---@field large_objects integer
---@field rows integer
---@field bytes integer
---@field stored_bytes integer
---@field checksum string
---@field tables {schema: string, name: string, format: string, rows: integer, bytes: integer, stored_bytes: integer, files: integer}[]

---Backs a database up to a place where there is nothing yet. Nothing is masked.
---@param options backup.creating
---@return backup.summary
function backup.create(options) end
---Checks an archive without a server. Raises naming the file and what is wrong with it.
---@param options {archive: backup.place, key: string|secret|nil, jobs: integer|nil, progress: nil|fun(p: backup.progress)}
---@return backup.summary
function backup.verify(options) end
---What is in an archive.
---@param options {archive: backup.place, key: string|secret|nil}
---@return backup.listing
function backup.list(options) end
---Writes one table of an archive as COPY data to a new file, or to standard output ("-").
---@param options {archive: backup.place, key: string|secret|nil, table: string, to: string, progress: nil|fun(p: backup.progress)}
---@return backup.summary
function backup.cat(options) end
---Makes a plain archive of an encrypted one.
---@param options {archive: backup.place, key: string|secret|nil, to: string, progress: nil|fun(p: backup.progress)}
---@return backup.summary
function backup.decrypt(options) end
---Restores an archive, or single tables of it ("schema.table") with what they need, into an existing, empty database. compare: reads the copy back, E_COPY_DIFFERS unless it is what passed.
---@param options backup.restoring
---@return backup.summary
function backup.restore(options) end
---Copies a database into an existing, empty one with nothing between but the mask.
---@param options backup.streaming
---@return backup.summary
function backup.stream(options) end
---Fills tables of a copy again that was made from the source's files: those named come through the mask.
---@param options {source: string|secret, source_password: string|secret|nil, target: string|secret, target_password: string|secret|nil, mask: mask.rules|nil, tables: string[], exclude_data: string[]|nil, jobs: integer|nil, leave: string[]|nil, compare: boolean|nil, progress: nil|fun(p: backup.progress)}
---@return backup.summary
function backup.rewrite(options) end
---Raises what stream would raise before it writes anything.
---@param options backup.streaming
---@return backup.summary
function backup.preflight(options) end
---@class backup.finding
---@field kind string "width", "unique", "check", "domain", "partition", "foreign key", "emptied", "folded", "method", "not null" or "methods"
---@field schema string
---@field table string
---@field columns string names with ", " between
---@field name string|nil of the index or constraint
---@field count integer rows
---@field limit integer|nil width: of the column, in characters
---@field needed integer|nil width: the least that would do
---@field other string|nil foreign key, emptied: the column or table referred to; of a rule: kinds of the methods its columns have
---@field sample string|nil shortened, masked

---@class backup.check
---@field columns {schema: string, table: string, column: string, changed: integer, shortened: integer, squeezed: integer, unfit: integer, limit: integer|nil, needed: integer|nil}[]
---@field findings backup.finding[]
---@field not_checked {kind: string, name: string, reason: string}[]
---@field references {schema: string, table: string, column: string, name: string, other: string, count: integer}[] foreign keys whose values are addresses
---@field definitions {kind: string, object: string, domain: string, sample: string, count: integer}[] addresses in the schema
---@field tables integer
---@field rows integer
---@field bytes integer
---@field seconds number

---Reads a database through the mask and says what a copy would stumble over. Findings do not raise.
---@param options {source: string|secret, source_password: string|secret|nil, password: string|secret|nil, mask: mask.rules, exclude_data: string[]|nil, tables: string[]|nil, jobs: integer|nil, progress: nil|fun(p: backup.progress), max_bytes_per_second: integer|nil, max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return backup.check
function backup.check(options) end
---Raises when the server is too old, or too new for every pg_dump that is installed here.
---@param options {source: string|secret, password: string|secret|nil}
function backup.probe(options) end
---The copy called key (option resume) will not be gone on with: its snapshot is let go.
---@param options {key: string}
function backup.forget(options) end
---Compares a source (database or archive), masked, with a target: row counts and checksums.
---@param options {source: string|secret|nil, source_password: string|secret|nil, archive: backup.place|nil, key: string|secret|nil, target: string|secret, target_password: string|secret|nil, mask: mask.rules|nil, exclude_data: string[]|nil, jobs: integer|nil, progress: nil|fun(p: backup.progress), max_bytes_per_second: integer|nil, max_replica_lag_ms: integer|nil, warn_xmin_age: integer|nil}
---@return backup.comparison
function backup.compare(options) end

return backup
