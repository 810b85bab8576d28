/* archive -> target. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "crew.h"
#include "plan.h"
#include "proof.h"
#include "run.h"
#include "target.h"

struct restorer {
    struct cl_run *run;                 /* borrowed */
    const struct cl_manifest *manifest; /* borrowed; item i is its table i */
    struct cl_archive *archive;         /* borrowed */
    const struct cl_plan *plan;         /* borrowed; the same tables as the target has them */
    struct cl_proof *proof;             /* borrowed */
    struct cl_link writer;              /* the worker's own */
};

static void dismiss(void *worker)
{
    struct restorer *restorer = worker;
    cl_link_close(&restorer->writer);
    free(restorer);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct restorer *restorer = malloc(sizeof *restorer);
    if (!restorer) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    *restorer = *(const struct restorer *)arg;
    if (!cl_target_join(&restorer->writer, restorer->run, err)) {
        dismiss(restorer);
        return NULL;
    }
    return restorer;
}

/* A damaged file often fails as a bad value first: say what is behind it. */
static void look_again(struct cl_archive *archive, const struct cl_data_file *file,
                       struct cl_err *err)
{
    struct cl_err found;
    if (err->class == CL_INVALID && strncmp(err->code, "E_ARCHIVE", strlen("E_ARCHIVE")) != 0 &&
        !cl_archive_check_data(archive, file, &found) && found.class == CL_INVALID) {
        *err = found;
    }
}

static bool load_file(struct restorer *restorer, const struct cl_table *table,
                      enum cl_copy_format format, const struct cl_data_file *file,
                      struct cl_checksum *sum, struct cl_err *err)
{
    struct cl_run *run = restorer->run;
    struct cl_file_source *source = cl_file_source_open(restorer->archive, file, err);
    bool ok = source && cl_target_load(run, restorer->writer.conn, cl_file_source_base(source),
                                       table, format, file->raw_bytes, file->raw_bytes, sum, err);
    cl_file_source_close(source);
    if (!ok) {
        look_again(restorer->archive, file, err);
    }
    return ok;
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct restorer *restorer = worker;
    const struct cl_archived *a = &restorer->manifest->tables[item];
    const struct cl_table *table = &restorer->plan->tables[item];
    if (table->excluded) {
        return true;
    }
    struct cl_table more = *table;
    more.condition = ""; /* what comes after the first file is added */
    bool ok = true;
    for (size_t i = 0; ok && i < a->n_files; i++) {
        struct cl_checksum sum;
        ok = load_file(restorer, i > 0 ? &more : table, a->table.format, &a->files[i], &sum, err);
        if (ok) {
            cl_proof_add(restorer->proof, item, &sum);
        }
    }
    return ok;
}

/* The tables as they now stand in the target, where their types can be looked at. */
static bool make_plan(struct cl_run *run, struct cl_target *target,
                      const struct cl_manifest *manifest, struct cl_catalog *catalog,
                      struct cl_plan *plan, struct cl_err *err)
{
    if (!cl_catalog_load(catalog, target->link.conn, err) ||
        !cl_catalog_exclude(catalog, run->spec->exclude, run->spec->n_exclude, err) ||
        !cl_plan_archived(plan, manifest, catalog, err)) {
        return false;
    }
    uint64_t total = 0;
    uint64_t parts = 0;
    for (size_t i = 0; i < manifest->n_tables; i++) {
        total += plan->tables[i].excluded ? 0 : cl_archived_raw_bytes(&manifest->tables[i]);
        parts += !plan->tables[i].excluded;
    }
    atomic_store(&run->progress->total, total);
    atomic_store(&run->progress->parts_total, parts);
    return true;
}

static bool copy_rows(struct cl_run *run, struct cl_archive *archive,
                      const struct cl_manifest *manifest, const struct cl_plan *plan,
                      struct cl_proof *proof, struct cl_err *err)
{
    struct restorer model = {
        .run = run, .manifest = manifest, .archive = archive, .plan = plan, .proof = proof};
    if (!cl_proof_begin(proof, run, plan->n_tables, err)) {
        return false;
    }
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct cl_archived *a = &manifest->tables[i];
        if (!plan->tables[i].excluded) {
            cl_proof_expect(proof, run, i, &plan->tables[i], a->table.format,
                            cl_archived_raw_bytes(a));
        }
    }
    struct cl_crew crew = {.n_items = manifest->n_tables,
                           .jobs = run->jobs,
                           .arg = &model,
                           .hire = hire,
                           .work = work,
                           .dismiss = dismiss};
    return cl_crew_run(run->watch, &crew, err);
}

/* Sizes of all files, and the whole of the schema, before the target is touched; data files are
 * checked while they are read, before what they hold is committed. */
static bool check_archive(struct cl_archive *archive, const struct cl_manifest *manifest,
                          const char *schema, struct cl_err *err)
{
    return cl_archive_check_files(archive, manifest, err) &&
           cl_archive_get_schema(archive, manifest, schema, err);
}

bool cl_backup_restore(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_target target = {0};
    struct cl_manifest manifest = {0};
    struct cl_catalog catalog = {0};
    struct cl_plan plan = {0};
    struct cl_proof proof = {0};
    struct cl_tools tools;
    size_t logins = 0;
    struct cl_archive archive = {0};
    char *folder = cl_run_scratch(err);
    char *schema = folder ? cl_path_join(folder, CL_SCHEMA_FILE) : NULL;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&archive, &manifest, spec, job, err) &&
              (schema || (folder && cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory"))) &&
              check_archive(&archive, &manifest, schema, err) &&
              cl_tools_find(&tools, manifest.pg_dump * 10000, err) &&
              cl_target_open(&target, &run, &manifest.source, err) &&
              cl_schema_restore(&tools, run.watch, spec->target, CL_SECTION_PRE_DATA, 1, schema,
                                &logins, err) &&
              make_plan(&run, &target, &manifest, &catalog, &plan, err) &&
              copy_rows(&run, &archive, &manifest, &plan, &proof, err);
    if (ok && manifest.large_objects > 0) {
        cl_run_warn(&run, "%llu large objects of the source are not in the archive",
                    (unsigned long long)manifest.large_objects);
    }
    if (ok) {
        cl_target_warn_logins(&run, logins);
    }
    struct cl_finish finish = {.tools = &tools,
                               .schema_file = schema,
                               .sequences = manifest.sequences,
                               .n_sequences = manifest.n_sequences,
                               .matviews = manifest.matviews,
                               .n_matviews = manifest.n_matviews};
    ok = ok && cl_target_finish(&target, &run, &finish, err) && cl_proof_check(&proof, &run, err);
    cl_proof_end(&proof);
    cl_target_close(&target);
    cl_plan_fini(&plan);
    cl_catalog_fini(&catalog);
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    free(schema);
    cl_run_scratch_end(folder);
    return cl_run_end(&run, ok, err);
}
