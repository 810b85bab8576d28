local t = require "tap"
local crypto = require "crypto"
local errors = require "errors"
local json = require "json"
local secret = require "secret"

local keys = crypto.rsa_generate(2048)
local other = crypto.rsa_generate(2048)

t.test("digests match published vectors", function()
  t.eq(crypto.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  -- RFC 4231, test case 2
  t.eq(crypto.hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
end)

t.test("base64 and base64url", function()
  t.eq(crypto.base64_encode("\xfb\xff\0"), "+/8A")
  t.eq(crypto.base64url_encode("\xfb\xff"), "-_8")
  t.eq(crypto.base64_encode(""), "")
  for n = 0, 9 do
    local bytes = crypto.random(n)
    t.eq(#bytes, n)
    t.eq(crypto.base64_decode(crypto.base64_encode(bytes)), bytes)
    t.eq(crypto.base64url_decode(crypto.base64url_encode(bytes)), bytes)
  end
end)

t.test("what is not base64 is refused", function()
  for _, text in ipairs { "abc", "ab=c", "a b=", "ab==\n", "-_8A", "Zg==Zg==" } do
    t.raises(function() crypto.base64_decode(text) end, { class = "invalid", code = "E_BASE64" })
  end
  for _, text in ipairs { "+/8A", "Zg==", "a", "Z g", "a\0bc" } do
    t.raises(function() crypto.base64url_decode(text) end, { class = "invalid" })
  end
end)

t.test("uuids are version 4 and differ", function()
  t.like(crypto.uuid(), "^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$")
  t.eq(#crypto.uuid(), 36)
  t.ok(crypto.uuid() ~= crypto.uuid())
end)

t.test("equal compares whole strings", function()
  t.ok(crypto.equal("abc", "abc"))
  t.ok(not crypto.equal("abc", "abd"))
  t.ok(not crypto.equal("abc", "abcd"))
end)

-- RFC 7515, appendix A.2
local RFC_KEY = { kty = "RSA", e = "AQAB",
  n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    .. "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    .. "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    .. "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" }
local RFC_TOKEN = "eyJhbGciOiJSUzI1NiJ9"
  .. ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
  .. ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj"
  .. "Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7"
  .. "K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np"
  .. "6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

t.test("the RS256 example of RFC 7515 verifies", function()
  local claims = crypto.jwt_verify { token = RFC_TOKEN, jwks = { keys = { RFC_KEY } },
    issuer = "joe", now_s = 1300819000 }
  t.eq(claims, { iss = "joe", exp = 1300819380, ["http://example.com/is_root"] = true })
  t.raises(function() crypto.jwt_verify { token = RFC_TOKEN, jwks = { keys = { RFC_KEY } } } end,
    { class = "permission", match = "expired" })
end)

t.test("the thumbprint example of RFC 7638", function()
  local pem = crypto.jwk_pem { kty = "RSA", e = "AQAB",
    n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
      .. "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
      .. "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
      .. "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" }
  t.eq(crypto.jwk(pem).kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
end)

local NOW = 1700000000

local function sign(claims, more)
  local o = { key = keys.private_pem, claims = claims }
  for k, v in pairs(more or {}) do o[k] = v end
  return crypto.jwt_sign(o)
end

local function verify(token, more)
  local o = { token = token, key = keys.public_pem, now_s = NOW }
  for k, v in pairs(more or {}) do o[k] = v end
  return crypto.jwt_verify(o)
end

local function refused(token, more, why)
  t.raises(function() verify(token, more) end,
    { class = "permission", code = "E_TOKEN", match = why })
end

t.test("a token goes round, with the private key, the public key and a key set", function()
  local token = sign({ iss = "a", exp = NOW + 10, n = 9007199254740993 }, { kid = "k1" })
  t.eq(verify(token).n, 9007199254740993)
  t.eq(verify(token, { key = keys.private_pem }).iss, "a")
  local set = { keys = { crypto.jwk(other.public_pem, "k0"), crypto.jwk(keys.public_pem, "k1") } }
  t.eq(verify(token, { jwks = set }).iss, "a")
  t.eq(verify(token, { jwks = json.decode(json.encode(set)) }).iss, "a")
end)

t.test("lifetime_s sets iat and exp", function()
  local claims = crypto.jwt_verify { token = sign({}, { lifetime_s = 60 }), key = keys.public_pem }
  t.eq(claims.exp - claims.iat, 60)
end)

t.test("a tampered token is refused", function()
  local head, body, signature = sign({ exp = NOW + 10, sub = "x" }):match("^(.-)%.(.-)%.(.-)$")
  local forged = crypto.base64url_encode(json.encode { exp = NOW + 10, sub = "y" })
  refused(head .. "." .. forged .. "." .. signature, nil, "signature is wrong")
  local first = signature:sub(1, 1) == "A" and "B" or "A"
  refused(head .. "." .. body .. "." .. first .. signature:sub(2), nil, "signature is wrong")
  refused(head .. "." .. body .. ".", nil, "three parts")
  refused(head .. "." .. body, nil, "three parts")
  refused("", nil, "three parts")
  refused(sign { exp = NOW + 10 }, { key = other.public_pem }, "signature is wrong")
end)

-- The classics: "none" is not an algorithm, and the public key is not an HMAC key.
t.test("other algorithms are refused", function()
  local body = crypto.base64url_encode(json.encode { exp = NOW + 10 })
  for _, alg in ipairs { "none", "None", "HS256", "RS384", "PS256", "" } do
    local head = crypto.base64url_encode(json.encode { alg = alg, typ = "JWT" })
    local input = head .. "." .. body
    local mac = crypto.base64url_encode(crypto.hmac_sha256(keys.public_pem, input))
    refused(input .. "." .. mac, nil, "not RS256")
  end
  local head = crypto.base64url_encode '{"typ":"JWT"}'
  refused(head .. "." .. body .. ".AAAA", nil, "not RS256")
  refused("AAAA." .. body .. ".AAAA", nil, "header cannot be read")
end)

t.test("critical extensions are refused", function()
  local head = crypto.base64url_encode '{"alg":"RS256","crit":["b64"],"b64":false}'
  refused(head .. ".AAAA.AAAA", nil, "critical")
end)

t.test("times are checked, with leeway", function()
  refused(sign { exp = NOW - 60 }, nil, "expired")
  t.ok(verify(sign { exp = NOW - 59 }))
  refused(sign { exp = NOW - 1 }, { leeway_s = 0 }, "expired")
  refused(sign { exp = NOW + 100, nbf = NOW + 61 }, nil, "not valid yet")
  t.ok(verify(sign { exp = NOW + 100, nbf = NOW + 60 }))
  refused(sign { sub = "x" }, nil, "never expires")
  refused(sign { exp = "tomorrow" }, nil, "no number")
  refused(sign { exp = json.null }, nil, "no number")
end)

t.test("issuer and audience are checked", function()
  refused(sign { exp = NOW + 10, iss = "b" }, { issuer = "a" }, "another issuer")
  refused(sign { exp = NOW + 10 }, { issuer = "a" }, "another issuer")
  t.ok(verify(sign { exp = NOW + 10, aud = "me" }, { audience = "me" }))
  t.ok(verify(sign { exp = NOW + 10, aud = json.array { "you", "me" } }, { audience = "me" }))
  refused(sign { exp = NOW + 10, aud = "you" }, { audience = "me" }, "another audience")
  refused(sign { exp = NOW + 10 }, { audience = "me" }, "another audience")
  refused(sign { exp = NOW + 10, aud = "you" }, nil, "names an audience")
end)

t.test("a key set without the token's key is refused", function()
  local token = sign({ exp = NOW + 10 }, { kid = "k9" })
  refused(token, { jwks = { keys = { crypto.jwk(keys.public_pem, "k1") } } }, "no key")
  refused(token, { jwks = { keys = {} } }, "no key")
  refused(token, { jwks = {} }, "no key")
  local encryption = crypto.jwk(keys.public_pem, "k9")
  encryption.use = "enc"
  refused(token, { jwks = { keys = { encryption } } }, "no key")
  local two = { keys = { crypto.jwk(keys.public_pem, "a"), crypto.jwk(other.public_pem, "b") } }
  refused(sign { exp = NOW + 10 }, { jwks = two }, "several keys")
end)

t.test("keys that will not do", function()
  t.raises(function() sign({}, { key = "nonsense" }) end, { class = "invalid", code = "E_KEY" })
  t.raises(function() sign({}, { key = keys.public_pem }) end, { class = "invalid" })
  t.raises(function() crypto.jwk "nonsense" end, { class = "invalid", code = "E_KEY" })
  t.raises(function() crypto.rsa_generate(1024) end, { match = "2048" })
  t.raises(function() crypto.jwk_pem { n = crypto.base64url_encode(crypto.random(128)), e = "AQAB" } end,
    { class = "invalid" })
  t.raises(function() crypto.jwk_pem {} end, { class = "invalid" })
end)

t.test("a secret will do for a key", function()
  local ok, folder = pcall(secret.reveal, secret "env:TEST_TMP")
  local path = (ok and folder or "/tmp") .. "/crypto-test-" .. crypto.uuid()
  secret.put("file:" .. path, keys.private_pem)
  local token = sign({ exp = NOW + 10 }, { key = secret("file:" .. path) })
  t.ok(verify(token))
  t.eq(crypto.hmac_sha256(secret("file:" .. path), "x"),
    crypto.hmac_sha256((keys.private_pem:gsub("\n$", "")), "x"))
  local e = errors.new("bug", "X", "key: " .. keys.private_pem)
  t.ok(not e.message:find("MII"), "the key is in a message")
end)

t.test("Ed25519 signs as RFC 8032 says", function()
  -- test 1 of section 7.1: an empty message; the key as RFC 8410 wraps it
  local function bytes(hex) return (hex:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end)) end
  local der = bytes("302e020100300506032b657004220420"
    .. "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
  local pem = "-----BEGIN PRIVATE KEY-----\n" .. crypto.base64_encode(der) .. "\n-----END PRIVATE KEY-----\n"
  t.eq(crypto.hex(crypto.ed25519_sign(pem, "")), "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    .. "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
  t.eq(crypto.ed25519_id(pem), crypto.sha256(bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")))
  local pair = crypto.ed25519_generate()
  local signature = crypto.ed25519_sign(pair.private_pem, "message")
  t.ok(crypto.ed25519_verify(pair.public_pem, "message", signature))
  t.ok(not crypto.ed25519_verify(pair.public_pem, "massage", signature))
  t.ok(not crypto.ed25519_verify(pair.public_pem, "message", signature:sub(2)))
  t.ok(not crypto.ed25519_verify(pem, "message", signature))
end)

t.done()
