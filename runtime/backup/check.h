/*
 * What a masked copy would stumble over, found before anything is copied: addresses that do not fit
 * their column once masked, keys that become equal, CHECK constraints that masked values break,
 * columns that no longer lead to what they refer to.
 *
 * The source is read once, in one snapshot, as compare reads it.  Rows that the mask changes are
 * masked here; whatever only a server can judge (expressions, collations, constraints) is put to
 * the source's own as a question about values it is given, in batches: nothing is written.
 */
#ifndef CL_BACKUP_CHECK_H
#define CL_BACKUP_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "scan.h"

enum {
    CL_CHECK_SAMPLE_BYTES = 80,
    /* 16 bytes each, and up to twice the room while a set grows: 200 MB for all together */
    CL_CHECK_KEYS_MAX = 4 * 1024 * 1024,
};

/* A column in which the mask changes something. */
struct cl_check_column {
    char *schema;       /* where; owned, like all strings here */
    char *table;        /* */
    char *column;       /* */
    uint64_t changed;   /* values */
    uint64_t shortened; /* of these, with an address that took a hash suffix … */
    uint64_t squeezed;  /* … of these, only because of the column's limit */
    uint64_t unfit;     /* values that do not fit whatever is done */
    size_t limit;       /* of the column, in characters; 0: none */
    size_t needed;      /* the least limit with which they would fit; 0: all do */
};

/* What would stop a copy, or break it. */
struct cl_check_finding {
    const char *kind; /* "width", "unique", "check", "domain", "foreign key", "partition" (none
                         takes the row), "emptied" (what it refers to is not copied), "folded" (that
                         is written in another way); of a column with a method: "method" (it does
                         not take the value), "not null", "methods" (the ends of a foreign key have
                         different ones); not owned */
    char *schema;     /* where */
    char *table;      /* */
    char *columns;    /* names with ", " between */
    char *name;       /* of the index, the constraint, the partitioned table; the method's kind; ""
                         for a width */
    uint64_t count;   /* rows; 0: those were not looked at */
    size_t limit;     /* width: of the column */
    size_t needed;    /* width: see above */
    char *other; /* foreign key: schema.table.column referred to; emptied, folded: schema.table; of
                    a rule: kinds of the methods its columns have; else "" */
    char
        sample[CL_CHECK_SAMPLE_BYTES]; /* of what is masked, shortened; "" when it has no address */
};

/* What could not be looked into. */
struct cl_check_gap {
    const char *kind; /* as above; not owned */
    char *name;       /* schema.table: index or constraint */
    char *reason;     /* why not */
};

/* A foreign key whose values are addresses: both columns are masked alike, unless a finding says
 * otherwise. */
struct cl_check_reference {
    char *schema;   /* which refers; owned, like all strings here */
    char *table;    /* */
    char *column;   /* */
    char *name;     /* of the constraint */
    char *other;    /* schema.table.column referred to */
    uint64_t count; /* values that change */
};

/* Zeroed at first. */
struct cl_check_result {
    struct cl_check_column *columns; /* n_columns */
    size_t n_columns;
    struct cl_check_finding *findings; /* n_findings */
    size_t n_findings;
    struct cl_check_gap *gaps; /* n_gaps */
    size_t n_gaps;
    struct cl_check_reference *references; /* n_references */
    size_t n_references;
    struct cl_scan_definition *definitions; /* n_definitions: addresses in the schema, which a copy
                                               gets as it is, but for comments */
    size_t n_definitions;
};

void cl_check_result_free(struct cl_check_result *result); /* NULL is fine */

#endif
