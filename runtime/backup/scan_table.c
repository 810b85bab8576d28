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
    FIRST_SLOTS = 16,
    SLOTS_MAX = 2048, /* twice CL_SCAN_DOMAINS_MAX: the table never fills up */
};

/* ---------------------------------------------------------------- counting */

static size_t hash_domain(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    }
    return (size_t)(h ^ h >> 32);
}

static struct cl_scan_place *slot_of(struct cl_scan_place *places, size_t slots, const char *domain)
{
    size_t i = hash_domain(domain, strlen(domain)) & (slots - 1);
    while (places[i].domain && strcmp(places[i].domain, domain) != 0) {
        i = (i + 1) & (slots - 1);
    }
    return &places[i];
}

static bool grow(struct scan_column *c)
{
    size_t slots = c->slots ? c->slots * 2 : FIRST_SLOTS;
    struct cl_scan_place *places = calloc(slots, sizeof *places);
    if (!places) {
        return false;
    }
    for (size_t i = 0; i < c->slots; i++) {
        if (c->places[i].domain) {
            *slot_of(places, slots, c->places[i].domain) = c->places[i];
        }
    }
    free(c->places);
    c->places = places;
    c->slots = slots;
    return true;
}

/* Bytes of the first `chars` characters. */
static size_t lead(const char *s, size_t n, size_t chars)
{
    size_t p = 0;
    while (p < n && (chars > 0 || ((unsigned char)s[p] & 0xC0) == 0x80)) {
        chars -= ((unsigned char)s[p] & 0xC0) != 0x80;
        p++;
        while (p < n && ((unsigned char)s[p] & 0xC0) == 0x80) {
            p++;
        }
    }
    return p;
}

/* Enough to find it again, not enough to write to it: "jo…@c…". */
static char *make_sample(const char *address, size_t n, size_t at)
{
    struct cl_buf b;
    cl_buf_init(&b, 256);
    cl_buf_add(&b, address, lead(address, at < 255 ? at : 255, 2));
    cl_buf_adds(&b, "\xe2\x80\xa6@");
    if (at < n) {
        cl_buf_add(&b, address + at + 1, lead(address + at + 1, n - at - 1, 1));
    }
    cl_buf_adds(&b, "\xe2\x80\xa6");
    if (b.failed) {
        cl_buf_fini(&b);
        return NULL;
    }
    return b.data;
}

/* cl_mask_find calls it for each address; arg is the column. */
static void count_address(void *arg, const char *address, size_t n)
{
    struct scan_column *c = arg;
    char domain[256];
    const char *last = memrchr(address, '@', n);
    size_t at = last ? (size_t)(last - address) : n, len = 0;
    for (size_t i = at + 1; i < n && len + 1 < sizeof domain; i++) {
        char b = address[i];
        domain[len++] = b >= 'A' && b <= 'Z' ? (char)(b | 32) : b ? b : '?';
    }
    domain[len] = '\0';
    if (c->slots == 0 && !grow(c)) {
        c->failed = true;
        return;
    }
    struct cl_scan_place *place = slot_of(c->places, c->slots, domain);
    if (!place->domain && c->n_places >= CL_SCAN_DOMAINS_MAX) {
        place = slot_of(c->places, c->slots, "\xe2\x80\xa6");
        memcpy(domain, "\xe2\x80\xa6", 4);
    }
    if (!place->domain) {
        if (c->n_places * 2 >= c->slots && c->slots < SLOTS_MAX) {
            if (!grow(c)) {
                c->failed = true;
                return;
            }
            place = slot_of(c->places, c->slots, domain);
        }
        place->domain = strdup(domain);
        place->sample = make_sample(address, n, at);
        c->n_places++;
        if (!place->domain || !place->sample) {
            c->failed = true;
            return;
        }
    }
    place->count++;
}

static void scan_value(struct scan_table *t, struct scan_column *c, const struct cl_mask *mask,
                       const char *value, size_t n)
{
    t->values++;
    t->bytes += n;
    if (cl_mask_keeps(c->except, value, n)) {
        c->kept++;
    } else {
        cl_mask_find(mask, NULL, c->carrier, value, n, count_address, c);
    }
}

/* ---------------------------------------------------------------- reading */

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
        cl_buf_adds(&sql, "::text");
    }
    cl_buf_adds(&sql, " FROM ONLY ");
    add_ident(&sql, t->schema);
    cl_buf_addc(&sql, '.');
    add_ident(&sql, t->name);
    if (filter->newer) { /* by age, so that ids which wrap around compare; too old counts as new */
        cl_buf_addf(&sql, " WHERE age(xmin) <= age('%" PRIu32 "'::xid)", filter->since);
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

/* What of the table's size on disk the bytes seen so far stand for, at most all of it. */
static void report(const struct scan_table *t, uint64_t *rows, uint64_t *bytes, uint64_t *done,
                   bool finished, struct cl_progress *progress)
{
    uint64_t now = finished || t->bytes > t->size ? t->size : t->bytes;
    atomic_fetch_add(&progress->rows, t->rows - *rows);
    atomic_fetch_add(&progress->bytes, t->bytes - *bytes);
    atomic_fetch_add(&progress->done, now - *done);
    *rows = t->rows;
    *bytes = t->bytes;
    *done = now;
}

static bool read_stream(struct scan_table *t, const struct cl_mask *mask, PGconn *conn,
                        struct cl_job *job, struct cl_err *err)
{
    uint64_t rows = 0, bytes = 0, done = 0, messages = 0;
    for (;;) {
        char *message = NULL;
        int got = PQgetCopyData(conn, &message, 0);
        if (got < 0) {
            report(t, &rows, &bytes, &done, true, cl_job_progress(job));
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
            report(t, &rows, &bytes, &done, false, cl_job_progress(job));
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
    for (size_t i = 0; ok && i < t->n_columns; i++) {
        ok = !t->columns[i].failed || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    return ok || cl_err_context(err, "scanning %s.%s", t->schema, t->name);
}
