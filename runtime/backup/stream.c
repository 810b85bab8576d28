/* source -> target: rows go from one server to the other with nothing between but the mask. */
#include <stdlib.h>

#include "after.h"
#include "archive.h"
#include "into.h"
#include "largeobject.h"
#include "load.h"
#include "part.h"
#include "run.h"
#include "shuffle.h"
#include "stream.h"
#include "target.h"

enum { FIRST_LOOK_MS = 15 * 1000 };

/* What a stream reads from; item i of parts is of table i of the catalog. */
struct feed {
    struct cl_run *run;               /* borrowed */
    const struct cl_catalog *catalog; /* borrowed */
    const struct cl_lo_plan *objects; /* borrowed */
    const char *snapshot;             /* borrowed */
};

struct reader {
    const struct feed *feed;    /* borrowed */
    struct cl_link link;        /* the worker's own */
    struct cl_pg_source source; /* of the part that is open */
};

static void dismiss(void *arg)
{
    struct reader *reader = arg;
    cl_link_close(&reader->link);
    free(reader);
}

static bool ready(struct reader *reader, struct cl_err *err)
{
    const struct cl_run *run = reader->feed->run;
    return cl_keeper_ensure(&reader->link, run->watch, run->spec->source, reader->feed->snapshot,
                            err);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    reader->feed = arg;
    if (!ready(reader, err)) {
        dismiss(reader);
        return NULL;
    }
    return reader;
}

static struct cl_source *open_part(void *arg, const struct cl_part *part, struct cl_err *err)
{
    struct reader *reader = arg;
    const struct cl_table *table = &reader->feed->catalog->tables[part->table];
    bool ok = ready(reader, err) && cl_pg_source_open(&reader->source, reader->link.conn, "source",
                                                      table, part->where, table->format, err);
    return ok ? &reader->source.base : NULL;
}

static void close_part(void *arg, const struct cl_part *part, struct cl_err *err)
{
    struct reader *reader = arg;
    (void)part;
    (void)err;
    cl_pg_source_close(&reader->source);
    cl_keeper_slim(&reader->link, reader->source.widest);
}

static bool copy_objects(void *arg, size_t item, PGconn *target, struct cl_err *err)
{
    struct reader *reader = arg;
    return ready(reader, err) && cl_lo_stream(reader->feed->run, reader->link.conn, target,
                                              &reader->feed->objects->ranges[item], err);
}

/* What of the parts is shuffled is read before any of them is copied. */
static bool shuffle_parts(struct cl_run *run, const struct cl_keeper *keeper,
                          const struct cl_catalog *catalog, const struct cl_parts *parts,
                          struct cl_err *err)
{
    struct cl_readings where = {.run = run, .source_snapshot = keeper->snapshot};
    run->shuffle = cl_shuffle_new(run, catalog->n_tables, err);
    bool ok = run->shuffle != NULL;
    for (size_t i = 0; ok && i < parts->n; i++) {
        const struct cl_part *part = &parts->part[i];
        const struct cl_table *table = &catalog->tables[part->table];
        struct cl_reading model = {.side = CL_SIDE_SOURCE,
                                   .table = table,
                                   .format = table->format,
                                   .where = part->where,
                                   .part = part->number,
                                   .bytes = part->bytes};
        ok = cl_shuffle_add(run->shuffle, part->table, &model, err);
    }
    return ok && cl_shuffle_read(run->shuffle, &where, err);
}

static bool load_rows(struct cl_run *run, struct cl_keeper *keeper, PGconn *target,
                      const struct cl_catalog *catalog, const struct cl_after *after,
                      struct cl_into *into, struct cl_proof *proof, bool with_objects,
                      struct cl_err *err)
{
    struct cl_lo_plan objects = {0};
    struct feed model = {
        .run = run, .catalog = catalog, .objects = &objects, .snapshot = keeper->snapshot};
    struct cl_feed feed = {.arg = &model,
                           .hire = hire,
                           .open = open_part,
                           .close = close_part,
                           .dismiss = dismiss,
                           .objects = copy_objects};
    struct cl_parts parts = {0};
    struct cl_load load = {.run = run,
                           .tables = catalog->tables,
                           .n_tables = catalog->n_tables,
                           .parts = &parts,
                           .after = after,
                           .feed = &feed,
                           .proof = proof};
    bool known = false;
    bool ok =
        cl_marks_get_cuts(&run->marks, catalog->tables, catalog->n_tables, &parts, &known, err);
    ok = ok && (known || (cl_parts_plan(&parts, catalog->tables, catalog->n_tables, false,
                                        run->jobs, run->spec->part_bytes, keeper->link.conn, err) &&
                          cl_marks_put_cuts(&run->marks, target, catalog->tables, &parts, err)));
    atomic_store(&run->progress->parts_total, parts.n);
    ok = ok && shuffle_parts(run, keeper, catalog, &parts, err) &&
         (!with_objects || cl_run_read_objects(run, keeper, &objects, err));
    load.n_objects = objects.n_ranges;
    ok = ok && (into ? cl_into_load(into, &load, err) : cl_load_run(&load, err));
    cl_parts_fini(&parts);
    cl_lo_plan_fini(&objects);
    return ok;
}

bool cl_stream_rows(struct cl_run *run, struct cl_keeper *keeper, PGconn *target,
                    const struct cl_catalog *catalog, const struct cl_after *after,
                    struct cl_proof *proof, bool with_objects, struct cl_err *err)
{
    return load_rows(run, keeper, target, catalog, after, NULL, proof, with_objects, err);
}

static bool finish(struct cl_target *target, struct cl_run *run, const struct cl_catalog *catalog,
                   const struct cl_after *after, struct cl_proof *proof, struct cl_err *err)
{
    size_t n = (size_t)PQntuples(catalog->matviews);
    const char **matviews = calloc(2 * n + 1, sizeof *matviews);
    if (!matviews) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < 2 * n; i++) {
        matviews[i] = PQgetvalue(catalog->matviews, (int)(i / 2), (int)(i % 2));
    }
    struct cl_finish what = {.sequences = catalog->sequences,
                             .n_sequences = catalog->n_sequences,
                             .matviews = matviews,
                             .n_matviews = n,
                             .after = after,
                             .proof = proof};
    bool ok = cl_target_finish(target, run, &what, err);
    free(matviews);
    return ok;
}

/* Of the large objects that are copied. */
static bool read_roles(struct cl_object_roles *roles, const struct cl_run *run,
                       const struct cl_keeper *keeper, struct cl_err *err)
{
    return (run->spec->leave & CL_LEAVE_LARGE_OBJECTS) ||
           cl_object_roles_read(roles, keeper->link.conn, err);
}

/* Into tables that are there. */
static bool stream_into(struct cl_job *job, const struct cl_backup_spec *spec,
                        struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_target target = {0};
    struct cl_catalog catalog = {0};
    struct cl_proof proof = {0};
    struct cl_into into = {0};
    struct cl_object_roles roles = {0};
    bool ok =
        cl_run_begin(&run, job, spec, summary, err) && cl_into_allowed(spec, err) &&
        cl_run_open_source(&run, &keeper, err) &&
        cl_target_open(&target, &run, &keeper.identity, err) &&
        cl_run_read_source(&run, &keeper, &catalog, err) &&
        read_roles(&roles, &run, &keeper, err) &&
        cl_roles_check(target.link.conn, NULL, 0, &roles, spec->leave, err) &&
        cl_into_plan(&into, &run, target.link.conn, catalog.tables, catalog.n_tables, false, err) &&
        load_rows(&run, &keeper, target.link.conn, &catalog, NULL, &into, &proof, true, err);
    cl_run_release(&run);
    cl_keeper_close(&keeper); /* the source is not needed any more */
    ok = ok && cl_into_finish(&into, catalog.sequences, catalog.n_sequences, err);
    cl_into_fini(&into);
    cl_object_roles_fini(&roles);
    cl_target_close(&target);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}

bool cl_backup_stream(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_target target = {0};
    struct cl_catalog catalog = {0};
    struct cl_after after = {0};
    struct cl_proof proof = {0};
    struct cl_object_roles roles = {0};
    struct cl_tools tools;
    char *scratch = NULL;
    char *schema = NULL;
    if (spec->data_only) {
        return stream_into(job, spec, summary, err);
    }
    bool ok =
        cl_run_begin(&run, job, spec, summary, err) && cl_run_open_source(&run, &keeper, err) &&
        cl_target_open(&target, &run, &keeper.identity, err) &&
        cl_tools_find(&tools, keeper.identity.number, err) &&
        cl_run_read_source(&run, &keeper, &catalog, err) &&
        cl_after_load(&after, keeper.link.conn, err) && read_roles(&roles, &run, &keeper, err);
    if (ok) {
        scratch = cl_run_scratch(err);
        schema = scratch ? cl_path_join(scratch, CL_SCHEMA_FILE) : NULL;
        ok = schema != NULL;
    }
    ok = ok && cl_schema_dump(&tools, run.watch, spec->source, keeper.snapshot, schema, err) &&
         cl_target_prepare(&target, &run, &tools, schema, &after, &roles, err) &&
         cl_stream_rows(&run, &keeper, target.link.conn, &catalog, &after, &proof, true, err);
    if (!spec->resume) { /* else it is held to the end */
        cl_run_release(&run);
    }
    cl_keeper_close(&keeper); /* the source is not needed any more */
    ok = ok && finish(&target, &run, &catalog, &after, &proof, err);
    cl_proof_end(&proof);
    cl_target_close(&target);
    cl_run_scratch_end(scratch);
    free(schema);
    cl_object_roles_fini(&roles);
    cl_after_fini(&after);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}

bool cl_backup_preflight(struct cl_job *job, const struct cl_backup_spec *spec,
                         struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_target target = {0};
    struct cl_catalog catalog = {0};
    struct cl_into into = {0};
    struct cl_tools tools;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_keeper_open(&keeper, run.watch, "source", spec->source, err) &&
              cl_target_open(&target, &run, &keeper.identity, err) &&
              cl_tools_find(&tools, keeper.identity.number, err) &&
              cl_run_read_source(&run, &keeper, &catalog, err) &&
              (!spec->data_only || (cl_into_plan(&into, &run, target.link.conn, catalog.tables,
                                                 catalog.n_tables, false, err) &&
                                    cl_into_check_empty(&into, err)));
    if (ok) {
        cl_guard_first_look(run.guard, FIRST_LOOK_MS); /* can it see what it is to watch? */
        for (size_t i = 0; i < catalog.n_tables; i++) {
            summary->tables += !catalog.tables[i].excluded;
        }
        summary->bytes = atomic_load(&run.progress->total);
    }
    cl_into_fini(&into);
    cl_target_close(&target);
    cl_run_release(&run);
    cl_keeper_close(&keeper);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}
