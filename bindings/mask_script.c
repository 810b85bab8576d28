#include "mask_script.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/hash.h"
#include "box.h"
#include "capsule.h"
#include "host/await.h"
#include "host/memory.h"
#include "json.h"
#include "pure.h"

enum {
    CAPSULE_BYTES_MAX = 16 * 1024 * 1024,
    STATE_BYTES_MAX = 64 * 1024 * 1024, /* of one worker's state, and for each byte of the value: */
    BYTES_PER_BYTE = 16,
    INSTRUCTIONS_MAX = 10 * 1000 * 1000, /* on one value, and for each byte of it: */
    INSTRUCTIONS_PER_BYTE = 200,
    WATCHED_MAX = 1000, /* upvalues of all functions of a capsule */
    GC_PAUSE = 1000,    /* percent: what a state keeps is small, and lives as long as it */
};

/* One column's function; shared by its workers, which only read. */
struct script {
    struct cl_buf capsule; /* the function */
    char *table;           /* "crm7.person" */
    char *column;          /* "firstname" */
    char hash[2 * CL_SHA256_BYTES + 1];
};

/* Where things are on the stack of a worker's state. */
enum {
    HANDLER_INDEX = 1,
    RUN_INDEX = 2,
    WATCHED_INDEX = 3, /* from here on pairs: a function, and what one of its upvalues must be */
};

struct worker {
    const struct script *script;
    struct cl_lua_memory memory;         /* of L */
    lua_State *L;                        /* owned */
    int n_watched;                       /* pairs from WATCHED_INDEX on */
    unsigned char upvalues[WATCHED_MAX]; /* for each the number of the upvalue */
};

/* ---------------------------------------------------------------- one value */

struct call {
    const char *in;
    size_t n;           /* bytes of in */
    struct cl_buf *out; /* the result is appended */
    bool is_null;       /* out */
};

/* Raises what is wrong with the function's result, naming the function. */
static int refuse_result(lua_State *L, const char *what)
{
    lua_Debug ar;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_getinfo(L, ">S", &ar);
    return luaL_error(L, "%s:%d: the function returned %s", ar.short_src, ar.linedefined, what);
}

/* NULL when a text column can hold it; else what is wrong. */
static const char *wrong_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t len = c < 0x80 ? 1 : cl_json_utf8_length((const unsigned char *)s + i, n - i);
        if (len == 0) {
            return "a string that is not UTF-8";
        }
        if (c == 0) {
            return "a string with a zero byte";
        }
        i += len;
    }
    return NULL;
}

/* Upvalues: the function, its context. Argument: a struct call. */
static int run(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushlstring(L, call->in, call->n);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_call(L, 2, 1);
    int type = lua_type(L, -1);
    if (type == LUA_TNIL) {
        call->is_null = true;
        return 0;
    }
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        lua_pushfstring(L, "a %s: a string, a number or nil is wanted", lua_typename(L, type));
        return refuse_result(L, lua_tostring(L, -1));
    }
    size_t n;
    const char *s = lua_tolstring(L, -1, &n);
    const char *wrong = wrong_text(s, n);
    if (wrong) {
        return refuse_result(L, wrong);
    }
    if (!cl_buf_add(call->out, s, n)) {
        return refuse_result(L, "more than a row can hold");
    }
    return 0;
}

static int instructions_max(size_t n)
{
    size_t most = (INT_MAX - INSTRUCTIONS_MAX) / INSTRUCTIONS_PER_BYTE;
    return INSTRUCTIONS_MAX + INSTRUCTIONS_PER_BYTE * (int)(n < most ? n : most);
}

static void on_budget(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "Sl", ar);
    luaL_error(L, "%s:%d: ran for more than %d million instructions on one value: an endless loop?",
               ar->short_src, ar->currentline, INSTRUCTIONS_MAX / 1000000);
}

/* [-0, +1] "mask.lua:7: " for the innermost Lua function */
static void push_place(lua_State *L)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* What was raised, as a string that says where. */
static int on_error(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        return 1;
    }
    push_place(L);
    if (lua_istable(L, 1)) {
        lua_pushliteral(L, "message"); /* of an error object */
        lua_rawget(L, 1);
    }
    if (lua_type(L, 3) != LUA_TSTRING) {
        lua_settop(L, 2);
        lua_pushfstring(L, "a %s was raised", luaL_typename(L, 1));
    }
    lua_concat(L, 2);
    return 1;
}

/* Fills *err from what was raised, which is on top. It may quote a value: addresses in it are
 * masked like everywhere. */
static bool failed(struct worker *w, int status, struct cl_err *err)
{
    struct cl_mask_spec spec = {.sink_domain = "masked.invalid"};
    struct cl_mask_tally tally = {0};
    struct cl_buf text;
    bool changed;
    size_t n;
    const char *raised = lua_tolstring(w->L, -1, &n);
    cl_buf_init(&text, 1024 * 1024);
    struct cl_mask *mask = cl_mask_new(&spec, err);
    if (status == LUA_ERRMEM) {
        cl_fail(err, CL_INVALID, "E_MASK_SCRIPT", "the mask function needs more than %zu MiB",
                w->memory.max >> 20);
    } else if (mask && raised &&
               cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, raised, n, 0, &text, &changed, &tally,
                             err)) {
        cl_fail(err, CL_INVALID, "E_MASK_SCRIPT", "%s", cl_buf_str(&text));
    } else {
        cl_fail(err, CL_INVALID, "E_MASK_SCRIPT", "the mask function failed");
    }
    cl_mask_free(mask);
    cl_buf_fini(&text);
    lua_pop(w->L, 1);
    return false;
}

/* A function that keeps something from value to value would give what depends on their order. */
static bool unchanged(struct worker *w, struct cl_err *err)
{
    lua_State *L = w->L;
    for (int i = 0; i < w->n_watched; i++) {
        int at = WATCHED_INDEX + 2 * i;
        const char *name = lua_getupvalue(L, at, w->upvalues[i]);
        bool same = lua_rawequal(L, -1, at + 1);
        lua_pop(L, 1);
        if (!same) {
            lua_Debug ar;
            lua_pushvalue(L, at);
            lua_getinfo(L, ">S", &ar);
            return cl_fail(err, CL_INVALID, "E_MASK_SCRIPT",
                           "%s:%d: the function changes '%s', which is outside of it: results "
                           "would depend on the order of the values",
                           ar.short_src, ar.linedefined, name);
        }
    }
    return true;
}

static bool script_call(void *state, const char *in, size_t n, bool *is_null, struct cl_buf *out,
                        struct cl_err *err)
{
    struct worker *w = state;
    lua_State *L = w->L;
    struct call call = {.in = in, .n = n, .out = out};
    w->memory.max = STATE_BYTES_MAX + BYTES_PER_BYTE * n;
    lua_sethook(L, on_budget, LUA_MASKCOUNT, instructions_max(n));
    lua_pushvalue(L, RUN_INDEX);
    lua_pushlightuserdata(L, &call);
    int status = lua_pcall(L, 1, 0, HANDLER_INDEX);
    if (status != LUA_OK) {
        return failed(w, status, err);
    }
    *is_null = call.is_null;
    return unchanged(w, err);
}

/* ---------------------------------------------------------------- workers */

static void script_close(void *state)
{
    struct worker *w = state;
    if (w->L) {
        lua_close(w->L);
    }
    free(w);
}

/* [-1, +2 * n_watched] from the list of cl_capsule_unpack, on top: functions and values. */
static void spread_watched(lua_State *L, struct worker *w)
{
    int list = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i += 3) {
        if (w->n_watched == WATCHED_MAX) {
            luaL_error(L, "the function uses more than %d values from outside", WATCHED_MAX);
        }
        lua_rawgeti(L, list, i + 1);
        w->upvalues[w->n_watched++] = (unsigned char)lua_tointeger(L, -1);
        lua_pop(L, 1);
        lua_rawgeti(L, list, i + 2);
        luaL_checkstack(L, LUA_MINSTACK, NULL);
    }
    lua_pop(L, 1);
    lua_remove(L, list);
}

/* Argument: a struct worker. Returns what is to stand from RUN_INDEX on. */
static int set_up(lua_State *L)
{
    struct worker *w = lua_touserdata(L, 1);
    lua_gc(L, LUA_GCINC, GC_PAUSE, 0, 0);
    cl_pure_push(L);
    cl_capsule_unpack(L, &w->script->capsule, -1);
    lua_insert(L, -2); /* worker, environment, list, function */
    lua_createtable(L, 0, 2);
    lua_pushstring(L, w->script->table);
    lua_setfield(L, -2, "table");
    lua_pushstring(L, w->script->column);
    lua_setfield(L, -2, "column");
    cl_pure_freeze(L);
    lua_pushcclosure(L, run, 2);
    lua_replace(L, 1); /* the closure, environment, list */
    lua_remove(L, 2);
    spread_watched(L, w);
    return lua_gettop(L);
}

static void *script_open(void *arg, struct cl_err *err)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    w->script = arg;
    w->memory.max = STATE_BYTES_MAX;
    w->L = lua_newstate(cl_lua_allocate, &w->memory);
    if (!w->L) {
        script_close(w);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory making a Lua state");
        return NULL;
    }
    lua_pushcfunction(w->L, on_error);
    lua_pushcfunction(w->L, set_up);
    lua_pushlightuserdata(w->L, w);
    int status = lua_pcall(w->L, 1, LUA_MULTRET, HANDLER_INDEX);
    if (status != LUA_OK || !lua_checkstack(w->L, LUA_MINSTACK)) {
        failed(w, status, err);
        script_close(w);
        return NULL;
    }
    return w;
}

/* ---------------------------------------------------------------- the function */

static void script_free(void *arg)
{
    struct script *script = arg;
    cl_buf_fini(&script->capsule);
    free(script->table);
    free(script->column);
    free(script);
}

/* Arguments: the function, the buffer for its capsule, the buffer for the bare one. */
static int pack(lua_State *L)
{
    cl_capsule_pack(L, 1, false, lua_touserdata(L, 2));
    cl_capsule_pack(L, 1, true, lua_touserdata(L, 3));
    return 0;
}

void cl_mask_script_new(lua_State *L, int idx, const char *table, const char *column,
                        struct cl_mask_script *out)
{
    struct cl_err err;
    uint8_t digest[CL_SHA256_BYTES];
    idx = lua_absindex(L, idx);
    struct cl_buf *capsule = cl_box_push(L, CAPSULE_BYTES_MAX);
    struct cl_buf *bare = cl_box_push(L, CAPSULE_BYTES_MAX);
    lua_pushcfunction(L, pack);
    lua_pushvalue(L, idx);
    lua_pushlightuserdata(L, capsule);
    lua_pushlightuserdata(L, bare);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        cl_fail(&err, CL_INVALID, "E_RULES", "%s.%s: %s", table, column,
                luaL_tolstring(L, -1, NULL));
        cl_raise(L, &err);
        return;
    }
    struct script *script = calloc(1, sizeof *script);
    if (capsule->failed || bare->failed || !script) {
        free(script);
        cl_fail(&err, CL_INVALID, "E_RULES", "%s.%s: the function and what it uses are too large",
                table, column);
        cl_raise(L, &err);
        return;
    }
    cl_sha256(cl_buf_str(bare), bare->len, digest);
    cl_hex(digest, sizeof digest, script->hash);
    script->capsule = *capsule; /* its memory, too */
    cl_buf_init(capsule, 0);
    script->table = strdup(table);
    script->column = strdup(column);
    if (!script->table || !script->column) {
        script_free(script);
        luaL_error(L, "out of memory");
        return;
    }
    lua_pop(L, 2);
    *out = (struct cl_mask_script){.open = script_open,
                                   .call = script_call,
                                   .close = script_close,
                                   .free = script_free,
                                   .arg = script,
                                   .hash = script->hash};
}
