/*
 * A thread that asks one server one question a second, on a connection of its own: what the copy's
 * workers cannot ask because they are busy.  Nothing here ever fails the copy, and ending never
 * waits long, whatever the server does: neither connecting nor asking blocks.
 */
#ifndef CL_BACKUP_POLLER_H
#define CL_BACKUP_POLLER_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>
#include <uv.h>

#include "pg/session.h"

enum {
    CL_POLL_MS = 1000,         /* between two questions */
    CL_POLL_ANSWER_MS = 10000, /* an answer that takes longer is none */
    CL_POLL_PARAM_BYTES = 2048,
};

/* What to ask. All calls come from the poller's thread. */
struct cl_poll {
    const char *sql;              /* one statement with one parameter, $1 */
    struct cl_pg_options options; /* of its session */
    /* Writes $1; false: there is nothing to ask now (no connection is made for that). */
    bool (*ask)(void *arg, char param[CL_POLL_PARAM_BYTES]);
    void (*answer)(void *arg, const PGresult *rows);
    /* No connection, or no answer; it is tried again after the usual pause. May be NULL. */
    void (*lost)(void *arg, const struct cl_err *err);
};

struct cl_poller {
    struct cl_poll what;  /* a copy */
    const char *conninfo; /* borrowed */
    void *arg;            /* the owner's, for what's functions */
    uv_thread_t thread;   /* joined by cl_poller_end() */
    uv_mutex_t mutex;     /* guards ending */
    uv_cond_t wake;       /* ending was set */
    bool ending;          /* the thread is to return */
    bool running;         /* there is a thread */
};

/* False with *err when there is no thread to be had. */
bool cl_poller_start(struct cl_poller *poller, const struct cl_poll *what, const char *conninfo,
                     void *arg, struct cl_err *err);

void cl_poller_end(struct cl_poller *poller); /* a zeroed one is fine */

#endif
