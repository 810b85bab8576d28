/* Proves a copy: the rows of the target are those of the source (or archive) once masked. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

static bool note(struct cl_backup_difference *d, const char *kind, const char *schema,
                 const char *name, const char *problem, const struct cl_checksum *sums,
                 struct cl_err *err)
{
    size_t n = strlen(schema) + strlen(name) + 2;
    d->table = malloc(n);
    if (!d->table) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    snprintf(d->table, n, "%s%s%s", schema, *schema ? "." : "", name);
    d->kind = kind;
    snprintf(d->problem, sizeof d->problem, "%s", problem);
    d->source_rows = sums ? sums[CL_SIDE_SOURCE].rows : 0;
    d->target_rows = sums ? sums[CL_SIDE_TARGET].rows : 0;
    return true;
}

bool cl_comparison_differs(struct cl_comparison *all, const char *kind, const char *schema,
                           const char *name, const char *problem, const struct cl_checksum *sums,
                           struct cl_err *err)
{
    struct cl_backup_summary *s = all->run->summary;
    if (!s->differences) {
        s->differences = calloc(CL_BACKUP_DIFFERENCES_MAX, sizeof *s->differences);
        if (!s->differences) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    if (s->n_differences < CL_BACKUP_DIFFERENCES_MAX &&
        !note(&s->differences[s->n_differences], kind, schema, name, problem, sums, err)) {
        return false;
    }
    s->n_differences++;
    return true;
}

static bool judge_pair(struct cl_comparison *all, struct cl_pair *pair, struct cl_err *err)
{
    struct cl_backup_summary *s = all->run->summary;
    const char *schema = pair->schema;
    const char *name = pair->name;
    const struct cl_checksum *sums = pair->sums;
    const char *problem = sums[0].rows != sums[1].rows ? "rows" : "content";
    bool differs = !cl_checksum_equal(&sums[0], &sums[1]);
    s->tables++;
    s->rows += sums[CL_SIDE_SOURCE].rows;
    if (!note(&s->compared[s->n_compared], "table", schema, name, differs ? problem : "", sums,
              err)) {
        return false;
    }
    s->n_compared++;
    if (!differs) {
        return true;
    }
    bool ok = cl_comparison_differs(all, "table", schema, name, problem, sums, err);
    pair->noted = ok && s->n_differences <= CL_BACKUP_DIFFERENCES_MAX
                      ? &s->differences[s->n_differences - 1]
                      : NULL;
    return ok;
}

static bool judge(struct cl_comparison *all, struct cl_err *err)
{
    struct cl_backup_summary *s = all->run->summary;
    s->compared = calloc(all->n_pairs + 1, sizeof *s->compared);
    if (!s->compared) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = true;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        ok = !cl_pair_compared(pair) || judge_pair(all, pair, err);
    }
    return ok;
}

static bool sum_up(struct cl_comparison *all, struct cl_err *err)
{
    struct cl_readings readings = cl_comparison_reader(all);
    bool ok = true;
    uint64_t total = 0;
    for (size_t i = 0; ok && i < all->n_pairs; i++) {
        struct cl_pair *pair = &all->pairs[i];
        ok = !cl_pair_compared(pair) || cl_comparison_readings(all, pair, &readings, err);
    }
    for (size_t i = 0; i < readings.n; i++) {
        total += readings.list[i].bytes;
    }
    atomic_store(&all->run->progress->total, total);
    ok = ok && cl_readings_run(&readings, err);
    for (size_t i = 0; ok && i < readings.n; i++) {
        struct cl_pair *pair = readings.list[i].arg;
        cl_checksum_join(&pair->sums[readings.list[i].side], &readings.list[i].sum);
    }
    free(readings.list);
    return ok && judge(all, err);
}

/* Opens either the archive or the source. */
static bool open_source(struct cl_comparison *all, struct cl_err *err)
{
    const struct cl_backup_spec *spec = all->run->spec;
    if (spec->archive) {
        return cl_archive_open(&all->archive, &all->manifest, spec, cl_watch_job(all->run->watch),
                               err) &&
               cl_archive_check_files(&all->archive, &all->manifest, err);
    }
    return cl_keeper_open(&all->source, all->run->watch, "source", spec->source, err) &&
           cl_catalog_load(&all->source_tables, all->source.link.conn, err) &&
           cl_catalog_exclude(&all->source_tables, spec->exclude, spec->n_exclude, err) &&
           cl_catalog_named(&all->source_tables, spec->mask, all->source.link.conn, err) &&
           cl_catalog_mask(&all->source_tables, spec->mask, err) &&
           cl_run_protect(all->run, &all->source, err);
}

static bool open_target(struct cl_comparison *all, struct cl_err *err)
{
    const struct cl_backup_spec *spec = all->run->spec;
    return cl_keeper_open(&all->target, all->run->watch, "target", spec->target, err) &&
           cl_identity_differ(spec->archive ? &all->manifest.source : &all->source.identity,
                              &all->target.identity, err) &&
           cl_catalog_load(&all->target_tables, all->target.link.conn, err) &&
           cl_catalog_exclude(&all->target_tables, spec->exclude, spec->n_exclude, err) &&
           cl_catalog_mask(&all->target_tables, spec->mask, err);
}

bool cl_backup_compare(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_comparison all = {.run = &run};
    bool ok = cl_run_begin(&run, job, spec, summary, err) && open_source(&all, err) &&
              open_target(&all, err) && cl_comparison_pair(&all, err) &&
              cl_comparison_cut(&all, err) && cl_comparison_shuffle(&all, err) &&
              sum_up(&all, err) && cl_comparison_rows(&all, err) &&
              cl_comparison_states(&all, err) && cl_comparison_objects(&all, err);
    cl_comparison_unpair(&all);
    cl_run_release(&run);
    cl_keeper_close(&all.target);
    cl_keeper_close(&all.source);
    cl_manifest_fini(&all.manifest);
    cl_archive_close(&all.archive);
    cl_catalog_fini(&all.source_tables);
    cl_catalog_fini(&all.target_tables);
    return cl_run_end(&run, ok, err);
}
