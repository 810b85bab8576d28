#include "seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/buf.h"
#include "base/hash.h"

enum { NONCE_BYTES = 12, NONCE_PREFIX_BYTES = 7, MAGIC_BYTES = 8, INFO_BYTES_MAX = 512 };

static const char magic[MAGIC_BYTES] = {'C', 'L', 'S', 'E', 'A', 'L', '0', '1'};

struct cl_seal_file {
    EVP_CIPHER_CTX *cipher;             /* owned; holds the file's key, wiped when freed */
    char *name;                         /* owned; authenticated with every chunk */
    uint8_t prefix[NONCE_PREFIX_BYTES]; /* of every nonce */
    uint64_t chunk;                     /* number of the next */
    bool open;                          /* decrypts */
    bool ended;                         /* the last chunk has passed */
};

/* ---------------------------------------------------------------- keys */

static bool from_hex(const char *text, uint8_t key[CL_SEAL_KEY_BYTES])
{
    for (size_t i = 0; i < CL_SEAL_KEY_BYTES; i++) {
        int high = cl_hex_digit(text[2 * i]);
        int low = cl_hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool from_base64(const char *text, size_t n, uint8_t key[CL_SEAL_KEY_BYTES])
{
    struct cl_buf raw;
    cl_buf_init(&raw, 2 * CL_SEAL_KEY_BYTES);
    bool ok = cl_base64_decode(&raw, text, n) && raw.len == CL_SEAL_KEY_BYTES;
    if (ok) {
        memcpy(key, raw.data, CL_SEAL_KEY_BYTES);
    }
    if (raw.data) {
        explicit_bzero(raw.data, raw.cap);
    }
    cl_buf_fini(&raw);
    return ok;
}

bool cl_seal_parse_key(const char *text, size_t n, uint8_t key[CL_SEAL_KEY_BYTES],
                       struct cl_err *err)
{
    size_t whole = n;
    if (n == CL_SEAL_KEY_BYTES) {
        memcpy(key, text, n);
        return true;
    }
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) && text[n - 1]) {
        n--;
    }
    size_t base64 = (CL_SEAL_KEY_BYTES + 2) / 3 * 4;
    if ((n == 2 * CL_SEAL_KEY_BYTES && from_hex(text, key)) ||
        (n == base64 && from_base64(text, n, key))) {
        return true;
    }
    /* a secret loses the line's end after it, which may be a raw key's last byte */
    bool cut = whole + 1 == CL_SEAL_KEY_BYTES;
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_KEY",
                   "the key of an archive is 32 random bytes, as 64 hexadecimal digits, in base64, "
                   "or as they are; the secret holds %zu bytes that are none of these%s",
                   whole, cut ? " (a raw key that ends with a line's end must be in base64)" : "");
}

bool cl_hkdf_sha256(const uint8_t *key, size_t key_bytes, const uint8_t *salt, size_t salt_bytes,
                    const char *info, size_t info_bytes, uint8_t *out, size_t out_bytes)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, info_bytes),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, out, out_bytes, params) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool failed(struct cl_err *err)
{
    return cl_fail(err, CL_BUG, "E_CRYPTO", "the cryptography library failed");
}

bool cl_seal_derive(struct cl_seal *seal, const uint8_t secret[CL_SEAL_KEY_BYTES],
                    struct cl_err *err)
{
    static const char for_key[] = "cloner archive key";
    static const char for_check[] = "cloner archive check";
    return (cl_hkdf_sha256(secret, CL_SEAL_KEY_BYTES, seal->salt, sizeof seal->salt, for_key,
                           sizeof for_key - 1, seal->key, sizeof seal->key) &&
            cl_hkdf_sha256(secret, CL_SEAL_KEY_BYTES, seal->salt, sizeof seal->salt, for_check,
                           sizeof for_check - 1, seal->check, sizeof seal->check)) ||
           failed(err);
}

/* ---------------------------------------------------------------- files */

static struct cl_seal_file *start(const struct cl_seal *seal, const char *name,
                                  const char header[CL_SEAL_HEADER_BYTES], bool open,
                                  struct cl_err *err)
{
    char info[INFO_BYTES_MAX];
    uint8_t material[CL_SEAL_KEY_BYTES + NONCE_PREFIX_BYTES];
    struct cl_seal_file *file = calloc(1, sizeof *file);
    int n = snprintf(info, sizeof info, "cloner file %s", name);
    if (file) {
        file->open = open;
        file->name = strdup(name);
        file->cipher = EVP_CIPHER_CTX_new();
    }
    if (!file || !file->name || !file->cipher || n < 0 || (size_t)n >= sizeof info) {
        cl_seal_free(file);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    bool ok = cl_hkdf_sha256(seal->key, sizeof seal->key, (const uint8_t *)header + MAGIC_BYTES,
                             CL_SEAL_SALT_BYTES, info, (size_t)n, material, sizeof material) &&
              EVP_CipherInit_ex(file->cipher, EVP_aes_256_gcm(), NULL, material, NULL, !open);
    memcpy(file->prefix, material + CL_SEAL_KEY_BYTES, sizeof file->prefix);
    explicit_bzero(material, sizeof material);
    if (!ok) {
        cl_seal_free(file);
        failed(err);
        return NULL;
    }
    return file;
}

struct cl_seal_file *cl_seal_begin(const struct cl_seal *seal, const char *name,
                                   char header[CL_SEAL_HEADER_BYTES], struct cl_err *err)
{
    memcpy(header, magic, MAGIC_BYTES);
    if (!cl_random(header + MAGIC_BYTES, CL_SEAL_SALT_BYTES)) {
        cl_fail(err, CL_TRANSIENT, "E_RANDOM", "the system gives no random bytes");
        return NULL;
    }
    return start(seal, name, header, false, err);
}

struct cl_seal_file *cl_seal_resume(const struct cl_seal *seal, const char *name,
                                    const char header[CL_SEAL_HEADER_BYTES], struct cl_err *err)
{
    if (memcmp(header, magic, MAGIC_BYTES) != 0) {
        cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: it is not an encrypted file",
                name);
        return NULL;
    }
    return start(seal, name, header, true, err);
}

/* Sets up the cipher for the next chunk. */
static bool next_chunk(struct cl_seal_file *file, bool last)
{
    uint8_t nonce[NONCE_BYTES];
    int n;
    if (file->ended || file->chunk > UINT32_MAX) {
        return false;
    }
    memcpy(nonce, file->prefix, NONCE_PREFIX_BYTES);
    for (size_t i = 0; i < 4; i++) {
        nonce[NONCE_PREFIX_BYTES + i] = (uint8_t)(file->chunk >> (24 - 8 * i));
    }
    nonce[NONCE_BYTES - 1] = last;
    file->ended = last;
    file->chunk++;
    return EVP_CipherInit_ex(file->cipher, NULL, NULL, NULL, nonce, -1) &&
           EVP_CipherUpdate(file->cipher, NULL, &n, (const unsigned char *)file->name,
                            (int)strlen(file->name));
}

bool cl_seal_chunk(struct cl_seal_file *file, const char *bytes, size_t n, bool last, char *out,
                   struct cl_err *err)
{
    int done = 0;
    int rest = 0;
    unsigned char *to = (unsigned char *)out;
    if (file->open || n > CL_SEAL_CHUNK_BYTES || (!last && n != CL_SEAL_CHUNK_BYTES)) {
        return failed(err);
    }
    if (file->chunk > UINT32_MAX) {
        return cl_fail(err, CL_INVALID, "E_TOO_LARGE", "%s is too large to be encrypted: 256 TiB",
                       file->name);
    }
    return (next_chunk(file, last) &&
            EVP_CipherUpdate(file->cipher, to, &done, (const unsigned char *)bytes, (int)n) &&
            EVP_CipherFinal_ex(file->cipher, to + done, &rest) && (size_t)(done + rest) == n &&
            EVP_CIPHER_CTX_ctrl(file->cipher, EVP_CTRL_AEAD_GET_TAG, CL_SEAL_TAG_BYTES, to + n)) ||
           failed(err);
}

bool cl_unseal_chunk(struct cl_seal_file *file, const char *bytes, size_t n, bool last, char *out,
                     struct cl_err *err)
{
    int done = 0;
    int rest = 0;
    unsigned char tag[CL_SEAL_TAG_BYTES];
    unsigned char *to = (unsigned char *)out;
    unsigned long long number = file->chunk;
    if (!file->open || n > CL_SEAL_CHUNK_BYTES + CL_SEAL_TAG_BYTES) {
        return failed(err);
    }
    if (n < CL_SEAL_TAG_BYTES) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED", "%s is truncated", file->name);
    }
    n -= CL_SEAL_TAG_BYTES;
    memcpy(tag, bytes + n, sizeof tag);
    if (next_chunk(file, last) &&
        EVP_CipherUpdate(file->cipher, to, &done, (const unsigned char *)bytes, (int)n) &&
        EVP_CIPHER_CTX_ctrl(file->cipher, EVP_CTRL_AEAD_SET_TAG, CL_SEAL_TAG_BYTES, tag) &&
        EVP_CipherFinal_ex(file->cipher, to + done, &rest) > 0) {
        return true;
    }
    explicit_bzero(out, n);
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED",
                   "%s was altered or cut off: its chunk %llu does not authenticate", file->name,
                   number);
}

void cl_seal_free(struct cl_seal_file *file)
{
    if (file) {
        EVP_CIPHER_CTX_free(file->cipher);
        explicit_bzero(file->prefix, sizeof file->prefix);
        free(file->name);
        free(file);
    }
}
