/*
 * Design notes. Objects are made with their first piece, many in one statement; further pieces are
 * put one by one.  Owners, privileges, comments and labels come after the contents (they may take
 * away the right to write), for few objects in one transaction: each takes a lock of its own, and
 * the server's table of locks is small.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "largeobject_private.h"

enum {
    BATCH_OBJECTS = 512,       /* made in one statement … */
    BATCH_BYTES = 1024 * 1024, /* … as long as they are no wider than that */
    BUF_BYTES_MAX = 0x40000000,
    REMARKED_OBJECTS = 64,      /* in one transaction */
    REMARKS_BYTES = 256 * 1024, /* same */
    ARRAY_HEADER_BYTES = 20,    /* of one dimension */
    OID_OID = 26,
    INT8_OID = 20,
    BYTEA_OID = 17,
};

/* An object that something is to be said about. */
struct remarked {
    uint32_t oid; /* its own */
    size_t end;   /* of its SQL, which is whole lines */
};

struct cl_lo_writer {
    PGconn *conn;          /* borrowed; idle between calls */
    unsigned leave;        /* what does not go along */
    bool replace;          /* some may be there already, and go first */
    char *user;            /* whose objects are when nobody says otherwise */
    struct cl_buf oids;    /* of objects not yet made: a binary array, header included */
    struct cl_buf data;    /* their contents, same */
    size_t n;              /* how many */
    uint64_t bytes;        /* of contents */
    struct cl_buf remarks; /* SQL for after the contents */
    struct remarked remarked[REMARKED_OBJECTS]; /* the objects it is about, in its order */
    size_t n_remarked;                          /* of them */
    uint32_t wide; /* an object of several pieces whose size is to be looked at; 0: none */
    int64_t size;  /* what it must be */
};

/* Empties an array. Its number of elements is put in when it is sent. */
static void begin_array(struct cl_buf *array, unsigned type)
{
    cl_buf_reset(array);
    cl_lo_put_be(array, 1, 4); /* dimensions */
    cl_lo_put_be(array, 0, 4); /* no NULLs */
    cl_lo_put_be(array, type, 4);
    cl_lo_put_be(array, 0, 4); /* elements */
    cl_lo_put_be(array, 1, 4); /* lower bound */
}

static void close_array(struct cl_buf *array, size_t n)
{
    char *p = array->data + ARRAY_HEADER_BYTES - 8;
    for (int i = 0; i < 4; i++) {
        p[i] = (char)(n >> 8 * (3 - i));
    }
}

static void begin_batch(struct cl_lo_writer *w)
{
    if (w->data.cap > 2 * BATCH_BYTES + BATCH_BYTES / 2) {
        cl_buf_fini(&w->data);
    }
    begin_array(&w->oids, OID_OID);
    begin_array(&w->data, BYTEA_OID);
    w->n = 0;
    w->bytes = 0;
}

/* Batches are no transaction with their range's mark: what was made of one not marked goes. */
static bool remove_old(struct cl_lo_writer *w, struct cl_err *err)
{
    const char *values[] = {w->oids.data};
    int lengths[] = {(int)w->oids.len};
    int formats[] = {1};
    PGresult *r = PQexecParams(w->conn,
                               "SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata "
                               "WHERE oid = ANY ($1::oid[])",
                               1, NULL, values, lengths, formats, 0);
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK || cl_pg_fail(err, w->conn, r);
    PQclear(r);
    return ok;
}

/* Makes the objects collected; the server must count as we do. */
static bool make(struct cl_lo_writer *w, struct cl_err *err)
{
    static const char sql[] =
        "SELECT count(lo_from_bytea(o, d)), coalesce(sum(octet_length(d)), 0) "
        "FROM unnest($1::oid[], $2::bytea[]) u (o, d)";
    if (w->n == 0) {
        return true;
    }
    if (w->oids.failed || w->data.failed) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    close_array(&w->oids, w->n);
    close_array(&w->data, w->n);
    const char *values[] = {w->oids.data, w->data.data};
    int lengths[] = {(int)w->oids.len, (int)w->data.len};
    int formats[] = {1, 1};
    if (w->replace && !remove_old(w, err)) {
        return false;
    }
    PGresult *r = PQexecParams(w->conn, sql, 2, NULL, values, lengths, formats, 0);
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK || cl_pg_fail(err, w->conn, r);
    if (ok && (strtoull(PQgetvalue(r, 0, 0), NULL, 10) != w->n ||
               strtoull(PQgetvalue(r, 0, 1), NULL, 10) != w->bytes)) {
        ok = cl_fail(err, CL_BUG, "E_ROWS",
                     "%zu large objects of %llu bytes sent, %s of %s bytes made", w->n,
                     (unsigned long long)w->bytes, PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 1));
    }
    PQclear(r);
    begin_batch(w);
    return ok;
}

/* A server that refuses does not say what: one object after the other, to find which it was. */
static bool blame(struct cl_lo_writer *w, struct cl_err *err)
{
    char *sql = w->remarks.data;
    struct cl_err refused;
    for (size_t i = 0; i < w->n_remarked && PQstatus(w->conn) == CONNECTION_OK; i++) {
        sql[w->remarked[i].end - 1] = '\0';
        if (!cl_pg_exec(w->conn, sql, &refused)) {
            *err = refused;
            return cl_err_context(err, "large object %u", (unsigned)w->remarked[i].oid);
        }
        sql = w->remarks.data + w->remarked[i].end;
    }
    return false;
}

/* A multi-statement command is one transaction. */
static bool remark(struct cl_lo_writer *w, struct cl_err *err)
{
    if (w->remarks.failed) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok =
        w->n_remarked == 0 || cl_pg_exec(w->conn, cl_buf_str(&w->remarks), err) || blame(w, err);
    cl_buf_reset(&w->remarks);
    w->n_remarked = 0;
    return ok;
}

/* Has the object all its pieces? */
static bool check_size(struct cl_lo_writer *w, struct cl_err *err)
{
    char sql[96];
    if (w->wide == 0) {
        return true;
    }
    snprintf(sql, sizeof sql, "SELECT lo_lseek64(lo_open(%u, 262144), 0, 2)", (unsigned)w->wide);
    char *size = cl_pg_value(w->conn, sql, err);
    bool ok = size != NULL;
    if (ok && strtoll(size, NULL, 10) != w->size) {
        ok = cl_fail(err, CL_BUG, "E_ROWS", "large object %u has %s bytes, not %lld",
                     (unsigned)w->wide, size, (long long)w->size);
    }
    free(size);
    w->wide = 0;
    return ok;
}

static bool put_further(struct cl_lo_writer *w, const struct cl_lo_piece *piece, struct cl_err *err)
{
    static const Oid types[] = {OID_OID, INT8_OID, BYTEA_OID};
    const struct cl_field *data = &piece->field[CL_LO_DATA];
    char numbers[12];
    if (!make(w, err)) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        numbers[i] = (char)(piece->oid >> 8 * (3 - i));
    }
    for (int i = 0; i < 8; i++) {
        numbers[4 + i] = (char)((uint64_t)piece->offset >> 8 * (7 - i));
    }
    const char *values[] = {numbers, numbers + 4, data->data};
    int lengths[] = {4, 8, (int)data->len};
    int formats[] = {1, 1, 1};
    PGresult *r =
        PQexecParams(w->conn, "SELECT lo_put($1, $2, $3)", 3, types, values, lengths, formats, 1);
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK || cl_pg_fail(err, w->conn, r);
    PQclear(r);
    w->wide = piece->oid;
    w->size = piece->offset + data->len;
    return ok || cl_err_context(err, "large object %u", (unsigned)piece->oid);
}

static void add_sql(struct cl_buf *sql, const struct cl_field *field)
{
    if (field->len > 0) {
        cl_buf_add(sql, field->data, (size_t)field->len);
        cl_buf_adds(sql, ";\n");
    }
}

/* Notes down what is to be said about the object. */
static bool note(struct cl_lo_writer *w, const struct cl_lo_piece *piece, struct cl_err *err)
{
    size_t before = w->remarks.len;
    const struct cl_field *field = &piece->field[CL_LO_OWNER];
    char owner[256];
    if (field->len >= (int64_t)sizeof owner) {
        return cl_fail(err, CL_INVALID, "E_COPY_DATA", "large object %u: an owner of %lld bytes",
                       (unsigned)piece->oid, (long long)field->len);
    }
    if (field->len > 0 && !(w->leave & CL_LEAVE_OWNERS)) {
        memcpy(owner, field->data, (size_t)field->len);
        owner[field->len] = '\0';
        if (strcmp(owner, w->user) != 0) {
            cl_buf_addf(&w->remarks, "ALTER LARGE OBJECT %u OWNER TO ", (unsigned)piece->oid);
            cl_sql_ident(&w->remarks, owner);
            cl_buf_adds(&w->remarks, ";\n");
        }
    }
    if (!(w->leave & CL_LEAVE_PRIVILEGES)) {
        add_sql(&w->remarks, &piece->field[CL_LO_GRANTS]);
    }
    add_sql(&w->remarks, &piece->field[CL_LO_REMARKS]);
    if (w->remarks.len > before) {
        w->remarked[w->n_remarked].oid = piece->oid;
        w->remarked[w->n_remarked++].end = w->remarks.len;
    }
    return true;
}

bool cl_lo_writer_put(struct cl_lo_writer *w, const struct cl_lo_piece *piece, struct cl_err *err)
{
    const struct cl_field *data = &piece->field[CL_LO_DATA];
    if (piece->offset > 0) {
        return put_further(w, piece, err);
    }
    if (!check_size(w, err)) {
        return false;
    }
    bool told = w->n_remarked >= REMARKED_OBJECTS || w->remarks.len >= REMARKS_BYTES;
    if (told && (!make(w, err) || !remark(w, err))) {
        return false;
    }
    cl_lo_put_be(&w->oids, 4, 4);
    cl_lo_put_be(&w->oids, piece->oid, 4);
    cl_lo_put_be(&w->data, (uint64_t)data->len, 4);
    cl_buf_add(&w->data, data->data, (size_t)data->len);
    w->n++;
    w->bytes += (uint64_t)data->len;
    bool full = w->n >= BATCH_OBJECTS || w->bytes >= BATCH_BYTES;
    return note(w, piece, err) && (!full || make(w, err));
}

bool cl_lo_writer_finish(struct cl_lo_writer *w, struct cl_err *err)
{
    return check_size(w, err) && make(w, err) && remark(w, err);
}

struct cl_lo_writer *cl_lo_writer_new(PGconn *conn, unsigned leave, bool replace,
                                      struct cl_err *err)
{
    struct cl_lo_writer *w = calloc(1, sizeof *w);
    if (!w) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    w->conn = conn;
    w->leave = leave;
    w->replace = replace;
    cl_buf_init(&w->oids, BUF_BYTES_MAX);
    cl_buf_init(&w->data, BUF_BYTES_MAX);
    cl_buf_init(&w->remarks, BUF_BYTES_MAX);
    begin_batch(w);
    w->user = cl_pg_value(conn, "SELECT current_user", err);
    if (!w->user) {
        cl_lo_writer_free(w);
        return NULL;
    }
    return w;
}

void cl_lo_writer_free(struct cl_lo_writer *w)
{
    if (!w) {
        return;
    }
    cl_buf_fini(&w->oids);
    cl_buf_fini(&w->data);
    cl_buf_fini(&w->remarks);
    free(w->user);
    free(w);
}
