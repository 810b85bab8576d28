/* Checks an archive without a server. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "crew.h"
#include "run.h"

struct verifier {
    struct cl_run *run;                 /* borrowed */
    const struct cl_manifest *manifest; /* borrowed; item i is its file i */
    struct cl_archive *archive;         /* borrowed */
};

static void *hire(void *arg, struct cl_err *err)
{
    (void)err;
    return arg; /* workers share it: nothing in it changes */
}

static void dismiss(void *worker)
{
    (void)worker;
}

/* Reads all rows of one file; *rows gets how many there are. */
static bool read_rows(struct cl_run *run, const struct cl_filed *filed, struct cl_source *source,
                      struct cl_rows *rows, struct cl_err *err)
{
    const struct cl_data_file *file = filed->file;
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
        atomic_fetch_add(&run->progress->done, n);
        if (!cl_rows_feed(rows, bytes, n, err)) {
            return cl_err_context(err, "%s", file->file);
        }
        enum cl_row_status status;
        do {
            status = cl_rows_next(rows);
        } while (status == CL_ROW_OK || status == CL_ROW_END);
        if (status == CL_ROW_BAD) {
            break;
        }
    }
    if (!cl_rows_complete(rows)) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED",
                       "%s was altered: no COPY data of %zu columns after row %llu", file->file,
                       filed->of->table.n_columns, (unsigned long long)rows->n);
    }
    if (rows->n != file->rows) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED",
                       "%s was altered: it has %llu rows, not %llu", file->file,
                       (unsigned long long)rows->n, (unsigned long long)file->rows);
    }
    return true;
}

static bool work(void *worker, size_t item, struct cl_err *err)
{
    struct verifier *verifier = worker;
    struct cl_run *run = verifier->run;
    const struct cl_filed *filed = &verifier->manifest->files[item];
    const struct cl_table *table = &filed->of->table;
    const struct cl_data_file *file = filed->file;
    struct cl_rows rows = {0};
    struct cl_file_source *source = cl_file_source_open(verifier->archive, file, err);
    bool ok = source && cl_rows_init(&rows, table->format, table->n_columns, err) &&
              read_rows(run, filed, cl_file_source_base(source), &rows, err);
    if (ok) {
        atomic_fetch_add(&run->progress->rows, rows.n);
        uv_mutex_lock(&run->mutex);
        if (filed->of != &verifier->manifest->objects) {
            run->summary->tables += file == filed->of->files; /* once, for its first file */
            run->summary->rows += rows.n;
        }
        run->summary->bytes += file->raw_bytes;
        run->summary->stored_bytes += file->bytes;
        uv_mutex_unlock(&run->mutex);
    }
    cl_rows_fini(&rows);
    cl_file_source_close(source);
    return ok;
}

bool cl_backup_verify(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_archive archive = {0};
    struct cl_manifest manifest = {0};
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&archive, &manifest, spec, job, err) &&
              cl_archive_check_files(&archive, &manifest, err) &&
              cl_archive_get_schema(&archive, &manifest, NULL, err);
    if (ok) {
        struct verifier verifier = {.run = &run, .manifest = &manifest, .archive = &archive};
        struct cl_crew crew = {.n_items = manifest.n_files,
                               .jobs = run.jobs,
                               .arg = &verifier,
                               .hire = hire,
                               .work = work,
                               .dismiss = dismiss};
        uint64_t total = 0;
        for (size_t i = 0; i < manifest.n_files; i++) {
            total += manifest.files[i].file->raw_bytes;
        }
        atomic_store(&run.progress->total, total);
        summary->large_objects = manifest.objects.n_files > 0 ? manifest.large_objects : 0;
        memcpy(summary->checksum, archive.checksum, sizeof summary->checksum);
        memcpy(summary->snapshot, manifest.snapshot, sizeof summary->snapshot);
        ok = cl_crew_run(run.watch, &crew, err);
    }
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    return cl_run_end(&run, ok, err);
}
