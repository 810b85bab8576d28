/*
 * A blocking PostgreSQL session for worker threads, and how PostgreSQL's errors become ours.
 * (Scripts use the asynchronous connection of conn.h.)
 *
 * Every session starts from known settings, whatever the database or role has configured:
 * search_path = pg_catalog, no statement, lock or idle timeouts, UTF-8, ISO dates, full float
 * digits, and, when asked, read-only.
 */
#ifndef CL_PG_SESSION_H
#define CL_PG_SESSION_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "base/err.h"

struct cl_pg_options {
    bool readonly;    /* default_transaction_read_only = on, for the whole session */
    bool fast_commit; /* synchronous_commit = off: for targets that are thrown away on failure */
    const char *application; /* application_name; NULL: "cloner" */
    bool for_scripts;        /* keep the role's own search_path and row security */
};

/* NULL with *err on failure (the message names host, port and database, never the password). */
PGconn *cl_pg_open(const char *conninfo, const struct cl_pg_options *options, struct cl_err *err);

/* Asked about every 100 ms; true ends the attempt with class cancelled. */
typedef bool (*cl_pg_stopping)(void *arg);

/* cl_pg_open() that can be stopped while it waits. */
PGconn *cl_pg_open_stoppable(const char *conninfo, const struct cl_pg_options *options,
                             cl_pg_stopping stopping, void *arg, struct cl_err *err);

/* Runs one command without a result. */
bool cl_pg_exec(PGconn *conn, const char *sql, struct cl_err *err);

/* Runs one command with text parameters (may be NULL) and returns its result (tuples or command
 * ok; PQclear it), NULL with *err otherwise. */
PGresult *cl_pg_query(PGconn *conn, const char *sql, int n_params, const char *const *params,
                      struct cl_err *err);

/* First column of the first row as text, to free(); NULL with *err when there is none. */
char *cl_pg_value(PGconn *conn, const char *sql, struct cl_err *err);

/* Fills *err from a failed result (or, with result NULL, from the connection): SQLSTATE in code,
 * class by the one table in errors.c, DETAIL and HINT in detail. Returns false. */
bool cl_pg_fail(struct cl_err *err, const PGconn *conn, const PGresult *result);

/* The class of a SQLSTATE; *retryable follows it. */
enum cl_class cl_pg_class(const char *sqlstate, bool *retryable);

/* The connection string without its password, for messages; to free(). */
char *cl_pg_safe_conninfo(const char *conninfo);

/* The connection string (or URI) as key=value pairs with this password in it (NULL: as it is); to
 * free(). NULL with *err when it cannot be read. */
char *cl_pg_conninfo(const char *conninfo, const char *password, struct cl_err *err);

#endif
