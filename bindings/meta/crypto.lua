---@meta crypto
-- luacheck: ignore

---@class crypto.module
local crypto = {}
---@return string hex
function crypto.sha256(bytes) end
---@return string raw
function crypto.hmac_sha256(key, bytes) end
---@return string
function crypto.hex(bytes) end
---@return string
function crypto.base64_encode(bytes) end
---@return string
function crypto.base64_decode(text) end
---@return string
function crypto.base64url_encode(bytes) end
---@return string
function crypto.base64url_decode(text) end
---@return string
function crypto.random(n) end
---@return string
function crypto.uuid() end
---@return {private_pem: string, public_pem: string}
function crypto.rsa_generate(bits) end
---@param options {key: string|secret, claims: table, kid: string|nil}
---@return string
function crypto.jwt_sign(options) end
---@param options {token: string, key: string|nil, jwks: table|nil, issuer: string|nil, audience: string|nil, leeway_s: integer|nil}
---@return table claims
function crypto.jwt_verify(options) end
---@return table
function crypto.jwk(public_pem, kid) end

return crypto
