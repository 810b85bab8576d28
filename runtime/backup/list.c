/* What is in an archive, from its manifest alone. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "run.h"

static void copy_text(char *out, size_t room, const char *from)
{
    size_t n = strnlen(from, room - 1);
    memcpy(out, from, n);
    out[n] = '\0';
}

static bool list_tables(struct cl_backup_listing *l, const struct cl_manifest *m,
                        struct cl_backup_summary *summary, struct cl_err *err)
{
    l->tables = calloc(m->n_tables + 1, sizeof *l->tables);
    if (!l->tables) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < m->n_tables; i++) {
        const struct cl_archived *a = &m->tables[i];
        struct cl_backup_listed *listed = &l->tables[l->n_tables++];
        listed->schema = strdup(a->table.schema);
        listed->name = strdup(a->table.name);
        if (!listed->schema || !listed->name) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        listed->binary = a->table.format == CL_COPY_BINARY;
        listed->files = a->n_files;
        listed->rows = cl_archived_rows(a);
        listed->bytes = cl_archived_raw_bytes(a);
        for (size_t j = 0; j < a->n_files; j++) {
            listed->stored_bytes += a->files[j].bytes;
        }
        summary->rows += listed->rows;
        summary->bytes += listed->bytes;
        summary->stored_bytes += listed->stored_bytes;
    }
    summary->tables = l->n_tables;
    return true;
}

bool cl_backup_list(struct cl_job *job, const struct cl_backup_spec *spec,
                    struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_run run;
    struct cl_archive archive = {0};
    struct cl_manifest manifest = {0};
    bool ok = cl_run_begin(&run, job, spec, summary, err) &&
              cl_archive_open(&archive, &manifest, spec, job, err);
    if (ok) {
        struct cl_backup_listing *l = &summary->listing;
        copy_text(l->created, sizeof l->created, manifest.finished);
        copy_text(l->database, sizeof l->database, manifest.source.database);
        copy_text(l->server, sizeof l->server, manifest.source.version);
        l->format_version = manifest.version;
        l->level = manifest.level;
        l->sealed = manifest.sealed;
        l->large_objects = manifest.large_objects;
        copy_text(summary->snapshot, sizeof summary->snapshot, manifest.snapshot);
        copy_text(summary->checksum, sizeof summary->checksum, archive.checksum);
        ok = list_tables(l, &manifest, summary, err);
    }
    cl_manifest_fini(&manifest);
    cl_archive_close(&archive);
    return cl_run_end(&run, ok, err);
}
