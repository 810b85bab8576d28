/*
 * Marks in a target: what of a copy is done.  Each unit of work (a chunk of the schema, a part of a
 * table, an index) writes its mark in its own transaction, so both are there or neither is, and a
 * run that takes over a killed one's target does the rest.  The schema that holds them goes with
 * the copy's last transaction: a database that has it is an unfinished copy.
 *
 * All functions are no-ops that succeed on a cl_marks that is not in use (a copy without a key).
 */
#ifndef CL_BACKUP_MARKS_H
#define CL_BACKUP_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "catalog.h"
#include "checksum.h"
#include "part.h"

enum {
    CL_MARK_NAME_MAX = 1024,              /* bytes of a mark's name: two quoted ones */
    CL_MARK_COUNTS = 8,                   /* numbers in one */
    CL_MARK_COLUMNS = CL_MARK_COUNTS + 4, /* kind, name, number, these, note */
};

#define CL_MARKS_SCHEMA "cloner_unfinished_copy"

/* Which copy it is. All borrowed. */
struct cl_copy {
    const char *key;                  /* the caller's name of it; NULL: no marks */
    const char *options;              /* hash of what was asked for */
    const char *token;                /* of the snapshot or the archive the rows come from */
    const struct cl_identity *source; /* for messages */
    const char *lost;                 /* why an earlier snapshot is gone; "" when none is */
};

struct cl_marks {
    bool used;      /* false: not a copy that can be resumed */
    bool resumed;   /* the target holds what an earlier run has done */
    bool in_ledger; /* they stand in a file (ledger.h), not in a database */
    int ledger;     /* its descriptor, owned; valid when in_ledger */
    PGresult *rows; /* marks found at the start, in order; never written to */
};

/* One unit of work. */
struct cl_mark {
    const char *kind;       /* "schema", "part", "index" … */
    const char *name;       /* of what; "" where the number says it all */
    int64_t number;         /* which of that name */
    struct cl_checksum sum; /* rows copied; their sums in a run that compares */
    uint64_t bytes;         /* of COPY data */
    uint64_t seen;          /* by the mask; as struct cl_mask_tally */
    uint64_t masked;        /* same */
    uint64_t shortened;     /* same */
    uint64_t kept;          /* same */
    const char *note;       /* what else the unit must know; NULL: nothing */
};

/* The numbers, in the order of the columns. */
void cl_mark_counts(struct cl_mark *mark, uint64_t *counts[CL_MARK_COUNTS]);

/* Appends one to a ledger (ledger.c). */
bool cl_ledger_append(int fd, const struct cl_mark *mark, struct cl_err *err);

/* This session becomes the only one of ours that fills this database: class conflict,
 * E_TARGET_BUSY, when a live process has it. For copies without a key, too. */
bool cl_marks_claim(PGconn *conn, const char *database, struct cl_err *err);

/* Looks what the claimed database holds. False with *err: class conflict, E_SNAPSHOT_LOST, when it
 * is an earlier half of this copy that cannot be gone on with (drop it and begin anew), E_NOT_EMPTY
 * when it is one of another copy. Ends what a killed run still has running there. */
bool cl_marks_open(struct cl_marks *marks, PGconn *conn, const struct cl_copy *copy,
                   const char *database, const char *application, struct cl_err *err);

/* Begins to keep marks in a database that is empty. */
bool cl_marks_make(struct cl_marks *marks, PGconn *conn, const struct cl_copy *copy,
                   struct cl_err *err);

/* Was that unit done by an earlier run? Fills the counts and the note of *mark when it was. Any
 * thread. */
bool cl_marks_done(const struct cl_marks *marks, struct cl_mark *mark);

/* A unit that is one text of SQL: runs it and marks it in one transaction, unless it was done.
 * Without marks it is run as it is. Any thread. */
bool cl_marks_run(const struct cl_marks *marks, PGconn *conn, const char *kind, const char *name,
                  int64_t number, const char *sql, struct cl_err *err);

/* Within the transaction of the unit; conn is not looked at where they stand in a ledger. Any
 * thread. */
bool cl_marks_put(const struct cl_marks *marks, PGconn *conn, const struct cl_mark *mark,
                  struct cl_err *err);

/* How the tables were cut into parts. What is cut must not depend on the run: pages come to a table
 * whose rows no snapshot of ours sees, and another run may have other workers. Tables that were not
 * cut are not kept. Names are "schema.table", quoted. */
bool cl_marks_put_cuts(const struct cl_marks *marks, PGconn *conn, const struct cl_table *tables,
                       const struct cl_parts *parts, struct cl_err *err);
/* Fills *parts (zeroed) as an earlier run planned them; *known: it did. */
bool cl_marks_get_cuts(const struct cl_marks *marks, const struct cl_table *tables, size_t n_tables,
                       struct cl_parts *parts, bool *known, struct cl_err *err);

/* The copy is whole: within its last transaction. */
bool cl_marks_drop(const struct cl_marks *marks, PGconn *conn, struct cl_err *err);

void cl_marks_fini(struct cl_marks *marks); /* a zeroed one is fine */

#endif
