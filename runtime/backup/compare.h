/* Between the files of compare: what is compared with what, and what came of it. */
#ifndef CL_BACKUP_COMPARE_H
#define CL_BACKUP_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reading.h"

/* One table, on both sides. */
struct cl_pair {
    const struct cl_archived *archived; /* where the rows are, comparing an archive; else NULL */
    const struct cl_table *source;      /* as it should be */
    struct cl_table target;             /* as it is, columns in the source's order */
    enum cl_copy_format format;         /* in which both sides are read */
    bool comparable;                    /* there are two sides to compare */
    const struct cl_part *parts[2];     /* by side; n_parts each, in which it is read */
    size_t n_parts[2];                  /* 0: an archive, read file by file */
    struct cl_checksum sums[2];         /* by side */
    struct cl_backup_difference *noted; /* what was found; NULL: equal, or too many to note */
};

struct cl_comparison {
    struct cl_run *run;              /* borrowed */
    struct cl_keeper source;         /* unused comparing an archive */
    struct cl_keeper target;         /* of the copy */
    struct cl_catalog source_tables; /* empty comparing an archive */
    struct cl_catalog target_tables; /* what the copy has */
    struct cl_archive archive;       /* closed comparing databases */
    struct cl_manifest manifest;     /* empty comparing databases */
    struct cl_pair *pairs;           /* n_pairs; the tables of the source */
    size_t n_pairs;                  /* entries of pairs */
    struct cl_column *columns;       /* the targets' columns, one block */
    struct cl_parts parts[2];        /* by side */
};

/* Pairs the tables of both sides; reports tables that only one side has, and rows in tables that
 * must be empty. */
bool cl_comparison_pair(struct cl_comparison *all, struct cl_err *err);

/* Decides in which parts both sides are read. */
bool cl_comparison_cut(struct cl_comparison *all, struct cl_err *err);

/* Adds the readings of one side of a pair, one for each of its parts; their arg is the pair. */
bool cl_comparison_readings(const struct cl_comparison *all, struct cl_pair *pair,
                            enum cl_side side, struct cl_readings *readings, struct cl_err *err);

/* Reports what is not as it should be. kind: "table", "sequence" …; sums: by side, or NULL. */
bool cl_comparison_differs(struct cl_comparison *all, const char *kind, const char *schema,
                           const char *name, const char *problem, const struct cl_checksum *sums,
                           struct cl_err *err);

/* Readings of this comparison, none yet. */
struct cl_readings cl_comparison_reader(struct cl_comparison *all);

/* Names some rows of the first tables that differ. */
bool cl_comparison_rows(struct cl_comparison *all, struct cl_err *err);

/* Sequences and materialised views. */
bool cl_comparison_states(struct cl_comparison *all, struct cl_err *err);

/* Large objects: how many, and their contents. */
bool cl_comparison_objects(struct cl_comparison *all, struct cl_err *err);

#endif
