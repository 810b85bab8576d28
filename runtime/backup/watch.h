/*
 * The watch over one verb's connections: a thread that, once the job is asked to stop or a worker
 * has failed, sends a cancel request to every connection still in use, again and again until it is
 * given back.  So nobody waits long in libpq for an answer nobody wants any more, nor for one that
 * cannot come: connections whose peer has been gone for a minute are shut.
 */
#ifndef CL_BACKUP_WATCH_H
#define CL_BACKUP_WATCH_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "loop/job.h"
#include "pg/session.h"

struct cl_watch;

/* NULL with *err when the thread cannot be started. */
struct cl_watch *cl_watch_start(struct cl_job *job, struct cl_err *err);

/* Ends the thread; every link must be closed. NULL is fine. */
void cl_watch_end(struct cl_watch *watch);

struct cl_job *cl_watch_job(const struct cl_watch *watch);

/* A part of the work failed with *err: the first one is kept, the rest of the work is to end. */
void cl_watch_fail(struct cl_watch *watch, const struct cl_err *err);

/* False when the work is to end: asked to (class cancelled) or because a part of it failed. err may
 * be NULL. */
bool cl_watch_check(struct cl_watch *watch, struct cl_err *err);

/* Makes *err what the verb failed with: the request to stop, or the first failure reported; *err
 * stays when there was neither. Returns false. */
bool cl_watch_verdict(struct cl_watch *watch, struct cl_err *err);

/* A session under watch. */
struct cl_link {
    PGconn *conn;           /* NULL when closed */
    struct cl_watch *watch; /* borrowed */
    int slot;               /* in the watch */
};

bool cl_link_open(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                  const struct cl_pg_options *options, struct cl_err *err);
void cl_link_close(struct cl_link *link); /* a zeroed one is fine */

#endif
