/* Takes things out of an archive without a server: one table's rows, or all of it unencrypted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "run.h"

/* ---------------------------------------------------------------- one table */

/* COPY data of several files as one stream: in binary, one header and one trailer for all. */
struct output {
    int fd;             /* where it goes */
    const char *name;   /* for messages */
    bool binary;        /* the data have a header and a trailer */
    bool first;         /* file of the table */
    bool begun;         /* this file's header has passed */
    struct cl_buf held; /* bytes that may be part of a header or trailer */
};

static bool put(struct output *out, const char *bytes, size_t n, struct cl_err *err)
{
    while (n > 0) {
        ssize_t wrote = write(out->fd, bytes, n);
        if (wrote < 0 && errno != EINTR) {
            return cl_fail_errno(err, errno, "cannot write %s", out->name);
        }
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

/* Passes on all but what may turn out to be the trailer. */
static bool put_binary(struct output *out, const char *bytes, size_t n, struct cl_err *err)
{
    size_t header = 0;
    if (!cl_buf_add(&out->held, bytes, n)) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    if (!out->begun) {
        enum cl_row_status status =
            cl_row_binary_header(cl_buf_str(&out->held), out->held.len, &header);
        if (status == CL_ROW_MORE) {
            return true;
        }
        if (status != CL_ROW_OK) {
            return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "the data are no binary COPY");
        }
        out->begun = true;
        if (!out->first) {
            cl_buf_shift(&out->held, header);
        }
    }
    size_t ready =
        out->held.len > CL_COPY_TRAILER_BYTES ? out->held.len - CL_COPY_TRAILER_BYTES : 0;
    bool ok = put(out, cl_buf_str(&out->held), ready, err);
    cl_buf_shift(&out->held, ready);
    return ok;
}

static bool cat_file(struct cl_run *run, struct cl_archive *archive,
                     const struct cl_data_file *file, struct output *out, struct cl_err *err)
{
    struct cl_file_source *source = cl_file_source_open(archive, file, err);
    bool ok = source != NULL;
    size_t n = 1;
    out->begun = false;
    cl_buf_reset(&out->held);
    while (ok && n > 0) {
        const char *bytes;
        struct cl_source *base = cl_file_source_base(source);
        ok = cl_watch_check(run->watch, err) && base->next(base, &bytes, &n, err) &&
             (out->binary ? put_binary(out, bytes, n, err) : put(out, bytes, n, err));
        atomic_fetch_add(&run->progress->bytes, ok ? n : 0);
        atomic_fetch_add(&run->progress->done, ok ? n : 0);
    }
    out->first = false;
    cl_file_source_close(source);
    return ok || cl_err_context(err, "%s", file->file);
}

static const struct cl_archived *find(const struct cl_manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_tables; i++) {
        const struct cl_table *table = &m->tables[i].table;
        size_t schema = strlen(table->schema);
        if (strncmp(name, table->schema, schema) == 0 && name[schema] == '.' &&
            strcmp(name + schema + 1, table->name) == 0) {
            return &m->tables[i];
        }
    }
    return NULL;
}

static bool cat_table(struct cl_run *run, struct cl_archive *archive, const struct cl_archived *a,
                      struct cl_err *err)
{
    const char *to = run->spec->to;
    struct output out = {.fd = STDOUT_FILENO, .name = "standard output", .first = true};
    out.binary = a->table.format == CL_COPY_BINARY;
    if (strcmp(to, "-") != 0) {
        out.name = to;
        out.fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out.fd < 0) {
            return cl_fail_errno(err, errno, "cannot write %s", to);
        }
    }
    cl_buf_init(&out.held, INT32_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < a->n_files; i++) {
        ok = cat_file(run, archive, &a->files[i], &out, err);
    }
    ok = ok && (!out.binary || put(&out, cl_copy_trailer, CL_COPY_TRAILER_BYTES, err));
    cl_buf_fini(&out.held);
    if (out.fd != STDOUT_FILENO) {
        close(out.fd);
        if (!ok) {
            unlink(to);
        }
    }
    return ok;
}

bool cl_backup_cat(struct cl_job *job, const struct cl_backup_spec *spec,
                   struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_archive archive = {0};
    struct cl_manifest manifest = {0};
    const struct cl_archived *a = NULL;
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&archive, &manifest, spec, job, err);
    if (ok) {
        a = find(&manifest, spec->table);
        ok = a ||
             cl_fail(err, CL_NOT_FOUND, "E_NO_TABLE", "the archive has no table %s", spec->table);
    }
    if (ok) {
        summary->tables = 1;
        summary->rows = cl_archived_rows(a);
        summary->bytes = cl_archived_raw_bytes(a);
        atomic_store(&run.progress->total, summary->bytes);
        ok = cat_table(&run, &archive, a, err);
    }
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    return cl_run_end(&run, ok, err);
}

/* ---------------------------------------------------------------- all of it */

/* Gives the files the names they would have had; what they hold stays as it is. */
static bool rename_files(struct cl_manifest *plain, const struct cl_manifest *sealed,
                         struct cl_err *err)
{
    *plain = *sealed;
    plain->json = NULL;
    plain->columns = NULL;
    plain->sealed = false;
    plain->files = NULL;
    plain->n_files = 0;
    plain->objects = (struct cl_archived){.table = sealed->objects.table};
    plain->tables = calloc(sealed->n_tables + 1, sizeof *plain->tables);
    plain->n_tables = 0;
    if (!plain->tables) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    size_t n_objects = sealed->objects.n_files;
    if (n_objects > 0 && !cl_manifest_name_files(&plain->objects, 0, n_objects, false, err)) {
        return false;
    }
    for (size_t i = 0; i < sealed->n_tables; i++) {
        struct cl_archived *a = &plain->tables[plain->n_tables++];
        *a = (struct cl_archived){.table = sealed->tables[i].table};
        if (!cl_manifest_name_files(a, i + 1, sealed->tables[i].n_files, false, err)) {
            return false;
        }
    }
    return cl_manifest_list_files(plain, err);
}

/* Frees what rename_files made; the rest is the other's. */
static void forget_files(struct cl_manifest *plain)
{
    struct cl_manifest own = {.tables = plain->tables,
                              .n_tables = plain->n_tables,
                              .objects = plain->objects,
                              .files = plain->files};
    cl_manifest_fini(&own);
}

static bool copy_data(struct cl_run *run, struct cl_archive *from, const struct cl_data_file *old,
                      struct cl_archive *to, struct cl_data_file *new, struct cl_err *err)
{
    struct cl_stored was = {.bytes = old->bytes};
    struct cl_stored is;
    struct cl_stored_reader *r =
        cl_stored_open(from->place, from->sealed ? &from->seal : NULL, old->file, err);
    struct cl_stored_writer *w = r ? cl_stored_create(to->place, NULL, new->file, err) : NULL;
    bool ok = w != NULL;
    size_t n = 1;
    memcpy(was.sha256, old->sha256, sizeof was.sha256);
    while (ok && n > 0) {
        const char *bytes;
        ok = cl_watch_check(run->watch, err) && cl_stored_read(r, &bytes, &n, err) &&
             cl_stored_write(w, bytes, n, err);
        atomic_fetch_add(&run->progress->bytes, ok ? n : 0);
        atomic_fetch_add(&run->progress->done, ok ? n : 0);
    }
    ok = ok && cl_stored_check(r, &was, err) && cl_stored_finish(w, &is, err);
    if (ok) {
        new->rows = old->rows;
        new->raw_bytes = old->raw_bytes;
        new->bytes = is.bytes;
        memcpy(new->sha256, is.sha256, sizeof new->sha256);
        run->summary->bytes += new->raw_bytes;
        run->summary->stored_bytes += new->bytes;
    }
    cl_stored_close_writer(w);
    cl_stored_close_reader(r);
    return ok;
}

static bool copy_schema(struct cl_archive *from, const struct cl_manifest *sealed,
                        struct cl_archive *to, struct cl_manifest *plain, struct cl_err *err)
{
    char *folder = cl_run_scratch(err);
    char *file = folder ? cl_path_join(folder, CL_SCHEMA_FILE) : NULL;
    bool ok = (file || (folder && cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory"))) &&
              cl_archive_get_schema(from, sealed, file, err) &&
              cl_archive_put_schema(to, plain, file, err);
    free(file);
    cl_run_scratch_end(folder);
    return ok;
}

static bool copy_all(struct cl_run *run, struct cl_archive *from, const struct cl_manifest *sealed,
                     struct cl_archive *to, struct cl_err *err)
{
    struct cl_manifest plain = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < sealed->n_files; i++) {
        total += sealed->files[i].file->bytes;
    }
    atomic_store(&run->progress->total, total);
    bool ok = rename_files(&plain, sealed, err) && copy_schema(from, sealed, to, &plain, err);
    for (size_t i = 0; ok && i < sealed->n_files; i++) {
        ok = copy_data(run, from, sealed->files[i].file, to, plain.files[i].file, err);
        bool table = sealed->files[i].of != &sealed->objects;
        run->summary->rows += ok && table ? sealed->files[i].file->rows : 0;
    }
    ok = ok && cl_archive_publish(to, &plain, err);
    run->summary->tables = plain.n_tables;
    run->summary->large_objects = plain.objects.n_files > 0 ? plain.large_objects : 0;
    forget_files(&plain);
    return ok;
}

bool cl_backup_decrypt(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_archive from = {0};
    struct cl_archive to = {0};
    struct cl_manifest sealed = {0};
    struct cl_backup_spec target = {.archive = spec->to};
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&from, &sealed, spec, job, err) &&
              cl_archive_check_files(&from, &sealed, err) &&
              cl_archive_begin(&to, &target, job, err) && copy_all(&run, &from, &sealed, &to, err);
    memcpy(summary->checksum, to.checksum, sizeof summary->checksum);
    cl_archive_close(&to);
    cl_manifest_fini(&sealed);
    cl_archive_close(&from);
    return cl_run_end(&run, ok, err);
}
