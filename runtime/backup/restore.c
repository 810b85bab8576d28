/* archive -> target. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "base/embed.h"
#include "into.h"
#include "largeobject.h"
#include "load.h"
#include "pick.h"
#include "plan.h"
#include "run.h"
#include "shuffle.h"
#include "target.h"

/* What surely fits into one page: rows with their headers, and what they hold. */
enum { SMALL_ROWS = 32, SMALL_BYTES = 2048 };

/* What a restore reads from: parts are the manifest's files, in its order. */
struct feed {
    struct cl_run *run;                 /* borrowed */
    struct cl_archive *archive;         /* borrowed */
    const struct cl_manifest *manifest; /* borrowed */
    const struct cl_parts *parts;       /* borrowed; part i is file which[i] */
    const size_t *which;                /* borrowed; in manifest->files */
};

struct reader {
    const struct feed *feed;       /* borrowed */
    struct cl_file_source *source; /* the file that is open; NULL: none */
};

static void dismiss(void *arg)
{
    free(arg);
}

static void *hire(void *arg, struct cl_err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    reader->feed = arg;
    return reader;
}

static const struct cl_data_file *file_of(const struct reader *reader, const struct cl_part *part)
{
    const struct feed *feed = reader->feed;
    return feed->manifest->files[feed->which[part - feed->parts->part]].file;
}

static struct cl_source *open_part(void *arg, const struct cl_part *part, struct cl_err *err)
{
    struct reader *reader = arg;
    reader->source = cl_file_source_open(reader->feed->archive, file_of(reader, part), err);
    return reader->source ? cl_file_source_base(reader->source) : NULL;
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

static void close_part(void *arg, const struct cl_part *part, struct cl_err *err)
{
    struct reader *reader = arg;
    cl_file_source_close(reader->source);
    reader->source = NULL;
    if (err) {
        look_again(reader->feed->archive, file_of(reader, part), err);
    }
}

static bool load_objects(void *arg, size_t item, PGconn *target, struct cl_err *err)
{
    struct reader *reader = arg;
    const struct cl_data_file *file = &reader->feed->manifest->objects.files[item];
    bool ok = cl_lo_load(reader->feed->run, reader->feed->archive, file, target, err);
    if (!ok) {
        look_again(reader->feed->archive, file, err);
    }
    return ok;
}

static struct cl_feed feed_of(struct feed *model)
{
    return (struct cl_feed){.arg = model,
                            .hire = hire,
                            .open = open_part,
                            .close = close_part,
                            .dismiss = dismiss,
                            .objects = load_objects};
}

/* Makes parts of one table's files that hold rows; *at is the first of them in manifest->files. */
static bool list_files(struct cl_parts *parts, size_t *which, const struct cl_archived *archived,
                       size_t table, size_t at, struct cl_err *err)
{
    unsigned number = 0;
    unsigned of = 0;
    for (size_t i = 0; i < archived->n_files; i++) {
        of += archived->files[i].rows > 0;
    }
    for (size_t i = 0; i < archived->n_files; i++) {
        const struct cl_data_file *file = &archived->files[i];
        struct cl_part part = {.table = table,
                               .number = number,
                               .of = of,
                               .bytes = file->raw_bytes,
                               .small = file->rows <= SMALL_ROWS && file->raw_bytes <= SMALL_BYTES};
        if (file->rows == 0) {
            continue;
        }
        which[parts->n] = at + i;
        number++;
        if (!cl_parts_add(parts, &part, err)) {
            return false;
        }
    }
    return true;
}

/* Table i of the manifest is tables[which_table[i]], or tables[i] when that is NULL. */
static bool list_parts(struct cl_run *run, struct cl_parts *parts, size_t *which,
                       const struct cl_manifest *manifest, struct cl_table *tables,
                       const size_t *which_table, struct cl_err *err)
{
    size_t at = manifest->objects.n_files;
    uint64_t total = cl_lo_archived_bytes(run, manifest);
    for (size_t i = 0; i < manifest->n_tables; i++) {
        const struct cl_archived *archived = &manifest->tables[i];
        size_t index = which_table ? which_table[i] : i;
        tables[index].bytes = cl_archived_raw_bytes(archived);
        if (!tables[index].excluded) {
            total += tables[index].bytes;
            if (!list_files(parts, which, archived, index, at, err)) {
                return false;
            }
        }
        at += archived->n_files;
    }
    atomic_store(&run->progress->total, total);
    atomic_store(&run->progress->parts_total, parts->n + cl_lo_archived_files(run, manifest));
    return true;
}

/* What of the files is shuffled is read before any of them is copied. */
static bool shuffle_files(const struct feed *feed, const struct cl_catalog *catalog,
                          struct cl_err *err)
{
    struct cl_run *run = feed->run;
    struct cl_readings where = {.run = run, .archive = feed->archive};
    run->shuffle = cl_shuffle_new(run, catalog->n_tables, err);
    bool ok = run->shuffle != NULL;
    for (size_t i = 0; ok && i < feed->parts->n; i++) {
        const struct cl_part *part = &feed->parts->part[i];
        const struct cl_table *table = &catalog->tables[part->table];
        struct cl_reading model = {.side = CL_SIDE_SOURCE,
                                   .table = table,
                                   .format = table->format,
                                   .file = feed->manifest->files[feed->which[i]].file,
                                   .part = part->number,
                                   .bytes = part->bytes};
        ok = cl_shuffle_add(run->shuffle, part->table, &model, err);
    }
    return ok && cl_shuffle_read(run->shuffle, &where, err);
}

/* The tables as they now stand in the target, where their types can be looked at. */
static bool load_rows(struct cl_run *run, struct cl_target *target, struct cl_archive *archive,
                      const struct cl_manifest *manifest, struct cl_catalog *catalog,
                      struct cl_plan *plan, struct cl_proof *proof, struct cl_err *err)
{
    struct cl_parts parts = {0};
    size_t *which = calloc(manifest->n_files + 1, sizeof *which);
    struct feed model = {
        .run = run, .archive = archive, .manifest = manifest, .parts = &parts, .which = which};
    struct cl_feed feed = feed_of(&model);
    bool ok = which || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    ok = ok && cl_catalog_load(catalog, target->link.conn, err);
    for (size_t i = 0; ok && i < catalog->n_tables; i++) { /* not of the archive: our own marks */
        catalog->tables[i].excluded = strcmp(catalog->tables[i].schema, CL_MARKS_SCHEMA) == 0;
    }
    ok = ok && cl_catalog_exclude(catalog, run->spec->exclude, run->spec->n_exclude, err) &&
         (run->pick || cl_catalog_named(catalog, run->spec->mask, target->link.conn, err)) &&
         cl_catalog_mask(catalog, run->spec->mask, err) &&
         cl_plan_archived(plan, manifest, catalog, err) &&
         list_parts(run, &parts, which, manifest, catalog->tables, plan->which, err) &&
         shuffle_files(&model, catalog, err);
    if (ok) {
        struct cl_load load = {.run = run,
                               .tables = catalog->tables,
                               .n_tables = catalog->n_tables,
                               .parts = &parts,
                               .n_objects = cl_lo_archived_files(run, manifest),
                               .after = &manifest->after,
                               .feed = &feed,
                               .proof = proof};
        ok = cl_load_run(&load, err);
    }
    free(which);
    cl_parts_fini(&parts);
    return ok;
}

/* Sizes of all files, and the whole of the schema, before the target is touched; data files are
 * checked while they are read, before what they hold is committed. */
static bool check_archive(struct cl_archive *archive, const struct cl_manifest *manifest,
                          const char *schema, struct cl_err *err)
{
    return cl_archive_check_files(archive, manifest, err) &&
           cl_archive_get_schema(archive, manifest, schema, err);
}

/* Takes the sequences that the target has not got out of the manifest. */
static bool keep_sequences(struct cl_manifest *m, PGconn *conn, struct cl_err *err)
{
    PGresult *r =
        cl_pg_query(conn, cl_embedded("runtime/backup/sequences.sql")->data, 0, NULL, err);
    size_t n = 0;
    for (size_t i = 0; r && i < m->n_sequences; i++) {
        bool there = false;
        for (int j = 0; !there && j < PQntuples(r); j++) {
            there = strcmp(PQgetvalue(r, j, 0), m->sequences[i].schema) == 0 &&
                    strcmp(PQgetvalue(r, j, 1), m->sequences[i].name) == 0;
        }
        if (there) {
            m->sequences[n++] = m->sequences[i];
        }
    }
    m->n_sequences = r ? n : m->n_sequences;
    PQclear(r);
    return r != NULL;
}

/* Restoring single tables: from here on the manifest holds these alone. */
static bool pick_tables(struct cl_run *run, struct cl_pick *pick, struct cl_manifest *manifest,
                        const struct cl_tools *tools, const char *schema, struct cl_err *err)
{
    const struct cl_backup_spec *spec = run->spec;
    if (!spec->tables) {
        return true;
    }
    if (!cl_pick_tables(pick, manifest, spec->tables, spec->n_tables, tools, run->watch, schema,
                        err)) {
        return false;
    }
    run->pick = pick;
    if (pick->n_dropped > 0) {
        cl_run_warn(run, "%zu foreign key(s) between these tables and others were left out",
                    pick->n_dropped);
    }
    return true;
}

/* The manifest's tables, but for those whose rows stay in it. */
static bool list_tables(struct cl_table *sources, const struct cl_run *run,
                        const struct cl_manifest *manifest, struct cl_err *err)
{
    struct cl_catalog catalog = {.tables = sources, .n_tables = manifest->n_tables};
    for (size_t i = 0; i < manifest->n_tables; i++) {
        sources[i] = manifest->tables[i].table;
    }
    return cl_catalog_exclude(&catalog, run->spec->exclude, run->spec->n_exclude, err);
}

static bool load_into(struct cl_run *run, struct cl_archive *archive,
                      const struct cl_manifest *manifest, struct cl_into *into, PGconn *target,
                      struct cl_err *err)
{
    struct cl_parts parts = {0};
    struct cl_proof proof = {0};
    size_t *which = calloc(manifest->n_files + 1, sizeof *which);
    struct cl_table *sources = calloc(manifest->n_tables + 1, sizeof *sources);
    struct feed model = {
        .run = run, .archive = archive, .manifest = manifest, .parts = &parts, .which = which};
    struct cl_feed feed = feed_of(&model);
    struct cl_load load = {.run = run,
                           .parts = &parts,
                           .n_objects = cl_lo_archived_files(run, manifest),
                           .feed = &feed,
                           .proof = &proof};
    bool ok = (which && sources) || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    ok = ok && list_tables(sources, run, manifest, err) &&
         cl_into_plan(into, run, target, sources, manifest->n_tables, true, err) &&
         list_parts(run, &parts, which, manifest, into->tables, NULL, err) &&
         cl_into_load(into, &load, err);
    free(which);
    free(sources);
    cl_parts_fini(&parts);
    return ok;
}

/* Of the large objects that are restored. */
static const struct cl_object_roles *roles_of(const struct cl_run *run,
                                              const struct cl_manifest *manifest)
{
    return cl_lo_archived_files(run, manifest) > 0 ? &manifest->object_roles : NULL;
}

/* Into tables that are there. */
static bool restore_into(struct cl_job *job, const struct cl_backup_spec *spec,
                         struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_target target = {0};
    struct cl_manifest manifest = {0};
    struct cl_archive archive = {0};
    struct cl_into into = {0};
    bool ok =
        cl_run_begin(&run, job, spec, summary, err) && cl_into_allowed(spec, err) &&
        cl_archive_open(&archive, &manifest, spec, job, err) &&
        cl_archive_check_files(&archive, &manifest, err) &&
        cl_target_open(&target, &run, &manifest.source, err) &&
        cl_roles_check(target.link.conn, NULL, 0, roles_of(&run, &manifest), spec->leave, err) &&
        load_into(&run, &archive, &manifest, &into, target.link.conn, err) &&
        cl_into_finish(&into, manifest.sequences, manifest.n_sequences, err);
    if (ok && cl_lo_archived_files(&run, &manifest) == 0) {
        cl_lo_warn_left(&run, manifest.large_objects);
    }
    cl_into_fini(&into);
    cl_target_close(&target);
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    return cl_run_end(&run, ok, err);
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
    struct cl_archive archive = {0};
    struct cl_pick pick = {0};
    if (spec->data_only) {
        return restore_into(job, spec, summary, err);
    }
    char *folder = cl_run_scratch(err);
    char *schema = folder ? cl_path_join(folder, CL_SCHEMA_FILE) : NULL;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&archive, &manifest, spec, job, err) &&
              cl_run_identify(&run, archive.checksum, err) &&
              (schema || (folder && cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory"))) &&
              check_archive(&archive, &manifest, schema, err) &&
              cl_tools_find(&tools, manifest.pg_dump * 10000, err) &&
              pick_tables(&run, &pick, &manifest, &tools, schema, err) &&
              cl_target_open(&target, &run, &manifest.source, err) &&
              cl_target_prepare(&target, &run, &tools, schema, &manifest.after,
                                roles_of(&run, &manifest), err) &&
              (!run.pick || keep_sequences(&manifest, target.link.conn, err)) &&
              load_rows(&run, &target, &archive, &manifest, &catalog, &plan, &proof, err);
    if (ok && cl_lo_archived_files(&run, &manifest) == 0) {
        cl_lo_warn_left(&run, manifest.large_objects);
    }
    struct cl_finish finish = {.sequences = manifest.sequences,
                               .n_sequences = manifest.n_sequences,
                               .matviews = manifest.matviews,
                               .n_matviews = manifest.n_matviews,
                               .after = &manifest.after,
                               .proof = &proof};
    ok = ok && cl_target_finish(&target, &run, &finish, err);
    cl_proof_end(&proof);
    cl_target_close(&target);
    cl_plan_fini(&plan);
    cl_pick_fini(&pick);
    cl_catalog_fini(&catalog);
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    free(schema);
    cl_run_scratch_end(folder);
    return cl_run_end(&run, ok, err);
}
