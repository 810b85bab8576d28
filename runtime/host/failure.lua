-- failure: an error object as it is written to the journal and to JSON.
local json = require "json"
local text = require "text"

local M = {}

local DETAIL_BYTES_MAX = 256 * 1024

--- A plain table {class, code, message, retryable, detail, traceback}.
function M.data(e)
  local out = { class = e.class, code = e.code, message = e.message,
    retryable = e.retryable or false }
  if type(e.detail) == "string" then
    out.detail = e.detail
  elseif e.detail ~= nil then
    local ok, detail = pcall(json.encode, e.detail)
    if ok and #detail <= DETAIL_BYTES_MAX then out.detail = json.decode(detail) end
  end
  local trace = e.class == "bug" and text.script_traceback(e.traceback) or ""
  if trace ~= "" then out.traceback = trace end
  return out
end

return M
