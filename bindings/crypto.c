/* crypto: digests, encodings, random bytes, signatures. Tokens are made and checked in crypto.lua.
 */
#include <string.h>

#include <lauxlib.h>

#include <openssl/crypto.h>

#include "base/ed25519.h"
#include "base/hash.h"
#include "base/pem.h"
#include "base/rsa.h"
#include "box.h"
#include "host/await.h"
#include "modules.h"

enum { TEXT_BYTES_MAX = 64 * 1024 * 1024, RANDOM_BYTES_MAX = 1024 * 1024 };

static int raise_memory(lua_State *L)
{
    struct cl_err err;
    cl_fail(&err, CL_INVALID, "E_TOO_LARGE", "more than %d bytes, or out of memory",
            TEXT_BYTES_MAX);
    return cl_raise(L, &err);
}

static int push_buf(lua_State *L, const struct cl_buf *b)
{
    lua_pushlstring(L, cl_buf_str(b), b->len);
    return 1;
}

/* crypto.sha256(bytes) -> hex */
static int l_sha256(lua_State *L)
{
    size_t n;
    uint8_t digest[CL_SHA256_BYTES];
    char hex[2 * CL_SHA256_BYTES + 1];
    const char *bytes = luaL_checklstring(L, 1, &n);
    cl_sha256(bytes, n, digest);
    cl_hex(digest, sizeof digest, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* core.hmac_sha256(key, bytes) -> raw */
static int l_hmac_sha256(lua_State *L)
{
    size_t key_bytes;
    size_t n;
    uint8_t digest[CL_SHA256_BYTES];
    const char *key = luaL_checklstring(L, 1, &key_bytes);
    const char *bytes = luaL_checklstring(L, 2, &n);
    cl_hmac_sha256(key, key_bytes, bytes, n, digest);
    lua_pushlstring(L, (const char *)digest, sizeof digest);
    return 1;
}

/* crypto.hex(bytes) */
static int l_hex(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= TEXT_BYTES_MAX / 2, 1, "at most 32 MiB");
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, 2 * n + 1);
    cl_hex((const uint8_t *)bytes, n, out);
    luaL_pushresultsize(&b, 2 * n);
    return 1;
}

/* [-0, +1] the box with the base64 form of the string at 1 */
static struct cl_buf *encode(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= TEXT_BYTES_MAX / 2, 1, "at most 32 MiB");
    struct cl_buf *b = cl_box_push(L, TEXT_BYTES_MAX);
    if (!cl_base64_encode(b, bytes, n)) {
        raise_memory(L);
    }
    return b;
}

static int decode(lua_State *L, const char *text, size_t n, const char *form)
{
    luaL_argcheck(L, n <= TEXT_BYTES_MAX, 1, "at most 64 MiB");
    struct cl_buf *b = cl_box_push(L, TEXT_BYTES_MAX);
    if (!cl_base64_decode(b, text, n)) {
        struct cl_err err;
        cl_fail(&err, CL_INVALID, "E_BASE64", "not %s", form);
        return cl_raise(L, &err);
    }
    return push_buf(L, b);
}

/* crypto.base64_encode(bytes) */
static int l_base64_encode(lua_State *L)
{
    return push_buf(L, encode(L));
}

/* crypto.base64_decode(text): padded, nothing else in it; raises invalid */
static int l_base64_decode(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    return decode(L, text, n, "base64");
}

/* crypto.base64url_encode(bytes): RFC 4648, section 5, without padding */
static int l_base64url_encode(lua_State *L)
{
    struct cl_buf *b = encode(L);
    while (b->len > 0 && b->data[b->len - 1] == '=') {
        b->len--;
    }
    for (size_t i = 0; i < b->len; i++) {
        char c = b->data[i];
        b->data[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return push_buf(L, b);
}

/* crypto.base64url_decode(text): without padding; raises invalid */
static int l_base64url_decode(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= TEXT_BYTES_MAX / 2, 1, "at most 32 MiB");
    struct cl_buf *b = cl_box_push(L, TEXT_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool ours = c != '+' && c != '/' && c != '=';
        cl_buf_addc(b, !ours ? '?' : c == '-' ? '+' : c == '_' ? '/' : c);
    }
    for (size_t i = n; i % 4 != 0; i++) {
        cl_buf_addc(b, '=');
    }
    return b->failed ? raise_memory(L) : decode(L, cl_buf_str(b), b->len, "base64url");
}

/* crypto.random(n) -> n random bytes */
static int l_random(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= RANDOM_BYTES_MAX, 1, "0 to 1,048,576 bytes");
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, (size_t)n + 1);
    if (!cl_random(out, (size_t)n)) {
        return luaL_error(L, "the system has no random numbers");
    }
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* crypto.equal(a, b): in a time that does not tell where they differ */
static int l_equal(lua_State *L)
{
    size_t na;
    size_t nb;
    const char *a = luaL_checklstring(L, 1, &na);
    const char *b = luaL_checklstring(L, 2, &nb);
    lua_pushboolean(L, na == nb && CRYPTO_memcmp(a, b, na) == 0);
    return 1;
}

/* Pushes {private_pem, public_pem}; raises *err when they could not be made. */
static int push_pair(lua_State *L, bool made, const struct cl_buf *private_pem,
                     const struct cl_buf *public_pem, const struct cl_err *err)
{
    if (!made) {
        return cl_raise(L, err);
    }
    lua_createtable(L, 0, 2);
    push_buf(L, private_pem);
    lua_setfield(L, -2, "private_pem");
    push_buf(L, public_pem);
    lua_setfield(L, -2, "public_pem");
    return 1;
}

/* crypto.rsa_generate([bits = 2048]) -> {private_pem, public_pem} */
static int l_rsa_generate(lua_State *L)
{
    lua_Integer bits = luaL_optinteger(L, 1, CL_RSA_BITS_MIN);
    luaL_argcheck(L, bits >= CL_RSA_BITS_MIN && bits <= CL_RSA_BITS_MAX, 1, "2048 to 8192 bits");
    struct cl_err err;
    struct cl_buf *private_pem = cl_box_push(L, CL_PEM_MAX);
    struct cl_buf *public_pem = cl_box_push(L, CL_PEM_MAX);
    bool made = cl_rsa_generate((int)bits, private_pem, public_pem, &err);
    return push_pair(L, made, private_pem, public_pem, &err);
}

/* crypto.ed25519_generate() -> {private_pem, public_pem} */
static int l_ed25519_generate(lua_State *L)
{
    struct cl_err err;
    struct cl_buf *private_pem = cl_box_push(L, CL_PEM_MAX);
    struct cl_buf *public_pem = cl_box_push(L, CL_PEM_MAX);
    bool made = cl_ed25519_generate(private_pem, public_pem, &err);
    return push_pair(L, made, private_pem, public_pem, &err);
}

/* How cl_rsa_sign and cl_ed25519_sign are called: appends the signature. */
typedef bool sign_fn(const char *private_pem, size_t pem_bytes, const void *message, size_t n,
                     struct cl_buf *signature, struct cl_err *err);

/* (private_pem, message) -> signature of at most that many bytes */
static int sign_with(lua_State *L, sign_fn *sign, size_t bytes_max)
{
    size_t pem_bytes;
    size_t n;
    const char *pem = luaL_checklstring(L, 1, &pem_bytes);
    const char *message = luaL_checklstring(L, 2, &n);
    struct cl_err err;
    struct cl_buf *signature = cl_box_push(L, bytes_max);
    if (!sign(pem, pem_bytes, message, n, signature, &err)) {
        return cl_raise(L, &err);
    }
    return push_buf(L, signature);
}

/* core.rsa_sign(private_pem, message) -> signature */
static int l_rsa_sign(lua_State *L)
{
    return sign_with(L, cl_rsa_sign, CL_RSA_BITS_MAX / 8);
}

/* How cl_rsa_verify and cl_ed25519_verify are called. */
typedef bool verify_fn(const char *public_pem, size_t pem_bytes, const void *message, size_t n,
                       const void *signature, size_t signature_bytes, bool *valid,
                       struct cl_err *err);

/* (public_pem, message, signature) -> boolean */
static int verify_with(lua_State *L, verify_fn *verify)
{
    size_t pem_bytes;
    size_t n;
    size_t signature_bytes;
    const char *pem = luaL_checklstring(L, 1, &pem_bytes);
    const char *message = luaL_checklstring(L, 2, &n);
    const char *signature = luaL_checklstring(L, 3, &signature_bytes);
    struct cl_err err;
    bool valid;
    if (!verify(pem, pem_bytes, message, n, signature, signature_bytes, &valid, &err)) {
        return cl_raise(L, &err);
    }
    lua_pushboolean(L, valid);
    return 1;
}

/* core.rsa_verify(public_pem, message, signature) -> boolean */
static int l_rsa_verify(lua_State *L)
{
    return verify_with(L, cl_rsa_verify);
}

/* core.rsa_numbers(public_pem) -> modulus, exponent */
static int l_rsa_numbers(lua_State *L)
{
    size_t pem_bytes;
    const char *pem = luaL_checklstring(L, 1, &pem_bytes);
    struct cl_err err;
    struct cl_buf *modulus = cl_box_push(L, CL_RSA_BITS_MAX / 8);
    struct cl_buf *exponent = cl_box_push(L, CL_RSA_BITS_MAX / 8);
    if (!cl_rsa_numbers(pem, pem_bytes, modulus, exponent, &err)) {
        return cl_raise(L, &err);
    }
    return push_buf(L, modulus) + push_buf(L, exponent);
}

/* core.rsa_from_numbers(modulus, exponent) -> public_pem */
static int l_rsa_from_numbers(lua_State *L)
{
    size_t modulus_bytes;
    size_t exponent_bytes;
    const char *modulus = luaL_checklstring(L, 1, &modulus_bytes);
    const char *exponent = luaL_checklstring(L, 2, &exponent_bytes);
    struct cl_err err;
    struct cl_buf *pem = cl_box_push(L, CL_PEM_MAX);
    if (!cl_rsa_from_numbers(modulus, modulus_bytes, exponent, exponent_bytes, pem, &err)) {
        return cl_raise(L, &err);
    }
    return push_buf(L, pem);
}

/* core.ed25519_public(pem) -> the key's 32 bytes */
static int l_ed25519_public(lua_State *L)
{
    size_t pem_bytes;
    const char *pem = luaL_checklstring(L, 1, &pem_bytes);
    uint8_t key[CL_ED25519_KEY_BYTES];
    struct cl_err err;
    if (!cl_ed25519_public(pem, pem_bytes, key, &err)) {
        return cl_raise(L, &err);
    }
    lua_pushlstring(L, (const char *)key, sizeof key);
    return 1;
}

/* core.ed25519_sign(private_pem, message) -> signature */
static int l_ed25519_sign(lua_State *L)
{
    return sign_with(L, cl_ed25519_sign, CL_ED25519_BYTES);
}

/* core.ed25519_verify(public_pem, message, signature) -> boolean */
static int l_ed25519_verify(lua_State *L)
{
    return verify_with(L, cl_ed25519_verify);
}

int luaopen_cl_crypto(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sha256", l_sha256},
                                         {"hmac_sha256", l_hmac_sha256},
                                         {"hex", l_hex},
                                         {"base64_encode", l_base64_encode},
                                         {"base64_decode", l_base64_decode},
                                         {"base64url_encode", l_base64url_encode},
                                         {"base64url_decode", l_base64url_decode},
                                         {"random", l_random},
                                         {"equal", l_equal},
                                         {"rsa_generate", l_rsa_generate},
                                         {"rsa_sign", l_rsa_sign},
                                         {"rsa_verify", l_rsa_verify},
                                         {"rsa_numbers", l_rsa_numbers},
                                         {"rsa_from_numbers", l_rsa_from_numbers},
                                         {"ed25519_generate", l_ed25519_generate},
                                         {"ed25519_public", l_ed25519_public},
                                         {"ed25519_sign", l_ed25519_sign},
                                         {"ed25519_verify", l_ed25519_verify},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
