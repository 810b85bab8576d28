#include "job.h"

#include <string.h>

#include <lauxlib.h>

#include "fields.h"
#include "host/await.h"
#include "host/host.h"
#include "loop/timer.h"

#define MT_JOB "cl.job"

struct handle {
    struct cl_job_handle spec; /* first: cl_job_push() gives out its address */
    struct cl_job *job;        /* NULL before it began and once it ended */
    struct cl_wait wait;       /* of the one task in :wait() */
    struct cl_timer *timer;    /* limit of that wait, NULL: none */
    bool waiting;              /* a task is in :wait() */
    bool ended;                /* run() returned */
    bool ok;                   /* what it returned */
    struct cl_err err;         /* why not */
};

static struct handle *check(lua_State *L)
{
    return luaL_checkudata(L, 1, MT_JOB);
}

static void stop_timer(struct handle *h)
{
    cl_timer_stop(h->timer);
    h->timer = NULL;
}

static void on_done(void *owner, bool ok, const struct cl_err *err)
{
    struct handle *h = owner;
    h->job = NULL;
    h->ended = true;
    h->ok = ok;
    h->err = *err;
    if (h->waiting) {
        h->waiting = false;
        stop_timer(h);
        cl_wait_done(&h->wait);
    }
}

static void on_limit(void *arg)
{
    struct handle *h = arg;
    h->timer = NULL;
    if (h->waiting) {
        h->waiting = false;
        cl_wait_done(&h->wait);
    }
}

static void cancel_wait(struct cl_wait *wait)
{
    struct handle *h = (struct handle *)((char *)wait - offsetof(struct handle, wait));
    h->waiting = false;
    stop_timer(h);
    if (h->job) {
        cl_job_stop(h->job);
    }
}

/* Absent when there is nothing to say. */
static void set_text(lua_State *L, const char *name, const char *text)
{
    if (text[0]) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, name);
    }
}

static void set_objects(lua_State *L, struct cl_work *work)
{
    char line[CL_WORK_LINE_BYTES];
    lua_Integer n = 0;
    lua_newtable(L);
    for (int i = 0; i < CL_WORK_SLOTS; i++) {
        if (cl_work_line(work, i, line)) {
            lua_pushstring(L, line);
            lua_rawseti(L, -2, ++n);
        }
    }
    lua_setfield(L, -2, "objects");
}

static void push_progress(lua_State *L, struct cl_job *job)
{
    struct cl_progress *p = cl_job_progress(job);
    struct cl_work *work = cl_job_work(job);
    char phase[CL_WORK_PHASE_BYTES];
    char note[CL_WORK_NOTE_BYTES];
    cl_work_copy_phase(work, phase);
    cl_work_copy_note(work, note);
    lua_createtable(L, 0, 12);
    cl_set_count(L, "done", atomic_load(&p->done));
    cl_set_count(L, "total", atomic_load(&p->total));
    cl_set_count(L, "bytes", atomic_load(&p->bytes));
    cl_set_count(L, "rows", atomic_load(&p->rows));
    cl_set_count(L, "parts_done", atomic_load(&p->parts_done));
    cl_set_count(L, "parts_total", atomic_load(&p->parts_total));
    set_text(L, "phase", phase);
    set_text(L, "note", note);
    set_objects(L, work);
}

static int finish_wait(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct handle *h = (struct handle *)ctx;
    if (!h->ended) {
        lua_pushnil(L);
        push_progress(L, h->job);
        return 2;
    }
    if (!h->ok) {
        return cl_raise(L, &h->err);
    }
    lua_pushboolean(L, true);
    return 1 + (h->spec.push_result ? h->spec.push_result(L, h->spec.arg) : 0);
}

static int l_wait(lua_State *L)
{
    struct handle *h = check(L);
    lua_Integer limit_ms = luaL_optinteger(L, 2, -1);
    if (!h->job && !h->ended) {
        return luaL_error(L, "the job was closed");
    }
    if (h->waiting) {
        return luaL_error(L, "somebody else is waiting for this job already");
    }
    memset(&h->wait, 0, sizeof h->wait);
    h->wait.cancel = cancel_wait;
    if (h->ended) {
        return finish_wait(L, LUA_OK, (lua_KContext)h);
    }
    h->waiting = true;
    if (limit_ms >= 0) {
        h->timer = cl_timer_start(cl_host_loop(cl_host_of(L)), (uint64_t)limit_ms, on_limit, h);
    }
    return cl_await(L, &h->wait, (lua_KContext)h, finish_wait);
}

static int l_stop(lua_State *L)
{
    struct handle *h = check(L);
    if (h->job) {
        cl_job_stop(h->job);
    }
    return 0;
}

/* Serves __close and __gc; idempotent. */
static int release(lua_State *L)
{
    struct handle *h = check(L);
    stop_timer(h);
    void *arg = h->spec.arg;
    h->spec.arg = NULL;
    if (h->job) {
        struct cl_job *job = h->job;
        h->job = NULL;
        cl_job_abandon(job, h->spec.free_arg);
    } else if (arg && h->spec.free_arg) {
        h->spec.free_arg(arg);
    }
    return 0;
}

struct cl_job_handle *cl_job_push(lua_State *L)
{
    static const luaL_Reg methods[] = {{"wait", l_wait}, {"stop", l_stop}, {NULL, NULL}};
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    if (luaL_newmetatable(L, MT_JOB)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return &h->spec;
}

int cl_job_begin(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, -1, MT_JOB);
    struct cl_err err;
    h->job = cl_job_start(cl_host_loop(cl_host_of(L)), h->spec.run, h->spec.arg, on_done, h, &err);
    return h->job ? 1 : cl_raise(L, &err);
}
