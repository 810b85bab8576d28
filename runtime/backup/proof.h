/*
 * Proves a copy while it is made: what the rows add up to as they pass, table by table, must be
 * what the target's rows add up to when they are read back.  No row of the source is read twice.
 *
 * Call order: begin, expect for each table, add for each part that was kept (any thread), check,
 * end.  For a run that does not compare all of them do nothing.
 */
#ifndef CL_BACKUP_PROOF_H
#define CL_BACKUP_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run.h"

/* What passed of one table. */
struct cl_proven {
    const struct cl_table *table; /* as the target has it; borrowed. NULL: not copied */
    enum cl_copy_format format;   /* in which its rows pass */
    uint64_t bytes;               /* about so many, for the progress */
    struct cl_checksum sum;       /* of the parts that were added */
};

struct cl_proof {
    struct cl_proven *tables; /* n_tables, owned; NULL when nothing is to be proved */
    size_t n_tables;          /* entries of tables */
    uv_mutex_t mutex;         /* guards their sums */
};

bool cl_proof_begin(struct cl_proof *proof, const struct cl_run *run, size_t n_tables,
                    struct cl_err *err);

/* Table number i (as the target has it) is going to be copied. */
void cl_proof_expect(struct cl_proof *proof, struct cl_run *run, size_t i,
                     const struct cl_table *table, enum cl_copy_format format, uint64_t bytes);

/* A part of table number i has been committed. */
void cl_proof_add(struct cl_proof *proof, size_t i, const struct cl_checksum *part);

/* Reads the target. Class conflict, code E_COPY_DIFFERS, naming the tables that differ. Fills
 * summary->compared. */
bool cl_proof_check(struct cl_proof *proof, struct cl_run *run, struct cl_err *err);

void cl_proof_end(struct cl_proof *proof); /* a zeroed one is fine */

#endif
