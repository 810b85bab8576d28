/* What the files of the scan share: the plan (scan_plan.c, scan_definitions.c), the readers of one
 * part (scan_table.c, scan_objects.c), what they count (scan_count.c), workers and result
 * (scan.c). */
#ifndef CL_SCAN_PRIVATE_H
#define CL_SCAN_PRIVATE_H

#include <libpq-fe.h>

#include "largeobject.h"
#include "part.h"
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

/* One table, and what was counted in it; or what one worker counts in a part of it. */
struct scan_table {
    char *schema;                /* where */
    char *name;                  /* which */
    uint32_t oid;                /* same */
    uint64_t size;               /* bytes on disk with its TOAST, for progress */
    uint64_t pages;              /* of its heap */
    bool heap;                   /* its access method: it can be read by pages */
    struct scan_column *columns; /* text-like ones */
    size_t n_columns;            /* how many */
    uint64_t rows;               /* read */
    uint64_t values;             /* not null */
    uint64_t bytes;              /* of these */
};

/* Which rows of a table are read. */
struct scan_filter {
    bool newer;        /* false: all */
    uint32_t since;    /* the oldest transaction whose rows are read */
    const char *where; /* a part's condition; NULL: the whole table */
};

struct scan_plan {
    struct scan_table *tables;            /* largest first */
    size_t n_tables;                      /* how many */
    struct cl_parts parts;                /* of them */
    struct scan_table objects;            /* large objects, as a table of one column */
    struct cl_lo_plan ranges;             /* of them */
    struct cl_scan_gap *gaps;             /* what cannot be read */
    size_t n_gaps;                        /* how many */
    struct cl_scan_definition *in_schema; /* addresses that are part of the schema */
    size_t n_in_schema;                   /* how many */
    uint64_t definitions;                 /* texts looked at for them */
};

/* Reads the catalog in the transaction conn is in, for a scan as in the spec. */
bool cl_scan_plan_load(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                       const char *const *tables, int jobs, uint64_t part_bytes,
                       struct cl_err *err);
void cl_scan_plan_fini(struct scan_plan *plan);

/* Notes what cannot be read; false when out of memory. */
bool cl_scan_add_gap(struct scan_plan *plan, const char *kind, const char *name);

/* Searches the definitions; part of loading. */
bool cl_scan_definitions(struct scan_plan *plan, PGconn *conn, const struct cl_mask *mask,
                         struct cl_err *err);
void cl_scan_definitions_free(struct cl_scan_definition *list, size_t n);

/* Counts an address; arg is its column. For cl_mask_find(). */
void cl_scan_count(void *arg, const char *address, size_t n);
void cl_scan_column_fini(struct scan_column *column); /* not its name */

/* A part of table to count in, of which nothing was read. cl_scan_part_fini() is due either way. */
bool cl_scan_part_init(struct scan_table *part, const struct scan_table *table, uint64_t size,
                       struct cl_err *err);
void cl_scan_part_fini(struct scan_table *part);

/* Adds what was counted in a part of table to it. */
bool cl_scan_part_join(struct scan_table *table, struct scan_table *part, struct cl_err *err);

/* What has been reported of a part to the job's progress. */
struct scan_reported {
    uint64_t rows;
    uint64_t bytes;
    uint64_t done; /* of what the part takes on disk */
};
void cl_scan_report(const struct scan_table *part, struct scan_reported *before, bool finished,
                    struct cl_job *job);

/* Reads a part of a table over conn, counting into part and into the job's progress. */
bool cl_scan_table_read(struct scan_table *part, const struct cl_mask *mask,
                        const struct scan_filter *filter, PGconn *conn, struct cl_job *job,
                        struct cl_err *err);

/* Same, a range of large objects. */
bool cl_scan_objects_read(struct scan_table *part, const struct cl_mask *mask,
                          const struct cl_lo_range *range, PGconn *conn, struct cl_job *job,
                          struct cl_err *err);

#endif
