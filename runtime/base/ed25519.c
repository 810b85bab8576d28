#include "ed25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "pem.h"

static bool fail_crypto(struct cl_err *err)
{
    ERR_clear_error();
    return cl_fail(err, CL_TRANSIENT, "E_CRYPTO", "libcrypto failed, out of memory?");
}

/* Takes ownership of key; returns it, or NULL when it is of another kind or NULL. */
static EVP_PKEY *checked(EVP_PKEY *key, struct cl_err *err)
{
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(key);
        cl_fail(err, CL_INVALID, "E_KEY", "not an Ed25519 key");
        return NULL;
    }
    return key;
}

bool cl_ed25519_generate(struct cl_buf *private_pem, struct cl_buf *public_pem, struct cl_err *err)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    bool ok = key && cl_pem_write(key, private_pem, public_pem);
    EVP_PKEY_free(key);
    return ok || fail_crypto(err);
}

bool cl_ed25519_public(const char *pem, size_t pem_bytes, uint8_t raw[CL_ED25519_KEY_BYTES],
                       struct cl_err *err)
{
    EVP_PKEY *key = checked(cl_pem_read_public(pem, pem_bytes, err), err);
    size_t n = CL_ED25519_KEY_BYTES;
    if (!key) {
        return false;
    }
    bool ok = EVP_PKEY_get_raw_public_key(key, raw, &n) == 1;
    EVP_PKEY_free(key);
    return ok || fail_crypto(err);
}

bool cl_ed25519_sign(const char *private_pem, size_t pem_bytes, const void *message, size_t n,
                     struct cl_buf *signature, struct cl_err *err)
{
    EVP_PKEY *key = checked(cl_pem_read_private(private_pem, pem_bytes, err), err);
    if (!key) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = CL_ED25519_BYTES;
    bool ok = context && cl_buf_reserve(signature, len) &&
              EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, (unsigned char *)signature->data + signature->len, &len,
                             message, n) == 1;
    if (ok) {
        signature->len += len;
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return ok || fail_crypto(err);
}

bool cl_ed25519_verify(const char *public_pem, size_t pem_bytes, const void *message, size_t n,
                       const void *signature, size_t signature_bytes, bool *valid,
                       struct cl_err *err)
{
    EVP_PKEY *key = checked(cl_pem_read_public(public_pem, pem_bytes, err), err);
    if (!key) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1;
    *valid = ok && EVP_DigestVerify(context, signature, signature_bytes, message, n) == 1;
    ERR_clear_error(); /* of a signature that is not the key's */
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return ok || fail_crypto(err);
}
