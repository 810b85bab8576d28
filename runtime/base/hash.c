#include "hash.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

struct cl_sha256_stream {
    EVP_MD_CTX *md; /* owned */
};

void cl_sha256(const void *bytes, size_t n, uint8_t out[CL_SHA256_BYTES])
{
    EVP_Digest(bytes, n, out, NULL, EVP_sha256(), NULL);
}

void cl_hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t n,
                    uint8_t out[CL_SHA256_BYTES])
{
    unsigned len = CL_SHA256_BYTES;
    HMAC(EVP_sha256(), key, (int)key_bytes, bytes, n, out, &len);
}

struct cl_sha256_stream *cl_sha256_new(void)
{
    struct cl_sha256_stream *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->md = EVP_MD_CTX_new();
    if (!s->md || !EVP_DigestInit_ex(s->md, EVP_sha256(), NULL)) {
        cl_sha256_free(s);
        return NULL;
    }
    return s;
}

void cl_sha256_add(struct cl_sha256_stream *s, const void *bytes, size_t n)
{
    EVP_DigestUpdate(s->md, bytes, n);
}

void cl_sha256_end(struct cl_sha256_stream *s, uint8_t out[CL_SHA256_BYTES])
{
    EVP_DigestFinal_ex(s->md, out, NULL);
}

void cl_sha256_free(struct cl_sha256_stream *s)
{
    if (s) {
        EVP_MD_CTX_free(s->md);
        free(s);
    }
}

void cl_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

int cl_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool cl_base64_encode(struct cl_buf *out, const void *bytes, size_t n)
{
    size_t room = (n + 2) / 3 * 4;
    if (!cl_buf_reserve(out, room)) {
        return false;
    }
    int len = EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes, (int)n);
    out->len += (size_t)len;
    return true;
}

/* Digits of base64, then at most two of padding. EVP_DecodeBlock would also take white space
 * around it and padding anywhere. */
static bool is_base64(const char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 2 && n > 0 && text[n - 1] == '='; i++) {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\0' || !strchr(digits, text[i])) {
            return false;
        }
    }
    return true;
}

bool cl_base64_decode(struct cl_buf *out, const char *text, size_t n)
{
    if (n % 4 != 0 || !is_base64(text, n) || !cl_buf_reserve(out, n / 4 * 3)) {
        return false;
    }
    int len =
        EVP_DecodeBlock((unsigned char *)out->data + out->len, (const unsigned char *)text, (int)n);
    if (len < 0) {
        return false;
    }
    /* EVP_DecodeBlock counts the padding as zero bytes. */
    for (size_t i = n; i > 0 && text[i - 1] == '=' && len > 0; i--) {
        len--;
    }
    out->len += (size_t)len;
    out->data[out->len] = '\0';
    return true;
}

bool cl_random(void *out, size_t n)
{
    return RAND_bytes(out, (int)n) == 1;
}
