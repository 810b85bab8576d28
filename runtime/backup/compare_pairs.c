/* What compare compares with what: the tables of both sides, and the parts they are read in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "plan.h"
#include "shuffle.h"

bool cl_pair_order(struct cl_pair *pair, enum cl_side side, const struct cl_table *like,
                   const char **missing, struct cl_err *err)
{
    struct cl_column *columns = calloc(like->n_columns + 1, sizeof *columns);
    *missing = NULL;
    if (!columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = cl_plan_columns(&pair->tables[side], like, columns, missing);
    if (ok) {
        free(pair->columns[side]);
        pair->columns[side] = columns;
        pair->tables[side].columns = columns;
        pair->tables[side].n_columns = like->n_columns;
    } else {
        free(columns);
    }
    return ok;
}

static bool note(struct cl_comparison *all, const struct cl_pair *pair, const char *problem,
                 struct cl_err *err)
{
    return cl_comparison_differs(all, "table", pair->schema, pair->name, problem, NULL, err);
}

/* Sets up the pair of one table of the source; archived: or of an archive. */
static bool pair_up(struct cl_comparison *all, struct cl_pair *pair, const struct cl_table *source,
                    const struct cl_archived *archived, struct cl_err *err)
{
    const struct cl_table *table =
        cl_catalog_find(&all->target_tables, source->schema, source->name);
    const char *missing;
    pair->schema = source->schema;
    pair->name = source->name;
    pair->leader = pair;
    pair->archived = archived;
    pair->format = source->format;
    pair->there[CL_SIDE_SOURCE] = true;
    pair->tables[CL_SIDE_SOURCE] = *source;
    if (!table) {
        return true;
    }
    pair->there[CL_SIDE_TARGET] = true;
    pair->tables[CL_SIDE_TARGET] = *table;
    if (!cl_pair_order(pair, CL_SIDE_TARGET, source, &missing, err)) {
        return missing && note(all, pair, "columns", err);
    }
    if (archived) { /* which knows no classes of its columns */
        pair->tables[CL_SIDE_SOURCE] = pair->tables[CL_SIDE_TARGET];
        if (!cl_pair_order(pair, CL_SIDE_SOURCE, source, &missing, err)) {
            return false;
        }
    }
    /* an excluded table is compared with nothing: it must have no rows */
    bool compared = !table->excluded && !source->excluded;
    pair->read[CL_SIDE_SOURCE] = compared;
    pair->read[CL_SIDE_TARGET] = compared;
    return true;
}

/* Is the target's table one of the source's? */
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

/* Reports tables that only one side has. */
static bool note_alone(struct cl_comparison *all, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        const struct cl_pair *pair = &all->pairs[i];
        bool alone = pair->there[CL_SIDE_SOURCE] != pair->there[CL_SIDE_TARGET];
        if (alone && pair->leader == pair && !pair->grouped) {
            ok = note(all, pair,
                      pair->there[CL_SIDE_SOURCE] ? "missing in the target" : "not in the source",
                      err);
        }
    }
    return ok;
}

bool cl_comparison_pair(struct cl_comparison *all, struct cl_err *err)
{
    const struct cl_catalog *target = &all->target_tables;
    bool archive = all->run->spec->archive != NULL;
    size_t n = archive ? all->manifest.n_tables : all->source_tables.n_tables;
    all->pairs = calloc(n + target->n_tables + 1, sizeof *all->pairs);
    if (!all->pairs) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct cl_archived *archived = archive ? &all->manifest.tables[i] : NULL;
        ok = pair_up(all, &all->pairs[all->n_pairs++],
                     archived ? &archived->table : &all->source_tables.tables[i], archived, err);
    }
    for (size_t i = 0; ok && i < target->n_tables; i++) {
        const struct cl_table *table = &target->tables[i];
        if (!known(all, table)) {
            struct cl_pair *pair = &all->pairs[all->n_pairs++];
            pair->schema = table->schema;
            pair->name = table->name;
            pair->leader = pair;
            pair->there[CL_SIDE_TARGET] = true;
            pair->tables[CL_SIDE_TARGET] = *table;
        }
        ok = !table->excluded || check_excluded(all, table, err);
    }
    return ok && cl_comparison_group(all, err) && note_alone(all, err);
}

bool cl_pair_compared(const struct cl_pair *pair)
{
    return pair->leader == pair && (pair->grouped || pair->read[CL_SIDE_SOURCE]);
}

void cl_comparison_unpair(struct cl_comparison *all)
{
    for (size_t i = 0; i < all->n_pairs; i++) {
        free(all->pairs[i].columns[CL_SIDE_SOURCE]);
        free(all->pairs[i].columns[CL_SIDE_TARGET]);
    }
    free(all->pairs);
    PQclear(all->roots[CL_SIDE_SOURCE]);
    PQclear(all->roots[CL_SIDE_TARGET]);
    cl_parts_fini(&all->parts[CL_SIDE_SOURCE]);
    cl_parts_fini(&all->parts[CL_SIDE_TARGET]);
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
        tables[i] = all->pairs[i].tables[side];
        tables[i].excluded = !all->pairs[i].read[side];
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

static struct cl_reading model_of(const struct cl_comparison *all, struct cl_pair *pair,
                                  enum cl_side side)
{
    const struct cl_mask *mask = all->run->spec->mask;
    const struct cl_table *table = &pair->tables[side];
    bool masked = side == CL_SIDE_SOURCE && mask && table->text_like;
    return (struct cl_reading){
        .side = side,
        .table = table,
        .format = pair->leader->format,
        .mask = masked ? mask : NULL,
        .dealer = masked ? cl_shuffle_dealer(all->run->shuffle, (size_t)(pair - all->pairs)) : NULL,
        .by_field = mask && cl_checksum_normalises(table->columns, table->n_columns),
        .bytes = table->bytes,
        .arg = pair->leader};
}

/* Sets the model to one of the files. */
static void read_file(struct cl_reading *model, const struct cl_pair *pair, size_t i)
{
    model->file = &pair->archived->files[i];
    model->bytes = model->file->raw_bytes;
    model->part = (unsigned)i;
}

bool cl_comparison_shuffle(struct cl_comparison *all, struct cl_err *err)
{
    struct cl_readings readings = cl_comparison_reader(all);
    struct cl_shuffle *shuffle = all->run->shuffle = cl_shuffle_new(all->run, all->n_pairs, err);
    bool ok = shuffle != NULL;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        const struct cl_part *parts = pair->parts[CL_SIDE_SOURCE];
        struct cl_reading model = model_of(all, pair, CL_SIDE_SOURCE);
        size_t n = pair->archived ? pair->archived->n_files : pair->n_parts[CL_SIDE_SOURCE];
        for (size_t k = 0; ok && pair->read[CL_SIDE_SOURCE] && k < n; k++) {
            if (pair->archived) {
                read_file(&model, pair, k);
            } else {
                model.where = parts[k].where;
                model.part = parts[k].number;
                model.bytes = parts[k].bytes;
            }
            ok = cl_shuffle_add(shuffle, i, &model, err);
        }
    }
    return ok && cl_shuffle_read(shuffle, &readings, err);
}

static bool read_side(const struct cl_comparison *all, struct cl_pair *pair, enum cl_side side,
                      struct cl_readings *readings, struct cl_err *err)
{
    struct cl_reading model = model_of(all, pair, side);
    if (side == CL_SIDE_TARGET || !pair->archived) {
        return cl_readings_add(readings, &model, pair->parts[side], pair->n_parts[side], err);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < pair->archived->n_files; i++) {
        read_file(&model, pair, i);
        ok = cl_readings_add(readings, &model, NULL, 0, err);
    }
    return ok;
}

bool cl_comparison_readings(const struct cl_comparison *all, struct cl_pair *leader,
                            struct cl_readings *readings, struct cl_err *err)
{
    bool ok = true;
    bool whole = leader->grouped; /* most pairs lead nobody but themselves */
    for (size_t i = 0; ok && i < (whole ? all->n_pairs : 1); i++) {
        struct cl_pair *pair = whole ? &all->pairs[i] : leader;
        for (int side = CL_SIDE_SOURCE; ok && side <= CL_SIDE_TARGET; side++) {
            ok = pair->leader != leader || !pair->read[side] ||
                 read_side(all, pair, (enum cl_side)side, readings, err);
        }
    }
    return ok;
}
