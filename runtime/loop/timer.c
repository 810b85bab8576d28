#include "timer.h"

#include <stdlib.h>

struct cl_timer {
    uv_timer_t uv;        /* freed with the struct, in its close callback */
    void (*fire)(void *); /* what to call */
    void *arg;            /* for fire */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timeout(uv_timer_t *uv)
{
    struct cl_timer *timer = uv->data;
    uv_close((uv_handle_t *)uv, on_closed);
    timer->fire(timer->arg);
}

struct cl_timer *cl_timer_start(uv_loop_t *loop, uint64_t delay_ms, void (*fire)(void *arg),
                                void *arg)
{
    struct cl_timer *timer = calloc(1, sizeof *timer);
    if (!timer) {
        return NULL;
    }
    timer->fire = fire;
    timer->arg = arg;
    timer->uv.data = timer;
    uv_timer_init(loop, &timer->uv);
    uv_update_time(loop); /* a long slice of Lua may have gone by since the loop last looked */
    uv_timer_start(&timer->uv, on_timeout, delay_ms, 0);
    return timer;
}

void cl_timer_stop(struct cl_timer *timer)
{
    if (timer) {
        uv_timer_stop(&timer->uv);
        uv_close((uv_handle_t *)&timer->uv, on_closed);
    }
}
