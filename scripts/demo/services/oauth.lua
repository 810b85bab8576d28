-- oauth: tokens by client credentials (RFC 6749, 4.4), for the one client SuperId knows.
local crypto = require "crypto"
local time = require "time"

local M = {}

local LIFE_S = 300
local TOKENS_MAX = 1000

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function refuse(status, why)
  return { status = status, json = { error = why }, headers = { ["Cache-Control"] = "no-store" } }
end

--- Makes the token endpoint.
---@param client table {id=, secret=}
function M.new(client)
  local tokens, count = {}, 0
  local oauth = {}

  local function forget_old()
    for token, ends_ms in pairs(tokens) do
      if ends_ms < time.monotonic() then tokens[token], count = nil, count - 1 end
    end
  end

  --- Answers POST of grant_type=client_credentials with Basic authentication.
  function oauth.issue(_, request)
    local basic = (request.headers.authorization or ""):match("^Basic%s+(%S+)$")
    local ok, pair = pcall(crypto.base64_decode, basic or "")
    local id, key = (ok and pair or ""):match("^([^:]*):(.*)$")
    if not id or unescape(id) ~= client.id or unescape(key) ~= client.secret then
      return refuse(401, "invalid_client")
    end
    if not ("&" .. (request.body or "") .. "&"):find("&grant_type=client_credentials&", 1, true) then
      return refuse(400, "unsupported_grant_type")
    end
    forget_old()
    if count >= TOKENS_MAX then return refuse(503, "temporarily_unavailable") end
    local token = crypto.base64url_encode(crypto.random(24))
    tokens[token], count = time.monotonic() + LIFE_S * 1000, count + 1
    return { status = 200, headers = { ["Cache-Control"] = "no-store" },
      json = { access_token = token, token_type = "Bearer", expires_in = LIFE_S } }
  end

  --- Was this token issued, and does it still live?
  function oauth.knows(_, token)
    local ends_ms = tokens[token or ""]
    return ends_ms ~= nil and ends_ms >= time.monotonic()
  end

  return oauth
end

return M
