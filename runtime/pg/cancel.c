/*
 * Design notes. PQcancel() opens a connection of its own and may hang as long as the kernel lets
 * it, when the server's machine is gone.  So it runs on a detached thread; the job that started it
 * waits a bounded time, then closes the connection.  The request is shared by the two and freed by
 * whichever lets go last.
 */
#include "cancel.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "conn.h"
#include "loop/job.h"

struct request {
    pthread_mutex_t lock; /* for the members below */
    pthread_cond_t ended; /* signalled with `done` */
    bool done;            /* PQcancel returned */
    int refs;             /* the two threads */
    PGcancel *cancel;     /* owned */
};

struct ending {
    PGcancel *cancel; /* until a request has it; may be NULL */
    PGconn *pg;       /* to finish */
};

static void release(struct request *r)
{
    pthread_mutex_lock(&r->lock);
    bool last = --r->refs == 0;
    pthread_mutex_unlock(&r->lock);
    if (last) {
        PQfreeCancel(r->cancel);
        pthread_cond_destroy(&r->ended);
        pthread_mutex_destroy(&r->lock);
        free(r);
    }
}

static void *send_request(void *arg)
{
    struct request *r = arg;
    char why[256];
    if (!PQcancel(r->cancel, why, sizeof why)) {
        cl_log(CL_LOG_DEBUG, "a query could not be cancelled: %s", why);
    }
    pthread_mutex_lock(&r->lock);
    r->done = true;
    pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
    release(r);
    return NULL;
}

static void wait_for(struct request *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CL_PG_CANCEL_WAIT_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!r->done && pthread_cond_timedwait(&r->ended, &r->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&r->lock);
}

static void cancel_bounded(PGcancel *cancel)
{
    pthread_t thread;
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        PQfreeCancel(cancel);
        return;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->ended, NULL);
    r->cancel = cancel;
    r->refs = 2;
    if (pthread_create(&thread, NULL, send_request, r) == 0) {
        pthread_detach(thread);
        wait_for(r);
    } else {
        r->refs = 1;
    }
    release(r);
}

static bool run(struct cl_job *job, void *arg, struct cl_err *err)
{
    (void)job;
    (void)err;
    struct ending *e = arg;
    if (e->cancel) {
        cancel_bounded(e->cancel);
    }
    PQfinish(e->pg);
    return true;
}

static void on_done(void *owner, bool ok, const struct cl_err *err)
{
    (void)ok;
    (void)err;
    free(owner);
}

void cl_pg_cancel_and_finish(uv_loop_t *loop, PGconn *pg)
{
    struct ending *e = calloc(1, sizeof *e);
    if (e) {
        e->pg = pg;
        e->cancel = PQgetCancel(pg);
        if (cl_job_start(loop, run, e, on_done, e, NULL)) {
            return;
        }
        PQfreeCancel(e->cancel);
        free(e);
    }
    PQfinish(pg);
}
