/*
 * An archive: a folder with manifest.json, schema.dump and data files, each one zstd frame of
 * plain COPY data.  It is written under PATH.partial (locked while somebody writes it) and renamed
 * to PATH when everything is on disk, so a folder called PATH is always whole.
 */
#ifndef CL_BACKUP_ARCHIVE_H
#define CL_BACKUP_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "manifest.h"
#include "pipe.h"

struct cl_archive {
    char *path; /* as published */
    char *work; /* where it is written */
    int lock;   /* descriptor of the work folder, locked; -1: none */
};

/* Makes the work folder; one that a crash left behind is emptied. Class conflict when PATH exists
 * and is not an empty folder, or when somebody is writing it now. Zeroed before. */
bool cl_archive_begin(struct cl_archive *archive, const char *path, struct cl_err *err);

/* Writes the manifest, brings everything to disk and gives the folder its name. */
bool cl_archive_publish(struct cl_archive *archive, const struct cl_manifest *manifest,
                        struct cl_err *err);

/* Removes what was not published; idempotent, zeroed is fine. */
void cl_archive_end(struct cl_archive *archive);

/* Reads the manifest and checks it against its checksum file. */
bool cl_archive_open(struct cl_manifest *manifest, const char *path, struct cl_err *err);

/* Class invalid naming the file: missing (E_ARCHIVE_MISSING), shorter or longer than the manifest
 * says (E_ARCHIVE_TRUNCATED, E_ARCHIVE_ALTERED), or more than it lists (E_ARCHIVE_EXTRA). */
bool cl_archive_check_files(const struct cl_manifest *manifest, const char *path,
                            struct cl_err *err);

/* SHA-256 (hex) and size of a file. */
bool cl_file_sha256(const char *file, char hex[CL_SHA256_HEX_BYTES], uint64_t *bytes,
                    struct cl_err *err);

/* folder/name, a string to free(); NULL when out of memory. */
char *cl_path_join(const char *folder, const char *name);

/* A data file being written. Its sink's put and finish compress; finish also fills
 * bytes, raw_bytes and sha256 of its entry. */
struct cl_file_sink;
struct cl_file_sink *cl_file_sink_open(const char *folder, struct cl_data_file *file,
                                       struct cl_err *err);
struct cl_sink *cl_file_sink_base(struct cl_file_sink *sink);
void cl_file_sink_close(struct cl_file_sink *sink); /* NULL is fine */

/* A data file being read; its end is reached only if size, checksum and frame are right. */
struct cl_file_source;
struct cl_file_source *cl_file_source_open(const char *folder, const struct cl_data_file *file,
                                           struct cl_err *err);
struct cl_source *cl_file_source_base(struct cl_file_source *source);
void cl_file_source_close(struct cl_file_source *source); /* NULL is fine */

#endif
