/*
 * Design notes. `mutex` guards the slots and the first failure. The thread sleeps on `changed` and
 * wakes every POLL_MS to look at the job; it sends cancel requests while it holds the mutex, so a
 * slot's PGcancel cannot be freed under it (a cancel request takes one short connection).
 *
 * A peer that is gone without a word: keepalives find it when we wait to read (connect.c), but not
 * while what we sent is unanswered, and TCP_USER_TIMEOUT, made for that, also ends the connection
 * to a server that is alive and only takes its time to read.  So the thread looks at when the peer
 * last acknowledged anything, and shuts the sockets of those that ought to have and did not.
 */
#include "watch.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backup.h"
#include "base/clock.h"

enum {
    POLL_MS = 100,                      /* how often a stop request is looked for */
    AGAIN_MS = 500,                     /* between two rounds of cancel requests */
    LOOK_MS = 1000,                     /* how often peers are looked at */
    GONE_MS = 60 * 1000,                /* as long as keepalives take */
    SILENT_MS = 5 * 1000,               /* not worth a cancel request, which would not get there */
    SLOTS = CL_BACKUP_JOBS_MAX * 2 + 8, /* two connections a worker and a few for the verb */
};

struct slot {
    PGcancel *cancel; /* NULL: free */
    int fd;           /* libpq's socket, open as long as the slot is taken */
};

struct cl_watch {
    struct cl_job *job;       /* borrowed */
    uv_thread_t thread;       /* joined by cl_watch_end */
    uv_mutex_t mutex;         /* guards all below */
    uv_cond_t changed;        /* `ending` was set */
    struct slot slots[SLOTS]; /* the connections in use */
    struct cl_err first;      /* valid when failed */
    bool failed;              /* a part of the work failed */
    bool ending;              /* the thread is to return */
};

static bool stopping(const struct cl_watch *watch)
{
    return watch->failed || cl_job_stopping(watch->job);
}

/* Has the peer been silent for so long although we are waiting for it to acknowledge something? (A
 * socket that is not TCP has no distance to its peer.) */
static bool silent(int fd, unsigned ms)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
           (info.tcpi_unacked > 0 || info.tcpi_probes > 0 || info.tcpi_retransmits > 0) &&
           info.tcpi_last_ack_recv >= ms;
}

/* Whoever waits in libpq for a peer that is gone gets "connection lost" at once. */
static void drop_gone(struct cl_watch *watch, unsigned ms)
{
    for (int i = 0; i < SLOTS; i++) {
        if (watch->slots[i].cancel && silent(watch->slots[i].fd, ms)) {
            shutdown(watch->slots[i].fd, SHUT_RDWR);
        }
    }
}

static void cancel_all(struct cl_watch *watch)
{
    char why[256];
    drop_gone(watch, SILENT_MS);
    for (int i = 0; i < SLOTS; i++) {
        if (watch->slots[i].cancel && !silent(watch->slots[i].fd, SILENT_MS)) {
            PQcancel(watch->slots[i].cancel, why, sizeof why);
        }
    }
}

static void watch_main(void *arg)
{
    struct cl_watch *watch = arg;
    int wait_ms = POLL_MS;
    int64_t looked_ms = cl_clock_boot_ms();
    uv_mutex_lock(&watch->mutex);
    while (!watch->ending) {
        uv_cond_timedwait(&watch->changed, &watch->mutex, (uint64_t)wait_ms * 1000000);
        if (!watch->ending && stopping(watch)) {
            cancel_all(watch);
            wait_ms = AGAIN_MS;
        } else if (cl_clock_boot_ms() - looked_ms >= LOOK_MS) {
            looked_ms = cl_clock_boot_ms();
            drop_gone(watch, GONE_MS);
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

static bool ended(void *arg)
{
    return !cl_watch_check(arg, NULL);
}

bool cl_link_open(struct cl_link *link, struct cl_watch *watch, const char *conninfo,
                  const struct cl_pg_options *options, struct cl_err *err)
{
    memset(link, 0, sizeof *link);
    if (!cl_watch_check(watch, err)) {
        return false;
    }
    PGconn *conn = cl_pg_open_stoppable(conninfo, options, ended, watch, err);
    if (!conn) {
        return false;
    }
    PGcancel *cancel = PQgetCancel(conn);
    uv_mutex_lock(&watch->mutex);
    int slot = 0;
    while (slot < SLOTS && watch->slots[slot].cancel) {
        slot++;
    }
    if (slot < SLOTS) {
        watch->slots[slot].cancel = cancel;
        watch->slots[slot].fd = PQsocket(conn);
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
    PQfreeCancel(link->watch->slots[link->slot].cancel);
    link->watch->slots[link->slot].cancel = NULL;
    uv_mutex_unlock(&link->watch->mutex);
    PQfinish(link->conn);
    memset(link, 0, sizeof *link);
}
