/* A one-shot timer on the loop. The handle is ours until it fires or is stopped; then it is gone.
 */
#ifndef CL_TIMER_H
#define CL_TIMER_H

#include <stdint.h>

#include <uv.h>

struct cl_timer;

/* Calls fire(arg) once, after delay_ms, on the loop's thread. NULL when out of memory. */
struct cl_timer *cl_timer_start(uv_loop_t *loop, uint64_t delay_ms, void (*fire)(void *arg),
                                void *arg);

/* Legal only before it fired; NULL is fine. */
void cl_timer_stop(struct cl_timer *timer);

#endif
