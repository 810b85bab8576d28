/*
 * A run's side of a snapshot that outlives it: finds the one an earlier run of the same key left
 * with a warden, or has a new one taken.
 */
#ifndef CL_BACKUP_HOLD_H
#define CL_BACKUP_HOLD_H

#include "backup.h"
#include "holding.h"
#include "keeper.h"

struct cl_hold {
    char *path;                /* of the holding's file; NULL: not in use */
    int file;                  /* that file, this run's lock on it; valid while path is set */
    struct cl_holding holding; /* of the snapshot in use */
    bool joined;               /* an earlier run began with it */
};

/* Opens the keeper on the snapshot of spec->resume: the one that is held, if it is of the same
 * source and the same options (a hash), else a new one; hold->holding.before then says why the
 * earlier one is lost. Both zeroed before; cl_hold_close() is due either way. */
bool cl_hold_open(struct cl_hold *hold, struct cl_keeper *keeper, struct cl_watch *watch,
                  const struct cl_backup_spec *spec, const char *options, struct cl_err *err);

/* Lets go of it; the warden stays for spec->keep_snapshot_s. A zeroed one is fine. */
void cl_hold_close(struct cl_hold *hold);

/* The snapshot is needed no more: ends the warden, removes the file, closes. Whatever fails here
 * costs nothing but time: the warden then ends by itself. */
void cl_hold_end(struct cl_hold *hold);

#endif
