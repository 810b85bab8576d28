#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/buf.h"
#include "pg/session.h"
#include "scan_private.h"

enum { LIST_BYTES_MAX = 64 * 1024 * 1024 };

/* Columns of scan_columns.sql */
enum { C_SCHEMA, C_TABLE, C_COLUMN, C_KIND, C_CARRIER, C_TYPE, C_SIZE };

/* Columns of scan_definitions.sql */
enum { D_KIND, D_NAME, D_TEXT };

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* The list as an array literal, to free(); NULL when it is NULL, or out of memory (*ok). */
static char *array_literal(const char *const *list, bool *ok)
{
    struct cl_buf b;
    *ok = true;
    if (!list) {
        return NULL;
    }
    cl_buf_init(&b, LIST_BYTES_MAX);
    cl_buf_addc(&b, '{');
    for (size_t i = 0; list[i]; i++) {
        cl_buf_adds(&b, i ? ",\"" : "\"");
        for (const char *p = list[i]; *p; p++) {
            if (*p == '"' || *p == '\\') {
                cl_buf_addc(&b, '\\');
            }
            cl_buf_addc(&b, *p);
        }
        cl_buf_addc(&b, '"');
    }
    cl_buf_addc(&b, '}');
    *ok = !b.failed;
    return b.data; /* the caller's from here on, failed or not */
}

static bool add_gap(struct scan_plan *plan, const char *kind, const char *name, uint64_t count)
{
    struct cl_scan_gap *gaps = realloc(plan->gaps, (plan->n_gaps + 1) * sizeof *gaps);
    if (!gaps) {
        return false;
    }
    plan->gaps = gaps;
    struct cl_scan_gap *gap = &gaps[plan->n_gaps];
    *gap = (struct cl_scan_gap){.kind = strdup(kind), .name = name ? strdup(name) : NULL};
    gap->count = count;
    plan->n_gaps++;
    return gap->kind && (gap->name || !name);
}

static bool add_column(struct scan_plan *plan, const PGresult *r, int row,
                       const struct cl_mask *mask)
{
    const char *schema = PQgetvalue(r, row, C_SCHEMA), *name = PQgetvalue(r, row, C_TABLE);
    struct scan_table *t = plan->n_tables ? &plan->tables[plan->n_tables - 1] : NULL;
    if (!t || strcmp(t->schema, schema) != 0 || strcmp(t->name, name) != 0) {
        struct scan_table *tables = realloc(plan->tables, (plan->n_tables + 1) * sizeof *tables);
        if (!tables) {
            return false;
        }
        plan->tables = tables;
        t = &tables[plan->n_tables++];
        *t = (struct scan_table){.schema = strdup(schema), .name = strdup(name)};
        t->size = strtoull(PQgetvalue(r, row, C_SIZE), NULL, 10);
        if (!t->schema || !t->name) {
            return false;
        }
    }
    struct scan_column *columns = realloc(t->columns, (t->n_columns + 1) * sizeof *columns);
    if (!columns) {
        return false;
    }
    t->columns = columns;
    struct scan_column *c = &columns[t->n_columns++];
    *c = (struct scan_column){.name = strdup(PQgetvalue(r, row, C_COLUMN))};
    bool json = strcmp(PQgetvalue(r, row, C_CARRIER), "json") == 0;
    c->carrier = json ? CL_CARRIER_JSON : CL_CARRIER_TEXT;
    c->except = cl_mask_column(mask, schema, name, PQgetvalue(r, row, C_COLUMN));
    return c->name != NULL;
}

static bool add_unread(struct scan_plan *plan, const PGresult *r, int row)
{
    struct cl_buf name;
    cl_buf_init(&name, 1024);
    cl_buf_addf(&name, "%s.%s.%s", PQgetvalue(r, row, C_SCHEMA), PQgetvalue(r, row, C_TABLE),
                PQgetvalue(r, row, C_COLUMN));
    bool foreign = strcmp(PQgetvalue(r, row, C_KIND), "foreign") == 0;
    bool ok =
        add_gap(plan, foreign ? "foreign table" : PQgetvalue(r, row, C_TYPE), cl_buf_str(&name), 1);
    cl_buf_fini(&name);
    return ok;
}

/* What an extension brought along is the same everywhere. */
#define NOT_OF_EXTENSION(class, oid)                                                               \
    " AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.classid = " class        \
        " AND e.objid = " oid ")"

/* What no column holds: counted, so that the certificate does not claim it. */
static bool add_objects(struct scan_plan *plan, PGconn *conn, struct cl_err *err)
{
    static const struct {
        const char *kind;  /* as in the certificate */
        const char *count; /* query */
    } objects[] = {
        {"large objects", "SELECT count(*) FROM pg_largeobject_metadata"},
        {"comments",
         "SELECT count(*) FROM pg_description d WHERE d.objoid >= 16384 "
         "AND d.classoid <> 'pg_extension'::regclass" NOT_OF_EXTENSION("d.classoid", "d.objoid")},
        {"functions", "SELECT count(*) FROM pg_proc p WHERE p.oid >= 16384" NOT_OF_EXTENSION(
                          "'pg_proc'::regclass", "p.oid")},
        {"view definitions",
         "SELECT count(*) FROM pg_class c WHERE c.relkind IN ('v', 'm') "
         "AND c.oid >= 16384" NOT_OF_EXTENSION("'pg_class'::regclass", "c.oid")},
        {"default and generated expressions", "SELECT count(*) FROM pg_attrdef"},
        {"check constraints", "SELECT count(*) FROM pg_constraint c WHERE c.contype = 'c' "
                              "AND c.oid >= 16384"},
        {"enum labels", "SELECT count(*) FROM pg_enum e WHERE e.oid >= 16384"},
    };
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        char *count = cl_pg_value(conn, objects[i].count, err);
        if (!count) {
            return false;
        }
        uint64_t n = strtoull(count, NULL, 10);
        free(count);
        if (n > 0 && !add_gap(plan, objects[i].kind, NULL, n)) {
            return no_memory(err);
        }
    }
    return true;
}

static void count_one(void *arg, const char *address, size_t n)
{
    (void)address;
    (void)n;
    ++*(uint64_t *)arg;
}

/* Objects whose definition holds addresses: named, since no mask reaches them. */
static bool add_definitions(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                            struct cl_err *err)
{
    const struct cl_embedded *sql = cl_embedded("runtime/backup/scan_definitions.sql");
    PGresult *r = cl_pg_query(conn, sql->data, 0, NULL, err);
    if (!r) {
        return false;
    }
    bool ok = true;
    for (int row = 0; ok && row < PQntuples(r); row++) {
        uint64_t n = 0;
        char kind[64];
        cl_mask_find(mask, NULL, CL_CARRIER_TEXT, PQgetvalue(r, row, D_TEXT),
                     (size_t)PQgetlength(r, row, D_TEXT), count_one, &n);
        snprintf(kind, sizeof kind, "%.40s with an address", PQgetvalue(r, row, D_KIND));
        ok = n == 0 || add_gap(plan, kind, PQgetvalue(r, row, D_NAME), n) || no_memory(err);
    }
    PQclear(r);
    return ok;
}

bool cl_scan_plan_load(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                       const char *const *tables, struct cl_err *err)
{
    bool ok;
    char *list = array_literal(tables, &ok);
    const char *params[] = {list};
    const struct cl_embedded *sql = cl_embedded("runtime/backup/scan_columns.sql");
    PGresult *r = ok ? cl_pg_query(conn, sql->data, 1, params, err) : NULL;
    if (!ok) {
        no_memory(err);
    }
    free(list);
    if (!r) {
        return false;
    }
    for (int row = 0; ok && row < PQntuples(r); row++) {
        bool text = strcmp(PQgetvalue(r, row, C_KIND), "text") == 0;
        ok = text ? add_column(plan, r, row, mask) : add_unread(plan, r, row);
        ok = ok || no_memory(err);
    }
    PQclear(r);
    return ok && add_objects(plan, conn, err) && add_definitions(plan, conn, mask, err);
}

static void free_place(struct cl_scan_place *place)
{
    free(place->domain);
    free(place->sample);
}

void cl_scan_plan_fini(struct scan_plan *plan)
{
    for (size_t i = 0; i < plan->n_tables; i++) {
        struct scan_table *t = &plan->tables[i];
        for (size_t c = 0; c < t->n_columns; c++) {
            for (size_t p = 0; p < t->columns[c].slots; p++) {
                free_place(&t->columns[c].places[p]);
            }
            free(t->columns[c].places);
            free(t->columns[c].name);
        }
        free(t->columns);
        free(t->schema);
        free(t->name);
    }
    for (size_t i = 0; i < plan->n_gaps; i++) {
        free(plan->gaps[i].kind);
        free(plan->gaps[i].name);
    }
    free(plan->tables);
    free(plan->gaps);
    memset(plan, 0, sizeof *plan);
}
