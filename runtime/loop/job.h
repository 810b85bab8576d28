/*
 * A job: blocking work on native threads, owned by the loop's thread.
 *
 * Life: cl_job_start() runs `run` on a thread of its own; when that returns, `done` is called once
 * on the loop's thread and the job frees itself; the argument is the owner's again.  Between
 * start and done the loop's thread may read progress and ask for a stop; the work asks
 * cl_job_stopping() at every batch and returns soon after it turns true.  Jobs own worker threads
 * of their own (uv_thread_create) where one is not enough, and join them before `run` returns.
 */
#ifndef CL_JOB_H
#define CL_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "work.h"

/* Counters any thread of the job may add to, and the loop's thread reads. */
struct cl_progress {
    atomic_ullong done;        /* in `unit`s */
    atomic_ullong total;       /* 0: not known yet */
    atomic_ullong bytes;       /* moved so far */
    atomic_ullong rows;        /* or objects, moved so far */
    atomic_ullong parts_done;  /* pieces of the work that are finished */
    atomic_ullong parts_total; /* 0: not known yet, or not counted */
};

struct cl_job;

typedef bool (*cl_job_run)(struct cl_job *job, void *arg, struct cl_err *err);
/* ok is what run returned; *err is valid when !ok. */
typedef void (*cl_job_done)(void *owner, bool ok, const struct cl_err *err);

/* Starts the work; arg is lent to it until done. On failure (NULL) nothing was started. */
struct cl_job *cl_job_start(uv_loop_t *loop, cl_job_run run, void *arg, cl_job_done done,
                            void *owner, struct cl_err *err);

/* Asks the work to stop; `done` still comes, with class cancelled. Any thread. */
void cl_job_stop(struct cl_job *job);

/* Inside the work: should it end now? Any thread of the job. */
bool cl_job_stopping(const struct cl_job *job);

/* Same, filling *err when it should. */
bool cl_job_check(const struct cl_job *job, struct cl_err *err);

struct cl_progress *cl_job_progress(struct cl_job *job);

/* What it does right now, for people. Any thread of the job writes. */
struct cl_work *cl_job_work(struct cl_job *job);

/* The owner lost interest: the work is asked to stop, `done` will not be called, and the argument
 * is given to free_arg (may be NULL) once the thread has ended. */
void cl_job_abandon(struct cl_job *job, void (*free_arg)(void *));

#endif
