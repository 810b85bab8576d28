/*
 * Tasks: coroutines the host runs.  A task ends with results or with an error object, and anyone
 * holding its handle may join it.  Cancelling makes every wait of the task raise, now and later;
 * the sandbox's pcall passes such an error on, so a script cannot swallow it.
 */
#ifndef CL_TASK_H
#define CL_TASK_H

#include <stdbool.h>

#include <lua.h>

#include "await.h"

struct cl_host;
struct cl_task;

#define CL_MT_TASK "cl.task"

/* Takes a function and nargs arguments off the stack, pushes the handle of a new task which will
 * run them at the loop's next turn. */
struct cl_task *cl_task_spawn(lua_State *L, int nargs);

/* The task behind the handle at idx; raises when it is none. */
struct cl_task *cl_task_check(lua_State *L, int idx);

/* The running task, NULL outside of one. */
struct cl_task *cl_task_current(lua_State *L);

/* Pops an error object and makes it what every wait of the task raises. Legal once; a finished
 * task is left alone. */
void cl_task_cancel(lua_State *L, struct cl_task *task);

/* Was it cancelled? Pushes the error object when so. */
bool cl_task_push_cancel(lua_State *L, struct cl_task *task);

bool cl_task_finished(const struct cl_task *task);

/* Pushes what a finished task ended with: true and its results, or false and the error object.
 * Returns how many values that is. Legal once. */
int cl_task_push_outcome(lua_State *L, struct cl_task *task);

/* Makes *wait done when the task finishes (at once when it has). One joiner at a time. */
bool cl_task_join(struct cl_task *task, struct cl_wait *wait);
void cl_task_unjoin(struct cl_task *task);

#endif
