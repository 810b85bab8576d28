/* What compare compares with what: the tables of both sides, and the parts they are read in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "plan.h"

static bool note(struct cl_comparison *all, const struct cl_table *table, const char *problem,
                 struct cl_err *err)
{
    return cl_comparison_differs(all, "table", table->schema, table->name, problem, NULL, err);
}

/* Sets up the pair of one table of the source. */
static bool pair_up(struct cl_comparison *all, struct cl_pair *pair, const struct cl_table *source,
                    struct cl_column *columns, struct cl_err *err)
{
    const struct cl_table *table =
        cl_catalog_find(&all->target_tables, source->schema, source->name);
    const char *missing;
    pair->source = source;
    pair->format = source->format;
    if (!table) {
        return note(all, source, "missing in the target", err);
    }
    pair->target = *table;
    if (!cl_plan_columns(table, source, columns, &missing)) {
        return note(all, source, "columns", err);
    }
    pair->target.columns = columns;
    pair->target.n_columns = source->n_columns;
    /* an excluded table is compared with nothing: it must have no rows */
    pair->comparable = !table->excluded && !source->excluded;
    return true;
}

/* Is the table one of the source's? */
static bool known(const struct cl_comparison *all, const struct cl_table *table)
{
    const struct cl_manifest *manifest = &all->manifest;
    bool found = cl_catalog_find(&all->source_tables, table->schema, table->name) != NULL;
    for (size_t i = 0; !found && i < manifest->n_tables; i++) {
        found = strcmp(manifest->tables[i].table.schema, table->schema) == 0 &&
                strcmp(manifest->tables[i].table.name, table->name) == 0;
    }
    for (size_t i = 0; !found && i < manifest->n_excluded; i++) {
        found = strcmp(manifest->excluded[2 * i], table->schema) == 0 &&
                strcmp(manifest->excluded[2 * i + 1], table->name) == 0;
    }
    return found;
}

/* Rows in a table that must be empty. */
static bool check_excluded(struct cl_comparison *all, const struct cl_table *table,
                           struct cl_err *err)
{
    struct cl_checksum sums[2] = {{0}};
    struct cl_buf sql;
    cl_buf_init(&sql, 4096);
    cl_buf_adds(&sql, "SELECT count(*) FROM ONLY ");
    cl_sql_name(&sql, table->schema, table->name);
    char *count = cl_pg_value(all->target.link.conn, cl_buf_str(&sql), err);
    cl_buf_fini(&sql);
    if (!count) {
        return cl_run_blame(table, err);
    }
    sums[CL_SIDE_TARGET].rows = strtoull(count, NULL, 10);
    free(count);
    return sums[CL_SIDE_TARGET].rows == 0 ||
           cl_comparison_differs(all, "table", table->schema, table->name, "excluded, but has rows",
                                 sums, err);
}

bool cl_comparison_pair(struct cl_comparison *all, struct cl_err *err)
{
    bool archive = all->run->spec->archive != NULL;
    size_t n = archive ? all->manifest.n_tables : all->source_tables.n_tables;
    size_t n_columns = 0;
    for (size_t i = 0; i < n; i++) {
        n_columns += archive ? all->manifest.tables[i].table.n_columns
                             : all->source_tables.tables[i].n_columns;
    }
    all->pairs = calloc(n + 1, sizeof *all->pairs);
    all->columns = calloc(n_columns + 1, sizeof *all->columns);
    if (!all->pairs || !all->columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    all->n_pairs = n;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cl_table *table =
            archive ? &all->manifest.tables[i].table : &all->source_tables.tables[i];
        all->pairs[i].archived = archive ? &all->manifest.tables[i] : NULL;
        if (!pair_up(all, &all->pairs[i], table, &all->columns[used], err)) {
            return false;
        }
        used += table->n_columns;
    }
    for (size_t i = 0; i < all->target_tables.n_tables; i++) {
        const struct cl_table *table = &all->target_tables.tables[i];
        if ((!known(all, table) && !note(all, table, "not in the source", err)) ||
            (table->excluded && !check_excluded(all, table, err))) {
            return false;
        }
    }
    return true;
}

/* Cuts the tables of one side into parts. Both sides are cut as their own pages lie: sums do not
 * depend on the order of rows. */
static bool cut(struct cl_comparison *all, enum cl_side side, PGconn *conn, struct cl_err *err)
{
    struct cl_parts *parts = &all->parts[side];
    struct cl_table *tables = calloc(all->n_pairs + 1, sizeof *tables);
    if (!tables) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < all->n_pairs; i++) {
        const struct cl_pair *pair = &all->pairs[i];
        tables[i] = side == CL_SIDE_SOURCE ? *pair->source : pair->target;
        tables[i].excluded = !pair->comparable;
    }
    bool ok = cl_parts_plan(parts, tables, all->n_pairs, true, all->run->jobs,
                            all->run->spec->part_bytes, conn, err);
    free(tables);
    for (size_t i = 0; ok && i < parts->n; i++) {
        struct cl_pair *pair = &all->pairs[parts->part[i].table];
        if (pair->n_parts[side]++ == 0) {
            pair->parts[side] = &parts->part[i];
        }
    }
    return ok;
}

bool cl_comparison_cut(struct cl_comparison *all, struct cl_err *err)
{
    return cut(all, CL_SIDE_TARGET, all->target.link.conn, err) &&
           (all->run->spec->archive || cut(all, CL_SIDE_SOURCE, all->source.link.conn, err));
}

struct cl_readings cl_comparison_reader(struct cl_comparison *all)
{
    return (struct cl_readings){.run = all->run,
                                .archive = &all->archive,
                                .target_snapshot = all->target.snapshot,
                                .source_snapshot =
                                    all->run->spec->archive ? NULL : all->source.snapshot};
}

bool cl_comparison_readings(const struct cl_comparison *all, struct cl_pair *pair,
                            enum cl_side side, struct cl_readings *readings, struct cl_err *err)
{
    const struct cl_mask *mask = all->run->spec->mask;
    const struct cl_column *columns = pair->target.columns;
    bool archived = side == CL_SIDE_SOURCE && pair->archived;
    struct cl_reading model = {
        .side = side,
        .table = side == CL_SIDE_SOURCE && !archived ? pair->source : &pair->target,
        .format = pair->format,
        .mask = side == CL_SIDE_SOURCE && pair->target.text_like ? mask : NULL,
        .by_field = mask && cl_checksum_normalises(columns, pair->target.n_columns),
        .bytes = pair->target.bytes,
        .arg = pair};
    if (!archived) {
        return cl_readings_add(readings, &model, pair->parts[side], pair->n_parts[side], err);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < pair->archived->n_files; i++) {
        model.file = &pair->archived->files[i];
        model.bytes = model.file->raw_bytes;
        ok = cl_readings_add(readings, &model, NULL, 0, err);
    }
    return ok;
}
