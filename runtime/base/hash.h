/* SHA-256, HMAC-SHA-256, base64 and hex, on libcrypto's EVP. Pure functions over bytes. */
#ifndef CL_HASH_H
#define CL_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum { CL_SHA256_BYTES = 32 };

void cl_sha256(const void *bytes, size_t n, uint8_t out[CL_SHA256_BYTES]);
void cl_hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t n,
                    uint8_t out[CL_SHA256_BYTES]);

/* Streaming SHA-256. new() returns NULL when out of memory; free() accepts NULL. */
struct cl_sha256_stream *cl_sha256_new(void);
void cl_sha256_add(struct cl_sha256_stream *s, const void *bytes, size_t n);
void cl_sha256_end(struct cl_sha256_stream *s, uint8_t out[CL_SHA256_BYTES]);
void cl_sha256_free(struct cl_sha256_stream *s);

void cl_hex(const uint8_t *bytes, size_t n, char *out); /* writes 2n characters and a NUL */
int cl_hex_digit(char c); /* what 0-9, a-f, A-F stand for; -1 for any other */
bool cl_base64_encode(struct cl_buf *out, const void *bytes, size_t n); /* RFC 4648, padded */
bool cl_base64_decode(struct cl_buf *out, const char *text, size_t n);  /* false: not base64 */

bool cl_random(void *out, size_t n); /* from the system; false when it has none */

#endif
