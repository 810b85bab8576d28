/*
 * manifest.json: what an archive holds. Beside it stands manifest.json.sha256, in the form
 * sha256sum reads, so that a manifest that was altered is noticed too.
 */
#ifndef CL_BACKUP_MANIFEST_H
#define CL_BACKUP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "after.h"
#include "catalog.h"
#include "json.h"
#include "roles.h"

enum {
    CL_ARCHIVE_VERSION = 2,     /* what is written */
    CL_ARCHIVE_VERSION_MIN = 1, /* what is still read: one file a table, inside its entry */
    CL_MANIFEST_BYTES_MAX = 256 * 1024 * 1024,
    CL_SHA256_HEX_BYTES = 65,
    CL_FILE_NAME_BYTES = 128,
};

#define CL_MANIFEST_FILE "manifest.json"
#define CL_MANIFEST_SUM_FILE "manifest.json.sha256"
#define CL_MANIFEST_SEALED_FILE "manifest.enc" /* the manifest of an encrypted archive */
#define CL_SCHEMA_FILE "schema.dump"
#define CL_SCHEMA_SEALED_FILE "schema.enc"
#define CL_DATA_FOLDER "data"

/* One data file. */
struct cl_data_file {
    char file[CL_FILE_NAME_BYTES];    /* relative to the archive: "data/0001_crm7.person.bin.zst" */
    char sha256[CL_SHA256_HEX_BYTES]; /* of the file */
    uint64_t rows;                    /* in it */
    uint64_t bytes;                   /* of the file */
    uint64_t raw_bytes;               /* of the COPY data in it */
};

struct cl_archived {
    struct cl_table table;      /* schema, name, oid, format, columns (name and type, no class) */
    struct cl_data_file *files; /* n_files, owned by the manifest: together all of its rows */
    size_t n_files;             /* at least 1 of a table */
};

/* A data file with the table it belongs to: what a worker takes. */
struct cl_filed {
    struct cl_archived *of;    /* borrowed from the manifest */
    struct cl_data_file *file; /* one of its files */
};

struct cl_manifest {
    struct cl_identity source;               /* where the rows came from */
    char snapshot[64];                       /* its name there, for the record */
    char started[40];                        /* ISO, wall clock of the machine that made it */
    char finished[40];                       /* same */
    struct cl_archived *tables;              /* n_tables with data, largest first */
    size_t n_tables;                         /* entries of tables */
    struct cl_filed *files;                  /* n_files: large objects', then all tables' */
    size_t n_files;                          /* entries of files */
    struct cl_sequence *sequences;           /* n_sequences */
    size_t n_sequences;                      /* entries of sequences */
    const char **excluded;                   /* n_excluded pairs: schema, name */
    size_t n_excluded;                       /* pairs in excluded */
    const char **matviews;                   /* n_matviews pairs in refresh order */
    size_t n_matviews;                       /* pairs in matviews */
    struct cl_after after;                   /* indexes and foreign keys; none in version 1 */
    uint64_t schema_bytes;                   /* of schema.dump */
    char schema_sha256[CL_SHA256_HEX_BYTES]; /* same */
    int pg_dump;                             /* major version that wrote it */
    uint64_t large_objects;                  /* in the source */
    struct cl_archived objects;              /* their files (largeobject.h); none: left behind */
    struct cl_object_roles object_roles;     /* that they name; none in older archives */
    int version;                             /* of the format, when parsed */
    int level;                               /* of zstd; 0: not known */
    bool sealed;                             /* the archive is encrypted: not in the manifest */
    struct cl_json *json;      /* what the strings point into, when parsed; NULL when built */
    struct cl_column *columns; /* one block, when parsed */
};

/* Gives a table its n_files files and their names: data/0001_crm7.person.bin.zst, with a number of
 * the file before ".bin" when there are several; sealed: data/0001.enc. number: of the table in the
 * archive, from 1. */
bool cl_manifest_name_files(struct cl_archived *archived, size_t number, size_t n_files,
                            bool sealed, struct cl_err *err);

/* Fills manifest->files; due when all tables have theirs, done by parsing. */
bool cl_manifest_list_files(struct cl_manifest *manifest, struct cl_err *err);

/* Rows of a table, in all its files; their COPY data. */
uint64_t cl_archived_rows(const struct cl_archived *archived);
uint64_t cl_archived_raw_bytes(const struct cl_archived *archived);

/* Appends the manifest as JSON. */
bool cl_manifest_write(struct cl_buf *out, const struct cl_manifest *manifest);

/* The other way; refuses versions it does not know, missing members and file names that lead
 * elsewhere. */
bool cl_manifest_parse(struct cl_manifest *manifest, const char *text, size_t n,
                       struct cl_err *err);
/* Is its format_version one we read? Code E_ARCHIVE_VERSION. */
bool cl_manifest_version(const struct cl_json *root, struct cl_err *err);

void cl_manifest_fini(struct cl_manifest *manifest);

#endif
