#include "poller.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"

enum { TICK_MS = 100 };

static bool ending(void *arg)
{
    struct cl_poller *poller = arg;
    uv_mutex_lock(&poller->mutex);
    bool end = poller->ending;
    uv_mutex_unlock(&poller->mutex);
    return end;
}

/* Sleeps until the next question; false when there is to be none. */
static bool rest(struct cl_poller *poller)
{
    int64_t until = cl_clock_boot_ms() + CL_POLL_MS;
    uv_mutex_lock(&poller->mutex);
    for (int64_t left; !poller->ending && (left = until - cl_clock_boot_ms()) > 0;) {
        uv_cond_timedwait(&poller->wake, &poller->mutex, (uint64_t)left * 1000000);
    }
    bool go_on = !poller->ending;
    uv_mutex_unlock(&poller->mutex);
    return go_on;
}

/* Reads until the server has answered; the answer, or NULL with *err. */
static PGresult *read_answer(struct cl_poller *poller, PGconn *conn, struct cl_err *err)
{
    int64_t until = cl_clock_boot_ms() + CL_POLL_ANSWER_MS;
    while (PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        if (ending(poller)) {
            cl_fail(err, CL_CANCELLED, "E_CANCELLED", "stopped on request");
            return NULL;
        }
        if (cl_clock_boot_ms() > until) {
            cl_fail(err, CL_TIMEOUT, "E_TIMEOUT", "no answer within %d s",
                    CL_POLL_ANSWER_MS / 1000);
            return NULL;
        }
        poll(&fd, 1, TICK_MS);
        if (!PQconsumeInput(conn)) {
            cl_pg_fail(err, conn, NULL);
            return NULL;
        }
    }
    return PQgetResult(conn);
}

static bool ask(struct cl_poller *poller, PGconn *conn, const char *param, struct cl_err *err)
{
    const char *params[] = {param};
    if (!PQsendQueryParams(conn, poller->what.sql, 1, NULL, params, NULL, NULL, 0)) {
        return cl_pg_fail(err, conn, NULL);
    }
    PGresult *rows = read_answer(poller, conn, err);
    if (!rows) {
        return false;
    }
    bool ok = PQresultStatus(rows) == PGRES_TUPLES_OK || cl_pg_fail(err, conn, rows);
    if (ok) {
        poller->what.answer(poller->arg, rows);
    }
    PQclear(rows);
    while (ok && (rows = read_answer(poller, conn, err)) != NULL) {
        PQclear(rows);
    }
    return ok;
}

static void poller_main(void *arg)
{
    struct cl_poller *poller = arg;
    const struct cl_poll *what = &poller->what;
    PGconn *conn = NULL;
    do {
        char param[CL_POLL_PARAM_BYTES];
        struct cl_err err;
        if (!what->ask(poller->arg, param)) {
            continue;
        }
        if (!conn) {
            conn = cl_pg_open_stoppable(poller->conninfo, &what->options, ending, poller, &err);
        }
        if ((!conn || !ask(poller, conn, param, &err)) && !ending(poller)) {
            PQfinish(conn);
            conn = NULL;
            if (what->lost) {
                what->lost(poller->arg, &err);
            }
        }
    } while (rest(poller));
    PQfinish(conn);
}

bool cl_poller_start(struct cl_poller *poller, const struct cl_poll *what, const char *conninfo,
                     void *arg, struct cl_err *err)
{
    memset(poller, 0, sizeof *poller);
    poller->what = *what;
    poller->conninfo = conninfo;
    poller->arg = arg;
    uv_mutex_init(&poller->mutex);
    uv_cond_init(&poller->wake);
    int rc = uv_thread_create(&poller->thread, poller_main, poller);
    if (rc != 0) {
        uv_cond_destroy(&poller->wake);
        uv_mutex_destroy(&poller->mutex);
        return cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot start a thread: %s",
                       uv_strerror(rc));
    }
    poller->running = true;
    return true;
}

void cl_poller_end(struct cl_poller *poller)
{
    if (!poller->running) {
        return;
    }
    uv_mutex_lock(&poller->mutex);
    poller->ending = true;
    uv_cond_signal(&poller->wake);
    uv_mutex_unlock(&poller->mutex);
    uv_thread_join(&poller->thread);
    uv_cond_destroy(&poller->wake);
    uv_mutex_destroy(&poller->mutex);
    poller->running = false;
}
