/*
 * Design notes.
 *
 * A task is a userdata whose user value is its coroutine.  While it is alive it is anchored in the
 * registry (key: its address), so a script may drop the handle.  At most one cl_wait is set while
 * the coroutine is suspended; whoever completes it queues the task.  resume() is the only caller of
 * lua_resume in the program.  It works in two halves: lua_resume itself, which cannot raise, and
 * settle(), run under lua_pcall because it allocates.
 *
 * A coroutine that failed is reset at once (its to-be-closed variables run); the error object is
 * kept in the registry until somebody takes the outcome.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { HOOK_INSTRUCTIONS = 100 * 1000, CO_INDEX = 1 };

struct cl_task {
    struct cl_host *host;   /* borrowed */
    lua_State *co;          /* the coroutine, in our user value */
    struct cl_task *next;   /* in host->ready */
    struct cl_wait *wait;   /* what it waits for, NULL when it does not */
    struct cl_wait *joiner; /* who waits for it, NULL: nobody */
    int nargs;              /* values on co's stack to pass at the next resume */
    int nresults;           /* values on co's stack once it succeeded */
    int error_ref;          /* what it failed with, LUA_NOREF when it did not */
    int cancel_ref;         /* what its waits raise, LUA_NOREF when not cancelled */
    bool queued;            /* in host->ready */
    bool finished;          /* ended, either way */
    bool overran;           /* its slice went past CL_SLICE_MS_MAX */
};

struct settling {
    struct cl_task *task;
    int status; /* of lua_resume */
    int nres;
};

/* ---------------------------------------------------------------- queue */

static void queue(struct cl_task *task)
{
    if (task->queued || task->finished) {
        return;
    }
    task->queued = true;
    task->next = NULL;
    *task->host->ready_end = task;
    task->host->ready_end = &task->next;
}

static struct cl_task *dequeue(struct cl_host *host)
{
    struct cl_task *task = host->ready;
    if (task) {
        host->ready = task->next;
        if (!host->ready) {
            host->ready_end = &host->ready;
        }
        task->queued = false;
        task->next = NULL;
    }
    return task;
}

/* ---------------------------------------------------------------- budget */

static int64_t slice_ms_max(void)
{
#ifdef CL_FAULTS
    const char *set = getenv("CLONER_SLICE_MS");
    if (set) {
        return strtol(set, NULL, 10);
    }
#endif
    return CL_SLICE_MS_MAX;
}

/* [-0, +1] "clone.lua:7: " for the innermost function that is a script's; "" when none is. Called
 * from the hook, where level 0 is what runs. */
static void push_place(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && strncmp(ar.short_src, "runtime/", 8) != 0 &&
            strncmp(ar.short_src, "bindings/", 9) != 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* [-0, +1] */
static void push_overrun(lua_State *L)
{
    struct cl_err err;
    push_place(L);
    cl_fail(&err, CL_BUG, "E_SCRIPT", "%sran for %d ms without waiting: an endless loop?",
            lua_tostring(L, -1), (int)slice_ms_max());
    cl_push_err(L, &err);
    luaL_traceback(L, L, NULL, 0);
    lua_setfield(L, -2, "traceback");
    lua_remove(L, -2);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct cl_task *task = cl_host_of(L)->current;
    if (!task) {
        return;
    }
    if (cl_clock_boot_ms() - task->host->slice_began_ms > slice_ms_max()) {
        /* From here on every instruction raises, so that a loop around pcall ends too; each time
         * the error of the first time, which knows the script's line. */
        if (!task->overran) {
            task->overran = true;
            push_overrun(L);
            lua_rawsetp(L, LUA_REGISTRYINDEX, &task->overran);
            lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
        }
        lua_rawgetp(L, LUA_REGISTRYINDEX, &task->overran);
        lua_error(L);
    }
}

/* ---------------------------------------------------------------- resuming */

/* [-0, +1] the error object for a failed coroutine; strings become class bug, with a traceback. */
static void push_failure(lua_State *L, lua_State *co, int status)
{
    if (lua_type(co, -1) == LUA_TTABLE) {
        lua_xmove(co, L, 1);
        return;
    }
    struct cl_err err;
    const char *text = lua_tostring(co, -1);
    if (status == LUA_ERRMEM) {
        cl_fail(&err, CL_BUG, "E_MEMORY", "Lua needs more than %d MiB",
                (int)(CL_LUA_BYTES_MAX >> 20));
    } else {
        cl_fail(&err, CL_BUG, "E_SCRIPT", "%s", text ? text : "an error that is not a string");
    }
    cl_push_err(L, &err);
    luaL_traceback(L, co, NULL, 0);
    lua_setfield(L, -2, "traceback");
}

static void finish(lua_State *L, struct cl_task *task)
{
    task->finished = true;
    task->wait = NULL;
    lua_pushnil(L); /* nothing but handles keeps it now */
    lua_rawsetp(L, LUA_REGISTRYINDEX, task);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &task->overran);
    if (task->joiner) {
        struct cl_wait *joiner = task->joiner;
        task->joiner = NULL;
        cl_wait_done(joiner);
    }
}

/* Protected half of resume(): argument is a struct settling. */
static int settle(lua_State *L)
{
    struct settling *s = lua_touserdata(L, 1);
    struct cl_task *task = s->task;
    /* The handle stays on this stack: finish() removes the registry's anchor. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, task);
    if (s->status == LUA_OK) {
        task->nresults = s->nres;
        finish(L, task);
        return 0;
    }
    if (s->status == LUA_YIELD) {
        lua_pop(task->co, s->nres);
        if (task->wait || task->queued) {
            return 0;
        }
        lua_pushliteral(task->co, "a coroutine yielded outside of a wait");
    }
    push_failure(L, task->co, s->status);
    task->error_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_sethook(task->co, NULL, 0, 0);
    lua_resetthread(task->co);
    finish(L, task);
    return 0;
}

static void resume(struct cl_task *task)
{
    struct cl_host *host = task->host;
    lua_State *L = host->L;
    struct settling s = {.task = task};
    int nargs = task->nargs;
    task->nargs = 0;
    host->current = task;
    host->slice_began_ms = cl_clock_boot_ms();
    s.status = lua_resume(task->co, L, nargs, &s.nres);
    host->current = NULL;
#ifdef CL_FAULTS
    if (getenv("CLONER_GC_STRESS")) {
        lua_gc(L, LUA_GCCOLLECT);
    }
#endif
    lua_pushcfunction(L, settle);
    lua_pushlightuserdata(L, &s);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        /* Out of memory while noting an end: nothing sane can go on. */
        cl_log(CL_LOG_ERROR, "cannot end a task: %s", lua_tostring(L, -1));
        abort();
    }
}

bool cl_task_run_ready(struct cl_host *host)
{
    struct cl_task *last = NULL;
    for (struct cl_task *t = host->ready; t; t = t->next) {
        last = t;
    }
    bool any = last != NULL;
    while (last) {
        struct cl_task *task = dequeue(host);
        if (!task->finished) {
            resume(task);
        }
        if (task == last) {
            last = NULL;
        }
    }
    return any;
}

/* ---------------------------------------------------------------- waiting */

static int raise_cancel(lua_State *L, struct cl_task *task)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->cancel_ref);
    return lua_error(L);
}

static int continue_wait(lua_State *L, int status, lua_KContext ctx)
{
    struct cl_wait *wait = (struct cl_wait *)ctx;
    struct cl_task *task = cl_host_of(L)->current;
    if (task->cancel_ref != LUA_NOREF && !wait->done) {
        return raise_cancel(L, task);
    }
    return wait->k(L, status, wait->ctx);
}

int cl_await(lua_State *L, struct cl_wait *wait, lua_KContext ctx, lua_KFunction k)
{
    struct cl_task *task = cl_host_of(L)->current;
    if (!task || task->co != L) {
        if (wait->cancel && !wait->done) {
            wait->cancel(wait);
        }
        return luaL_error(L, "cannot wait here: not the body of a task");
    }
    if (wait->done) {
        return k(L, LUA_OK, ctx);
    }
    if (task->cancel_ref != LUA_NOREF) {
        if (wait->cancel) {
            wait->cancel(wait);
        }
        return raise_cancel(L, task);
    }
    if (!lua_isyieldable(L)) {
        /* The wait must not outlive this call: its end would wake the task from the next one. */
        if (wait->cancel) {
            wait->cancel(wait);
        }
        return luaL_error(L, "cannot wait inside a function called by C (of string.gsub, "
                             "table.sort and the like)");
    }
    task->wait = wait;
    wait->task = task;
    wait->k = k;
    wait->ctx = ctx;
    return lua_yieldk(L, 0, (lua_KContext)wait, continue_wait);
}

void cl_wait_done(struct cl_wait *wait)
{
    wait->done = true;
    struct cl_task *task = wait->task;
    if (task) {
        wait->task = NULL;
        task->wait = NULL;
        queue(task);
    }
}

void cl_wait_forget(struct cl_wait *wait)
{
    if (wait->task) {
        wait->task->wait = NULL;
        wait->task = NULL;
    }
}

/* ---------------------------------------------------------------- tasks */

static int task_gc(lua_State *L)
{
    struct cl_task *task = lua_touserdata(L, 1);
    if (task->error_ref != LUA_NOREF) {
        luaL_unref(L, LUA_REGISTRYINDEX, task->error_ref);
    }
    if (task->cancel_ref != LUA_NOREF) {
        luaL_unref(L, LUA_REGISTRYINDEX, task->cancel_ref);
    }
    task->error_ref = task->cancel_ref = LUA_NOREF;
    return 0;
}

void cl_task_register(lua_State *L)
{
    luaL_newmetatable(L, CL_MT_TASK);
    lua_pushcfunction(L, task_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

struct cl_task *cl_task_spawn(lua_State *L, int nargs)
{
    struct cl_host *host = cl_host_of(L);
    struct cl_task *task = lua_newuserdatauv(L, sizeof *task, 1);
    memset(task, 0, sizeof *task);
    task->host = host;
    task->error_ref = task->cancel_ref = LUA_NOREF;
    luaL_setmetatable(L, CL_MT_TASK);
    task->co = lua_newthread(L);
    lua_setiuservalue(L, -2, CO_INDEX);
    lua_insert(L, -nargs - 2);         /* stack: handle, function, arguments */
    lua_xmove(L, task->co, nargs + 1); /* stack: handle */
    task->nargs = nargs;
    lua_sethook(task->co, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, task);
    queue(task);
    return task;
}

struct cl_task *cl_task_check(lua_State *L, int idx)
{
    return luaL_checkudata(L, idx, CL_MT_TASK);
}

struct cl_task *cl_task_current(lua_State *L)
{
    return cl_host_of(L)->current;
}

void cl_task_cancel(lua_State *L, struct cl_task *task)
{
    if (task->finished || task->cancel_ref != LUA_NOREF) {
        lua_pop(L, 1);
        return;
    }
    task->cancel_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct cl_wait *wait = task->wait;
    if (wait) {
        task->wait = NULL;
        wait->task = NULL;
        if (wait->cancel) {
            wait->cancel(wait);
        }
        queue(task);
    }
}

bool cl_task_push_cancel(lua_State *L, struct cl_task *task)
{
    if (task->cancel_ref == LUA_NOREF) {
        return false;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->cancel_ref);
    return true;
}

bool cl_task_finished(const struct cl_task *task)
{
    return task->finished;
}

int cl_task_push_outcome(lua_State *L, struct cl_task *task)
{
    if (task->error_ref != LUA_NOREF) {
        lua_pushboolean(L, false);
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->error_ref);
        return 2;
    }
    int n = task->nresults;
    luaL_checkstack(L, n + 1, "too many results");
    lua_pushboolean(L, true);
    lua_xmove(task->co, L, n);
    task->nresults = 0;
    return n + 1;
}

bool cl_task_join(struct cl_task *task, struct cl_wait *wait)
{
    if (task->finished) {
        cl_wait_done(wait);
        return true;
    }
    if (task->joiner) {
        return false;
    }
    task->joiner = wait;
    return true;
}

void cl_task_unjoin(struct cl_task *task)
{
    task->joiner = NULL;
}
