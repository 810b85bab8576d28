/*
 * Rows into tables that are there already (data_only): the plan that leads each table of the source
 * to one of the target, and what the target needs before and after.
 *
 * A partition's rows go to the root of its table when the target has that, and the server routes
 * them; so partitioned leads to flat, flat to partitioned, and partitions cut in one way to
 * partitions cut in another.  Columns are matched by name.  No trigger fires.  Foreign keys hold
 * when it is over: where the session may act as a replica (they are not looked at then) every key
 * is checked afterwards; where not, the server checks them, and tables are filled in the order of
 * their keys.
 *
 * Call order: plan, load, finish, fini.
 */
#ifndef CL_BACKUP_INTO_H
#define CL_BACKUP_INTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load.h"
#include "target.h"

/* A foreign key of the target that concerns tables of the plan. */
struct cl_into_key {
    const char *name;  /* borrowed from the results; with the next three */
    const char *table; /* quoted, with its schema */
    const char *check; /* counts rows that break it */
    uint32_t from;     /* oid of the table whose rows it binds; of a partition: its root */
    uint32_t to;       /* of the table they refer to; same */
};

struct cl_into {
    struct cl_run *run;        /* borrowed */
    PGconn *conn;              /* the target's, borrowed */
    struct cl_catalog catalog; /* of the target, partitioned tables included */
    struct cl_table *tables;   /* n_tables: of the source's table i, where its rows go; owned */
    size_t n_tables;           /* entries of tables */
    struct cl_column *columns; /* theirs, one block */
    struct cl_into_key *keys;  /* n_keys; owned */
    size_t n_keys;             /* entries of keys */
    PGresult *key_rows;        /* what keys point into */
    PGresult *triggers;        /* of into_triggers.sql; tables point into it */
    bool replica;              /* sessions act as replicas */
};

/* Refuses options that do not go with data_only. */
bool cl_into_allowed(const struct cl_backup_spec *spec, struct cl_err *err);

/* Finds the target's tables for n of the source. A source's format becomes text where its types are
 * other ones in the target; stored: it cannot, the rows lie in a file. Class conflict naming what
 * does not fit. */
bool cl_into_plan(struct cl_into *into, struct cl_run *run, PGconn *target,
                  struct cl_table *sources, size_t n, bool stored, struct cl_err *err);

/* Refuses tables that have rows, unless the spec lets these go first. */
bool cl_into_check_empty(struct cl_into *into, struct cl_err *err);

/* Empties the tables when the spec says so, else refuses those that have rows; then loads as the
 * model says, with its own tables. */
bool cl_into_load(struct cl_into *into, const struct cl_load *model, struct cl_err *err);

/* Foreign keys, sequences, statistics. */
bool cl_into_finish(struct cl_into *into, const struct cl_sequence *sequences, size_t n,
                    struct cl_err *err);

void cl_into_fini(struct cl_into *into); /* a zeroed one is fine */

#endif
