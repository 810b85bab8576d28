/*
 * manifest.json of an encrypted archive: how it is encrypted, and where the manifest proper lies.
 * Nothing in it tells what the archive holds.
 */
#ifndef CL_BACKUP_ENVELOPE_H
#define CL_BACKUP_ENVELOPE_H

#include "base/buf.h"
#include "seal.h"
#include "stored.h"

struct cl_envelope {
    uint8_t salt[CL_SEAL_SALT_BYTES];   /* of the archive */
    uint8_t check[CL_SEAL_CHECK_BYTES]; /* of its key */
    struct cl_stored manifest;          /* CL_MANIFEST_SEALED_FILE */
};

bool cl_envelope_write(struct cl_buf *out, const struct cl_envelope *envelope);

/* *sealed false: the text is the manifest itself, or is to be refused by its reader. Refuses
 * versions and methods it does not know. */
bool cl_envelope_parse(struct cl_envelope *envelope, bool *sealed, const char *text, size_t n,
                       struct cl_err *err);

/* In a time that does not tell where they differ. */
bool cl_same_bytes(const uint8_t *a, const uint8_t *b, size_t n);

#endif
