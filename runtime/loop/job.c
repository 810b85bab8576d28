/*
 * Design notes. The thread writes `ok` and `err`, then sends `finished`; uv_async_send orders these
 * writes before the callback's reads.  While the thread runs, both sides touch `stopping` and the
 * progress counters, which are atomic, and `work`, which has its own mutex.  The job is freed in
 * the close callback of its async handle, on the loop's thread, after the thread was joined.
 */
#include "job.h"

#include <stdlib.h>

struct cl_job {
    uv_async_t finished;         /* thread -> loop: run() returned */
    uv_thread_t thread;          /* joined in on_finished */
    cl_job_run run;              /* the work */
    void *arg;                   /* the owner's; ours once abandoned */
    void (*free_arg)(void *);    /* set when abandoned; may be NULL */
    cl_job_done done;            /* NULL once abandoned */
    void *owner;                 /* passed to done */
    struct cl_progress progress; /* shared with the thread */
    struct cl_work work;         /* same */
    atomic_bool stopping;        /* same */
    bool ok;                     /* written by the thread before `finished` */
    struct cl_err err;           /* same */
};

static void thread_main(void *p)
{
    struct cl_job *job = p;
    job->ok = job->run(job, job->arg, &job->err);
    uv_async_send(&job->finished);
}

static void on_closed(uv_handle_t *handle)
{
    struct cl_job *job = handle->data;
    cl_work_fini(&job->work);
    free(job);
}

static void on_finished(uv_async_t *handle)
{
    struct cl_job *job = handle->data;
    uv_thread_join(&job->thread);
    if (job->done) {
        job->done(job->owner, job->ok, &job->err);
    }
    if (job->free_arg) {
        job->free_arg(job->arg);
    }
    uv_close((uv_handle_t *)&job->finished, on_closed);
}

struct cl_job *cl_job_start(uv_loop_t *loop, cl_job_run run, void *arg, cl_job_done done,
                            void *owner, struct cl_err *err)
{
    struct cl_job *job = calloc(1, sizeof *job);
    if (!job) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory starting a job");
        return NULL;
    }
    job->run = run;
    job->arg = arg;
    job->done = done;
    job->owner = owner;
    job->finished.data = job;
    int rc = uv_async_init(loop, &job->finished, on_finished);
    if (rc != 0) {
        free(job);
        cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot start a job: %s", uv_strerror(rc));
        return NULL;
    }
    cl_work_init(&job->work);
    rc = uv_thread_create(&job->thread, thread_main, job);
    if (rc != 0) {
        uv_close((uv_handle_t *)&job->finished, on_closed);
        cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot start a thread: %s", uv_strerror(rc));
        return NULL;
    }
    return job;
}

void cl_job_stop(struct cl_job *job)
{
    atomic_store(&job->stopping, true);
}

bool cl_job_stopping(const struct cl_job *job)
{
    return atomic_load(&job->stopping);
}

bool cl_job_check(const struct cl_job *job, struct cl_err *err)
{
    if (atomic_load(&job->stopping)) {
        return cl_fail(err, CL_CANCELLED, "E_CANCELLED", "stopped on request");
    }
    return true;
}

struct cl_progress *cl_job_progress(struct cl_job *job)
{
    return &job->progress;
}

struct cl_work *cl_job_work(struct cl_job *job)
{
    return &job->work;
}

void cl_job_abandon(struct cl_job *job, void (*free_arg)(void *))
{
    job->done = NULL;
    job->free_arg = free_arg;
    cl_job_stop(job);
}
