/* source -> target: rows go from one server to the other with nothing between but the mask. */
#include <stdlib.h>

#include "archive.h"
#include "crew.h"
#include "proof.h"
#include "run.h"
#include "target.h"

struct streamer {
    struct cl_run *run;               /* borrowed */
    const struct cl_catalog *catalog; /* borrowed; item i is table i */
    const char *snapshot;             /* borrowed */
    struct cl_proof *proof;           /* borrowed */
    struct cl_link reader;            /* the worker's own */
    struct cl_link writer;            /* same */
};

static void dismiss(void *worker)
{
    struct streamer *streamer = worker;
    cl_link_close(&streamer->reader);
    cl_link_close(&streamer->writer);
    free(streamer);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct streamer *streamer = malloc(sizeof *streamer);
    if (!streamer) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    *streamer = *(const struct streamer *)arg;
    struct cl_run *run = streamer->run;
    if (!cl_keeper_join(&streamer->reader, run->watch, run->spec->source, streamer->snapshot,
                        err) ||
        !cl_target_join(&streamer->writer, run, err)) {
        dismiss(streamer);
        return NULL;
    }
    return streamer;
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct streamer *streamer = worker;
    const struct cl_table *table = &streamer->catalog->tables[item];
    struct cl_checksum sum;
    struct cl_pg_source source;
    if (table->excluded) {
        return true;
    }
    if (!cl_pg_source_open(&source, streamer->reader.conn, table, table->format, err)) {
        return false;
    }
    bool ok = cl_target_load(streamer->run, streamer->writer.conn, &source.base, table,
                             table->format, table->bytes, table->bytes, &sum, err);
    cl_pg_source_close(&source);
    if (ok) {
        cl_proof_add(streamer->proof, item, &sum);
    }
    return ok;
}

static bool copy_rows(struct cl_run *run, const struct cl_catalog *catalog, const char *snapshot,
                      struct cl_proof *proof, struct cl_err *err)
{
    struct streamer model = {.run = run, .catalog = catalog, .snapshot = snapshot, .proof = proof};
    if (!cl_proof_begin(proof, run, catalog->n_tables, err)) {
        return false;
    }
    for (size_t i = 0; i < catalog->n_tables; i++) {
        const struct cl_table *table = &catalog->tables[i];
        if (!table->excluded) {
            cl_proof_expect(proof, run, i, table, table->format, table->bytes);
        }
    }
    struct cl_crew crew = {.n_items = catalog->n_tables,
                           .jobs = run->jobs,
                           .arg = &model,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    return cl_crew_run(run->watch, &crew, err);
}

static bool finish(struct cl_target *target, struct cl_run *run, const struct cl_catalog *catalog,
                   const struct cl_tools *tools, const char *schema_file, struct cl_err *err)
{
    size_t n = (size_t)PQntuples(catalog->matviews);
    const char **matviews = calloc(2 * n + 1, sizeof *matviews);
    if (!matviews) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < 2 * n; i++) {
        matviews[i] = PQgetvalue(catalog->matviews, (int)(i / 2), (int)(i % 2));
    }
    struct cl_finish what = {.tools = tools,
                             .schema_file = schema_file,
                             .sequences = catalog->sequences,
                             .n_sequences = catalog->n_sequences,
                             .matviews = matviews,
                             .n_matviews = n};
    bool ok = cl_target_finish(target, run, &what, err);
    free(matviews);
    return ok;
}

bool cl_backup_stream(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_keeper keeper = {0};
    struct cl_target target = {0};
    struct cl_catalog catalog = {0};
    struct cl_proof proof = {0};
    struct cl_tools tools;
    size_t logins = 0;
    char *scratch = NULL;
    char *schema = NULL;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_run_open_source(&run, &keeper, err) &&
              cl_target_open(&target, &run, &keeper.identity, err) &&
              cl_tools_find(&tools, keeper.identity.number, err) &&
              cl_run_read_source(&run, &keeper, &catalog, err);
    if (ok) {
        scratch = cl_run_scratch(err);
        schema = scratch ? cl_path_join(scratch, CL_SCHEMA_FILE) : NULL;
        ok = schema != NULL;
    }
    ok = ok && cl_schema_dump(&tools, run.watch, spec->source, keeper.snapshot, schema, err) &&
         cl_schema_restore(&tools, run.watch, spec->target, CL_SECTION_PRE_DATA, 1, schema, &logins,
                           err) &&
         copy_rows(&run, &catalog, keeper.snapshot, &proof, err);
    if (ok) {
        cl_target_warn_logins(&run, logins);
    }
    cl_keeper_close(&keeper); /* the source is not needed while indexes are built */
    ok = ok && finish(&target, &run, &catalog, &tools, schema, err) &&
         cl_proof_check(&proof, &run, err);
    cl_proof_end(&proof);
    cl_target_close(&target);
    cl_run_scratch_end(scratch);
    free(schema);
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
    struct cl_tools tools;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_keeper_open(&keeper, run.watch, "source", spec->source, err) &&
              cl_target_open(&target, &run, &keeper.identity, err) &&
              cl_tools_find(&tools, keeper.identity.number, err) &&
              cl_run_read_source(&run, &keeper, &catalog, err);
    if (ok) {
        for (size_t i = 0; i < catalog.n_tables; i++) {
            summary->tables += !catalog.tables[i].excluded;
        }
        summary->bytes = atomic_load(&run.progress->total);
    }
    cl_target_close(&target);
    cl_keeper_close(&keeper);
    cl_catalog_fini(&catalog);
    return cl_run_end(&run, ok, err);
}
