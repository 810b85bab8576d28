/*
 * Design notes. `mutex` guards the slots and the first failure. The thread sleeps on `changed` and
 * wakes every POLL_MS to look at the job; it sends cancel requests while it holds the mutex, so a
 * slot's PGcancel cannot be freed under it (a cancel request takes one short connection).
 */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "backup.h"

enum {
    POLL_MS = 100,                      /* how often a stop request is looked for */
    AGAIN_MS = 500,                     /* between two rounds of cancel requests */
    SLOTS = CL_BACKUP_JOBS_MAX * 2 + 8, /* two connections a worker and a few for the verb */
};

struct cl_watch {
    struct cl_job *job;     /* borrowed */
    uv_thread_t thread;     /* joined by cl_watch_end */
    uv_mutex_t mutex;       /* guards all below */
    uv_cond_t changed;      /* `ending` was set */
    PGcancel *slots[SLOTS]; /* NULL: free */
    struct cl_err first;    /* valid when failed */
    bool failed;            /* a part of the work failed */
    bool ending;            /* the thread is to return */
};

static bool stopping(const struct cl_watch *watch)
{
    return watch->failed || cl_job_stopping(watch->job);
}

static void cancel_all(struct cl_watch *watch)
{
    char why[256];
    for (int i = 0; i < SLOTS; i++) {
        if (watch->slots[i]) {
            PQcancel(watch->slots[i], why, sizeof why);
        }
    }
}

static void watch_main(void *arg)
{
    struct cl_watch *watch = arg;
    int wait_ms = POLL_MS;
    uv_mutex_lock(&watch->mutex);
    while (!watch->ending) {
        uv_cond_timedwait(&watch->changed, &watch->mutex, (uint64_t)wait_ms * 1000000);
        if (!watch->ending && stopping(watch)) {
            cancel_all(watch);
            wait_ms = AGAIN_MS;
        }
    }
    uv_mutex_unlock(&watch->mutex);
}

struct cl_watch *cl_watch_start(struct cl_job *job, struct cl_err *err)
{
    struct cl_watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    watch->job = job;
    uv_mutex_init(&watch->mutex);
    uv_cond_init(&watch->changed);
    int rc = uv_thread_create(&watch->thread, watch_main, watch);
    if (rc != 0) {
        uv_cond_destroy(&watch->changed);
        uv_mutex_destroy(&watch->mutex);
        free(watch);
        cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot start a thread: %s", uv_strerror(rc));
        return NULL;
    }
    return watch;
}

void cl_watch_end(struct cl_watch *watch)
{
    if (!watch) {
        return;
    }
    uv_mutex_lock(&watch->mutex);
    watch->ending = true;
    uv_cond_signal(&watch->changed);
    uv_mutex_unlock(&watch->mutex);
    uv_thread_join(&watch->thread);
    uv_cond_destroy(&watch->changed);
    uv_mutex_destroy(&watch->mutex);
    free(watch);
}

struct cl_job *cl_watch_job(const struct cl_watch *watch)
{
    return watch->job;
}

void cl_watch_fail(struct cl_watch *watch, const struct cl_err *err)
{
    uv_mutex_lock(&watch->mutex);
    if (!watch->failed) {
        watch->failed = true;
        watch->first = *err;
    }
    uv_mutex_unlock(&watch->mutex);
}

bool cl_watch_check(struct cl_watch *watch, struct cl_err *err)
{
    if (!cl_job_check(watch->job, err)) {
        return false;
    }
    uv_mutex_lock(&watch->mutex);
    bool failed = watch->failed;
    if (failed && err) {
        *err = watch->first;
    }
    uv_mutex_unlock(&watch->mutex);
    return !failed;
}

bool cl_watch_verdict(struct cl_watch *watch, struct cl_err *err)
{
    cl_watch_check(watch, err);
    return false;
}

bool cl_link_open(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                  const struct cl_pg_options *options, struct cl_err *err)
{
    memset(link, 0, sizeof *link);
    if (!cl_watch_check(watch, err)) {
        return false;
    }
    PGconn *conn = cl_pg_open(conninfo, options, err);
    if (!conn) {
        return false;
    }
    PGcancel *cancel = PQgetCancel(conn);
    uv_mutex_lock(&watch->mutex);
    int slot = 0;
    while (slot < SLOTS && watch->slots[slot]) {
        slot++;
    }
    if (slot < SLOTS) {
        watch->slots[slot] = cancel;
    }
    uv_mutex_unlock(&watch->mutex);
    if (slot == SLOTS || !cancel) {
        PQfreeCancel(cancel);
        PQfinish(conn);
        return cl_fail(err, CL_BUG, "E_SLOTS", "too many connections at once");
    }
    link->conn = conn;
    link->watch = watch;
    link->slot = slot;
    return true;
}

void cl_link_close(struct cl_link *link)
{
    if (!link->conn) {
        return;
    }
    uv_mutex_lock(&link->watch->mutex);
    PQfreeCancel(link->watch->slots[link->slot]);
    link->watch->slots[link->slot] = NULL;
    uv_mutex_unlock(&link->watch->mutex);
    PQfinish(link->conn);
    memset(link, 0, sizeof *link);
}
