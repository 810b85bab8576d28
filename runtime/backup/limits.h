/*
 * How fast the source may be read: one allowance of bytes a second for all workers together, and a
 * gate that is shut while the source has to catch up.  Workers ask at every batch; waiting workers
 * sleep, are served in the order they came, and notice within CL_LIMITS_SLICE_MS that the work is
 * to end.
 */
#ifndef CL_BACKUP_LIMITS_H
#define CL_BACKUP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "watch.h"

enum {
    CL_LIMITS_SLICE_MS = 100, /* between two looks at the watch while waiting */
    CL_LIMITS_BURST_MS = 250, /* what was not used that lately may still be */
};

struct cl_limits {
    struct cl_watch *watch;    /* borrowed */
    uint64_t bytes_per_second; /* 0: no limit */
    uv_mutex_t mutex;          /* guards due_ns and shut */
    uv_cond_t changed;         /* the gate was opened */
    uint64_t due_ns;           /* when all bytes let through so far are paid for (uv_hrtime) */
    bool shut;                 /* nobody passes */
};

void cl_limits_init(struct cl_limits *limits, struct cl_watch *watch, uint64_t bytes_per_second);
void cl_limits_fini(struct cl_limits *limits);

/* Waits until so many bytes, read already, are paid for and the gate is open. NULL limits: at
 * once. False with *err when the work is to end. */
bool cl_limits_pass(struct cl_limits *limits, uint64_t bytes, struct cl_err *err);

/* Shuts or opens the gate. Any thread. */
void cl_limits_shut(struct cl_limits *limits, bool shut);

#endif
