/*
 * An archive: manifest.json, the schema, and data files, each one zstd frame of plain COPY data, in
 * a folder or below a prefix of an object store; all but manifest.json may be encrypted.
 *
 * Writing: begin, then files by several threads at once, then publish, then close.
 * Reading: open, then files by several threads at once, then close.
 */
#ifndef CL_BACKUP_ARCHIVE_H
#define CL_BACKUP_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "backup.h"
#include "manifest.h"
#include "pipe.h"
#include "place.h"
#include "seal.h"
#include "stored.h"

struct cl_archive {
    struct cl_place *place;             /* owned */
    struct cl_seal seal;                /* wiped when closed; only when sealed */
    bool sealed;                        /* its files are encrypted */
    int level;                          /* of zstd, writing */
    char checksum[CL_SHA256_HEX_BYTES]; /* of manifest.json, and so of everything */
};

/* Makes the spec's archive ready to be written. Class conflict when it exists or somebody is
 * writing it now. Zeroed before; cl_archive_close() is due either way. */
bool cl_archive_begin(struct cl_archive *archive, const struct cl_backup_spec *spec,
                      struct cl_job *job, struct cl_err *err);

/* Writes the manifest, brings everything to disk and makes it an archive, in one step. */
bool cl_archive_publish(struct cl_archive *archive, const struct cl_manifest *manifest,
                        struct cl_err *err);

/* Opens the spec's archive: its key fits, and its manifest is the one that was written. Zeroed
 * before; cl_archive_close() is due either way. */
bool cl_archive_open(struct cl_archive *archive, struct cl_manifest *manifest,
                     const struct cl_backup_spec *spec, struct cl_job *job, struct cl_err *err);

/* Class invalid naming the file: missing (E_ARCHIVE_MISSING), shorter or longer than the manifest
 * says (E_ARCHIVE_TRUNCATED, E_ARCHIVE_ALTERED), or more than it lists (E_ARCHIVE_EXTRA). */
bool cl_archive_check_files(struct cl_archive *archive, const struct cl_manifest *manifest,
                            struct cl_err *err);

/* Removes what was not published, wipes the key; idempotent, zeroed is fine. */
void cl_archive_close(struct cl_archive *archive);

/* Stores the schema, a file on this machine; fills the manifest's schema_* members. */
bool cl_archive_put_schema(struct cl_archive *archive, struct cl_manifest *manifest,
                           const char *path, struct cl_err *err);

/* Brings the schema to a new file on this machine, once it is the one that was stored. path NULL:
 * only checks it. */
bool cl_archive_get_schema(struct cl_archive *archive, const struct cl_manifest *manifest,
                           const char *path, struct cl_err *err);

/* Is the data file the one that was stored? Reads all of it. */
bool cl_archive_check_data(struct cl_archive *archive, const struct cl_data_file *file,
                           struct cl_err *err);

/* A data file being written. Its sink's put and finish compress; finish also fills bytes, raw_bytes
 * and sha256 of its entry. */
struct cl_file_sink;
struct cl_file_sink *cl_file_sink_open(struct cl_archive *archive, struct cl_data_file *file,
                                       struct cl_err *err);
struct cl_sink *cl_file_sink_base(struct cl_file_sink *sink);
void cl_file_sink_close(struct cl_file_sink *sink); /* NULL is fine */

/* A data file being read; its end is reached only if size, checksum and frame are right. */
struct cl_file_source;
struct cl_file_source *cl_file_source_open(struct cl_archive *archive,
                                           const struct cl_data_file *file, struct cl_err *err);
struct cl_source *cl_file_source_base(struct cl_file_source *source);
void cl_file_source_close(struct cl_file_source *source); /* NULL is fine */

#endif
