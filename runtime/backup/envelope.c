#include "envelope.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/hash.h"
#include "json.h"
#include "manifest.h"

#define CIPHER "AES-256-GCM"
#define KDF "HKDF-SHA256"

enum { HEX_BYTES_MAX = 2 * CL_SEAL_SALT_BYTES + 1 };

bool cl_same_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static void put_hex(struct cl_buf *out, const char *before, const uint8_t *bytes, size_t n)
{
    char hex[HEX_BYTES_MAX];
    cl_hex(bytes, n, hex);
    cl_buf_addf(out, "%s\"%s\"", before, hex);
}

bool cl_envelope_write(struct cl_buf *out, const struct cl_envelope *e)
{
    cl_buf_addf(out, "{\n  \"format_version\": %d,\n", CL_ARCHIVE_VERSION);
    cl_buf_adds(out, "  \"encryption\": {\"cipher\": \"" CIPHER "\", \"kdf\": \"" KDF "\",\n");
    put_hex(out, "                 \"salt\": ", e->salt, sizeof e->salt);
    put_hex(out, ",\n                 \"check\": ", e->check, sizeof e->check);
    cl_buf_addf(out,
                "},\n  \"manifest\": {\"file\": \"" CL_MANIFEST_SEALED_FILE "\", \"bytes\": %llu",
                (unsigned long long)e->manifest.bytes);
    cl_buf_addf(out, ", \"sha256\": \"%s\"},\n", e->manifest.sha256);
    return cl_buf_adds(out, "  \"producer\": \"cloner\"\n}\n");
}

static const char *text_of(const struct cl_json *object, const char *key)
{
    const struct cl_json *v = cl_json_get(object, key, CL_JSON_STRING);
    return v ? v->string : "";
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool from_hex(const char *text, uint8_t *out, size_t n)
{
    bool ok = strlen(text) == 2 * n;
    for (size_t i = 0; ok && i < n; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        ok = high >= 0 && low >= 0;
        out[i] = (uint8_t)(ok ? high << 4 | low : 0);
    }
    return ok;
}

static bool bad(const char *what, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_MANIFEST", CL_MANIFEST_FILE ": '%s' is missing or wrong",
                   what);
}

static bool read_encryption(struct cl_envelope *e, const struct cl_json *root,
                            const struct cl_json *encryption, struct cl_err *err)
{
    const struct cl_json *manifest = cl_json_get(root, "manifest", CL_JSON_OBJECT);
    const struct cl_json *bytes = cl_json_get(manifest, "bytes", CL_JSON_INTEGER);
    const char *sha256 = text_of(manifest, "sha256");
    if (strcmp(text_of(encryption, "cipher"), CIPHER) != 0 ||
        strcmp(text_of(encryption, "kdf"), KDF) != 0) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_VERSION",
                       CL_MANIFEST_FILE ": the archive is encrypted with %.40s and %.40s; this "
                                        "cloner knows " CIPHER " and " KDF,
                       text_of(encryption, "cipher"), text_of(encryption, "kdf"));
    }
    if (!from_hex(text_of(encryption, "salt"), e->salt, sizeof e->salt) ||
        !from_hex(text_of(encryption, "check"), e->check, sizeof e->check)) {
        return bad("salt", err);
    }
    if (!bytes || bytes->integer < 0 || strlen(sha256) != CL_SHA256_HEX_BYTES - 1) {
        return bad("manifest", err);
    }
    e->manifest.bytes = (uint64_t)bytes->integer;
    memcpy(e->manifest.sha256, sha256, sizeof e->manifest.sha256);
    return true;
}

bool cl_envelope_parse(struct cl_envelope *e, bool *sealed, const char *text, size_t n,
                       struct cl_err *err)
{
    struct cl_json *root = cl_json_parse(text, n, err);
    if (!root) {
        return cl_err_context(err, CL_MANIFEST_FILE);
    }
    const struct cl_json *encryption = cl_json_get(root, "encryption", CL_JSON_OBJECT);
    *sealed = encryption != NULL;
    bool ok =
        !*sealed || (cl_manifest_version(root, err) && read_encryption(e, root, encryption, err));
    cl_json_free(root);
    return ok;
}
