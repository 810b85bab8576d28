/*
 * Checksums of a table's rows that do not depend on their order: each row's hash is added up,
 * twice, in two ways.  Guards against mistakes, not against somebody who wants to deceive.
 */
#ifndef CL_BACKUP_CHECKSUM_H
#define CL_BACKUP_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transform.h"

struct cl_checksum {
    uint64_t rows;   /* how many */
    uint64_t sum[2]; /* of their hashes, and of a mix of them; modulo 2^64 */
};

bool cl_checksum_equal(const struct cl_checksum *a, const struct cl_checksum *b);

/* XXH64. */
uint64_t cl_hash64(const void *bytes, size_t n, uint64_t seed);

/* Adds a row, given as its bytes in COPY format. */
void cl_checksum_add(struct cl_checksum *sum, const char *row, size_t n);

/* Adds a row by its fields. A value whose parts the server may put in another order once one of
 * them was masked (jsonb keys, hstore) counts by its words in any order; char(n) without its
 * padding. */
void cl_checksum_add_fields(struct cl_checksum *sum, const struct cl_column *columns,
                            const struct cl_field *fields, size_t n);

#endif
