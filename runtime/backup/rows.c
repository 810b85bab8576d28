#include "rows.h"

#include <stdlib.h>
#include <string.h>

bool cl_rows_init(struct cl_rows *rows, enum cl_copy_format format, size_t n_fields,
                  struct cl_err *err)
{
    memset(rows, 0, sizeof *rows);
    rows->format = format;
    rows->n_fields = n_fields;
    rows->began = format == CL_COPY_TEXT;
    rows->fields = calloc(n_fields + 1, sizeof *rows->fields);
    cl_buf_init(&rows->carry, CL_ROW_BYTES_MAX);
    return rows->fields || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

void cl_rows_fini(struct cl_rows *rows)
{
    free(rows->fields);
    rows->fields = NULL;
    cl_buf_fini(&rows->carry);
}

bool cl_rows_feed(struct cl_rows *rows, const char *bytes, size_t n, struct cl_err *err)
{
    if (rows->carry.len == 0) {
        cl_buf_trim(&rows->carry, CL_ROWS_KEEP_BYTES);
        rows->at = bytes;
        rows->left = n;
        rows->in_carry = false;
        return true;
    }
    if (!cl_buf_add(&rows->carry, bytes, n)) {
        return cl_fail(err, CL_INVALID, "E_ROW_TOO_WIDE",
                       "row %llu is wider than 1 GB, PostgreSQL's limit of a message",
                       (unsigned long long)rows->n + 1);
    }
    rows->at = rows->carry.data;
    rows->left = rows->carry.len;
    rows->in_carry = true;
    return true;
}

/* Keeps what is left for the next chunk. */
static enum cl_row_status need_more(struct cl_rows *rows)
{
    if (rows->in_carry) {
        cl_buf_shift(&rows->carry, rows->carry.len - rows->left);
    } else if (rows->left > 0 && !cl_buf_add(&rows->carry, rows->at, rows->left)) {
        return CL_ROW_BAD;
    }
    rows->left = 0;
    return CL_ROW_MORE;
}

enum cl_row_status cl_rows_next(struct cl_rows *rows)
{
    size_t used = 0;
    enum cl_row_status status;
    if (rows->ended) {
        return rows->left == 0 ? CL_ROW_MORE : CL_ROW_BAD; /* nothing may follow the trailer */
    }
    if (rows->left == 0) {
        return need_more(rows);
    }
    if (!rows->began) {
        status = cl_row_binary_header(rows->at, rows->left, &used);
        if (status != CL_ROW_OK) {
            return status == CL_ROW_MORE ? need_more(rows) : status;
        }
        rows->began = true;
        rows->at += used;
        rows->left -= used;
        return cl_rows_next(rows);
    }
    if (rows->format == CL_COPY_BINARY) {
        status = cl_row_binary(rows->at, rows->left, rows->n_fields, rows->fields, &used);
    } else {
        status =
            cl_row_text(rows->at, rows->left, rows->n_fields, rows->fields, &used, &rows->scanned);
    }
    if (status == CL_ROW_MORE) {
        return need_more(rows);
    }
    if (status == CL_ROW_BAD) {
        return status;
    }
    rows->row = rows->at;
    rows->row_bytes = used;
    rows->at += used;
    rows->left -= used;
    if (status == CL_ROW_END) {
        rows->ended = true;
        if (rows->in_carry && rows->left == 0) {
            cl_buf_reset(&rows->carry);
        }
    } else {
        rows->n++;
    }
    return status;
}

bool cl_rows_complete(const struct cl_rows *rows)
{
    bool rest = rows->left > 0 || rows->carry.len > 0;
    return !rest && (rows->ended || rows->format == CL_COPY_TEXT);
}
