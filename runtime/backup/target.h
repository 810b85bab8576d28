/* The target's side of restore and stream: what comes before and after the rows. */
#ifndef CL_BACKUP_TARGET_H
#define CL_BACKUP_TARGET_H

#include "after.h"
#include "part.h"
#include "proof.h"
#include "roles.h"
#include "run.h"

struct cl_target {
    struct cl_link link;         /* for single commands; between them idle, in no transaction */
    struct cl_identity identity; /* of the target */
    struct cl_script before;     /* the schema before the rows; its grants wait for the end */
    struct cl_script rest;       /* the schema after them */
};

/* Opens the target; refuses the source itself (P1) and a database that is not empty. */
bool cl_target_open(struct cl_target *target, struct cl_run *run, const struct cl_identity *source,
                    struct cl_err *err);
void cl_target_close(struct cl_target *target); /* a zeroed one is fine */

/* Copies one part into its table within one transaction: frozen where that is legal, and only kept
 * when rows read and rows written agree. The table's format is that of the data. *sum
 * (may be NULL): see cl_run_part(). */
bool cl_target_load(struct cl_run *run, PGconn *conn, struct cl_source *source,
                    const struct cl_table *table, const struct cl_part *part,
                    struct cl_checksum *sum, struct cl_err *err);

/* Did an earlier run load that part? It is then counted as loaded. */
bool cl_target_loaded(struct cl_run *run, const struct cl_table *table, const struct cl_part *part,
                      struct cl_checksum *sum);

/* A worker's session for that. */
bool cl_target_join(struct cl_link *link, struct cl_run *run, struct cl_err *err);

/* After the rows. */
struct cl_finish {
    const struct cl_sequence *sequences; /* n_sequences */
    size_t n_sequences;                  /* entries of sequences */
    const char *const *matviews;         /* n_matviews pairs: schema, name; in refresh order */
    size_t n_matviews;                   /* pairs in matviews */
    const struct cl_after *after;        /* indexes are built; its foreign keys are made here */
    struct cl_proof *proof;              /* what came of the rows */
};

/* Sets sequences, a hundred in a statement. */
bool cl_target_sequences(PGconn *conn, struct cl_run *run, const struct cl_sequence *sequences,
                         size_t n, struct cl_err *err);

/* The schema before the rows, unless a role or a tablespace that is needed is missing. after: what
 * will be made then; it says which tablespaces are. roles: of large objects that will be copied;
 * NULL: none will. */
bool cl_target_prepare(struct cl_target *target, struct cl_run *run, const struct cl_tools *tools,
                       const char *schema_file, const struct cl_after *after,
                       const struct cl_object_roles *roles, struct cl_err *err);

/* Sequences, foreign keys, the rest of the schema, materialised views, statistics, the proof, and
 * last of all, in one transaction, event triggers and the end of the marks. */
bool cl_target_finish(struct cl_target *target, struct cl_run *run, const struct cl_finish *finish,
                      struct cl_err *err);

#endif
