-- own: makes a copy the target's own. Nothing in it may call out, send or run by itself, and what spoke
-- of the source's addresses on the web speaks of the target's.
--
-- Step 6 does it; with strategy golden it is done ahead, while the test environment is online, and step
-- 6 looks only at what was written since.
local db = require "db"
local tenant = require "platform.tenant"

local M = {}

-- Texts that may hold the source's own URLs or paths: by table, the columns.
local OWN_URLS = {
  { "ejscript", { "body" } }, { "ej_message", { "body", "html_body" } }, { "ejuser", { "signature" } },
  { "reply_template", { "body_html" } }, { "registry", { "value" } }, { "extapp", { "url1" } },
}

-- Web panels of the Service part and the variables they become.
local PANELS = { ticket = "<csti>", rms = "<csrm>", customer = "<cscu>", blogic = "<csbl>" }

local function rewrite_table(conn, name, columns, source, target)
  local sets, any = {}, {}
  for i, column in ipairs(columns) do
    local c = db.ident(column)
    any[i] = c .. [[ ~* ('(^|/)' || $1 || '\M')]]
    sets[i] = c .. " = CASE WHEN " .. any[i] .. " THEN regexp_replace(replace(" .. c
      .. [[, $2, $3), '(^|/)' || $1 || '\M', '\1' || $4, 'gi') ELSE ]] .. c .. " END"
  end
  return conn:exec(("UPDATE crm7.%s SET "):format(db.ident(name)) .. table.concat(sets, ", ") .. " WHERE "
    .. table.concat(any, " OR "), source.ctx, source.endpoint, target.endpoint, target.ctx)
end

local function rewrite_urls(conn, source, target, done, count)
  count.panels, count.texts = 0, 0
  for panel, variable in pairs(PANELS) do
    count.panels = count.panels + conn:exec([[UPDATE crm7.extapp SET url1 = regexp_replace(url1,
        '^https?://[^/]+/cust[0-9]+/cs/scripts/' || $1 || '\.fcgi\??', $2 || '?', 'i')
      WHERE url1 ~* ('^https?://[^/]+/cust[0-9]+/cs/scripts/' || $1 || '\.fcgi')]], panel, variable)
  end
  for _, place in ipairs(OWN_URLS) do
    if not done["crm7." .. place[1]] then
      count.texts = count.texts + rewrite_table(conn, place[1], place[2], source, target)
    end
  end
end

local function close_tickets(conn)
  return conn:exec([[
    WITH closed_as AS (
      SELECT id FROM crm7.ticket_status WHERE status = 2 AND NOT deleted ORDER BY id LIMIT 1
    ), closed AS (
      UPDATE crm7.ticket SET status = 2, ticket_status = (SELECT id FROM closed_as),
        closed_at = localtimestamp, last_changed = localtimestamp, alert_timeout = NULL, activate = NULL
      WHERE status IN (1, 3) RETURNING id, ticket_status
    ), ended AS (
      UPDATE crm7.ticket_status_history h SET ended_at = localtimestamp
      FROM closed WHERE h.ticket_id = closed.id AND h.ended_at IS NULL
    )
    INSERT INTO crm7.ticket_status_history (ticket_id, status, ticket_status, started_at)
    SELECT id, 2, ticket_status, localtimestamp FROM closed]])
end

--- What the target's old configuration said of itself; empty when there was no old database.
---@param previous string|nil the database it was in
function M.configuration(config, target, previous)
  if not previous then return {} end
  local conn <close> = tenant.connect(config, target.cluster, previous, true)
  return conn:row([[SELECT cgi_url, cgi_url_internal, text_path, attachment_path, template_path,
    smtp_host, smtp_port, unique_id FROM crm7.config ORDER BY id LIMIT 1]]) or {}
end

--- Gives the copy the configuration that its target had, in the transaction conn is in.
---@param was table of configuration()
function M.configure(conn, target, was, unique_id)
  conn:exec([[UPDATE crm7.config SET unique_id = $1, cgi_url = coalesce($2, $9 || '/CS/scripts'),
    cgi_url_internal = coalesce($3, $9 || '/CS/scripts'), text_path = coalesce($4, text_path),
    attachment_path = coalesce($5, attachment_path), template_path = coalesce($6, template_path),
    smtp_host = coalesce($7, 'localhost'), smtp_port = coalesce($8, smtp_port)]],
    unique_id, was.cgi_url, was.cgi_url_internal, was.text_path, was.attachment_path,
    was.template_path, was.smtp_host, was.smtp_port, (target.endpoint:gsub("/+$", "")))
end

--- Does all of it, in the transaction conn is in. It may be done again.
---@param done table set of "schema.table" in which nothing was written since it was done
---@return table counts
function M.clean(conn, source, target, done)
  local count = { tickets_closed = 0 }
  rewrite_urls(conn, source, target, done, count)
  conn:exec("UPDATE crm7.company SET extrainfo = replace(extrainfo, $1, $2)", source.ctx, target.ctx)
  if not done["crm7.ticket"] then
    count.tickets_closed = close_tickets(conn)
    -- They came by mailboxes that step 12 removes.
    conn:exec("UPDATE crm7.ticket SET filter_id = NULL, filter_address = NULL WHERE filter_id IS NOT NULL")
  end
  conn:exec("DELETE FROM crm7.webhook_usage")
  count.webhooks = conn:exec("DELETE FROM crm7.webhook")
  count.batchtasks = conn:exec("UPDATE crm7.batchtask SET state = 5 WHERE state IN (1, 2, 3)")
  count.shipments = conn:exec("UPDATE crm7.s_shipment SET status = 5 WHERE status IN (3, 4, 6, 7, 9)")
  if not done["crm7.s_shipment_addr"] then
    conn:exec("UPDATE crm7.s_shipment_addr SET status = 0 WHERE status = 1")
  end
  count.erp_connections = conn:exec("UPDATE crm7.erpconnection SET active = false WHERE active")
  conn:exec("UPDATE crm7.ext_datasource SET host = NULL, username = NULL, password = NULL")
  conn:exec("DELETE FROM crm7.systemevent")
  conn:exec([[UPDATE crm7.userpreference SET prefvalue = 'No'
    WHERE prefkey IN ('Statistics OptIn - Configured', 'UserSync OptIn - Configured')
      AND prefvalue IS DISTINCT FROM 'No']])
  return count
end

return M
