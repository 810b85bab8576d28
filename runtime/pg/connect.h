/*
 * Connecting, as both kinds of connection do it: blocking, on whatever thread calls, able to stop.
 * (The asynchronous connection runs it on a job, so that a slow name server never holds up the
 * loop.)  Private to this room.
 */
#ifndef CL_PG_CONNECT_H
#define CL_PG_CONNECT_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "session.h"

enum {
    CL_PG_CONNECT_TIMEOUT_MS = 10 * 1000, /* a host, unless the connection string says else */
    CL_PG_SETTINGS_TIMEOUT_MS = 30 * 1000 /* for the first commands of a session */
};

/* Tries every host of the connection string, then applies the known settings of session.h.
 * timeout_ms: a host; 0: connect_timeout of the connection string, else the default above.
 * NULL with *err on failure; else PQfinish it. Any thread. */
PGconn *cl_pg_connect(const char *conninfo, const struct cl_pg_options *options, int timeout_ms,
                      cl_pg_stopping stopping, void *arg, struct cl_err *err);

/* Fills *err from an attempt that failed; place: the safe connection string. Returns false. */
bool cl_pg_connect_fail(struct cl_err *err, const PGconn *conn, const char *place);

#endif
