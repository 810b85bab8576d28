/*
 * The snapshot keeper: a read-only connection to the source that exports the one snapshot all
 * workers read from, and holds a lock on every table so that none is dropped or rewritten
 * meanwhile.
 */
#ifndef CL_BACKUP_KEEPER_H
#define CL_BACKUP_KEEPER_H

#include <stdbool.h>

#include "catalog.h"
#include "watch.h"

struct cl_keeper {
    struct cl_link link;         /* its transaction stays open */
    struct cl_identity identity; /* of the source */
    int64_t taken_ms;            /* when the snapshot was taken, or joined; boot time */
    char snapshot[64];           /* the exported name; valid while the link is open */
};

/* Opens the connection and takes the snapshot. side ("source", "target") is for messages. */
bool cl_keeper_open(struct cl_keeper *keeper, struct cl_watch *watch, const char *side,
                    const char *conninfo, struct cl_err *err);

/* Takes the snapshot on a connection that is open already: its transaction must stay open. */
bool cl_keeper_take(struct cl_keeper *keeper, const char *side, struct cl_err *err);

/* Opens a connection on a snapshot that another session holds. */
bool cl_keeper_follow(struct cl_keeper *keeper, struct cl_watch *watch, const char *conninfo,
                      const char *snapshot, struct cl_err *err);

/* Locks (ACCESS SHARE) the tables that are not excluded: also proves that they may be read. */
bool cl_keeper_lock(struct cl_keeper *keeper, const struct cl_catalog *catalog, struct cl_err *err);

void cl_keeper_close(struct cl_keeper *keeper); /* a zeroed one is fine */

/* A worker's read-only session on the same snapshot. */
bool cl_keeper_join(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                    const char *snapshot, struct cl_err *err);

/* libpq keeps the buffers it needed for the widest row as long as a session lives: ends a worker's
 * session that has read one of so many bytes, if that is many. */
void cl_keeper_slim(struct cl_link *link, size_t widest);

/* Joins again, unless the session is open. */
bool cl_keeper_ensure(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                      const char *snapshot, struct cl_err *err);

#endif
