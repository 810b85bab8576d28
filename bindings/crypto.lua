-- crypto: digests, encodings, Ed25519 signatures and RS256 tokens (RFC 7515, 7517, 7519).
--
-- Only RS256 is made and believed: a token saying "none" or HS256 is refused whatever its key.
local core = ...
local errors = require "errors"
local json = require "json"
local secret = require "secret"
local time = require "time"

local M = {
  sha256 = core.sha256, hex = core.hex, random = core.random, equal = core.equal,
  base64_encode = core.base64_encode, base64_decode = core.base64_decode,
  base64url_encode = core.base64url_encode, base64url_decode = core.base64url_decode,
  rsa_generate = core.rsa_generate, ed25519_generate = core.ed25519_generate,
}

local TOKEN_BYTES_MAX = 64 * 1024
local LEEWAY_S = 60

--- HMAC-SHA-256, raw bytes.
---@param key string|userdata a string or a secret
---@param bytes string
---@return string
function M.hmac_sha256(key, bytes)
  return core.hmac_sha256(secret.reveal(key), bytes)
end

--- An Ed25519 signature (RFC 8032), raw bytes.
---@param key string|userdata private key as PEM, or a secret
---@param message string
---@return string
function M.ed25519_sign(key, message) return core.ed25519_sign(secret.reveal(key), message) end

---@param key string|userdata public (or private) key as PEM, or a secret
---@param message string
---@param signature string raw bytes
---@return boolean
function M.ed25519_verify(key, message, signature)
  return core.ed25519_verify(secret.reveal(key), message, signature)
end

--- What names a key: SHA-256 of the 32 bytes of the public one, in hex.
---@param key string|userdata public (or private) key as PEM, or a secret
---@return string
function M.ed25519_id(key) return core.sha256(core.ed25519_public(secret.reveal(key))) end

--- A random UUID (RFC 9562, version 4).
---@return string
function M.uuid()
  local b = { core.random(16):byte(1, 16) }
  b[7] = b[7] & 0x0f | 0x40
  b[9] = b[9] & 0x3f | 0x80
  return ("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x"):format(
    table.unpack(b))
end

local function encode(value)
  return core.base64url_encode(json.encode(value))
end

--- Makes a signed token.
---@param o table {key = private PEM or secret, claims = table, kid = key id or nil,
---  lifetime_s = seconds or nil: sets iat and exp where the claims have none}
---@return string
function M.jwt_sign(o)
  if type(o.claims) ~= "table" then error("jwt_sign: claims must be a table", 2) end
  local claims = {}
  for k, v in pairs(o.claims) do claims[k] = v end
  if o.lifetime_s then
    claims.iat = claims.iat or time.now() // 1000
    claims.exp = claims.exp or claims.iat + o.lifetime_s
  end
  local input = encode { alg = "RS256", typ = "JWT", kid = o.kid } .. "." .. encode(claims)
  return input .. "." .. core.base64url_encode(core.rsa_sign(secret.reveal(o.key), input))
end

local function refuse(why)
  errors.raise("permission", "E_TOKEN", "token refused: " .. why)
end

-- Whatever cannot be decoded is a token we refuse, not a fault of ours.
local function decode(part, what)
  local ok, value = pcall(function() return json.decode(core.base64url_decode(part)) end)
  if not ok or type(value) ~= "table" then refuse("its " .. what .. " cannot be read") end
  return value
end

local function usable(jwk)
  return type(jwk) == "table" and jwk.kty == "RSA" and (jwk.use == nil or jwk.use == "sig")
    and (jwk.alg == nil or jwk.alg == "RS256")
end

-- The key of a set: by key id, or the only one there is.
local function pick(jwks, kid)
  local found
  for _, jwk in ipairs(type(jwks) == "table" and jwks.keys or {}) do
    if usable(jwk) and (kid == nil or jwk.kid == kid) then
      if found then refuse("several keys could have signed it") end
      found = jwk
    end
  end
  if not found then refuse("no key of the set has its key id") end
  return M.jwk_pem(found)
end

local function check_signature(o)
  if type(o.token) ~= "string" or #o.token > TOKEN_BYTES_MAX then refuse("it is no token") end
  local head, body, signature = o.token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then refuse("it is not three parts") end
  local header = decode(head, "header")
  if header.alg ~= "RS256" then refuse("its algorithm is not RS256") end
  if header.crit ~= nil then refuse("it has critical extensions") end
  local pem = o.jwks and pick(o.jwks, header.kid) or secret.reveal(o.key)
  local ok, raw = pcall(core.base64url_decode, signature)
  if not ok or not core.rsa_verify(pem, head .. "." .. body, raw) then
    refuse("its signature is wrong")
  end
  return decode(body, "claims")
end

local function check_time(claims, o)
  local now_s = o.now_s or time.now() // 1000
  local leeway_s = o.leeway_s or LEEWAY_S
  for _, name in ipairs { "exp", "nbf", "iat" } do
    if claims[name] ~= nil and type(claims[name]) ~= "number" then
      refuse("its " .. name .. " is no number")
    end
  end
  if not claims.exp then refuse("it never expires") end
  if now_s >= claims.exp + leeway_s then refuse("it has expired") end
  if claims.nbf and now_s < claims.nbf - leeway_s then refuse("it is not valid yet") end
end

-- RFC 7519, 4.1.3: a token for somebody is not for one who does not say who he is.
local function check_audience(claims, audience)
  local list = type(claims.aud) == "table" and claims.aud or { claims.aud }
  if #list == 0 and not audience then return end
  for _, name in ipairs(list) do
    if name == audience then return end
  end
  refuse(audience and "it is for another audience" or "it names an audience, the check does not")
end

--- Checks a token and returns its claims; raises permission otherwise.
---@param o table {token =, key = PEM or secret | jwks = {keys = {…}}, issuer = expected or nil,
---  audience = who we are, leeway_s = 60, now_s = as if it were this time}
---@return table
function M.jwt_verify(o)
  if not o.jwks and not o.key then error("jwt_verify: key or jwks is missing", 2) end
  local claims = check_signature(o)
  check_time(claims, o)
  if o.issuer and claims.iss ~= o.issuer then refuse("it is from another issuer") end
  check_audience(claims, o.audience)
  return claims
end

--- The public key as a JSON Web Key.
---@param public_pem string|userdata a public key, certificate or private key in PEM form
---@param kid string|nil key id; by default the key's thumbprint (RFC 7638)
---@return table
function M.jwk(public_pem, kid)
  local n, e = core.rsa_numbers(secret.reveal(public_pem))
  n, e = core.base64url_encode(n), core.base64url_encode(e)
  if not kid then
    local digest = core.sha256(('{"e":"%s","kty":"RSA","n":"%s"}'):format(e, n))
    kid = core.base64url_encode((digest:gsub("%x%x", function(x)
      return string.char(tonumber(x, 16))
    end)))
  end
  return { kty = "RSA", use = "sig", alg = "RS256", kid = kid, n = n, e = e }
end

--- The public key of a JSON Web Key, as PEM.
---@param jwk table
---@return string
function M.jwk_pem(jwk)
  if type(jwk.n) ~= "string" or type(jwk.e) ~= "string" then
    errors.raise("invalid", "E_KEY", "a JSON Web Key without n and e")
  end
  return core.rsa_from_numbers(core.base64url_decode(jwk.n), core.base64url_decode(jwk.e))
end

return M
