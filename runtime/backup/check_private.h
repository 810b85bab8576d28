/*
 * Between the files of the check: the plan (check_plan.c), what is done with a row (check_row.c),
 * questions to the server (check_ask.c), the verb and its result (check.c).
 */
#ifndef CL_BACKUP_CHECK_PRIVATE_H
#define CL_BACKUP_CHECK_PRIVATE_H

#include <stdatomic.h>

#include "check.h"
#include "check_keys.h"
#include "reading.h"

enum { CHECK_LITERAL_MAX = 512 * 1024 * 1024 }; /* the server takes a message of 1 GB */

/* A column that is read, and what became of its values. Counters are added to by all workers. */
struct check_column {
    const struct cl_mask_column *keep;   /* what it may keep; NULL: nothing */
    const struct cl_mask_method *method; /* what makes its values; NULL: they are swept */
    size_t by;                           /* place of the column that decides with it; SIZE_MAX */
    bool filled;                         /* with a method: it may not be NULL */
    atomic_ullong failed;                /* with a method: it does not take the value … */
    atomic_ullong nulls;                 /* … or makes NULL of it, though it may not be */
    atomic_ullong changed;               /* as in struct cl_check_column … */
    atomic_ullong shortened;
    atomic_ullong squeezed;
    atomic_ullong unfit;
    atomic_ullong needed;
    atomic_flag sampled;                /* somebody writes, or has written, the sample */
    char sample[CL_CHECK_SAMPLE_BYTES]; /* of a value that does not fit */
};

enum check_kind { CHECK_UNIQUE, CHECK_TABLE, CHECK_DOMAIN, CHECK_PARTITION };

/* A unique index, a constraint, or the bounds of a table's partitions. Its mutex guards the counts
 * and what waits to be asked. */
struct check_rule {
    enum check_kind kind;      /* */
    const char *name;          /* borrowed from the plan's results */
    struct check_table *table; /* borrowed; NULL: not one that is read */
    const char *schema;        /* of the table; borrowed */
    const char *table_name;    /* same */
    const char *root;          /* of a partition: oid of the index, or table, at the top, borrowed;
                                  else NULL */
    struct check_rule *owner;  /* whose keys, count and sample it adds to: its own, if no other's.
                                  Its mutex is taken after one's own */
    const char *reason;        /* why it is not looked into, borrowed; NULL: it is */
    char code[8];              /* the SQLSTATE behind that reason; "": none */
    size_t *columns;           /* n_columns: their places among the table's read ones */
    size_t n_columns;          /* entries of columns */
    size_t shown;              /* which of them gives the sample: the first that is swept */
    bool swept;                /* one of them is */
    bool bytewise;             /* equal keys are equal bytes: the server need not say */
    bool every;                /* any row may meet one that was changed */
    struct cl_buf sql;         /* the question; empty when bytewise */
    uv_mutex_t mutex;          /* guards what follows */
    struct cl_buf *waiting;    /* n_columns array literals, not yet closed */
    size_t n_waiting;          /* rows in them */
    struct cl_keys keys;       /* of a unique index */
    bool full;                 /* there was no room for more keys */
    bool changed;              /* a row of it was */
    uint64_t count;            /* rows that break it */
    char sample[CL_CHECK_SAMPLE_BYTES]; /* one of them */
};

/* A column that refers to another one, which treats values in another way. */
struct check_link {
    const char *name;                    /* of the constraint; borrowed */
    size_t column;                       /* its place among the read ones */
    const struct cl_mask_column *keep;   /* of the column referred to */
    const struct cl_mask_method *method; /* same */
    struct cl_type_class class;          /* same */
    const char *schema;                  /* where that is; borrowed */
    const char *table;                   /* same */
    const char *to;                      /* same */
    atomic_ullong count;                 /* values that no longer lead there */
    atomic_flag sampled;                 /* as above */
    char sample[CL_CHECK_SAMPLE_BYTES];  /* same */
};

/* A foreign key that could not be made. */
struct check_key {
    const char *kind; /* of the finding; a literal */
    int first;        /* its rows of link_rows: from this one … */
    int next;         /* … to before this one */
    uint64_t count;   /* rows for which it could not */
};

struct check_table {
    const struct cl_table *table;  /* of the catalog */
    struct cl_table read;          /* the same with the columns that are read, as text */
    struct cl_column *columns;     /* these, those that are swept first; n in read.n_columns */
    size_t n_swept;                /* how many are swept */
    struct check_column *stats;    /* by column that is swept */
    struct check_rule **rules;     /* n_rules that are looked into; array owned */
    size_t n_rules;                /* entries of rules */
    struct check_link *links;      /* n_links */
    size_t n_links;                /* entries of links */
    bool every;                    /* a rule wants every row, or a method makes values */
    struct check_scratch *scratch; /* free ones; under the plan's mutex */
    struct check_plan *plan;       /* the whole; borrowed */
};

/* What a worker needs for a row. */
struct check_scratch {
    struct check_scratch *next;       /* in the list of those that are free */
    struct cl_buf bytes;              /* the row's values as they will be */
    struct cl_buf raw;                /* an unescaped value */
    struct cl_buf other;              /* for what is needed for a moment */
    struct cl_buf by;                 /* what decides with a method, unescaped */
    struct cl_mask_worker **workers;  /* of the table's swept columns, then of its links */
    size_t n_workers;                 /* entries of workers */
    size_t at[CL_COPY_FIELDS_MAX];    /* where each value begins in bytes … */
    size_t len[CL_COPY_FIELDS_MAX];   /* … and how long it is; SIZE_MAX: NULL */
    bool changed[CL_COPY_FIELDS_MAX]; /* of swept ones: the mask did */
    bool hit[CL_COPY_FIELDS_MAX];     /* same: there may be an address */
    bool unfit[CL_COPY_FIELDS_MAX];   /* same: it does not fit; it stands there unlimited */
    bool null[CL_COPY_FIELDS_MAX];    /* same: a method made NULL of it */
};

struct check_plan {
    struct cl_run *run;                            /* borrowed */
    const struct cl_mask *mask;                    /* borrowed */
    struct check_table *tables;                    /* n_tables */
    size_t n_tables;                               /* entries of tables */
    struct check_rule *rules;                      /* n_rules, those that are not looked into too */
    size_t n_rules;                                /* entries of rules */
    PGresult *rule_rows;                           /* what strings point into */
    PGresult *link_rows;                           /* same */
    atomic_llong keys_left;                        /* room for keys, of all sets */
    int *apart;                                    /* n_apart rows of link_rows: foreign keys of
                                                      which the columns have different methods */
    size_t n_apart;                                /* entries of apart */
    struct check_key *keys;                        /* n_keys */
    size_t n_keys;                                 /* entries of keys */
    uv_mutex_t mutex;                              /* guards what follows */
    struct cl_link asking[CL_BACKUP_JOBS_MAX + 1]; /* n_asking free sessions */
    size_t n_asking;                               /* entries of asking */
};

/* check_plan.c: reads rules in the transaction conn is in; cl_check_plan_fini() is due either way.
 */
bool cl_check_plan_load(struct check_plan *plan, struct cl_run *run,
                        const struct cl_catalog *catalog, PGconn *conn, struct cl_err *err);
void cl_check_plan_fini(struct check_plan *plan);

/* check_emptied.c: counts rows that refer to tables of which none are copied; once link_rows is
 * there. */
bool cl_check_emptied(struct check_plan *plan, const struct cl_catalog *catalog, PGconn *conn,
                      struct cl_err *err);

/* check_folded.c: counts rows that refer to one that is written in another way, and would to none.
 */
bool cl_check_folded(struct check_plan *plan, const struct cl_catalog *catalog, PGconn *conn,
                     struct cl_err *err);

/* check_emptied.c: adds to the plan's keys, of one that has rows first to next - 1 of link_rows. */
bool cl_check_add_key(struct check_plan *plan, const char *kind, int first, int next,
                      uint64_t count, struct cl_err *err);

/* How many values the mask changed in the column that refers, of that row of link_rows; 0 where it
 * has a method. */
uint64_t cl_check_masked_keys(struct check_plan *plan, int row);

/* Is the rule part of the same as the one before it? */
bool cl_check_same_root(const struct check_plan *plan, const struct check_rule *rule);

/* Columns of check_links.sql. */
enum {
    CHECK_LINK_NAME,
    CHECK_LINK_SCHEMA,
    CHECK_LINK_TABLE,
    CHECK_LINK_COLUMN,
    CHECK_LINK_TO_SCHEMA,
    CHECK_LINK_TO_TABLE,
    CHECK_LINK_TO_COLUMN,
    CHECK_LINK_OID,
    CHECK_LINK_VALID,
    CHECK_LINK_FREE,
    CHECK_LINK_RELID,
    CHECK_LINK_PAIRS,
    CHECK_LINK_EQUAL
};

/* check_emptied.c: does the method make the column of that row of link_rows NULL, so that nothing
 * is referred to? */
bool cl_check_unbinds(const struct cl_mask_method *method, const PGresult *links, int row);

void cl_check_scratch_free(struct check_scratch *list); /* all of them */

/* check_row.c: takes a row; arg is its table. For struct cl_reading. */
bool cl_check_row(void *arg, const struct cl_row_seen *row, struct cl_err *err);

/* check_ask.c */

/* Makes the question of a rule whose columns are known. names: as the server spells type and name
 * of each column, borrowed for the call. */
struct check_spelling {
    const char *type; /* "text COLLATE …" */
    const char *name; /* what the expression calls it */
};
void cl_check_question(struct check_rule *rule, const struct check_spelling *columns,
                       const char *probe, const char *extra);

/* Hands in a masked row; asks when enough wait. */
bool cl_check_judge(struct check_rule *rule, struct check_scratch *row, bool changed,
                    struct cl_err *err);

/* Asks about what still waits. */
bool cl_check_ask_rest(struct check_rule *rule, struct cl_err *err);

/* "kari…@mailinator.com" of the first address in a masked value; "" when there is none. */
void cl_check_sample(const char *value, size_t n, const char *sink,
                     char out[CL_CHECK_SAMPLE_BYTES]);

#endif
