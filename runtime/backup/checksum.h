/*
 * Checksums of a table's rows that do not depend on their order: the halves of each row's 128-bit
 * hash (XXH3) are added up, so the sums of parts add up to that of the table.  Guards against
 * mistakes, not against somebody who wants to deceive.
 *
 * Pure functions over bytes.
 */
#ifndef CL_BACKUP_CHECKSUM_H
#define CL_BACKUP_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transform.h"

/* Of a row, or of some of its fields. */
struct cl_digest {
    uint64_t half[2]; /* low, high */
};

/* Of any number of rows. Equal sums in another run, or on another machine, mean equal rows too. */
struct cl_checksum {
    uint64_t rows;   /* how many */
    uint64_t sum[2]; /* of the halves of their digests, modulo 2^64 */
};

struct cl_digest cl_digest_bytes(const void *bytes, size_t n);

/* Of the row at row[0..n), cut into a field for each of the columns. Values that the server may
 * write in another way once an address in them was masked count so that it does not matter: jsonb
 * by its members in any order; hstore, tsvector and the like by their words in any order; arrays
 * and composites, whose quotes may go, by their words in order; char(n) without its padding. */
struct cl_digest cl_digest_row(enum cl_copy_format format, const char *row, size_t n,
                               const struct cl_column *columns, const struct cl_field *fields,
                               size_t n_fields);

/* Of a JSON document, whatever the order of its keys. doubled: as COPY's text format writes it.
 * False when it is nested too deeply, or is no JSON. */
bool cl_digest_json(struct cl_digest *digest, const char *p, size_t n, bool doubled);

/* Of the n fields with the given numbers alone. */
struct cl_digest cl_digest_fields(enum cl_copy_format format, const struct cl_column *columns,
                                  const struct cl_field *fields, const size_t *numbers, size_t n);

/* Has the table columns whose masked values the server may store in another form? If not, rows can
 * be taken as bytes. */
bool cl_checksum_normalises(const struct cl_column *columns, size_t n);

void cl_checksum_add(struct cl_checksum *sum, struct cl_digest row);
/* The digest of the current row of the transform, which became row[0..n); t->rows.fields are the
 * new row's when by_field is set, and undefined otherwise. */
bool cl_digest_transformed(struct cl_digest *digest, struct cl_transform *t, bool by_field,
                           const char *row, size_t n, struct cl_err *err);

/* Adds it. */
bool cl_checksum_transformed(struct cl_checksum *sum, struct cl_transform *t, bool by_field,
                             const char *row, size_t n, struct cl_err *err);
void cl_checksum_join(struct cl_checksum *sum, const struct cl_checksum *part);
bool cl_checksum_equal(const struct cl_checksum *a, const struct cl_checksum *b);

#endif
