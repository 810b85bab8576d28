/*
 * Design notes. Workers share the item counter (atomic) and the watch, nothing else of ours; a
 * worker's state is made, used and freed on its own thread.
 */
#include "crew.h"

#include <stdatomic.h>
#include <string.h>

#include "backup.h"

struct shift {
    const struct cl_crew *crew; /* borrowed */
    struct cl_watch *watch;     /* borrowed */
    atomic_size_t next;         /* first item nobody has taken */
};

static void worker_main(void *arg)
{
    struct shift *shift = arg;
    const struct cl_crew *crew = shift->crew;
    struct cl_err err;
    void *worker = crew->hire(crew->arg, &err);
    bool ok = worker != NULL;
    while (ok && cl_watch_check(shift->watch, &err)) {
        size_t item = atomic_fetch_add(&shift->next, 1);
        if (item >= crew->n_items) {
            break;
        }
        ok = crew->work(worker, item, &err);
    }
    if (!ok) {
        cl_watch_fail(shift->watch, &err);
    }
    if (worker) {
        crew->dismiss(worker);
    }
}

bool cl_crew_threads(struct cl_watch *watch, int jobs, void (*main)(void *arg), void *arg,
                     struct cl_err *err)
{
    uv_thread_t threads[CL_BACKUP_JOBS_MAX];
    int started = 0;
    while (started < jobs && started < CL_BACKUP_JOBS_MAX) {
        int rc = uv_thread_create(&threads[started], main, arg);
        if (rc != 0) {
            cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot start a thread: %s",
                    uv_strerror(rc));
            cl_watch_fail(watch, err);
            break;
        }
        started++;
    }
    for (int i = 0; i < started; i++) {
        uv_thread_join(&threads[i]);
    }
    return cl_watch_check(watch, err);
}

bool cl_crew_run(struct cl_watch *watch, const struct cl_crew *crew, struct cl_err *err)
{
    struct shift shift = {.crew = crew, .watch = watch};
    int jobs = (size_t)crew->jobs > crew->n_items ? (int)crew->n_items : crew->jobs;
    return cl_crew_threads(watch, jobs, worker_main, &shift, err);
}
