---@meta procedure
-- luacheck: ignore

---@class procedure.context what preflight and plan functions get
---@field params table
---@field config table
---@field plan boolean|nil true for `cloner plan`

---@class procedure.retry
---@field attempts integer|nil default 5
---@field base_ms integer|nil first wait, default 1000; doubled each time, half of it random
---@field cap_ms integer|nil longest wait, default 60000

---@class procedure.plan
---@field touches string|string[]|nil
---@field rows integer|nil
---@field bytes integer|nil
---@field details string[]|nil lines printed below the step
---@field warnings string[]|nil

---@class procedure.step
---@field [1] string the step's name
---@field title string|nil "${param}" is filled in
---@field run fun(run: run): any its result is journalled
---@field check nil|fun(run: run): any the effect is there: its result; else nil. Asked when in doubt
---@field undo nil|fun(run: run, result: any) result is nil when the effect is unknown
---@field plan nil|fun(ctx: procedure.context): procedure.plan
---@field timeout string|nil "90s", "12h"; default 24h
---@field undo_timeout string|nil
---@field retry procedure.retry|nil
---@field help string|nil

---@class procedure.definition
---@field name string
---@field title string|nil
---@field params table<string, string|table>|nil name = "tenant" or {"string", default=, help=}
---@field target_key nil|fun(params: table): string one live run per key
---@field preflight nil|fun(ctx: procedure.context) raises what must be refused
---@field summary nil|fun(run: table): string|string[] printed when the run succeeded
---@field durable boolean|nil false: no journal
---@field customise string|nil the parameter that names the tenant's file; default "target"

---@class procedure
---@field name string
---@field params table<string, {type: string, default: any, help: string|nil}>
local P = {}

---@param step procedure.step
---@return procedure
function P:step(step) end

---@param name string
---@param why string
---@return procedure
function P:skip(name, why) end

---@param name string
---@param step table a step without its name
---@return procedure
function P:replace(name, step) end

---@param name string
---@param step procedure.step
---@return procedure
function P:before(name, step) end

---@param name string
---@param step procedure.step
---@return procedure
function P:after(name, step) end

---@class run
---@field id string
---@field params table
---@field config table
---@field step string
local run = {}

---Runs fn once in the life of the run; later calls give back what it returned.
---@generic T
---@param key string
---@param fn fun(): T
---@return T
function run:once(key, fn) end

---What run:once remembered in this step, or nil. For undo.
---@param key string
function run:once_value(key) end

---A safe point to stop.
---@param p {done: number|nil, total: number|nil, unit: string|nil, bytes: integer|nil, rows: integer|nil, note: string|nil}|backup.progress
function run:progress(p) end

---A safe point to stop.
---@param ms integer
function run:sleep(ms) end

---@param text string
function run:log(text) end

---@param text string
function run:warn(text) end

---@param step string
---@return any the result of an earlier step
function run:result(step) end

---Runs fn(conn) in a transaction that takes effect exactly once. Give a key where a later attempt
---may come by other transactions than the first did.
---@generic T
---@param conn db.connection
---@param fn fun(conn: db.connection): T
---@param key string|nil default: its order within the step
---@return T
function run:transaction(conn, fn, key) end

---Starts a script of the same folder as a run, or joins the live one of the same target key.
---@param script string
---@param params table|nil
---@param options {target_key: string|nil, idempotency_key: string|nil}|nil
---@return string id
function run:start(script, params, options) end

---@param script string
---@param options {idempotency_key: string|nil}|nil
---@return boolean|nil ours did this step start it (true) or join it (false); nil: neither
---@return string|nil id
function run:started(script, options) end

---Waits for a run and gives its result; takes it over when its process died. A safe point.
---@param id string
---@param options {progress: boolean|nil}|nil
---@return any
function run:join(id, options) end

---Asks for a run to be cancelled and waits; a run that others wait for goes on.
---@param id string
---@return string|nil how it ended
function run:cancel(id) end

---@param suffix string|integer|nil
---@return string "<run>/<step>[/suffix]", the same in every attempt
function run:idempotency_key(suffix) end

local procedure = {}

---@param definition procedure.definition
---@return procedure
function procedure.new(definition) end

---Where a call stands, for messages about it. level as for error(): 2 is the caller's caller.
---@param level integer
---@return string file
---@return integer line
function procedure.place(level) end

return procedure
