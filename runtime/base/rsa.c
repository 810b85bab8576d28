#include "rsa.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "pem.h"

/* The words of libcrypto would tell an operator little, and may quote the key: dropped. */
static bool fail_key(struct cl_err *err, const char *what)
{
    ERR_clear_error();
    return cl_fail(err, CL_INVALID, "E_KEY", "%s", what);
}

static bool fail_memory(struct cl_err *err)
{
    ERR_clear_error();
    return cl_fail(err, CL_TRANSIENT, "E_CRYPTO", "libcrypto failed, out of memory?");
}

/* Takes ownership of *key; returns it, or NULL when it will not do for RS256. */
static EVP_PKEY *checked(EVP_PKEY *key, struct cl_err *err)
{
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        fail_key(err, "not an RSA key");
    } else if (EVP_PKEY_get_bits(key) < CL_RSA_BITS_MIN) {
        fail_key(err, "an RSA key of less than 2048 bits is refused");
    } else if (EVP_PKEY_get_bits(key) > CL_RSA_BITS_MAX) {
        fail_key(err, "an RSA key of more than 8192 bits is refused");
    } else {
        return key;
    }
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *read_private(const char *pem, size_t n, struct cl_err *err)
{
    EVP_PKEY *key = cl_pem_read_private(pem, n, err);
    return key ? checked(key, err) : NULL;
}

static EVP_PKEY *read_public(const char *pem, size_t n, struct cl_err *err)
{
    EVP_PKEY *key = cl_pem_read_public(pem, n, err);
    return key ? checked(key, err) : NULL;
}

bool cl_rsa_generate(int bits, struct cl_buf *private_pem, struct cl_buf *public_pem,
                     struct cl_err *err)
{
    if (bits < CL_RSA_BITS_MIN || bits > CL_RSA_BITS_MAX) {
        return fail_key(err, "an RSA key has 2048 to 8192 bits");
    }
    EVP_PKEY *key = EVP_RSA_gen((unsigned)bits);
    bool ok = key && cl_pem_write(key, private_pem, public_pem);
    EVP_PKEY_free(key);
    return ok || fail_memory(err);
}

bool cl_rsa_sign(const char *private_pem, size_t pem_bytes, const void *message, size_t n,
                 struct cl_buf *signature, struct cl_err *err)
{
    size_t bytes = 0;
    EVP_PKEY *key = read_private(private_pem, pem_bytes, err);
    if (!key) {
        return false;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, NULL, &bytes, message, n) == 1 &&
              cl_buf_reserve(signature, bytes) &&
              EVP_DigestSign(ctx, (unsigned char *)signature->data + signature->len, &bytes,
                             message, n) == 1;
    if (ok) {
        signature->len += bytes;
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok || fail_memory(err);
}

bool cl_rsa_verify(const char *public_pem, size_t pem_bytes, const void *message, size_t n,
                   const void *signature, size_t signature_bytes, bool *valid, struct cl_err *err)
{
    *valid = false;
    EVP_PKEY *key = read_public(public_pem, pem_bytes, err);
    if (!key) {
        return false;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1;
    if (ok) {
        *valid = EVP_DigestVerify(ctx, signature, signature_bytes, message, n) == 1;
        ERR_clear_error();
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok || fail_memory(err);
}

static bool add_number(EVP_PKEY *key, const char *name, struct cl_buf *out)
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1;
    size_t n = ok ? (size_t)BN_num_bytes(number) : 0;
    ok = ok && cl_buf_reserve(out, n);
    if (ok) {
        BN_bn2bin(number, (unsigned char *)out->data + out->len);
        out->len += n;
    }
    BN_free(number);
    return ok;
}

bool cl_rsa_numbers(const char *public_pem, size_t pem_bytes, struct cl_buf *modulus,
                    struct cl_buf *exponent, struct cl_err *err)
{
    EVP_PKEY *key = read_public(public_pem, pem_bytes, err);
    if (!key) {
        return false;
    }
    bool ok = add_number(key, OSSL_PKEY_PARAM_RSA_N, modulus) &&
              add_number(key, OSSL_PKEY_PARAM_RSA_E, exponent);
    EVP_PKEY_free(key);
    return ok || fail_memory(err);
}

static EVP_PKEY *key_of_params(OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool cl_rsa_from_numbers(const void *modulus, size_t modulus_bytes, const void *exponent,
                         size_t exponent_bytes, struct cl_buf *public_pem, struct cl_err *err)
{
    if (modulus_bytes > CL_RSA_BITS_MAX / 8 || exponent_bytes > 8) {
        return fail_key(err, "the numbers of the RSA key are too large");
    }
    bool ok = false;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (n && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    if (!params) {
        fail_memory(err);
        goto done;
    }
    key = key_of_params(params);
    if (!key) {
        fail_key(err, "the numbers make no RSA key");
        goto done;
    }
    key = checked(key, err);
    ok = key && (cl_pem_write(key, NULL, public_pem) || fail_memory(err));
done:
    EVP_PKEY_free(key);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    return ok;
}
