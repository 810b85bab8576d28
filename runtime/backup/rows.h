/*
 * COPY data cut into rows, across any chunk borders.  One per table and worker; not shared.
 */
#ifndef CL_BACKUP_ROWS_H
#define CL_BACKUP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "copyrow.h"

enum {
    CL_ROW_BYTES_MAX = 0x40000000 + 65536, /* PostgreSQL's own limit of a message, and some */
    CL_ROWS_KEEP_BYTES = 1024 * 1024,      /* buffers wider than that are given back after use */
};

/* Cuts a stream of chunks into rows. */
struct cl_rows {
    enum cl_copy_format format; /* of the data */
    size_t n_fields;            /* of each row */
    struct cl_field *fields;    /* the current row's, n_fields */
    const char *row;            /* the current row, from its first byte … */
    size_t row_bytes;           /* … to its last */
    uint64_t n;                 /* rows so far, the current one included */
    struct cl_buf carry;        /* the start of a row whose end is not there yet */
    const char *at;             /* not yet looked at */
    size_t left;                /* bytes at `at` */
    size_t scanned;             /* of `at`, see cl_row_text */
    bool in_carry;              /* `at` points into carry */
    bool began;                 /* the binary header has passed */
    bool ended;                 /* the trailer has passed */
};

bool cl_rows_init(struct cl_rows *rows, enum cl_copy_format format, size_t n_fields,
                  struct cl_err *err);
void cl_rows_fini(struct cl_rows *rows);

/* Hands in the next chunk; legal when cl_rows_next() said CL_ROW_MORE (or first of all). The chunk
 * must stay in place until it says so again. */
bool cl_rows_feed(struct cl_rows *rows, const char *bytes, size_t n, struct cl_err *err);

/* The next whole row: CL_ROW_OK and it is in fields/row, CL_ROW_MORE, CL_ROW_END, CL_ROW_BAD. */
enum cl_row_status cl_rows_next(struct cl_rows *rows);

/* All bytes were handed in: did the data end where a row ends (and, binary, with its trailer)? */
bool cl_rows_complete(const struct cl_rows *rows);

#endif
