/*
 * Design notes.
 *
 * `op` says what runs; it is set by go() and cleared by finish(), the only caller of done. While
 * it is set, the socket is watched and step() asks libpq whether the operation has ended.  Idle
 * connections are not watched: a lost one is noticed by the next operation.
 *
 * Connecting happens in a job (see connect.h): libpq's own polling neither knows a time limit nor
 * resolves names without blocking, and its socket changes from host to host.  Once connected, the
 * socket stays the same, so one uv_poll serves the whole life; it is closed before libpq closes the
 * socket.
 */
#include "conn_private.h"

#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "loop/timer.h"

enum {
    CHUNK_BYTES_MAX = 1200 * 1024 * 1024, /* a row may have 1 GiB; we collect until 128 KiB */
};

/* ---------------------------------------------------------------- ending */

static void on_poller_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Gives up the socket; *pg is the caller's to finish. */
static PGconn *detach(struct cl_pg_conn *c)
{
    PGconn *pg = c->pg;
    c->pg = NULL;
    c->copy = COPY_NONE;
    if (c->poller) {
        c->poller->c = NULL;
        uv_close((uv_handle_t *)&c->poller->uv, on_poller_closed);
        c->poller = NULL;
    }
    return pg;
}

static void stop_waiting(struct cl_pg_conn *c)
{
    cl_timer_stop(c->timer);
    c->timer = NULL;
    if (c->poller) {
        uv_poll_stop(&c->poller->uv);
    }
    c->op = OP_NONE;
    c->data = NULL;
    c->data_bytes = 0;
    free(c->reason);
    c->reason = NULL;
}

/* The operation ended. Last thing any callback does: the owner may free c. */
void cl_pg_conn_finish(struct cl_pg_conn *c, bool ok, const struct cl_err *err)
{
    stop_waiting(c);
    if (c->pg && PQstatus(c->pg) == CONNECTION_BAD) {
        PQfinish(detach(c));
    }
    c->done(c->owner, ok, err);
}

void cl_pg_conn_abort(struct cl_pg_conn *c)
{
    bool busy = c->op != OP_NONE || c->copy != COPY_NONE ||
                (c->pg && PQtransactionStatus(c->pg) == PQTRANS_ACTIVE);
    cl_pg_conn_abandon_connect(c);
    stop_waiting(c);
    PGconn *pg = detach(c);
    if (pg && busy && PQstatus(pg) == CONNECTION_OK) {
        cl_pg_cancel_and_finish(c->loop, pg);
    } else {
        PQfinish(pg);
    }
}

static void on_limit(void *arg)
{
    struct cl_pg_conn *c = arg;
    c->timer = NULL;
    if (c->op == OP_NOTIFY) {
        cl_pg_conn_finish(c, true, NULL);
        return;
    }
    struct cl_err err;
    cl_fail(&err, CL_TIMEOUT, "E_TIMEOUT",
            "no answer from the database within %d ms; the statement was cancelled and the "
            "connection closed",
            c->timeout_ms);
    cl_pg_conn_abort(c);
    cl_pg_conn_finish(c, false, &err);
}

/* ---------------------------------------------------------------- results */

static bool has_sqlstate(const PGresult *r)
{
    return r && PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL;
}

static bool is_error(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
           status == PGRES_NONFATAL_ERROR;
}

/* Keeps the first error, else the last result. */
static void keep(struct cl_pg_conn *c, PGresult *r)
{
    bool replace =
        !c->result || !is_error(c->result) || (!has_sqlstate(c->result) && has_sqlstate(r));
    if (replace) {
        PQclear(c->result);
        c->result = r;
    } else {
        PQclear(r);
    }
}

static bool end_results(struct cl_pg_conn *c)
{
    struct cl_err err;
    c->copy = COPY_NONE;
    if (c->result && is_error(c->result)) {
        cl_pg_fail(&err, c->pg, c->result);
        PQclear(c->result);
        c->result = NULL;
        cl_pg_conn_finish(c, false, &err);
    } else if (PQstatus(c->pg) == CONNECTION_BAD) {
        cl_pg_fail(&err, c->pg, NULL);
        cl_pg_conn_finish(c, false, &err);
    } else if (c->want != COPY_NONE) {
        cl_fail(&err, CL_INVALID, "E_COPY", "the statement is not a COPY %s",
                c->want == COPY_OUT ? "TO STDOUT" : "FROM STDIN");
        c->want = COPY_NONE;
        cl_pg_conn_finish(c, false, &err);
    } else {
        cl_pg_conn_finish(c, true, NULL);
    }
    return true;
}

/* A COPY began. */
static bool begin_copy(struct cl_pg_conn *c, enum copy kind)
{
    if (c->want == kind) {
        c->want = COPY_NONE;
        c->copy = kind;
        cl_pg_conn_finish(c, true, NULL);
        return true;
    }
    struct cl_err err;
    cl_fail(
        &err, CL_INVALID, "E_COPY",
        "COPY through STDIN or STDOUT needs copy_in() or copy_out(); the connection was closed");
    cl_pg_conn_abort(c);
    cl_pg_conn_finish(c, false, &err);
    return true;
}

/* True when the operation ended. */
static bool step_results(struct cl_pg_conn *c)
{
    while (PQstatus(c->pg) == CONNECTION_BAD || !PQisBusy(c->pg)) {
        PGresult *r = PQgetResult(c->pg);
        if (!r) {
            return end_results(c);
        }
        ExecStatusType status = PQresultStatus(r);
        if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) {
            PQclear(r);
            return begin_copy(c, status == PGRES_COPY_OUT ? COPY_OUT : COPY_IN);
        }
        keep(c, r);
    }
    return false;
}

static bool step_copy_read(struct cl_pg_conn *c)
{
    while (c->chunk.len < CL_PG_CHUNK_BYTES) {
        char *row = NULL;
        int n = PQgetCopyData(c->pg, &row, 1);
        if (n > 0) {
            bool ok = cl_buf_add(&c->chunk, row, (size_t)n);
            PQfreemem(row);
            if (!ok) {
                struct cl_err err;
                cl_fail(&err, CL_INVALID, "E_COPY", "out of memory for a row of a COPY");
                cl_pg_conn_abort(c);
                cl_pg_conn_finish(c, false, &err);
                return true;
            }
        } else if (n == 0) {
            if (c->chunk.len == 0) {
                return false;
            }
            break; /* hand over what is there rather than wait for more */
        } else if (c->chunk.len > 0) {
            break; /* the end; found again by the next read */
        } else {
            c->op = OP_RESULTS;
            return step_results(c);
        }
    }
    cl_pg_conn_finish(c, true, NULL);
    return true;
}

static bool step_copy_write(struct cl_pg_conn *c)
{
    while (c->data_bytes > 0) {
        int flushed = PQflush(c->pg);
        if (flushed > 0) {
            return false; /* one piece at a time in libpq's buffer */
        }
        size_t n = c->data_bytes < CL_PG_CHUNK_BYTES ? c->data_bytes : CL_PG_CHUNK_BYTES;
        int put = flushed < 0 ? -1 : PQputCopyData(c->pg, c->data, (int)n);
        if (put < 0) { /* the server ended the COPY: it will have said why */
            c->op = OP_RESULTS;
            return step_results(c);
        }
        if (put == 0) {
            return false;
        }
        c->data += n;
        c->data_bytes -= n;
    }
    if (PQflush(c->pg) > 0) {
        return false;
    }
    cl_pg_conn_finish(c, true, NULL);
    return true;
}

static bool step_copy_end(struct cl_pg_conn *c)
{
    if (!c->ending) {
        int put = PQputCopyEnd(c->pg, c->reason);
        if (put == 0) {
            return false;
        }
        c->ending = true;
    }
    if (PQflush(c->pg) > 0) {
        return false;
    }
    c->op = OP_RESULTS;
    return step_results(c);
}

static bool step_notify(struct cl_pg_conn *c)
{
    c->notify = PQnotifies(c->pg);
    if (c->notify) {
        cl_pg_conn_finish(c, true, NULL);
        return true;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        struct cl_err err;
        cl_pg_fail(&err, c->pg, NULL);
        cl_pg_conn_finish(c, false, &err);
        return true;
    }
    return false;
}

/* True when the operation ended; c may be gone then. */
static bool step(struct cl_pg_conn *c)
{
    switch (c->op) {
    case OP_RESULTS:
        return step_results(c);
    case OP_COPY_READ:
        return step_copy_read(c);
    case OP_COPY_WRITE:
        return step_copy_write(c);
    case OP_COPY_END:
        return step_copy_end(c);
    case OP_NOTIFY:
        return step_notify(c);
    default:
        return true;
    }
}

/* ---------------------------------------------------------------- the socket */

static void on_socket(uv_poll_t *uv, int status, int events);

static void lost(struct cl_pg_conn *c)
{
    struct cl_err err;
    cl_pg_fail(&err, c->pg, NULL);
    err.class = CL_TRANSIENT;
    err.retryable = true;
    PQfinish(detach(c));
    cl_pg_conn_finish(c, false, &err);
}

static void watch(struct cl_pg_conn *c)
{
    bool unsent = PQflush(c->pg) > 0 || c->op == OP_COPY_WRITE;
    int events = UV_READABLE | (unsent ? UV_WRITABLE : 0);
    if (uv_poll_start(&c->poller->uv, events, on_socket) != 0) {
        lost(c);
    }
}

static void on_socket(uv_poll_t *uv, int status, int events)
{
    struct poller *poller = uv->data;
    struct cl_pg_conn *c = poller->c;
    if (!c || c->op == OP_NONE) {
        return;
    }
    bool read = status < 0 || (events & UV_READABLE);
    if (read && !PQconsumeInput(c->pg) && PQstatus(c->pg) == CONNECTION_OK) {
        lost(c); /* out of memory, or the like: nothing to go on with */
        return;
    }
    if (!step(c)) {
        watch(c);
    }
}

/* Starts the clock of an operation that libpq has taken, and looks at it once. (But a piece of a
 * COPY always takes a turn of the loop: a fast server must not keep others from theirs.) */
static bool go(struct cl_pg_conn *c, enum op op, int limit_ms)
{
    c->op = op;
    if (limit_ms >= 0) {
        c->timer = cl_timer_start(c->loop, (uint64_t)limit_ms, on_limit, c);
    }
    if (op == OP_COPY_WRITE || !step(c)) {
        watch(c);
    }
    return true;
}

static int limit(const struct cl_pg_conn *c)
{
    return c->timeout_ms > 0 ? c->timeout_ms : -1;
}

/* Is an operation legal now, in this state of COPY? */
static bool check(const struct cl_pg_conn *c, enum copy copy, struct cl_err *err)
{
    if (!c->pg) {
        return cl_fail(err, CL_BUG, "E_CLOSED", "the database connection is closed");
    }
    if (c->op != OP_NONE) {
        return cl_fail(err, CL_BUG, "E_BUSY",
                       "the database connection is in use: one operation at a time");
    }
    if (c->copy != copy) {
        return cl_fail(err, CL_BUG, "E_BUSY",
                       copy == COPY_NONE ? "the database connection is in the middle of a COPY"
                                         : "no such COPY is under way on the database connection");
    }
    return true;
}

/* ---------------------------------------------------------------- life */

struct cl_pg_conn *cl_pg_conn_new(uv_loop_t *loop, cl_pg_done done, void *owner)
{
    struct cl_pg_conn *c = calloc(1, sizeof *c);
    if (c) {
        c->loop = loop;
        c->done = done;
        c->owner = owner;
        cl_buf_init(&c->chunk, CHUNK_BYTES_MAX);
    }
    return c;
}

void cl_pg_conn_free(struct cl_pg_conn *c)
{
    if (c) {
        cl_pg_conn_abort(c);
        PQclear(c->result);
        PQfreemem(c->notify);
        cl_buf_fini(&c->chunk);
        free(c);
    }
}

/* ---------------------------------------------------------------- operations */

static void forget_last(struct cl_pg_conn *c)
{
    PQclear(c->result);
    c->result = NULL;
    PQfreemem(c->notify);
    c->notify = NULL;
    cl_buf_reset(&c->chunk);
    c->want = COPY_NONE;
}

/* libpq refused to send. */
static bool fail_to_send(struct cl_pg_conn *c, struct cl_err *err)
{
    cl_pg_fail(err, c->pg, NULL);
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        PQfinish(detach(c));
    }
    return false;
}

bool cl_pg_conn_query(struct cl_pg_conn *c, const char *sql, const struct cl_pg_params *params,
                      struct cl_err *err)
{
    if (!check(c, COPY_NONE, err)) {
        return false;
    }
    forget_last(c);
    if (!PQsendQueryParams(c->pg, sql, params->n, params->types, params->values, params->lengths,
                           params->formats, 0)) {
        return fail_to_send(c, err);
    }
    return go(c, OP_RESULTS, limit(c));
}

static bool send_plain(struct cl_pg_conn *c, const char *sql, enum copy want, struct cl_err *err)
{
    if (!check(c, COPY_NONE, err)) {
        return false;
    }
    forget_last(c);
    if (!PQsendQuery(c->pg, sql)) {
        return fail_to_send(c, err);
    }
    c->want = want;
    return go(c, OP_RESULTS, limit(c));
}

bool cl_pg_conn_script(struct cl_pg_conn *c, const char *sql, struct cl_err *err)
{
    return send_plain(c, sql, COPY_NONE, err);
}

bool cl_pg_conn_copy_out(struct cl_pg_conn *c, const char *sql, struct cl_err *err)
{
    return send_plain(c, sql, COPY_OUT, err);
}

bool cl_pg_conn_copy_in(struct cl_pg_conn *c, const char *sql, struct cl_err *err)
{
    return send_plain(c, sql, COPY_IN, err);
}

bool cl_pg_conn_copy_read(struct cl_pg_conn *c, struct cl_err *err)
{
    if (!check(c, COPY_OUT, err)) {
        return false;
    }
    cl_buf_reset(&c->chunk);
    return go(c, OP_COPY_READ, limit(c));
}

const char *cl_pg_conn_chunk(const struct cl_pg_conn *c, size_t *bytes)
{
    *bytes = c->chunk.len;
    return cl_buf_str(&c->chunk);
}

bool cl_pg_conn_copy_write(struct cl_pg_conn *c, const char *data, size_t n, struct cl_err *err)
{
    if (!check(c, COPY_IN, err)) {
        return false;
    }
    c->data = data;
    c->data_bytes = n;
    return go(c, OP_COPY_WRITE, limit(c));
}

bool cl_pg_conn_copy_end(struct cl_pg_conn *c, const char *reason, struct cl_err *err)
{
    if (!check(c, COPY_IN, err)) {
        return false;
    }
    c->ending = false;
    c->reason = reason ? strdup(reason) : NULL;
    if (reason && !c->reason) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    return go(c, OP_COPY_END, limit(c));
}

bool cl_pg_conn_wait_notify(struct cl_pg_conn *c, int timeout_ms, struct cl_err *err)
{
    if (!check(c, COPY_NONE, err)) {
        return false;
    }
    forget_last(c);
    PQconsumeInput(c->pg); /* with a limit of 0 the loop would not look before the time is up */
    return go(c, OP_NOTIFY, timeout_ms);
}

/* ---------------------------------------------------------------- looking */

PGresult *cl_pg_conn_take(struct cl_pg_conn *c)
{
    PGresult *result = c->result;
    c->result = NULL;
    return result;
}

const PGnotify *cl_pg_conn_notification(const struct cl_pg_conn *c)
{
    return c->notify;
}

bool cl_pg_conn_is_open(const struct cl_pg_conn *c)
{
    return c->pg != NULL;
}

PGTransactionStatusType cl_pg_conn_transaction(const struct cl_pg_conn *c)
{
    return c->pg ? PQtransactionStatus(c->pg) : PQTRANS_UNKNOWN;
}

const char *cl_pg_conn_setting(const struct cl_pg_conn *c, const char *name)
{
    return c->pg ? PQparameterStatus(c->pg, name) : NULL;
}
