/*
 * How tables are cut. With one worker parts only serve to go on after a crash, so only what takes
 * long is cut; with more, the largest table must not keep one of them busy while the others have
 * nothing left to do.
 */
#include "part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "pg/session.h"

#define MIB ((uint64_t)1024 * 1024)

enum {
    TID_RANGES_SINCE = 140000, /* server_version_num */
    PARTS_A_TABLE_MAX = 4096,
    SHARES_A_JOB = 8,  /* parts of an even database for each worker */
    SPLIT_A_JOB = 4,   /* a table above 1/(jobs * this) of everything is split */
    WHERE_BYTES = 512, /* two comparisons */
};

static const uint64_t PART_BYTES_LEAST = 64 * MIB;  /* less is not worth a COPY of its own */
static const uint64_t PART_BYTES_MOST = 1024 * MIB; /* what a crash may cost a worker */

struct cuts {
    uint64_t split; /* tables above this are cut … */
    uint64_t each;  /* … into parts of about this */
};

static uint64_t clamp(uint64_t value)
{
    if (value < PART_BYTES_LEAST) {
        return PART_BYTES_LEAST;
    }
    return value > PART_BYTES_MOST ? PART_BYTES_MOST : value;
}

static struct cuts how_to_cut(const struct cl_table *tables, size_t n, int jobs,
                              uint64_t part_bytes)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += tables[i].excluded ? 0 : tables[i].bytes;
    }
    if (part_bytes > 0) {
        return (struct cuts){.split = part_bytes, .each = part_bytes};
    }
    if (jobs <= 1) {
        return (struct cuts){.split = PART_BYTES_MOST, .each = PART_BYTES_MOST};
    }
    return (struct cuts){.split = clamp(total / (uint64_t)(jobs * SPLIT_A_JOB)),
                         .each = clamp(total / (uint64_t)(jobs * SHARES_A_JOB))};
}

static bool add(struct cl_parts *parts, size_t table, unsigned number, unsigned of, uint64_t bytes,
                const char *where, struct cl_err *err)
{
    struct cl_part *part = &parts->part[parts->n];
    *part = (struct cl_part){.table = table, .number = number, .of = of, .bytes = bytes};
    if (where) {
        part->where = strdup(where);
        if (!part->where) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    parts->n++;
    return true;
}

static bool room(struct cl_parts *parts, size_t more, struct cl_err *err)
{
    if (parts->n + more <= parts->cap) {
        return true;
    }
    size_t cap = 2 * parts->cap + more;
    struct cl_part *grown = realloc(parts->part, cap * sizeof *grown);
    if (!grown) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    parts->part = grown;
    parts->cap = cap;
    return true;
}

/* The last range has no end: pages that come later hold nothing the snapshot sees, but counting
 * them must not decide that. */
static bool by_pages(struct cl_parts *parts, const struct cl_table *table, size_t index, unsigned n,
                     struct cl_err *err)
{
    char where[WHERE_BYTES];
    for (unsigned i = 0; i < n; i++) {
        uint64_t from = table->pages * i / n;
        uint64_t to = table->pages * (i + 1) / n;
        if (i + 1 < n) {
            snprintf(where, sizeof where,
                     "ctid >= '(%" PRIu64 ",0)'::tid AND ctid < '(%" PRIu64 ",0)'::tid", from, to);
        } else {
            snprintf(where, sizeof where, "ctid >= '(%" PRIu64 ",0)'::tid", from);
        }
        if (!add(parts, index, i, n, table->bytes / n, where, err)) {
            return false;
        }
    }
    return true;
}

/* Ranges of an integer key between bounds of its histogram, one a row; n is at least 2. */
static bool by_key(struct cl_parts *parts, const struct cl_table *table, size_t index, unsigned n,
                   const PGresult *bounds, struct cl_err *err)
{
    uint64_t have = (uint64_t)PQntuples(bounds);
    const char *key = PQgetvalue(bounds, 0, 0); /* quoted by the server */
    char where[WHERE_BYTES];
    for (unsigned i = 0; i < n; i++) {
        const char *from = PQgetvalue(bounds, (int)(have * i / n), 1);
        const char *to = i + 1 < n ? PQgetvalue(bounds, (int)(have * (i + 1) / n), 1) : NULL;
        if (i == 0) {
            snprintf(where, sizeof where, "%s < %s", key, to);
        } else if (to) {
            snprintf(where, sizeof where, "%s >= %s AND %s < %s", key, from, key, to);
        } else {
            snprintf(where, sizeof where, "%s >= %s", key, from);
        }
        if (!add(parts, index, i, n, table->bytes / n, where, err)) {
            return false;
        }
    }
    return true;
}

/* Bounds of the key's histogram, NULL with *err on failure; none where there is no such key. */
static PGresult *key_bounds(const struct cl_table *table, PGconn *conn, struct cl_err *err)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", table->oid);
    const char *params[] = {oid};
    return cl_pg_query(conn, cl_embedded("runtime/backup/key_bounds.sql")->data, 1, params, err);
}

static bool cut_table(struct cl_parts *parts, const struct cl_table *table, size_t index,
                      const struct cuts *cuts, PGconn *conn, struct cl_err *err)
{
    uint64_t n = (table->bytes + cuts->each - 1) / cuts->each;
    n = n > PARTS_A_TABLE_MAX ? PARTS_A_TABLE_MAX : n;
    n = n > table->pages ? table->pages : n;
    bool whole = n <= 1 || table->bytes <= cuts->split || table->condition || !table->heap;
    if (!room(parts, whole ? 1 : (size_t)n, err)) {
        return false;
    }
    if (whole) {
        if (!add(parts, index, 0, 1, table->bytes, NULL, err)) {
            return false;
        }
        parts->part[parts->n - 1].small = table->heap && table->pages <= 1;
        return true;
    }
    if (PQserverVersion(conn) >= TID_RANGES_SINCE) {
        return by_pages(parts, table, index, (unsigned)n, err);
    }
    PGresult *bounds = key_bounds(table, conn, err);
    if (!bounds) {
        return false;
    }
    uint64_t most = (uint64_t)PQntuples(bounds);
    n = n > most ? most : n;
    bool ok = n > 1 ? by_key(parts, table, index, (unsigned)n, bounds, err)
                    : add(parts, index, 0, 1, table->bytes, NULL, err);
    PQclear(bounds);
    return ok;
}

bool cl_parts_add(struct cl_parts *parts, const struct cl_part *part, struct cl_err *err)
{
    if (!room(parts, 1, err)) {
        return false;
    }
    parts->part[parts->n++] = *part;
    return true;
}

bool cl_parts_plan(struct cl_parts *parts, const struct cl_table *tables, size_t n_tables,
                   bool empty, int jobs, uint64_t part_bytes, PGconn *conn, struct cl_err *err)
{
    struct cuts cuts = how_to_cut(tables, n_tables, jobs, part_bytes);
    for (size_t i = 0; i < n_tables; i++) {
        bool some = empty || !tables[i].heap || tables[i].pages > 0;
        if (!tables[i].excluded && some && !cut_table(parts, &tables[i], i, &cuts, conn, err)) {
            return false;
        }
    }
    return true;
}

void cl_parts_fini(struct cl_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        free(parts->part[i].where);
    }
    free(parts->part);
    memset(parts, 0, sizeof *parts);
}
