/*
 * Design notes. The allowance is kept as one moment, due_ns: each worker moves it on by what its
 * bytes cost and waits for the moment it then stands at.  So nobody is overtaken, a batch larger
 * than any bucket passes all the same, and waking needs no signal but time.
 */
#include "limits.h"

#include <string.h>

static const uint64_t NS_MS = 1000 * 1000;
static const double NS_S = 1e9;

void cl_limits_init(struct cl_limits *limits, struct cl_watch *watch, uint64_t bytes_per_second)
{
    memset(limits, 0, sizeof *limits);
    limits->watch = watch;
    limits->bytes_per_second = bytes_per_second;
    uv_mutex_init(&limits->mutex);
    uv_cond_init(&limits->changed);
}

void cl_limits_fini(struct cl_limits *limits)
{
    uv_cond_destroy(&limits->changed);
    uv_mutex_destroy(&limits->mutex);
}

/* The moment at which these bytes are paid for. Under the mutex. */
static uint64_t pay(struct cl_limits *limits, uint64_t bytes)
{
    if (limits->bytes_per_second == 0) {
        return 0;
    }
    uint64_t now = uv_hrtime();
    uint64_t burst = CL_LIMITS_BURST_MS * NS_MS;
    uint64_t earliest = now > burst ? now - burst : 0;
    uint64_t from = limits->due_ns > earliest ? limits->due_ns : earliest;
    double cost = (double)bytes / (double)limits->bytes_per_second * NS_S;
    limits->due_ns = from + (uint64_t)cost;
    return limits->due_ns;
}

bool cl_limits_pass(struct cl_limits *limits, uint64_t bytes, struct cl_err *err)
{
    if (!limits) {
        return true;
    }
    bool ok = true;
    uv_mutex_lock(&limits->mutex);
    uint64_t due = pay(limits, bytes);
    for (uint64_t now = uv_hrtime(); ok && (limits->shut || due > now); now = uv_hrtime()) {
        uint64_t slice = CL_LIMITS_SLICE_MS * NS_MS;
        uint64_t wait = !limits->shut && due - now < slice ? due - now : slice;
        uv_cond_timedwait(&limits->changed, &limits->mutex, wait);
        uv_mutex_unlock(&limits->mutex);
        ok = cl_watch_check(limits->watch, err);
        uv_mutex_lock(&limits->mutex);
    }
    uv_mutex_unlock(&limits->mutex);
    return ok;
}

void cl_limits_shut(struct cl_limits *limits, bool shut)
{
    uv_mutex_lock(&limits->mutex);
    limits->shut = shut;
    uv_cond_broadcast(&limits->changed);
    uv_mutex_unlock(&limits->mutex);
}
