/*
 * Reads a whole database and counts the addresses its rules do not let pass: the certificate.
 *
 * One session keeps an exported snapshot, `jobs` worker sessions share it; each reads one part of a
 * table at a time, those of the largest first, as binary COPY of its text-like columns, or a range
 * of large objects.  Definitions of the schema are searched, too.  Nothing is written.
 */
#ifndef CL_SCAN_H
#define CL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/job.h"
#include "mask/mask.h"

enum {
    CL_SCAN_JOBS_MAX = 64,
    CL_SCAN_DOMAINS_MAX = 1000, /* told apart in one column; more are counted together */
};

struct cl_scan_spec {
    const char *conninfo;      /* with its password; copied */
    struct cl_mask *mask;      /* one more owner is taken */
    const char *const *tables; /* "schema.table" each, NULL-terminated, copied; NULL: all. Large
                                  objects are "pg_catalog.pg_largeobject" */
    unsigned jobs;             /* 1..CL_SCAN_JOBS_MAX */
    uint64_t part_bytes;       /* tables above it are split; 0: what keeps all workers busy */
    bool newer;                /* only rows that transaction `since` or a later one wrote; large
                                  objects are read whole */
    uint32_t since;            /* its id, of this cluster and not more than 2^31 transactions ago */
};

/* Addresses of one domain left in one column. */
struct cl_scan_place {
    const char *schema; /* where */
    const char *table;
    const char *column;
    char *domain;   /* lower case; "…" for all beyond CL_SCAN_DOMAINS_MAX */
    char *sample;   /* the first one found, shortened */
    uint64_t count; /* how many */
};

/* A column in which values passed on purpose. */
struct cl_scan_kept {
    const char *schema; /* where */
    const char *table;
    const char *column;
    const char *reason; /* as the rules give it */
    uint64_t count;     /* values */
};

/* What was not read. */
struct cl_scan_gap {
    char *kind; /* "foreign table", or of a definition */
    char *name; /* schema.table.column, or of the object */
};

/* Addresses of one domain in the schema itself, in a comment, a view, a function, ... */
struct cl_scan_definition {
    char *kind;     /* as in scan_definitions.sql */
    char *object;   /* which */
    char *domain;   /* as in a place */
    char *sample;   /* same */
    uint64_t count; /* same */
};

struct cl_scan_result {
    char *system_identifier; /* of the cluster; "" when the role may not know */
    char *database_oid;      /* as digits */
    char *database;          /* its name */
    char *server_version;    /* "15.8" */
    char *snapshot;          /* exported name */
    char *last_xid;          /* newest transaction the snapshot may not see */
    int64_t taken_at_ms;     /* wall clock when the snapshot was taken */
    int64_t elapsed_ms;      /* from the first connection to the last row */
    uint64_t tables;         /* read */
    uint64_t columns;        /* read */
    uint64_t rows;           /* read */
    uint64_t values;         /* not null */
    uint64_t bytes;          /* of these */
    uint64_t large_objects;  /* read; they count as values, too */
    uint64_t definitions;    /* read: texts of the schema */
    uint64_t leaks;          /* sum over places */
    struct cl_scan_place *places;
    size_t n_places;
    struct cl_scan_kept *kept;
    size_t n_kept;
    struct cl_scan_definition *in_schema;
    size_t n_in_schema;
    struct cl_scan_gap *gaps;
    size_t n_gaps;
};

struct cl_scan;

/* NULL with *err when out of memory. */
struct cl_scan *cl_scan_new(const struct cl_scan_spec *spec, struct cl_err *err);
void cl_scan_free(void *scan); /* NULL is fine */

/* The work, for cl_job_start(); arg is the struct cl_scan. Once. Leaks are no failure. */
bool cl_scan_run(struct cl_job *job, void *arg, struct cl_err *err);

/* What was found; valid after a successful run, belongs to the scan. */
const struct cl_scan_result *cl_scan_result(const struct cl_scan *scan);

#endif
