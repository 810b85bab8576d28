/*
 * Design notes. A range is read in one query, row by row: owners, privileges and small contents
 * together, so thousands of objects cost one round trip.  Rows of objects wider than INLINE_BYTES
 * come without contents and wait; when the query is through, each is read in pieces, the next piece
 * asked for before the last one is handed out, so that the server reads while the sink writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "largeobject_private.h"

enum {
    INLINE_BYTES = 64 * 1024,
    OUT_BYTES_MAX = 64 * 1024 * 1024, /* a batch, a piece, and what belongs to an object */
    HEAD_COLUMNS = 5,                 /* of largeobject.sql: oid, data, owner, grants, remarks */
};

enum phase { START, LISTING, PIECES, TRAILER, OVER };

struct cl_lo_source {
    struct cl_source base;    /* first */
    PGconn *conn;             /* borrowed; busy until the end */
    struct cl_lo_range range; /* a copy */
    enum phase phase;         /* what next() does next */
    struct cl_buf out;        /* the chunk handed out */
    PGresult **wide;          /* n_wide rows of objects that are read in pieces */
    size_t n_wide;            /* entries of wide */
    size_t wide_max;          /* room in wide */
    size_t at;                /* of wide, the one being read */
    int64_t offset;           /* in it, of the piece asked for */
    uint64_t objects;         /* seen so far */
    int64_t rows;             /* given so far */
};

void cl_lo_put_be(struct cl_buf *out, uint64_t v, int bytes)
{
    while (bytes-- > 0) {
        cl_buf_addc(out, (char)(v >> 8 * bytes));
    }
}

static void put_field(struct cl_buf *out, const PGresult *row, int column)
{
    if (PQgetisnull(row, 0, column)) {
        cl_lo_put_be(out, UINT32_MAX, 4);
        return;
    }
    int n = PQgetlength(row, 0, column);
    cl_lo_put_be(out, (uint64_t)n, 4);
    cl_buf_add(out, PQgetvalue(row, 0, column), (size_t)n);
}

static uint32_t oid_of(const PGresult *head)
{
    const unsigned char *p = (const unsigned char *)PQgetvalue(head, 0, 0);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Appends a row: column 0 of `data` (or column 1 of the head itself) are its contents. */
static void put_row(struct cl_lo_source *source, const PGresult *head, int64_t offset,
                    const PGresult *data, int data_column)
{
    struct cl_buf *out = &source->out;
    cl_lo_put_be(out, CL_LO_FIELDS, 2);
    put_field(out, head, 0);
    cl_lo_put_be(out, 8, 4);
    cl_lo_put_be(out, (uint64_t)offset, 8);
    put_field(out, data, data_column);
    for (int i = 2; i < HEAD_COLUMNS; i++) {
        if (offset == 0) {
            put_field(out, head, i);
        } else {
            cl_lo_put_be(out, UINT32_MAX, 4);
        }
    }
    source->rows++;
}

static bool send_list(struct cl_lo_source *source, struct cl_err *err)
{
    char first[16];
    char last[16];
    char limit[16];
    snprintf(first, sizeof first, "%u", (unsigned)source->range.first);
    snprintf(last, sizeof last, "%u", (unsigned)source->range.last);
    snprintf(limit, sizeof limit, "%d", INLINE_BYTES);
    const char *params[] = {first, last, limit};
    const char *sql = cl_embedded("runtime/backup/largeobject.sql")->data;
    return (PQsendQueryParams(source->conn, sql, 3, NULL, params, NULL, NULL, 1) == 1 &&
            PQsetSingleRowMode(source->conn) == 1) ||
           cl_pg_fail(err, source->conn, NULL);
}

static bool send_piece(struct cl_lo_source *source, struct cl_err *err)
{
    char oid[16];
    char offset[24];
    char n[16];
    snprintf(oid, sizeof oid, "%u", (unsigned)oid_of(source->wide[source->at]));
    snprintf(offset, sizeof offset, "%lld", (long long)source->offset);
    snprintf(n, sizeof n, "%d", CL_LO_PIECE_BYTES);
    const char *params[] = {oid, offset, n};
    return PQsendQueryParams(source->conn, "SELECT lo_get($1::oid, $2::bigint, $3::int)", 3, NULL,
                             params, NULL, NULL, 1) == 1 ||
           cl_pg_fail(err, source->conn, NULL);
}

/* Keeps the row of an object that is read later. */
static bool keep_wide(struct cl_lo_source *source, PGresult *head, struct cl_err *err)
{
    if (source->n_wide == source->wide_max) {
        size_t max = source->wide_max ? 2 * source->wide_max : 64;
        PGresult **wide = realloc(source->wide, max * sizeof *wide);
        if (!wide) {
            PQclear(head);
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        source->wide = wide;
        source->wide_max = max;
    }
    source->wide[source->n_wide++] = head;
    return true;
}

/* Reads the results after the last row. */
static bool drain(PGconn *conn, struct cl_err *err)
{
    bool ok = true;
    PGresult *r;
    while ((r = PQgetResult(conn)) != NULL) {
        ExecStatusType status = PQresultStatus(r);
        if (ok && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            ok = cl_pg_fail(err, conn, r);
        }
        PQclear(r);
    }
    return ok;
}

static bool list_one(struct cl_lo_source *source, struct cl_err *err)
{
    PGresult *head = PQgetResult(source->conn);
    ExecStatusType status = PQresultStatus(head);
    if (status == PGRES_SINGLE_TUPLE) {
        source->objects++;
        if (PQgetisnull(head, 0, 1)) {
            return keep_wide(source, head, err);
        }
        put_row(source, head, 0, head, 1);
        PQclear(head);
        return true;
    }
    bool ok = status == PGRES_TUPLES_OK || cl_pg_fail(err, source->conn, head);
    PQclear(head);
    if (!drain(source->conn, ok ? err : NULL) || !ok) {
        return false;
    }
    source->phase = source->n_wide > 0 ? PIECES : TRAILER;
    return source->n_wide == 0 || send_piece(source, err);
}

/* Takes the piece that was asked for and asks for the next. */
static bool read_piece(struct cl_lo_source *source, struct cl_err *err)
{
    PGresult *head = source->wide[source->at];
    PGresult *piece = PQgetResult(source->conn);
    bool ok = PQresultStatus(piece) == PGRES_TUPLES_OK || cl_pg_fail(err, source->conn, piece);
    if (!drain(source->conn, ok ? err : NULL) || !ok) {
        PQclear(piece);
        return cl_err_context(err, "large object %u", (unsigned)oid_of(head));
    }
    int n = PQgetlength(piece, 0, 0);
    if (n > 0) { /* a last piece that is full is followed by an empty one */
        put_row(source, head, source->offset, piece, 0);
    }
    PQclear(piece);
    source->offset += n;
    if (n < CL_LO_PIECE_BYTES) {
        PQclear(head);
        source->wide[source->at++] = NULL;
        source->offset = 0;
        if (source->at == source->n_wide) {
            source->phase = TRAILER;
            return true;
        }
    }
    return send_piece(source, err);
}

static bool finish(struct cl_lo_source *source, struct cl_err *err)
{
    cl_buf_add(&source->out, cl_copy_trailer, CL_COPY_TRAILER_BYTES);
    source->phase = OVER;
    source->base.rows = source->rows;
    return source->range.objects == 0 || source->range.objects == source->objects ||
           cl_fail(err, CL_BUG, "E_ROWS", "%llu large objects read, %llu expected",
                   (unsigned long long)source->objects, (unsigned long long)source->range.objects);
}

static bool step(struct cl_lo_source *source, struct cl_err *err)
{
    switch (source->phase) {
    case START:
        cl_buf_add(&source->out, cl_copy_header, CL_COPY_HEADER_BYTES);
        source->phase = LISTING;
        return send_list(source, err);
    case LISTING:
        return list_one(source, err);
    case PIECES:
        return read_piece(source, err);
    case TRAILER:
        return finish(source, err);
    case OVER:
        break;
    }
    return true;
}

static bool lo_next(struct cl_source *base, const char **bytes, size_t *n, struct cl_err *err)
{
    struct cl_lo_source *source = (struct cl_lo_source *)base;
    cl_buf_reset(&source->out);
    while (source->out.len < CL_BATCH_BYTES && source->phase != OVER) {
        if (!step(source, err)) {
            return false;
        }
    }
    *bytes = cl_buf_str(&source->out);
    *n = source->out.len;
    return !source->out.failed || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

struct cl_lo_source *cl_lo_source_open(PGconn *conn, const struct cl_lo_range *range,
                                       struct cl_err *err)
{
    struct cl_lo_source *source = calloc(1, sizeof *source);
    if (!source) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    source->base.next = lo_next;
    source->base.rows = CL_ROWS_UNKNOWN;
    source->conn = conn;
    source->range = *range;
    cl_buf_init(&source->out, OUT_BYTES_MAX);
    return source;
}

struct cl_source *cl_lo_source_base(struct cl_lo_source *source)
{
    return &source->base;
}

void cl_lo_source_close(struct cl_lo_source *source)
{
    if (!source) {
        return;
    }
    for (size_t i = source->at; i < source->n_wide; i++) {
        PQclear(source->wide[i]);
    }
    free(source->wide);
    cl_buf_fini(&source->out);
    free(source);
}
