/*
 * Rows of COPY data, in both formats, cut into fields.  Pure functions over bytes.
 *
 * A row's fields point into the bytes given; nothing is copied.
 */
#ifndef CL_BACKUP_COPYROW_H
#define CL_BACKUP_COPYROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum cl_copy_format { CL_COPY_TEXT, CL_COPY_BINARY };

enum cl_row_status {
    CL_ROW_OK,   /* one whole row is there */
    CL_ROW_MORE, /* its end is not there yet */
    CL_ROW_END,  /* the trailer of the data */
    CL_ROW_BAD,  /* not COPY data, or a row with another number of fields */
};

struct cl_field {
    const char *data; /* text format: as it stands there, escaped */
    int64_t len;      /* bytes; -1: NULL */
};

enum {
    CL_COPY_HEADER_BYTES = 19, /* signature, flags, extension length 0 */
    CL_COPY_TRAILER_BYTES = 2, /* a field count of -1 */
    CL_COPY_FIELDS_MAX = 1664, /* PostgreSQL's limit for a row */
};

extern const char cl_copy_header[CL_COPY_HEADER_BYTES];
extern const char cl_copy_trailer[CL_COPY_TRAILER_BYTES];

/* The header at the start of binary data; *used gets its length, extension included. */
enum cl_row_status cl_row_binary_header(const char *p, size_t n, size_t *used);

/* The row at p, of n_fields fields (at most CL_COPY_FIELDS_MAX). *used gets its bytes. */
enum cl_row_status cl_row_binary(const char *p, size_t n, size_t n_fields, struct cl_field *fields,
                                 size_t *used);

/* Same for text format. *scanned remembers, between calls for the same row with more bytes, how far
 * the search for its end has come; 0 at first. A row that ends without a newline is not whole. */
enum cl_row_status cl_row_text(const char *p, size_t n, size_t n_fields, struct cl_field *fields,
                               size_t *used, size_t *scanned);

/* Appends the value a text field stands for; false when it ends in the middle of an escape. */
bool cl_text_unescape(struct cl_buf *out, const char *p, size_t n);

/* Appends the text field that stands for the value. */
bool cl_text_escape(struct cl_buf *out, const char *p, size_t n);

#endif
