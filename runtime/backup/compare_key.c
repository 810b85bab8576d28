#include "compare_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/embed.h"

enum {
    SHOWN_BYTES = 40,           /* of a value */
    HEX_BYTES = 8,              /* of one that is shown by its bytes */
    UNIX_TO_2000_S = 946684800, /* PostgreSQL counts days and microseconds from 2000 on */
    DAY_S = 86400,
    MASKED_MAX = 16 * 1024 * 1024, /* a key's masked value */
};

static bool find_column(const struct cl_table *table, const char *name, size_t *number)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool read_key(struct cl_key *key, PGconn *conn, uint32_t oid, const struct cl_table *like,
                     struct cl_err *err)
{
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, oid);
    const char *params[] = {number};
    PGresult *r =
        cl_pg_query(conn, cl_embedded("runtime/backup/compare_key.sql")->data, 1, params, err);
    if (!r) {
        return cl_run_blame(like, err);
    }
    size_t n = (size_t)PQntuples(r);
    key->n = n <= CL_KEY_COLUMNS_MAX ? n : 0;
    for (size_t i = 0; i < key->n; i++) {
        if (!find_column(like, PQgetvalue(r, (int)i, 0), &key->columns[i])) {
            key->n = 0; /* one that is not copied, such as a generated column */
        }
    }
    PQclear(r);
    return true;
}

bool cl_key_find(struct cl_key *key, struct cl_comparison *all, const struct cl_pair *pair,
                 struct cl_err *err)
{
    const struct cl_table *source = &pair->tables[CL_SIDE_SOURCE];
    const struct cl_table *target = &pair->tables[CL_SIDE_TARGET];
    bool ok = true;
    key->n = 0;
    if (pair->there[CL_SIDE_TARGET]) {
        ok = read_key(key, all->target.link.conn, target->oid, target, err);
    }
    return ok && (key->n > 0 || pair->archived ||
                  read_key(key, all->source.link.conn, source->oid, source, err));
}

static int64_t big_endian(const char *p, size_t n)
{
    uint64_t v = n > 0 && (p[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | (uint8_t)p[i];
    }
    return (int64_t)v;
}

static bool starts(const char *type, const char *with)
{
    return strncmp(type, with, strlen(with)) == 0;
}

static void show_time(struct cl_buf *out, int64_t seconds, bool with_time)
{
    time_t at = (time_t)seconds + UNIX_TO_2000_S;
    struct tm tm;
    char text[64] = "?";
    if (gmtime_r(&at, &tm)) {
        strftime(text, sizeof text, with_time ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d", &tm);
    }
    cl_buf_adds(out, text);
}

static void show_bytes(struct cl_buf *out, const char *p, size_t n)
{
    cl_buf_adds(out, "\\x");
    for (size_t i = 0; i < n && i < HEX_BYTES; i++) {
        cl_buf_addf(out, "%02x", (unsigned)(uint8_t)p[i]);
    }
    cl_buf_adds(out, n > HEX_BYTES ? "…" : "");
}

/* The types keys are made of; others by their first bytes. */
static void show_binary(struct cl_buf *out, const char *type, const char *p, size_t n)
{
    bool number = strcmp(type, "integer") == 0 || strcmp(type, "bigint") == 0 ||
                  strcmp(type, "smallint") == 0;
    if (number && n <= 8) {
        cl_buf_addf(out, "%" PRId64, big_endian(p, n));
    } else if (strcmp(type, "date") == 0 && n == 4) {
        show_time(out, big_endian(p, n) * DAY_S, false);
    } else if (starts(type, "timestamp") && n == 8) {
        show_time(out, big_endian(p, n) / 1000000, true);
    } else if (strcmp(type, "uuid") == 0 && n == 16) {
        for (size_t i = 0; i < n; i++) {
            cl_buf_addf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                        (unsigned)(uint8_t)p[i]);
        }
    } else {
        show_bytes(out, p, n);
    }
}

/* Text in one line, cut between characters. */
static void show_text(struct cl_buf *out, const char *p, size_t n)
{
    size_t shown = n < SHOWN_BYTES ? n : SHOWN_BYTES;
    while (shown < n && shown > 0 && ((uint8_t)p[shown] & 0xc0) == 0x80) {
        shown--;
    }
    for (size_t i = 0; i < shown; i++) {
        cl_buf_addc(out, (uint8_t)p[i] < ' ' || p[i] == 0x7f ? '?' : p[i]);
    }
    cl_buf_adds(out, shown < n ? "…" : "");
}

static bool show_value(struct cl_buf *out, const struct cl_row_seen *row, size_t i,
                       const struct cl_mask *mask, struct cl_err *err)
{
    const struct cl_field *field = &row->fields[i];
    const struct cl_type_class *class = &row->columns[i].class;
    size_t n = field->len > 0 ? (size_t)field->len : 0;
    bool array = row->format == CL_COPY_BINARY && class->form == CL_BINARY_ARRAY;
    bool text = class->text_like && class->carrier != CL_CARRIER_BYTES && !array;
    bool ok = true;
    if (field->len < 0) {
        cl_buf_adds(out, "NULL");
    } else if (!text && row->format == CL_COPY_BINARY) {
        show_binary(out, row->columns[i].type, field->data, n);
    } else if (text && mask) {
        struct cl_mask_tally tally = {0};
        struct cl_buf masked;
        bool changed;
        cl_buf_init(&masked, MASKED_MAX);
        ok = cl_mask_apply(mask, NULL, class->carrier, field->data, n, 0, &masked, &changed, &tally,
                           err);
        if (ok) {
            show_text(out, cl_buf_str(&masked), masked.len);
        }
        cl_buf_fini(&masked);
    } else if (text && memchr(field->data, '@', n)) {
        cl_buf_addf(out, "(with an @, hash %08x)",
                    (unsigned)(cl_digest_bytes(field->data, n).half[0] >> 32));
    } else {
        show_text(out, field->data, n);
    }
    return ok;
}

bool cl_key_show(struct cl_buf *out, const struct cl_key *key, const struct cl_row_seen *row,
                 const struct cl_mask *mask, struct cl_err *err)
{
    for (size_t i = 0; i < key->n; i++) {
        cl_buf_addf(out, "%s%s = ", i > 0 ? ", " : "", row->columns[key->columns[i]].name);
        if (!show_value(out, row, key->columns[i], mask, err)) {
            return false;
        }
    }
    return true;
}
