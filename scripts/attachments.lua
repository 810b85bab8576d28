-- attachments: which files of the archive travel with a copy, by what the copy's own rows call them.
-- That takes reading all messages of a tenant, so it is done ahead where there is a copy before anything
-- goes offline, and holds for as long as nobody has written to the tables it comes from.
local errors = require "errors"
local copy = require "copy"

local M = {}

-- An attachment's file is named from its place and id. System attachments are those of no request.
local FILE = "SELECT l.path || '/' || a.id AS name FROM crm7.attachment a "
  .. "JOIN crm7.attachment_location l USING (attachment_location_id) "
local REQUESTS = "(SELECT attachment_id FROM crm7.ticket_attachment UNION SELECT body_attachment "
  .. "FROM crm7.ej_message WHERE body_attachment IS NOT NULL)"
local KINDS = {
  all = FILE,
  system = FILE .. "WHERE a.id NOT IN " .. REQUESTS,
  requests = FILE .. "WHERE a.id IN " .. REQUESTS,
  faq = FILE .. "WHERE a.id IN (SELECT attachment_id FROM crm7.kb_attachment)",
  replies = FILE .. "WHERE a.id IN (SELECT attachment_id FROM crm7.reply_template_attachment)",
  packages = FILE .. "WHERE a.id IN (SELECT attachment_id FROM crm7.ejpackage)",
}

-- A document's file is named by its reference; "some" are the chosen users'.
local DOCUMENTS = {
  all = "SELECT extref AS name FROM crm7.document WHERE archiveprovider = 0",
  some = [[SELECT d.extref AS name FROM crm7.document d
    JOIN crm7.appointment p ON p.document_id = d.document_id
    JOIN crm7.associate u ON u.associate_id = p.associate_id
    WHERE d.archiveprovider = 0 AND u.name = ANY (string_to_array($1, E'\n'))]],
}

-- The tables these queries read.
local READ = { "crm7.attachment", "crm7.attachment_location", "crm7.ticket_attachment", "crm7.ej_message",
  "crm7.kb_attachment", "crm7.reply_template_attachment", "crm7.ejpackage" }
local READ_FOR = { all = { "crm7.document" }, some = { "crm7.document", "crm7.appointment", "crm7.associate" } }

--- Raises for a word the attachments parameter does not know.
---@param wanted string[]
function M.check(wanted)
  for _, kind in ipairs(wanted) do
    if kind ~= "none" and not KINDS[kind] then
      errors.raise("invalid", "E_ATTACHMENTS", ("attachments=%s: none, all, system, or any of requests, faq, "
        .. "replies, packages"):format(kind))
    end
  end
end

--- The names of the files that are wanted.
---@param users table[] the chosen ones, with their `associate`
---@return table set
local function names(conn, params, users)
  local found, initials = {}, {}
  local function add(rows)
    for _, row in ipairs(rows) do found[row.name or ""] = true end
  end
  for _, kind in ipairs(params.attachments) do
    if KINDS[kind] then add(conn:query(KINDS[kind])) end
  end
  for i, user in ipairs(users) do initials[i] = user.associate end
  if params.documents == "all" then add(conn:query(DOCUMENTS.all)) end
  if params.documents == "some" then add(conn:query(DOCUMENTS.some, table.concat(initials, "\n"))) end
  return found
end

-- By run. Not journalled, for there may be millions: whoever goes on with a run in another process looks again.
local known = {}

--- Looks while the test environment is still online.
---@param conn any to the copy that step 1 has made
function M.look_ahead(run, conn, users) known[run.id] = names(conn, run.params, users) end

local function still_true(run, conn)
  local untouched = copy.done_ahead(run, conn)
  for _, list in ipairs { READ, READ_FOR[run.params.documents] or {} } do
    for _, name in ipairs(list) do
      if not untouched[name] then return false end
    end
  end
  return true
end

--- Is a file of the archive one that the copy calls for?
---@param conn any to the copy
---@return fun(item: {name: string}): boolean
function M.filter(run, conn, users)
  local wanted = known[run.id]
  known[run.id] = nil
  if not (wanted and still_true(run, conn)) then wanted = names(conn, run.params, users) end
  return function(item) return wanted[item.name] == true end
end

return M
