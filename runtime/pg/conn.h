/*
 * An asynchronous PostgreSQL connection on the loop: one operation at a time.
 *
 * Call order: cl_pg_conn_new(), cl_pg_conn_connect(), then operations, cl_pg_conn_free().  Each
 * operation below either fails at once (false, *err filled, nothing started) or calls done(owner)
 * exactly once, from the loop, or already before it returns.  cl_pg_conn_abort() is the exception:
 * it ends the operation without done.  Everything happens on the loop's thread; connecting and
 * cancelling, which may block, use a thread of their own.
 *
 * After a lost connection, a time limit or an abort the connection is closed for good.
 */
#ifndef CL_PG_CONN_H
#define CL_PG_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>
#include <uv.h>

#include "base/err.h"
#include "session.h"

enum {
    CL_PG_CHUNK_BYTES = 128 * 1024,  /* rows of a COPY are handed over in pieces about so big */
    CL_PG_CANCEL_WAIT_MS = 3 * 1000, /* for the server to take a cancel request */
};

struct cl_pg_conn;

/* ok false: *err (valid during the call) says why. */
typedef void (*cl_pg_done)(void *owner, bool ok, const struct cl_err *err);

/* Closed and idle. NULL when out of memory. */
struct cl_pg_conn *cl_pg_conn_new(uv_loop_t *loop, cl_pg_done done, void *owner);

/* Legal at any time, NULL too. done is not called any more; a running operation is aborted. */
void cl_pg_conn_free(struct cl_pg_conn *c);

/* timeout_ms: for each host, and later for each operation (0: the default, and no limit). */
bool cl_pg_conn_connect(struct cl_pg_conn *c, const char *conninfo,
                        const struct cl_pg_options *options, int timeout_ms, struct cl_err *err);

bool cl_pg_conn_is_open(const struct cl_pg_conn *c);
PGTransactionStatusType cl_pg_conn_transaction(const struct cl_pg_conn *c);

struct cl_pg_params {
    int n;                     /* how many */
    const Oid *types;          /* 0: the server infers it */
    const char *const *values; /* NULL: SQL NULL */
    const int *lengths;        /* of binary values */
    const int *formats;        /* 0 text, 1 binary */
};

/* One statement; its result by cl_pg_conn_take(). */
bool cl_pg_conn_query(struct cl_pg_conn *c, const char *sql, const struct cl_pg_params *params,
                      struct cl_err *err);

/* Any number of statements without parameters; stops at the first that fails. */
bool cl_pg_conn_script(struct cl_pg_conn *c, const char *sql, struct cl_err *err);

/* The result of the operation that ended last; the caller's to PQclear. NULL: there is none. */
PGresult *cl_pg_conn_take(struct cl_pg_conn *c);

/* COPY … TO STDOUT: begin, then read until *bytes is 0. */
bool cl_pg_conn_copy_out(struct cl_pg_conn *c, const char *sql, struct cl_err *err);
bool cl_pg_conn_copy_read(struct cl_pg_conn *c, struct cl_err *err);
/* Whole rows that were read; valid until the next operation. */
const char *cl_pg_conn_chunk(const struct cl_pg_conn *c, size_t *bytes);

/* COPY … FROM STDIN: begin, write, end. data is borrowed until done. reason NULL: the data is
 * complete; else the server throws it away and the operation fails with that reason. What the
 * server finds wrong with the data is the error of the end: libpq looks no earlier. */
bool cl_pg_conn_copy_in(struct cl_pg_conn *c, const char *sql, struct cl_err *err);
bool cl_pg_conn_copy_write(struct cl_pg_conn *c, const char *data, size_t n, struct cl_err *err);
bool cl_pg_conn_copy_end(struct cl_pg_conn *c, const char *reason, struct cl_err *err);

/* Waits for a notification, timeout_ms at most (below 0: no limit). NULL after it: the time ran
 * out; else valid until the next operation. */
bool cl_pg_conn_wait_notify(struct cl_pg_conn *c, int timeout_ms, struct cl_err *err);
const PGnotify *cl_pg_conn_notification(const struct cl_pg_conn *c);

/* Value of a setting the server reports by itself; NULL when it does not. */
const char *cl_pg_conn_setting(const struct cl_pg_conn *c, const char *name);

/* Closes it. A running operation is cancelled on the server, and done is not called. */
void cl_pg_conn_abort(struct cl_pg_conn *c);

#endif
