/*
 * Proves a copy: for every table, the rows of the target are those of the source (or archive) once
 * masked. Both sides of each table are items of their own, so two workers share a large table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "checksum.h"
#include "crew.h"
#include "plan.h"
#include "run.h"

struct pair {
    const struct cl_archived *archived; /* where the rows are, comparing an archive; else NULL */
    const struct cl_table *source;      /* as it should be; NULL: not in the source */
    struct cl_table target;             /* as it is, columns in the source's order */
    bool comparable;                    /* there are two sides to compare */
    struct cl_checksum sums[2];         /* source, target */
};

struct comparison {
    struct cl_run *run;          /* borrowed */
    struct pair *pairs;          /* n_pairs; a worker writes sums[side] of its item only */
    size_t n_pairs;              /* entries of pairs */
    struct cl_column *columns;   /* the targets' columns, one block */
    const char *source_snapshot; /* NULL comparing an archive */
    const char *target_snapshot; /* one for all readers */
};

struct comparer {
    struct comparison *all; /* borrowed */
    struct cl_link source;  /* the worker's own; closed comparing an archive */
    struct cl_link target;  /* the worker's own */
    struct cl_buf row;      /* a masked row */
};

static void dismiss(void *worker)
{
    struct comparer *comparer = worker;
    cl_link_close(&comparer->source);
    cl_link_close(&comparer->target);
    cl_buf_fini(&comparer->row);
    free(comparer);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct comparer *comparer = calloc(1, sizeof *comparer);
    if (!comparer) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    comparer->all = arg;
    cl_buf_init(&comparer->row, INT32_MAX);
    struct cl_run *run = comparer->all->run;
    const char *snapshot = comparer->all->source_snapshot;
    if ((snapshot &&
         !cl_keeper_join(&comparer->source, run->watch, run->spec->source, snapshot, err)) ||
        !cl_keeper_join(&comparer->target, run->watch, run->spec->target,
                        comparer->all->target_snapshot, err)) {
        dismiss(comparer);
        return NULL;
    }
    return comparer;
}

/* Adds the current row; a masked one is cut into fields again. */
static bool add_row(struct comparer *comparer, struct cl_transform *t, bool by_field,
                    struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_rows *rows = &t->rows;
    if (!by_field) {
        cl_checksum_add(sum, rows->row, rows->row_bytes);
        return true;
    }
    if (t->mask) {
        size_t used;
        size_t scanned = 0;
        cl_buf_reset(&comparer->row);
        if (!cl_transform_row(t, &comparer->row, err)) {
            return false;
        }
        const char *row = cl_buf_str(&comparer->row);
        size_t n = comparer->row.len;
        enum cl_row_status status =
            rows->format == CL_COPY_BINARY
                ? cl_row_binary(row, n, rows->n_fields, rows->fields, &used)
                : cl_row_text(row, n, rows->n_fields, rows->fields, &used, &scanned);
        if (status != CL_ROW_OK) {
            return cl_transform_bad(t, err);
        }
    }
    cl_checksum_add_fields(sum, t->columns, rows->fields, rows->n_fields);
    return true;
}

static bool sum_up(struct comparer *comparer, struct cl_source *source, struct cl_transform *t,
                   bool by_field, struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_run *run = comparer->all->run;
    for (;;) {
        const char *bytes;
        size_t n;
        if (!cl_watch_check(run->watch, err) || !source->next(source, &bytes, &n, err)) {
            return false;
        }
        if (n == 0) {
            break;
        }
        atomic_fetch_add(&run->progress->bytes, n);
        if (!cl_rows_feed(&t->rows, bytes, n, err)) {
            return false;
        }
        enum cl_row_status status;
        while ((status = cl_rows_next(&t->rows)) == CL_ROW_OK || status == CL_ROW_END) {
            if (status == CL_ROW_OK && !add_row(comparer, t, by_field, sum, err)) {
                return false;
            }
        }
        if (status == CL_ROW_BAD) {
            return cl_transform_bad(t, err);
        }
    }
    atomic_fetch_add(&run->progress->rows, t->rows.n);
    return cl_rows_complete(&t->rows) || cl_transform_bad(t, err);
}

static enum cl_copy_format format_of(const struct pair *pair)
{
    return pair->archived ? pair->archived->table.format : pair->source->format;
}

/* One stream of rows of one side. */
static bool sum_stream(struct comparer *comparer, struct pair *pair, int side,
                       const struct cl_data_file *archived, struct cl_err *err)
{
    const struct cl_backup_spec *spec = comparer->all->run->spec;
    const struct cl_table *table = side == 0 && !pair->archived ? pair->source : &pair->target;
    bool by_field = spec->mask && pair->target.text_like;
    struct cl_file_source *file = NULL;
    struct cl_pg_source pg = {0};
    struct cl_source *source = NULL;
    struct cl_transform t = {0};
    bool ok = cl_transform_init(&t, side == 0 ? spec->mask : NULL, table, format_of(pair), err);
    if (ok && archived) {
        file = cl_file_source_open(spec->archive, archived, err);
        source = file ? cl_file_source_base(file) : NULL;
    } else if (ok) {
        PGconn *conn = side == 0 ? comparer->source.conn : comparer->target.conn;
        ok = cl_pg_source_open(&pg, conn, table, format_of(pair), err);
        source = ok ? &pg.base : NULL;
    }
    ok = source && sum_up(comparer, source, &t, by_field, &pair->sums[side], err);
    cl_pg_source_close(&pg);
    cl_file_source_close(file);
    cl_transform_fini(&t);
    return ok || cl_run_blame(table, err);
}

/* One side of one table. */
static bool sum_side(struct comparer *comparer, struct pair *pair, int side, struct cl_err *err)
{
    if (side == 1 || !pair->archived) {
        return sum_stream(comparer, pair, side, NULL, err);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < pair->archived->n_files; i++) {
        ok = sum_stream(comparer, pair, side, &pair->archived->files[i], err);
    }
    return ok;
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct comparer *comparer = worker;
    struct pair *pair = &comparer->all->pairs[item / 2];
    uint64_t worth = pair->target.bytes;
    bool ok = !pair->comparable || sum_side(comparer, pair, (int)(item % 2), err);
    atomic_fetch_add(&comparer->all->run->progress->done, worth);
    return ok;
}

static bool note(struct cl_backup_difference *d, const char *schema, const char *name,
                 const char *problem, const struct cl_checksum *sums, struct cl_err *err)
{
    size_t n = strlen(schema) + strlen(name) + 2;
    d->table = malloc(n);
    if (!d->table) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    snprintf(d->table, n, "%s.%s", schema, name);
    snprintf(d->problem, sizeof d->problem, "%s", problem);
    d->source_rows = sums ? sums[0].rows : 0;
    d->target_rows = sums ? sums[1].rows : 0;
    return true;
}

static bool differs(struct cl_run *run, const char *schema, const char *name, const char *problem,
                    const struct cl_checksum *sums, struct cl_err *err)
{
    struct cl_backup_summary *s = run->summary;
    if (!s->differences) {
        s->differences = calloc(CL_BACKUP_DIFFERENCES_MAX, sizeof *s->differences);
        if (!s->differences) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    if (s->n_differences < CL_BACKUP_DIFFERENCES_MAX &&
        !note(&s->differences[s->n_differences], schema, name, problem, sums, err)) {
        return false;
    }
    s->n_differences++;
    return true;
}

/* Sets up the pair of one table of the source. */
static bool pair_up(struct comparison *all, struct pair *pair, const struct cl_table *source,
                    struct cl_column *columns, const struct cl_catalog *target, struct cl_err *err)
{
    const struct cl_table *table = cl_catalog_find(target, source->schema, source->name);
    const char *missing;
    pair->source = source;
    if (!table) {
        return differs(all->run, source->schema, source->name, "missing in the target", NULL, err);
    }
    pair->target = *table;
    if (!cl_plan_columns(table, source, columns, &missing)) {
        return differs(all->run, source->schema, source->name, "columns", NULL, err);
    }
    pair->target.columns = columns;
    pair->target.n_columns = source->n_columns;
    /* an excluded table is compared with nothing: it must have no rows */
    pair->comparable = !table->excluded && !source->excluded;
    return true;
}

/* Tables that only the target has. */
static bool find_extra(struct comparison *all, const struct cl_catalog *source,
                       const struct cl_manifest *manifest, const struct cl_catalog *target,
                       struct cl_err *err)
{
    for (size_t i = 0; i < target->n_tables; i++) {
        const struct cl_table *table = &target->tables[i];
        bool known = cl_catalog_find(source, table->schema, table->name) != NULL;
        for (size_t j = 0; !known && j < manifest->n_tables; j++) {
            known = strcmp(manifest->tables[j].table.schema, table->schema) == 0 &&
                    strcmp(manifest->tables[j].table.name, table->name) == 0;
        }
        for (size_t j = 0; !known && j < manifest->n_excluded; j++) {
            known = strcmp(manifest->excluded[2 * j], table->schema) == 0 &&
                    strcmp(manifest->excluded[2 * j + 1], table->name) == 0;
        }
        if (!known &&
            !differs(all->run, table->schema, table->name, "not in the source", NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool prepare(struct comparison *all, const struct cl_catalog *source,
                    const struct cl_manifest *manifest, const struct cl_catalog *target,
                    struct cl_err *err)
{
    bool archive = all->source_snapshot == NULL;
    size_t n = archive ? manifest->n_tables : source->n_tables;
    size_t n_columns = 0;
    for (size_t i = 0; i < n; i++) {
        n_columns += archive ? manifest->tables[i].table.n_columns : source->tables[i].n_columns;
    }
    all->pairs = calloc(n + 1, sizeof *all->pairs);
    all->columns = calloc(n_columns + 1, sizeof *all->columns);
    if (!all->pairs || !all->columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    all->n_pairs = n;
    size_t used = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cl_table *table = archive ? &manifest->tables[i].table : &source->tables[i];
        all->pairs[i].archived = archive ? &manifest->tables[i] : NULL;
        if (!pair_up(all, &all->pairs[i], table, &all->columns[used], target, err)) {
            return false;
        }
        used += table->n_columns;
        total += 2 * all->pairs[i].target.bytes;
    }
    atomic_store(&all->run->progress->total, total);
    return find_extra(all, source, manifest, target, err);
}

/* Rows in a table that must be empty. */
static bool check_excluded(struct comparison *all, PGconn *conn, const struct cl_catalog *target,
                           struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < target->n_tables; i++) {
        const struct cl_table *table = &target->tables[i];
        if (!table->excluded) {
            continue;
        }
        struct cl_buf sql;
        cl_buf_init(&sql, 4096);
        cl_buf_adds(&sql, "SELECT count(*) FROM ONLY ");
        cl_sql_name(&sql, table->schema, table->name);
        char *count = cl_pg_value(conn, cl_buf_str(&sql), err);
        cl_buf_fini(&sql);
        struct cl_checksum sums[2] = {{0}};
        ok = count != NULL;
        sums[1].rows = ok ? strtoull(count, NULL, 10) : 0;
        free(count);
        if (ok && sums[1].rows > 0) {
            ok = differs(all->run, table->schema, table->name, "excluded, but has rows", sums, err);
        }
    }
    return ok;
}

static bool judge(struct comparison *all, struct cl_err *err)
{
    struct cl_backup_summary *s = all->run->summary;
    s->compared = calloc(all->n_pairs + 1, sizeof *s->compared);
    if (!s->compared) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < all->n_pairs; i++) {
        const struct pair *pair = &all->pairs[i];
        if (!pair->comparable) {
            continue;
        }
        const char *schema = pair->source->schema;
        const char *name = pair->source->name;
        const char *problem = pair->sums[0].rows != pair->sums[1].rows ? "rows" : "content";
        bool equal = cl_checksum_equal(&pair->sums[0], &pair->sums[1]);
        s->tables++;
        s->rows += pair->sums[0].rows;
        if (!note(&s->compared[s->n_compared], schema, name, equal ? "" : problem, pair->sums,
                  err)) {
            return false;
        }
        s->n_compared++;
        if (!equal && !differs(all->run, schema, name, problem, pair->sums, err)) {
            return false;
        }
    }
    return true;
}

static bool compare_rows(struct comparison *all, struct cl_err *err)
{
    cl_work_phase(all->run->work, "compare");
    struct cl_crew crew = {.n_items = 2 * all->n_pairs,
                           .jobs = all->run->jobs,
                           .arg = all,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    return cl_crew_run(all->run->watch, &crew, err) && judge(all, err);
}

/* Opens either the archive or the source. */
static bool open_source(struct cl_run *run, struct cl_keeper *keeper, struct cl_catalog *catalog,
                        struct cl_manifest *manifest, struct cl_err *err)
{
    const struct cl_backup_spec *spec = run->spec;
    if (spec->archive) {
        return cl_archive_open(manifest, spec->archive, err) &&
               cl_archive_check_files(manifest, spec->archive, err);
    }
    return cl_keeper_open(keeper, run->watch, "source", spec->source, err) &&
           cl_catalog_load(catalog, keeper->link.conn, err) &&
           cl_catalog_exclude(catalog, spec->exclude, spec->n_exclude, err);
}

bool cl_backup_compare(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper source = {0};
    struct cl_keeper target = {0};
    struct cl_catalog source_catalog = {0};
    struct cl_catalog target_catalog = {0};
    struct cl_manifest manifest = {0};
    struct comparison all = {.run = &run};
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              open_source(&run, &source, &source_catalog, &manifest, err) &&
              cl_keeper_open(&target, run.watch, "target", spec->target, err) &&
              cl_identity_differ(spec->archive ? &manifest.source : &source.identity,
                                 &target.identity, err) &&
              cl_catalog_load(&target_catalog, target.link.conn, err) &&
              cl_catalog_exclude(&target_catalog, spec->exclude, spec->n_exclude, err);
    if (ok) {
        all.source_snapshot = spec->archive ? NULL : source.snapshot;
        all.target_snapshot = target.snapshot;
        ok = prepare(&all, &source_catalog, &manifest, &target_catalog, err) &&
             check_excluded(&all, target.link.conn, &target_catalog, err) &&
             compare_rows(&all, err);
    }
    free(all.pairs);
    free(all.columns);
    cl_keeper_close(&target);
    cl_keeper_close(&source);
    cl_manifest_fini(&manifest);
    cl_catalog_fini(&source_catalog);
    cl_catalog_fini(&target_catalog);
    return cl_run_end(&run, ok, err);
}
