/*
 * The backup engine: copies a PostgreSQL database to an archive, from an archive, or straight into
 * another database, masking addresses while the bytes pass; and proves copies.
 *
 * Every function here is the work of a job (loop/job.h): call it on the job's thread.  It starts
 * `jobs` worker threads of its own and joins them before it returns.  The source is only ever read,
 * by read-only sessions that share one snapshot.  On failure nothing is called a success: an
 * archive is not published, a target database is left as it is for the caller to drop.
 *
 * Memory: below 64 MiB, plus 16 MiB per worker, plus a small multiple of the widest row while it
 * passes.
 */
#ifndef CL_BACKUP_H
#define CL_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "blob/store.h"
#include "loop/job.h"
#include "mask/mask.h"

enum {
    CL_BACKUP_JOBS_MAX = 64,
    CL_BACKUP_JOBS_DEFAULT = 2,
    CL_KEEP_SNAPSHOT_S_DEFAULT = 15 * 60,
    CL_BACKUP_WARNINGS_MAX = 32,
    CL_BACKUP_LEVEL_DEFAULT = 1, /* of zstd: the server, not the disk, is what a backup waits for */
    CL_BACKUP_LEVEL_MAX = 19,
    CL_BACKUP_KEY_BYTES = 32,
    CL_BACKUP_ROWS_MAX = 5,           /* of a table that differs, which are named */
    CL_BACKUP_DIFFERENCES_MAX = 1000, /* kept; all are counted */
};

/* What a copy may leave behind; everything else is copied. */
enum cl_leave {
    CL_LEAVE_OWNERS = 1 << 0,        /* everything belongs to the role that copies */
    CL_LEAVE_PRIVILEGES = 1 << 1,    /* grants and default privileges */
    CL_LEAVE_PUBLICATIONS = 1 << 2,  /* */
    CL_LEAVE_SUBSCRIPTIONS = 1 << 3, /* they are never enabled in a copy */
    CL_LEAVE_USER_MAPPINGS = 1 << 4, /* the keys to foreign servers */
    CL_LEAVE_TABLESPACES = 1 << 5,   /* everything is in the database's default one */
    CL_LEAVE_LARGE_OBJECTS = 1 << 6, /* told of in a warning */
};

/* What to do. Owned by the caller, lent for the call; unused members stay zero. */
struct cl_backup_spec {
    char *source;                /* libpq connection string, password included */
    char *target;                /* same */
    char *archive;               /* folder, or URL of a store that needs no credentials */
    struct cl_blob_store *store; /* the store at that URL, with its credentials; may be NULL */
    uint8_t *key;    /* CL_BACKUP_KEY_BYTES the archive is encrypted with; NULL: it is not */
    char *to;        /* cat: the file to write, "-" for standard output; decrypt: the new archive */
    char *table;     /* cat: "schema.table" */
    char **tables;   /* restore, rewrite, check: n_tables times "schema.table", nothing else; NULL:
                        everything */
    size_t n_tables; /* entries of tables */
    int level;       /* of zstd, 1..CL_BACKUP_LEVEL_MAX; 0: the default */
    char **exclude;  /* n_exclude times "schema.table": the table is made, its rows never read */
    size_t n_exclude;              /* entries of exclude */
    struct cl_mask *mask;          /* NULL: nothing is masked */
    struct cl_mask *restored_with; /* create: tables are written so that these rules can be applied
                                      when they are restored; NULL: any */
    int jobs;                      /* worker threads, 1..CL_BACKUP_JOBS_MAX */
    char *resume;                  /* name of this copy: a killed one goes on; NULL: it does not */
    int keep_snapshot_s;           /* how long its snapshot waits for a run to come back */
    bool compare;         /* restore, stream: read the copy back; fail unless it is what passed */
    bool data_only;       /* restore, stream: into tables that are there, see into.h */
    bool truncate;        /* with data_only: these may have rows, which go first */
    unsigned leave;       /* CL_LEAVE_… of the schema, when it is restored */
    char **tablespaces;   /* n_tablespaces pairs: of the source, what it is in the target */
    size_t n_tablespaces; /* pairs in tablespaces */
    bool toast_lz4;       /* the target compresses wide values with lz4, when it knows how */
    uint64_t part_bytes;  /* tables above this are copied in parts of it; 0: what suits the jobs */
    uint64_t max_bytes_per_second; /* read from the source, by all workers; 0: no limit */
    uint64_t max_replica_lag_ms;   /* above, workers wait; 0: no limit */
    uint64_t warn_xmin_age;        /* transactions our snapshot may hold back; 0: not watched */
};

/* What compare found about one table, or another object that has a state. */
struct cl_backup_difference {
    const char *kind;     /* "table", "sequence", "materialised view" … */
    char *table;          /* schema.name of whichever it is */
    char problem[96];     /* "missing in the target", "rows", "content" …; "": none */
    uint64_t source_rows; /* as expected */
    uint64_t target_rows; /* as found */
    char *rows[CL_BACKUP_ROWS_MAX + 1]; /* n_rows lines about some of its rows, by key */
    size_t n_rows;                      /* entries of rows */
};

/* A table of an archive. */
struct cl_backup_listed {
    char *schema;          /* owned */
    char *name;            /* owned */
    uint64_t rows;         /* of all its files */
    uint64_t bytes;        /* of COPY data, before compression */
    uint64_t stored_bytes; /* of its files */
    size_t files;          /* how many */
    bool binary;           /* format of the COPY data; else text */
};

/* What an archive says of itself. */
struct cl_backup_listing {
    char created[40];                /* ISO, wall clock of the machine that made it */
    char database[128];              /* it was made of */
    char server[64];                 /* version, as the server says it */
    int format_version;              /* of the archive */
    int level;                       /* of zstd; 0: not known */
    bool sealed;                     /* encrypted */
    uint64_t large_objects;          /* the source had */
    struct cl_backup_listed *tables; /* n_tables, owned */
    size_t n_tables;                 /* entries of tables */
};

struct cl_check_result;

/* What was done. Zero it before, cl_backup_summary_fini() after. */
struct cl_backup_summary {
    uint64_t tables;                          /* whose rows were copied, checked or compared */
    uint64_t rows;                            /* copied, checked or compared */
    uint64_t large_objects;                   /* copied */
    uint64_t bytes;                           /* of COPY data, before compression */
    uint64_t stored_bytes;                    /* of data files, compressed; archives only */
    double seconds;                           /* wall clock */
    struct cl_mask_tally tally;               /* what the mask did */
    struct cl_backup_listing listing;         /* list only */
    char checksum[65];                        /* SHA-256 of the archive's manifest, "" without */
    double snapshot_seconds;                  /* how long the source's snapshot was held */
    uint64_t xmin_age;                        /* its xmin's greatest seen, in transactions; 0: not
                                                 watched */
    uint64_t resumed_parts;                   /* of these, done by an earlier run */
    uint64_t resumed_rows;                    /* same */
    char snapshot[64];                        /* the exported snapshot's name, "" without one */
    char *warnings[CL_BACKUP_WARNINGS_MAX];   /* n_warnings lines for the operator */
    size_t n_warnings;                        /* entries in use */
    struct cl_backup_difference *differences; /* compare: the first of them */
    size_t n_differences;                     /* compare: all of them */
    struct cl_backup_difference *compared;    /* every table that has two sides, and was compared */
    size_t n_compared;                        /* entries of compared */
    struct cl_check_result *check;            /* check: what was found; owned */
};

void cl_backup_summary_fini(struct cl_backup_summary *summary);

/* source -> archive, unmasked. The folder must not exist yet (or be empty). */
bool cl_backup_create(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err);

/* Checks an archive without a server: every file present, of its size and checksum, readable. */
bool cl_backup_verify(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err);

/* What is in an archive: fills summary->listing. */
bool cl_backup_list(struct cl_job *job, const struct cl_backup_spec *spec,
                    struct cl_backup_summary *summary, struct cl_err *err);

/* Writes the rows of spec->table as one stream of COPY data to spec->to. */
bool cl_backup_cat(struct cl_job *job, const struct cl_backup_spec *spec,
                   struct cl_backup_summary *summary, struct cl_err *err);

/* Makes the archive spec->to of an encrypted one: the same, not encrypted. */
bool cl_backup_decrypt(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err);

/* archive -> target, an existing database without tables. spec->compare: class conflict, code
 * E_COPY_DIFFERS, when the rows that are read back are not those that were written. */
bool cl_backup_restore(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err);

/* source -> target with nothing between; spec->compare as for restore. */
bool cl_backup_stream(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err);

/* source -> target, which is a copy of its files: empties the tables of spec->tables and those of
 * spec->exclude, and fills the former from the source, masked, like all large objects; materialised
 * views are refreshed. */
bool cl_backup_rewrite(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err);

/* The copy called spec->resume will not be gone on with: its snapshot is let go. */
bool cl_backup_forget(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err);

/* Would stream start? Refuses what it would refuse before it writes anything; counts tables and
 * their bytes on disk. */
bool cl_backup_preflight(struct cl_job *job, const struct cl_backup_spec *spec,
                         struct cl_backup_summary *summary, struct cl_err *err);

/* Is the source's server one that create can read, with a pg_dump here that knows it? Writes
 * nothing. */
bool cl_backup_probe(struct cl_job *job, const struct cl_backup_spec *spec,
                     struct cl_backup_summary *summary, struct cl_err *err);

/* Reads the source through the mask: what would a copy stumble over? True also when it would:
 * summary->check says so, see check.h. */
bool cl_backup_check(struct cl_job *job, const struct cl_backup_spec *spec,
                     struct cl_backup_summary *summary, struct cl_err *err);

/* source or archive (whichever is set) against target: same rows once masked? True also when they
 * differ: summary->n_differences says so. */
bool cl_backup_compare(struct cl_job *job, const struct cl_backup_spec *spec,
                       struct cl_backup_summary *summary, struct cl_err *err);

/* dsn (connection string or URI, may be empty) with the password put in, when it is not NULL. A
 * string to free(), NULL with *err when dsn cannot be parsed. */
char *cl_backup_conninfo(const char *dsn, const char *password, struct cl_err *err);

#endif
