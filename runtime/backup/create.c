/* source -> archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "base/clock.h"
#include "base/fault.h"
#include "crew.h"
#include "ledger.h"
#include "largeobject.h"
#include "part.h"
#include "run.h"

struct archivist {
    struct cl_run *run;               /* borrowed */
    struct cl_manifest *manifest;     /* borrowed; item i is its file i */
    const struct cl_parts *parts;     /* borrowed; they go into files after the objects' */
    const struct cl_lo_plan *objects; /* borrowed; range i goes into file i */
    struct cl_archive *archive;       /* borrowed */
    const char *snapshot;             /* borrowed */
    struct cl_link reader;            /* the worker's own */
};

static void dismiss(void *worker)
{
    struct archivist *archivist = worker;
    cl_link_close(&archivist->reader);
    free(archivist);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct archivist *archivist = malloc(sizeof *archivist);
    if (!archivist) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    *archivist = *(const struct archivist *)arg;
    struct cl_run *run = archivist->run;
    if (!cl_keeper_join(&archivist->reader, run->watch, run->spec->source, archivist->snapshot,
                        err)) {
        dismiss(archivist);
        return NULL;
    }
    return archivist;
}

static void count_stored(struct cl_run *run, const struct cl_data_file *file)
{
    uv_mutex_lock(&run->mutex);
    run->summary->stored_bytes += file->bytes;
    uv_mutex_unlock(&run->mutex);
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct archivist *archivist = worker;
    struct cl_run *run = archivist->run;
    struct cl_archived *a = archivist->manifest->files[item].of;
    struct cl_data_file *file = archivist->manifest->files[item].file;
    struct cl_pg_source source = {0};
    struct cl_mark done = {0};
    const struct cl_lo_plan *objects = archivist->objects;
    if (!cl_keeper_ensure(&archivist->reader, run->watch, run->spec->source, archivist->snapshot,
                          err)) {
        return false;
    }
    if (item < objects->n_ranges) {
        return cl_lo_save(run, archivist->reader.conn, &objects->ranges[item], archivist->archive,
                          file, err);
    }
    const struct cl_part *part = &archivist->parts->part[item - objects->n_ranges];
    if (cl_ledger_done(run, file, &done)) {
        cl_run_skip_part(run, &done, part->bytes);
        count_stored(run, file);
        return true;
    }
    struct cl_file_sink *sink = cl_file_sink_open(archivist->archive, file, err);
    bool ok = sink &&
              cl_pg_source_open(&source, archivist->reader.conn, "source", &a->table, part->where,
                                a->table.format, err) &&
              cl_run_part(run, &source.base, cl_file_sink_base(sink), &a->table, part, &done, err);
    cl_pg_source_close(&source);
    cl_keeper_slim(&archivist->reader, source.widest);
    cl_file_sink_close(sink);
    file->rows = done.sum.rows;
    if (ok) {
        count_stored(run, file);
        ok = cl_ledger_put(run, file, &done, err) &&
             (!cl_fault("copy_file") ||
              cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_file"));
    }
    return ok;
}

/* A file for each range. */
static bool list_objects(struct cl_manifest *m, const struct cl_lo_plan *plan, bool sealed,
                         struct cl_err *err)
{
    m->large_objects = plan->objects;
    cl_lo_table(&m->objects.table);
    return plan->n_ranges == 0 ||
           cl_manifest_name_files(&m->objects, 0, plan->n_ranges, sealed, err);
}

/* Every table's files are its parts. */
static bool list_tables(struct cl_manifest *m, const struct cl_catalog *catalog,
                        const struct cl_parts *parts, bool sealed, struct cl_err *err)
{
    size_t at = 0;
    size_t n_matviews = (size_t)PQntuples(catalog->matviews);
    m->tables = calloc(catalog->n_tables + 1, sizeof *m->tables);
    m->excluded = calloc(2 * catalog->n_tables + 1, sizeof *m->excluded);
    m->matviews = calloc(2 * n_matviews + 1, sizeof *m->matviews);
    m->sequences = calloc(catalog->n_sequences + 1, sizeof *m->sequences);
    if (!m->tables || !m->excluded || !m->matviews || !m->sequences) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < catalog->n_tables; i++) {
        const struct cl_table *table = &catalog->tables[i];
        if (table->excluded) {
            m->excluded[2 * m->n_excluded] = table->schema;
            m->excluded[2 * m->n_excluded + 1] = table->name;
            m->n_excluded++;
        } else {
            struct cl_archived *a = &m->tables[m->n_tables++];
            a->table = *table;
            if (!cl_manifest_name_files(a, m->n_tables, parts->part[at].of, sealed, err)) {
                return false;
            }
            at += parts->part[at].of;
        }
    }
    for (size_t i = 0; i < 2 * n_matviews; i++) {
        m->matviews[i] = PQgetvalue(catalog->matviews, (int)(i / 2), (int)(i % 2));
    }
    m->n_matviews = n_matviews;
    memcpy(m->sequences, catalog->sequences, catalog->n_sequences * sizeof *m->sequences);
    m->n_sequences = catalog->n_sequences;
    return cl_manifest_list_files(m, err);
}

static bool dump_schema(struct cl_run *run, struct cl_manifest *m, const struct cl_tools *tools,
                        struct cl_archive *archive, struct cl_err *err)
{
    char *folder = cl_run_scratch(err);
    char *file = folder ? cl_path_join(folder, CL_SCHEMA_FILE) : NULL;
    bool ok = (file || (folder && cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory"))) &&
              cl_schema_dump(tools, run->watch, run->spec->source, m->snapshot, file, err) &&
              cl_archive_put_schema(archive, m, file, err);
    m->pg_dump = tools->major;
    free(file);
    cl_run_scratch_end(folder);
    return ok;
}

static bool copy_rows(struct cl_run *run, struct cl_manifest *manifest,
                      const struct cl_parts *parts, const struct cl_lo_plan *objects,
                      struct cl_archive *archive, struct cl_err *err)
{
    struct archivist model = {.run = run,
                              .manifest = manifest,
                              .parts = parts,
                              .objects = objects,
                              .archive = archive,
                              .snapshot = manifest->snapshot};
    atomic_store(&run->progress->parts_total, manifest->n_files);
    struct cl_crew crew = {.n_items = manifest->n_files,
                           .jobs = run->jobs,
                           .arg = &model,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    return cl_crew_run(run->watch, &crew, err);
}

/* As an earlier run has cut them, if we go on with it. */
static bool plan_parts(struct cl_parts *parts, struct cl_run *run, const struct cl_catalog *catalog,
                       PGconn *source, struct cl_err *err)
{
    bool known;
    return cl_marks_get_cuts(&run->marks, catalog->tables, catalog->n_tables, parts, &known, err) &&
           (known || (cl_parts_plan(parts, catalog->tables, catalog->n_tables, true, run->jobs,
                                    run->spec->part_bytes, source, err) &&
                      cl_marks_put_cuts(&run->marks, NULL, catalog->tables, parts, err)));
}

bool cl_backup_create(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_archive archive = {0};
    struct cl_keeper keeper = {0};
    struct cl_catalog catalog = {0};
    struct cl_manifest manifest = {0};
    struct cl_parts parts = {0};
    struct cl_lo_plan objects = {0};
    struct cl_tools tools;
    cl_clock_iso(cl_clock_wall_ms(), manifest.started);
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_begin(&archive, spec, job, err) &&
              cl_run_open_source(&run, &keeper, err) && cl_ledger_open(&run, &archive, err) &&
              cl_tools_find(&tools, keeper.identity.number, err) &&
              cl_run_read_source(&run, &keeper, &catalog, err);
    if (ok) {
        manifest.source = keeper.identity;
        snprintf(manifest.snapshot, sizeof manifest.snapshot, "%s", keeper.snapshot);
        ok = cl_run_read_objects(&run, &keeper, &objects, err) &&
             list_objects(&manifest, &objects, archive.sealed, err) &&
             (objects.n_ranges == 0 ||
              cl_object_roles_read(&manifest.object_roles, keeper.link.conn, err)) &&
             plan_parts(&parts, &run, &catalog, keeper.link.conn, err) &&
             list_tables(&manifest, &catalog, &parts, archive.sealed, err) &&
             cl_after_load(&manifest.after, keeper.link.conn, err) &&
             dump_schema(&run, &manifest, &tools, &archive, err) &&
             copy_rows(&run, &manifest, &parts, &objects, &archive, err);
    }
    if (ok) {
        summary->tables = manifest.n_tables;
        cl_clock_iso(cl_clock_wall_ms(), manifest.finished);
        manifest.level = archive.level;
        ok = cl_ledger_remove(&run, &archive, err) && cl_archive_publish(&archive, &manifest, err);
        memcpy(summary->checksum, archive.checksum, sizeof summary->checksum);
    }
    cl_archive_close(&archive);
    cl_run_release(&run);
    cl_keeper_close(&keeper);
    cl_parts_fini(&parts);
    cl_lo_plan_fini(&objects);
    cl_manifest_fini(&manifest);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}

bool cl_backup_probe(struct cl_job *job, const struct cl_backup_spec *spec,
                     struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_tools tools;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_keeper_open(&keeper, run.watch, "source", spec->source, err) &&
              cl_tools_find(&tools, keeper.identity.number, err);
    cl_keeper_close(&keeper);
    return cl_run_end(&run, ok, err);
}
