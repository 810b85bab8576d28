/*
 * How a binding waits: direct style for the script, callbacks for the loop.
 *
 *   static int finish(lua_State *L, int status, lua_KContext ctx)   // runs in the coroutine
 *   { struct op *op = (struct op *)ctx; …push results or cl_raise… }
 *
 *   static int l_thing(lua_State *L)
 *   {   struct op *op = lua_newuserdatauv(…);   // stays on this stack: alive while we wait
 *       op->wait.cancel = cancel_thing;
 *       …start it; its callback calls cl_wait_done(&op->wait)…
 *       return cl_await(L, &op->wait, (lua_KContext)op, finish);   }
 *
 * The callback never touches Lua: the task is queued and resumed from the loop, by the one
 * function that resumes coroutines (task.c).  A cancelled task gets its error at the next wait;
 * `cancel` then makes the operation end without calling cl_wait_done again.
 */
#ifndef CL_AWAIT_H
#define CL_AWAIT_H

#include <stdbool.h>

#include <lua.h>

#include "base/err.h"

struct cl_task;

struct cl_wait {
    void (*cancel)(struct cl_wait *wait); /* stop the operation; NULL: nothing to stop */
    bool done;                            /* set by cl_wait_done; clear before using it again */
    struct cl_task *task;                 /* who waits; private to task.c */
    lua_KFunction k;                      /* the binding's continuation; private */
    lua_KContext ctx;                     /* for k; private */
};

/* Last call of a lua_CFunction. Zero-initialise *wait, set cancel, before the operation starts.
 * When the operation is already done, k is called at once. May raise (cancelled; not in a task). */
int cl_await(lua_State *L, struct cl_wait *wait, lua_KContext ctx, lua_KFunction k);

/* The operation ended. On the loop's thread; before or after cl_await; once. */
void cl_wait_done(struct cl_wait *wait);

/* The userdata holding *wait is being collected or closed: nobody waits on it any more. */
void cl_wait_forget(struct cl_wait *wait);

/* Raises *err as an error object (bindings/errors.c has the constructor scripts see). */
int cl_raise(lua_State *L, const struct cl_err *err);

/* Pushes *err as an error object: {class, code, message, retryable, retry_after_ms, detail}. */
void cl_push_err(lua_State *L, const struct cl_err *err);

#endif
