#include "proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "largeobject.h"
#include "reading.h"

bool cl_proof_begin(struct cl_proof *proof, const struct cl_run *run, size_t n_tables,
                    struct cl_err *err)
{
    if (!run->spec->compare) {
        return true;
    }
    proof->tables = calloc(n_tables + 1, sizeof *proof->tables);
    if (!proof->tables) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    proof->n_tables = n_tables;
    uv_mutex_init(&proof->mutex);
    return true;
}

void cl_proof_end(struct cl_proof *proof)
{
    if (proof->tables) {
        uv_mutex_destroy(&proof->mutex);
    }
    free(proof->tables);
    memset(proof, 0, sizeof *proof);
}

void cl_proof_expect(struct cl_proof *proof, struct cl_run *run, size_t i,
                     const struct cl_table *table, enum cl_copy_format format, uint64_t bytes)
{
    if (proof->tables) {
        proof->tables[i] = (struct cl_proven){.table = table, .format = format, .bytes = bytes};
        atomic_fetch_add(&run->progress->total, bytes);
    }
}

void cl_proof_add(struct cl_proof *proof, size_t i, const struct cl_checksum *part)
{
    if (!proof->tables) {
        return;
    }
    uv_mutex_lock(&proof->mutex);
    cl_checksum_join(&proof->tables[i].sum, part);
    uv_mutex_unlock(&proof->mutex);
}

/* Notes a table among those compared; *differ counts those that are not as they should be, of which
 * the first is named. */
static bool judge(struct cl_run *run, const struct cl_proven *proven,
                  const struct cl_checksum *found, size_t *differ, struct cl_err *err)
{
    struct cl_backup_summary *s = run->summary;
    const struct cl_table *table = proven->table;
    struct cl_backup_difference *d = &s->compared[s->n_compared];
    bool equal = cl_checksum_equal(&proven->sum, found);
    size_t n = strlen(table->schema) + strlen(table->name) + 2;
    d->table = malloc(n);
    if (!d->table) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    snprintf(d->table, n, "%s.%s", table->schema, table->name);
    d->kind = "table";
    d->source_rows = proven->sum.rows;
    d->target_rows = found->rows;
    s->n_compared++;
    if (!equal && (*differ)++ == 0) {
        cl_fail(err, CL_CONFLICT, "E_COPY_DIFFERS",
                "%s.%s is not what was copied: %" PRIu64 " rows were written, %" PRIu64
                " read back%s",
                table->schema, table->name, proven->sum.rows, found->rows,
                proven->sum.rows == found->rows ? ", with other content" : "");
    }
    return true;
}

/* Cuts the tables, of whose size as they are now the target's catalog knows, into parts. */
static bool cut(const struct cl_proof *proof, struct cl_run *run, PGconn *conn,
                struct cl_parts *parts, struct cl_err *err)
{
    struct cl_catalog catalog = {0};
    struct cl_table *tables = calloc(proof->n_tables + 1, sizeof *tables);
    bool ok = tables || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    ok = ok && cl_catalog_load(&catalog, conn, err);
    for (size_t i = 0; ok && i < proof->n_tables; i++) {
        const struct cl_table *table = proof->tables[i].table;
        const struct cl_table *now =
            table ? cl_catalog_find(&catalog, table->schema, table->name) : NULL;
        tables[i].excluded = true;
        if (table) {
            tables[i] = now ? *now : *table;
        }
    }
    ok = ok && cl_parts_plan(parts, tables, proof->n_tables, true, run->jobs, run->spec->part_bytes,
                             conn, err);
    free(tables);
    cl_catalog_fini(&catalog);
    return ok;
}

/* Sums of what the target holds now, by table. */
static bool read_back(struct cl_proof *proof, struct cl_run *run, const struct cl_keeper *target,
                      struct cl_checksum *found, struct cl_err *err)
{
    const struct cl_mask *mask = run->spec->mask;
    struct cl_parts parts = {0};
    struct cl_readings readings = {.run = run, .target_snapshot = target->snapshot};
    bool ok = cut(proof, run, target->link.conn, &parts, err);
    for (size_t i = 0; ok && i < parts.n; i++) {
        size_t index = parts.part[i].table;
        const struct cl_proven *proven = &proof->tables[index];
        const struct cl_table *table = proven->table;
        struct cl_reading model = {
            .side = CL_SIDE_TARGET,
            .table = table,
            .format = proven->format,
            .by_field = mask && cl_checksum_normalises(table->columns, table->n_columns),
            .arg = &found[index]};
        /* it was promised as many units of progress as the source's table has bytes */
        parts.part[i].bytes = proven->bytes / parts.part[i].of;
        ok = cl_readings_add(&readings, &model, &parts.part[i], 1, err);
    }
    ok = ok && cl_readings_run(&readings, err);
    for (size_t i = 0; ok && i < readings.n; i++) {
        cl_checksum_join(readings.list[i].arg, &readings.list[i].sum);
    }
    free(readings.list);
    cl_parts_fini(&parts);
    return ok;
}

static bool same_root(const struct cl_table *a, const struct cl_table *b)
{
    return a && b->root_schema && a->root_schema && strcmp(a->root_name, b->root_name) == 0 &&
           strcmp(a->root_schema, b->root_schema) == 0;
}

/* Rows that found their partition anew are counted with the first partition of their root. */
static void gather(struct cl_proof *proof, const struct cl_run *run, struct cl_checksum *found)
{
    static const struct cl_checksum none;
    for (size_t i = 0; i < proof->n_tables; i++) {
        const struct cl_table *table = proof->tables[i].table;
        if (!table || !cl_table_reroutes(table, run->spec->mask != NULL)) {
            continue;
        }
        size_t first = 0;
        while (first < i && !same_root(proof->tables[first].table, table)) {
            first++;
        }
        if (first < i) {
            cl_checksum_join(&proof->tables[first].sum, &proof->tables[i].sum);
            cl_checksum_join(&found[first], &found[i]);
            proof->tables[i].sum = none;
            found[i] = none;
        }
    }
}

bool cl_proof_check(struct cl_proof *proof, struct cl_run *run, struct cl_err *err)
{
    struct cl_keeper target = {0};
    size_t differ = 0;
    if (!proof->tables) {
        return true;
    }
    struct cl_checksum *found = calloc(proof->n_tables + 1, sizeof *found);
    run->summary->compared = calloc(proof->n_tables + 1, sizeof *run->summary->compared);
    bool ok =
        (found && run->summary->compared) || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    ok = ok && cl_keeper_open(&target, run->watch, "target", run->spec->target, err) &&
         read_back(proof, run, &target, found, err);
    if (ok) {
        gather(proof, run, found);
    }
    for (size_t i = 0; ok && i < proof->n_tables; i++) {
        ok = !proof->tables[i].table || judge(run, &proof->tables[i], &found[i], &differ, err);
    }
    if (ok && differ > 1) {
        cl_err_context(err, "%zu tables differ, first", differ);
    }
    ok = ok && (differ > 0 || cl_lo_prove(run, &target, err));
    cl_keeper_close(&target);
    free(found);
    return ok && differ == 0;
}
