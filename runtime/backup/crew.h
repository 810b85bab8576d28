/* A crew of worker threads that take items (parts, files) off one list, in its order. */
#ifndef CL_BACKUP_CREW_H
#define CL_BACKUP_CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "watch.h"

struct cl_crew {
    size_t n_items; /* numbered from 0, taken in that order */
    int jobs;       /* threads at most */
    void *arg;      /* for hire */
    /* On the worker's thread: its connections. NULL with *err on failure. */
    void *(*hire)(void *arg, struct cl_err *err);
    /* Does one item. */
    bool (*work)(void *worker, size_t item, struct cl_err *err);
    void (*dismiss)(void *worker);
};

/* Runs main(arg) on `jobs` threads and joins them; false with the first failure they reported to
 * the watch, or with what kept one from starting. */
bool cl_crew_threads(struct cl_watch *watch, int jobs, void (*main)(void *arg), void *arg,
                     struct cl_err *err);

/* Runs all items. The first failure (or a stop request) ends the others soon; false with it. All
 * threads are joined on return. */
bool cl_crew_run(struct cl_watch *watch, const struct cl_crew *crew, struct cl_err *err);

#endif
