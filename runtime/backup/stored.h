/*
 * A file of an archive as it is stored: bytes pass through encryption, when the archive is
 * encrypted, and their checksum is taken on the far side of it. See archive.h for who opens them.
 */
#ifndef CL_BACKUP_STORED_H
#define CL_BACKUP_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "manifest.h"
#include "place.h"
#include "seal.h"

/* What the manifest keeps of a file. */
struct cl_stored {
    char sha256[CL_SHA256_HEX_BYTES]; /* of its bytes in the place */
    uint64_t bytes;                   /* of them */
};

struct cl_stored_writer;

/* seal NULL: as it is. place and seal are borrowed until it is closed. */
struct cl_stored_writer *cl_stored_create(struct cl_place *place, const struct cl_seal *seal,
                                          const char *name, struct cl_err *err);
bool cl_stored_write(struct cl_stored_writer *writer, const char *bytes, size_t n,
                     struct cl_err *err);
bool cl_stored_finish(struct cl_stored_writer *writer, struct cl_stored *stored,
                      struct cl_err *err);
void cl_stored_close_writer(struct cl_stored_writer *writer); /* NULL is fine */

struct cl_stored_reader;

struct cl_stored_reader *cl_stored_open(struct cl_place *place, const struct cl_seal *seal,
                                        const char *name, struct cl_err *err);

/* Points *bytes at the next ones, valid until the next call; *n 0 at the end. Encrypted bytes are
 * given only once they have authenticated. */
bool cl_stored_read(struct cl_stored_reader *reader, const char **bytes, size_t *n,
                    struct cl_err *err);

/* Reads what is left and compares: class invalid naming the file when it is not the one that was
 * stored, E_ARCHIVE_TRUNCATED or E_ARCHIVE_ALTERED. */
bool cl_stored_check(struct cl_stored_reader *reader, const struct cl_stored *stored,
                     struct cl_err *err);
void cl_stored_close_reader(struct cl_stored_reader *reader); /* NULL is fine */

#endif
