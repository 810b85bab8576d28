/*
 * Encryption of an archive's files: AES-256-GCM in chunks, a key of its own for every file.
 *
 *   archive key = HKDF-SHA256(secret key, salt of the archive, "cloner archive key")
 *   check       = HKDF-SHA256(secret key, salt of the archive, "cloner archive check"), 16 bytes
 *   file key    = HKDF-SHA256(archive key, salt of the file, "cloner file " + name), 39 bytes:
 *                 32 of the key, 7 that start every nonce
 *   file        = "CLSEAL01", the salt (32 bytes, random), chunks
 *   chunk       = ciphertext (65536 bytes, in the last one 0 to 65536), tag (16 bytes)
 *   nonce       = the 7 bytes, the chunk's number from 0 (4 bytes, big endian), 1 in the last, else
 * 0 AAD         = name of the file in the archive
 *
 * So chunks that are altered, missing, repeated, in another order, of another file or under another
 * name do not authenticate, and neither does a file that was cut off, wherever.
 */
#ifndef CL_BACKUP_SEAL_H
#define CL_BACKUP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    CL_SEAL_KEY_BYTES = 32,
    CL_SEAL_SALT_BYTES = 32,
    CL_SEAL_CHECK_BYTES = 16,
    CL_SEAL_CHUNK_BYTES = 65536,
    CL_SEAL_TAG_BYTES = 16,
    CL_SEAL_HEADER_BYTES = 40,
};

/* The key in a secret: 32 bytes as they are, as 64 hexadecimal digits, or in base64; a line's end
 * after the text does no harm. Class invalid, code E_ARCHIVE_KEY, for anything else. */
bool cl_seal_parse_key(const char *text, size_t n, uint8_t key[CL_SEAL_KEY_BYTES],
                       struct cl_err *err);

/* HKDF-SHA256 (RFC 5869), at most 64 bytes of output. */
bool cl_hkdf_sha256(const uint8_t *key, size_t key_bytes, const uint8_t *salt, size_t salt_bytes,
                    const char *info, size_t info_bytes, uint8_t *out, size_t out_bytes);

/* What an archive's files are sealed with. */
struct cl_seal {
    uint8_t key[CL_SEAL_KEY_BYTES];     /* the archive key */
    uint8_t salt[CL_SEAL_SALT_BYTES];   /* of the archive; in its manifest */
    uint8_t check[CL_SEAL_CHECK_BYTES]; /* tells a wrong key; in its manifest */
};

/* Derives key and check; salt is set by the caller. */
bool cl_seal_derive(struct cl_seal *seal, const uint8_t secret[CL_SEAL_KEY_BYTES],
                    struct cl_err *err);

/* One file being encrypted or decrypted, chunk by chunk, in order. */
struct cl_seal_file;

/* For a new file: header gets what it starts with. */
struct cl_seal_file *cl_seal_begin(const struct cl_seal *seal, const char *name,
                                   char header[CL_SEAL_HEADER_BYTES], struct cl_err *err);

/* For one that starts with header. */
struct cl_seal_file *cl_seal_resume(const struct cl_seal *seal, const char *name,
                                    const char header[CL_SEAL_HEADER_BYTES], struct cl_err *err);

/* Encrypts n bytes, CL_SEAL_CHUNK_BYTES of them unless last; out gets n + CL_SEAL_TAG_BYTES. */
bool cl_seal_chunk(struct cl_seal_file *file, const char *bytes, size_t n, bool last, char *out,
                   struct cl_err *err);

/* Decrypts n bytes, tag included, of a chunk; out gets n - CL_SEAL_TAG_BYTES, and only what
 * authenticates: else class invalid, code E_ARCHIVE_ALTERED. */
bool cl_unseal_chunk(struct cl_seal_file *file, const char *bytes, size_t n, bool last, char *out,
                     struct cl_err *err);

void cl_seal_free(struct cl_seal_file *file); /* wipes the key; NULL is fine */

#endif
