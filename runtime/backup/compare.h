/* Between the files of compare: what is compared with what, and what came of it. */
#ifndef CL_BACKUP_COMPARE_H
#define CL_BACKUP_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reading.h"

/* One table, on both sides or on one. Tables that are partitioned in another way on the other side
 * are compared as a whole: their rows count towards one pair, the leader. */
struct cl_pair {
    const struct cl_archived *archived; /* where the source's rows are; NULL: in a database */
    const char *schema;                 /* what it is called; of a leader: the whole's; borrowed */
    const char *name;                   /* same */
    struct cl_pair *leader;             /* whose sums its rows count towards, mostly its own */
    struct cl_table tables[2];          /* by side; columns in the order of the leader's */
    struct cl_column *columns[2];       /* theirs; NULL: the catalog's own */
    bool grouped;                       /* a leader of more than itself */
    bool there[2];                      /* by side: there is such a table */
    bool read[2];                       /* its rows are read, to be compared */
    enum cl_copy_format format;         /* in which rows are read */
    const struct cl_part *parts[2];     /* by side; n_parts each, in which it is read */
    size_t n_parts[2];                  /* 0: an archive, read file by file */
    struct cl_checksum sums[2];         /* by side; of a leader */
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
    struct cl_pair *pairs;           /* n_pairs; tables of the source, then those it lacks */
    size_t n_pairs;                  /* entries of pairs */
    struct cl_parts parts[2];        /* by side */
    PGresult *roots[2];              /* compare_roots.sql by side; NULL: not asked, or an archive */
};

/* Pairs the tables of both sides; reports tables that only one side has, and rows in tables that
 * must be empty. */
bool cl_comparison_pair(struct cl_comparison *all, struct cl_err *err);

/* Is this a pair that has a verdict of its own? */
bool cl_pair_compared(const struct cl_pair *pair);

/* Decides in which parts both sides are read. */
bool cl_comparison_cut(struct cl_comparison *all, struct cl_err *err);

/* Reads what of the source's rows is shuffled. */
bool cl_comparison_shuffle(struct cl_comparison *all, struct cl_err *err);

/* Tables that only one side has are often partitions of one that the other side has whole, or cut
 * in another way: makes a pair of such wholes. */
bool cl_comparison_group(struct cl_comparison *all, struct cl_err *err);

/* The pair's table of that side, its columns in the order of `like`. False with *missing NULL and
 * *err when out of memory. */
bool cl_pair_order(struct cl_pair *pair, enum cl_side side, const struct cl_table *like,
                   const char **missing, struct cl_err *err);

/* Adds the readings of all tables led by this pair, on both sides, one for each of their parts;
 * their arg is the leader. */
bool cl_comparison_readings(const struct cl_comparison *all, struct cl_pair *leader,
                            struct cl_readings *readings, struct cl_err *err);

void cl_comparison_unpair(struct cl_comparison *all);

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
