---@meta crypto
-- luacheck: ignore

---@class crypto.module
local crypto = {}
---@param bytes string
---@return string hex
function crypto.sha256(bytes) end
---@param key string|secret
---@param bytes string
---@return string raw
function crypto.hmac_sha256(key, bytes) end
---@param bytes string
---@return string
function crypto.hex(bytes) end
---@param bytes string
---@return string
function crypto.base64_encode(bytes) end
---@param text string
---@return string
function crypto.base64_decode(text) end
---@param bytes string
---@return string
function crypto.base64url_encode(bytes) end
---@param text string
---@return string
function crypto.base64url_decode(text) end
---@param n integer how many bytes
---@return string raw
function crypto.random(n) end
---Are two strings equal? Takes as long whatever they hold.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end
---@return string a random UUID (version 4)
function crypto.uuid() end
---@param bits integer|nil
---@return {private_pem: string, public_pem: string}
function crypto.rsa_generate(bits) end
---@return {private_pem: string, public_pem: string}
function crypto.ed25519_generate() end
---@param key string|secret private key, PEM
---@param message string
---@return string raw 64 bytes
function crypto.ed25519_sign(key, message) end
---@param key string|secret public or private key, PEM
---@param message string
---@param signature string
---@return boolean
function crypto.ed25519_verify(key, message, signature) end
---What names a key: SHA-256 of the public one.
---@param key string|secret public or private key, PEM
---@return string hex
function crypto.ed25519_id(key) end
---RS256. lifetime_s sets iat and exp where the claims have none.
---@param options {key: string|secret, claims: table, kid: string|nil, lifetime_s: integer|nil}
---@return string
function crypto.jwt_sign(options) end
---Raises class permission for a token that must not be believed.
---@param options {token: string, key: string|secret|nil, jwks: table|nil, issuer: string|nil, audience: string|nil, leeway_s: integer|nil, now_s: integer|nil}
---@return table claims
function crypto.jwt_verify(options) end
---The public key as a JSON Web Key.
---@param public_pem string|secret a public key, certificate or private key
---@param kid string|nil default: the key's thumbprint
---@return table
function crypto.jwk(public_pem, kid) end
---The public key of a JSON Web Key.
---@param jwk table
---@return string pem
function crypto.jwk_pem(jwk) end

return crypto
