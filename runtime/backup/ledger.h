/*
 * The ledger of an archive that is being written: marks (marks.h) of the data files that are whole,
 * as lines of a file in the work folder.  It is removed before the archive is published.
 */
#ifndef CL_BACKUP_LEDGER_H
#define CL_BACKUP_LEDGER_H

#include "archive.h"
#include "marks.h"
#include "run.h"

/* The archive has begun, and the run knows its snapshot: takes over the files of an earlier run of
 * the same snapshot and options, key included, and removes all else. marks are run->marks. Places
 * that cannot keep files have no ledger: then they stay unused. */
bool cl_ledger_open(struct cl_run *run, struct cl_archive *archive, struct cl_err *err);

/* All files are there: from now on nothing can go on with it. */
bool cl_ledger_remove(struct cl_run *run, struct cl_archive *archive, struct cl_err *err);

/* Was the file written by an earlier run? Fills *file and the counts of *mark. */
bool cl_ledger_done(struct cl_run *run, struct cl_data_file *file, struct cl_mark *mark);

/* It is whole. */
bool cl_ledger_put(struct cl_run *run, const struct cl_data_file *file,
                   const struct cl_mark *counts, struct cl_err *err);

#endif
