/* What the files of the scan share: the plan (scan_plan.c), the reader of one table
 * (scan_table.c), workers and result (scan.c). */
#ifndef CL_SCAN_PRIVATE_H
#define CL_SCAN_PRIVATE_H

#include <libpq-fe.h>

#include "scan.h"

struct scan_column {
    char *name;                          /* of the column */
    enum cl_carrier carrier;             /* how its values carry text */
    const struct cl_mask_column *except; /* what it may keep; NULL: nothing */
    struct cl_scan_place *places;        /* by domain, n_places; open hashing, slots of them */
    size_t n_places;                     /* used */
    size_t slots;                        /* 0 or a power of two */
    uint64_t kept;                       /* values passed on purpose */
    bool failed;                         /* out of memory while counting */
};

/* One table; its counters belong to the one worker that took it. */
struct scan_table {
    char *schema;                /* where */
    char *name;                  /* which */
    uint64_t size;               /* bytes on disk with its TOAST, for progress */
    struct scan_column *columns; /* text-like ones */
    size_t n_columns;            /* how many */
    uint64_t rows;               /* read */
    uint64_t values;             /* not null */
    uint64_t bytes;              /* of these */
};

/* Which rows of a table are read. */
struct scan_filter {
    bool newer;     /* false: all */
    uint32_t since; /* the oldest transaction whose rows are read */
};

struct scan_plan {
    struct scan_table *tables; /* largest first */
    size_t n_tables;           /* how many */
    struct cl_scan_gap *gaps;  /* what cannot be read */
    size_t n_gaps;             /* how many */
};

/* Reads the catalog in the transaction conn is in. tables: as in the spec. */
bool cl_scan_plan_load(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                       const char *const *tables, struct cl_err *err);
void cl_scan_plan_fini(struct scan_plan *plan);

/* Reads one table over conn, counting into it and into the job's progress. */
bool cl_scan_table_read(struct scan_table *table, const struct cl_mask *mask,
                        const struct scan_filter *filter, PGconn *conn, struct cl_job *job,
                        struct cl_err *err);

#endif
