/*
 * The loader: rows into a target, then the indexes of each table as soon as its last row is in,
 * then the constraints that take them over, then its statistics; all by one crew, so that no worker
 * waits for a phase to end.
 */
#ifndef CL_BACKUP_LOAD_H
#define CL_BACKUP_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "after.h"
#include "part.h"
#include "proof.h"
#include "run.h"

/* Where parts come from. */
struct cl_feed {
    void *arg; /* for hire */
    /* On a worker's thread: what it reads with. NULL with *err on failure. */
    void *(*hire)(void *arg, struct cl_err *err);
    /* Starts reading a part; NULL with *err on failure. */
    struct cl_source *(*open)(void *reader, const struct cl_part *part, struct cl_err *err);
    /* Ends the part that was started (or failed to); *err, when it is not NULL, says why loading it
     * failed: the place to add what the source knows. */
    void (*close)(void *reader, const struct cl_part *part, struct cl_err *err);
    void (*dismiss)(void *reader);
    /* Copies one item of large objects into the target. */
    bool (*objects)(void *reader, size_t item, PGconn *target, struct cl_err *err);
};

struct cl_load {
    struct cl_run *run; /* borrowed */
    const struct cl_table
        *tables;                  /* n_tables, as the target has them; format is that of the data */
    size_t n_tables;              /* entries of tables */
    const struct cl_parts *parts; /* borrowed */
    size_t n_objects;             /* items of large objects */
    const struct cl_after *after; /* borrowed; indexes of other tables are an error */
    const struct cl_feed *feed;   /* borrowed */
    bool bare;                    /* nothing follows the rows: no indexes, no statistics */
    struct cl_proof *proof;       /* borrowed; begun here, checked by the caller */
};

/* The tables must live until the proof has ended. False with the first failure; what was done by
 * then stays for the caller to drop. */
bool cl_load_run(const struct cl_load *load, struct cl_err *err);

#endif
