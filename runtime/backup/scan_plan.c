#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/buf.h"
#include "pg/session.h"
#include "scan_private.h"

enum { LIST_BYTES_MAX = 64 * 1024 * 1024 };

/* Columns of scan_columns.sql */
enum {
    C_SCHEMA,
    C_TABLE,
    C_COLUMN,
    C_KIND,
    C_CARRIER,
    C_TYPE,
    C_SIZE,
    C_OID,
    C_PAGES,
    C_HEAP,
};

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

bool cl_scan_add_gap(struct scan_plan *plan, const char *kind, const char *name)
{
    struct cl_scan_gap *gaps = realloc(plan->gaps, (plan->n_gaps + 1) * sizeof *gaps);
    if (!gaps) {
        return false;
    }
    plan->gaps = gaps;
    struct cl_scan_gap *gap = &gaps[plan->n_gaps];
    *gap = (struct cl_scan_gap){.kind = strdup(kind), .name = strdup(name)};
    plan->n_gaps++;
    return gap->kind && gap->name;
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
        t->oid = (uint32_t)strtoul(PQgetvalue(r, row, C_OID), NULL, 10);
        t->pages = strtoull(PQgetvalue(r, row, C_PAGES), NULL, 10);
        t->heap = *PQgetvalue(r, row, C_HEAP) == 't';
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
    const char *carrier = PQgetvalue(r, row, C_CARRIER);
    c->carrier = strcmp(carrier, "json") == 0     ? CL_CARRIER_JSON
                 : strcmp(carrier, "bytes") == 0  ? CL_CARRIER_BYTES
                 : strcmp(carrier, "nested") == 0 ? CL_CARRIER_NESTED
                                                  : CL_CARRIER_TEXT;
    c->except = cl_mask_column(mask, schema, name, PQgetvalue(r, row, C_COLUMN));
    return c->name != NULL;
}

static bool add_unread(struct scan_plan *plan, const PGresult *r, int row)
{
    struct cl_buf name;
    cl_buf_init(&name, 1024);
    cl_buf_addf(&name, "%s.%s.%s", PQgetvalue(r, row, C_SCHEMA), PQgetvalue(r, row, C_TABLE),
                PQgetvalue(r, row, C_COLUMN));
    bool ok = cl_scan_add_gap(plan, "foreign table", cl_buf_str(&name));
    cl_buf_fini(&name);
    return ok;
}

/* Cuts the tables into parts. */
static bool cut(struct scan_plan *plan, PGconn *conn, int jobs, uint64_t part_bytes,
                struct cl_err *err)
{
    struct cl_table *tables = calloc(plan->n_tables + 1, sizeof *tables);
    if (!tables) {
        return no_memory(err);
    }
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct scan_table *t = &plan->tables[i];
        tables[i] = (struct cl_table){.oid = t->oid,
                                      .schema = t->schema,
                                      .name = t->name,
                                      .bytes = t->size,
                                      .pages = t->pages,
                                      .heap = t->heap};
    }
    bool ok =
        cl_parts_plan(&plan->parts, tables, plan->n_tables, true, jobs, part_bytes, conn, err);
    free(tables);
    return ok;
}

static const char objects_name[] = "pg_catalog.pg_largeobject";

/* Large objects, when they are wanted: a table of one column. */
static bool add_objects(struct scan_plan *plan, PGconn *conn, const char *const *tables, int jobs,
                        struct cl_err *err)
{
    bool wanted = !tables;
    for (size_t i = 0; tables && tables[i]; i++) {
        wanted = wanted || strcmp(tables[i], objects_name) == 0;
    }
    if (!wanted) {
        return true;
    }
    struct scan_table *objects = &plan->objects;
    objects->schema = strdup("pg_catalog");
    objects->name = strdup("pg_largeobject");
    objects->columns = calloc(1, sizeof *objects->columns);
    if (!objects->schema || !objects->name || !objects->columns) {
        return no_memory(err);
    }
    objects->n_columns = 1;
    objects->columns->name = strdup("data");
    return (objects->columns->name || no_memory(err)) &&
           cl_lo_plan_read(&plan->ranges, conn, jobs, err);
}

bool cl_scan_plan_load(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                       const char *const *tables, int jobs, uint64_t part_bytes, struct cl_err *err)
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
        ok = (text ? add_column(plan, r, row, mask) : add_unread(plan, r, row)) || no_memory(err);
    }
    PQclear(r);
    return ok && cut(plan, conn, jobs, part_bytes, err) &&
           add_objects(plan, conn, tables, jobs, err) && cl_scan_definitions(plan, conn, mask, err);
}

static void table_fini(struct scan_table *t)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        cl_scan_column_fini(&t->columns[c]);
        free(t->columns[c].name);
    }
    free(t->columns);
    free(t->schema);
    free(t->name);
}

void cl_scan_plan_fini(struct scan_plan *plan)
{
    for (size_t i = 0; i < plan->n_tables; i++) {
        table_fini(&plan->tables[i]);
    }
    table_fini(&plan->objects);
    for (size_t i = 0; i < plan->n_gaps; i++) {
        free(plan->gaps[i].kind);
        free(plan->gaps[i].name);
    }
    cl_scan_definitions_free(plan->in_schema, plan->n_in_schema);
    cl_parts_fini(&plan->parts);
    cl_lo_plan_fini(&plan->ranges);
    free(plan->tables);
    free(plan->gaps);
    memset(plan, 0, sizeof *plan);
}
