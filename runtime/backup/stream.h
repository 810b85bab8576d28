/* Rows straight from the source into the target's tables: what stream and rewrite share. */
#ifndef CL_BACKUP_STREAM_H
#define CL_BACKUP_STREAM_H

#include "after.h"
#include "proof.h"
#include "run.h"

/* Copies the rows of the catalog's tables that are not excluded, and the source's large objects if
 * `with_objects`; builds the indexes of `after`. The keeper holds the snapshot. */
bool cl_stream_rows(struct cl_run *run, struct cl_keeper *keeper, PGconn *target,
                    const struct cl_catalog *catalog, const struct cl_after *after,
                    struct cl_proof *proof, bool with_objects, struct cl_err *err);

#endif
