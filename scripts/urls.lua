-- urls: texts of a tenant that hold its own URLs and paths, and become the target's in a copy.
local db = require "db"

local M = {}

-- By table, the columns. Those of FOUND are large: reading every row takes a while.
local OWN_URLS = {
  { "ejscript", { "body" } }, { "ej_message", { "body", "html_body" } }, { "ejuser", { "signature" } },
  { "reply_template", { "body_html" } }, { "registry", { "value" } }, { "extapp", { "url1" } },
}
local FOUND = { ej_message = true }
local FOUND_MAX = 20000 -- rows: with more, looking for them is not what takes the time

-- Web panels of the Service part and the variables they become.
local PANELS = { ticket = "<csti>", rms = "<csrm>", customer = "<cscu>", blogic = "<csbl>" }

local function any_of(columns, pattern)
  local list = {}
  for i, column in ipairs(columns) do list[i] = ("%s ~* %s"):format(db.ident(column), pattern) end
  return table.concat(list, " OR ")
end

local PATTERN = [[('(^|/)' || $1 || '\M')]]

--- Where rewrite() will have something to do, looked up while there is time: {table = {row, …}}. A row
--- is where it lies (ctid), which holds as long as nothing is written to the table.
function M.find(conn, source)
  local found = {}
  for _, place in ipairs(OWN_URLS) do
    if FOUND[place[1]] then
      local rows = conn:query(("SELECT ctid::text AS row FROM crm7.%s WHERE %s LIMIT %d"):format(
        db.ident(place[1]), any_of(place[2], PATTERN), FOUND_MAX + 1), source.ctx)
      local list = {}
      for i, r in ipairs(rows) do list[i] = r.row end
      if #list <= FOUND_MAX then found["crm7." .. place[1]] = list end
    end
  end
  return found
end

local function rewrite_table(conn, name, columns, source, target, rows)
  local sets = {}
  for i, column in ipairs(columns) do
    local c = db.ident(column)
    sets[i] = c .. " = CASE WHEN " .. c .. " ~* " .. PATTERN .. " THEN regexp_replace(replace(" .. c
      .. [[, $2, $3), '(^|/)' || $1 || '\M', '\1' || $4, 'gi') ELSE ]] .. c .. " END"
  end
  local change = ("UPDATE crm7.%s SET "):format(db.ident(name)) .. table.concat(sets, ", ") .. " WHERE ("
    .. any_of(columns, PATTERN) .. ")"
  if not rows then return conn:exec(change, source.ctx, source.endpoint, target.endpoint, target.ctx) end
  if #rows == 0 then return 0 end
  return conn:exec(change .. " AND ctid = ANY ($5::text::tid[])", source.ctx, source.endpoint,
    target.endpoint, target.ctx, '{"' .. table.concat(rows, '","') .. '"}')
end

--- Makes the source's URLs the target's.
---@param found table what find() found and still holds
---@return integer panels, integer texts
function M.rewrite(conn, source, target, found)
  local panels, texts = 0, 0
  for panel, variable in pairs(PANELS) do
    panels = panels + conn:exec([[UPDATE crm7.extapp SET url1 = regexp_replace(url1,
        '^https?://[^/]+/cust[0-9]+/cs/scripts/' || $1 || '\.fcgi\??', $2 || '?', 'i')
      WHERE url1 ~* ('^https?://[^/]+/cust[0-9]+/cs/scripts/' || $1 || '\.fcgi')]], panel, variable)
  end
  for _, place in ipairs(OWN_URLS) do
    texts = texts + rewrite_table(conn, place[1], place[2], source, target, found["crm7." .. place[1]])
  end
  return panels, texts
end

return M
