#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pg/session.h"
#include "scan_private.h"

enum {
    SQL_BYTES_MAX = 1024 * 1024, /* 1600 columns of quoted names are less */
    ROWS_PER_CHECK = 256,        /* between two looks at the stop flag */
    HEADER_BYTES = 11,           /* of the signature of binary COPY */
};

static void scan_value(struct scan_table *t, struct scan_column *c, const struct cl_mask *mask,
                       const char *value, size_t n)
{
    t->values++;
    t->bytes += n;
    if (cl_mask_keeps(c->except, value, n)) {
        c->kept++;
    } else {
        cl_mask_find(mask, NULL, c->carrier, value, n, cl_scan_count, c);
    }
}

static bool add_ident(struct cl_buf *sql, const char *name)
{
    cl_buf_addc(sql, '"');
    for (; *name; name++) {
        if (*name == '"') {
            cl_buf_addc(sql, '"');
        }
        cl_buf_addc(sql, *name);
    }
    return cl_buf_addc(sql, '"');
}

static bool start_copy(const struct scan_table *t, const struct scan_filter *filter, PGconn *conn,
                       struct cl_err *err)
{
    struct cl_buf sql;
    cl_buf_init(&sql, SQL_BYTES_MAX);
    cl_buf_adds(&sql, "COPY (SELECT ");
    for (size_t i = 0; i < t->n_columns; i++) {
        cl_buf_adds(&sql, i ? ", " : "");
        add_ident(&sql, t->columns[i].name);
        cl_buf_adds(&sql, t->columns[i].carrier == CL_CARRIER_BYTES ? "" : "::text");
    }
    cl_buf_adds(&sql, " FROM ONLY ");
    add_ident(&sql, t->schema);
    cl_buf_addc(&sql, '.');
    add_ident(&sql, t->name);
    cl_buf_addf(&sql, " WHERE %s", filter->where ? filter->where : "true");
    if (filter->newer) { /* by age, so that ids which wrap around compare; too old counts as new */
        cl_buf_addf(&sql, " AND age(xmin) <= age('%" PRIu32 "'::xid)", filter->since);
    }
    cl_buf_adds(&sql, ") TO STDOUT (FORMAT binary)");
    if (sql.failed) {
        cl_buf_fini(&sql);
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    PGresult *r = PQexec(conn, sql.data);
    cl_buf_fini(&sql);
    bool ok = PQresultStatus(r) == PGRES_COPY_OUT;
    if (!ok) {
        cl_pg_fail(err, conn, r);
    }
    PQclear(r);
    return ok;
}

static bool broken(struct cl_err *err)
{
    return cl_fail(err, CL_BUG, "E_COPY", "the server sent a row that cannot be read");
}

static uint16_t read16(const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return ntohs(v);
}

static uint32_t read32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return ntohl(v);
}

/* Takes the rows of one CopyData message; rows never span two. */
static bool read_rows(struct scan_table *t, const struct cl_mask *mask, const char *p, size_t n,
                      struct cl_err *err)
{
    while (n >= 2) {
        uint16_t fields = read16(p);
        p += 2;
        n -= 2;
        if (fields == UINT16_MAX) { /* the trailer */
            return n == 0 || broken(err);
        }
        if (fields != t->n_columns) {
            return broken(err);
        }
        for (size_t i = 0; i < fields; i++) {
            if (n < 4) {
                return broken(err);
            }
            uint32_t len = read32(p);
            p += 4;
            n -= 4;
            if (len == UINT32_MAX) {
                continue;
            }
            if (len > n) {
                return broken(err);
            }
            scan_value(t, &t->columns[i], mask, p, len);
            p += len;
            n -= len;
        }
        t->rows++;
    }
    return n == 0 || broken(err);
}

/* Skips the signature, flags and extension in front of the first row. */
static bool skip_header(const char **p, size_t *n, struct cl_err *err)
{
    if (*n < HEADER_BYTES + 8 || memcmp(*p, "PGCOPY\n\377\r\n", HEADER_BYTES) != 0) {
        return broken(err);
    }
    size_t extension = read32(*p + HEADER_BYTES + 4);
    if (extension > *n - HEADER_BYTES - 8) {
        return broken(err);
    }
    *p += HEADER_BYTES + 8 + extension;
    *n -= HEADER_BYTES + 8 + extension;
    return true;
}

static bool read_stream(struct scan_table *t, const struct cl_mask *mask, PGconn *conn,
                        struct cl_job *job, struct cl_err *err)
{
    struct scan_reported reported = {0};
    uint64_t messages = 0;
    for (;;) {
        char *message = NULL;
        int got = PQgetCopyData(conn, &message, 0);
        if (got < 0) {
            cl_scan_report(t, &reported, true, job);
            return got == -1 || cl_pg_fail(err, conn, NULL);
        }
        const char *p = message;
        size_t n = (size_t)got;
        bool ok = (messages > 0 || skip_header(&p, &n, err)) && read_rows(t, mask, p, n, err);
        PQfreemem(message);
        if (!ok) {
            return false;
        }
        if (++messages % ROWS_PER_CHECK == 0) {
            cl_scan_report(t, &reported, false, job);
            if (!cl_job_check(job, err)) {
                return false;
            }
        }
    }
}

bool cl_scan_table_read(struct scan_table *t, const struct cl_mask *mask,
                        const struct scan_filter *filter, PGconn *conn, struct cl_job *job,
                        struct cl_err *err)
{
    if (!start_copy(t, filter, conn, err) || !read_stream(t, mask, conn, job, err)) {
        return cl_err_context(err, "scanning %s.%s", t->schema, t->name);
    }
    PGresult *r = NULL;
    bool ok = true;
    while ((r = PQgetResult(conn)) != NULL) {
        ok = (PQresultStatus(r) == PGRES_COMMAND_OK || !ok || cl_pg_fail(err, conn, r)) && ok;
        PQclear(r);
    }
    return ok || cl_err_context(err, "scanning %s.%s", t->schema, t->name);
}
