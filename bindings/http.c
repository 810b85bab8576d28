/*
 * http: one exchange at a time for a task, and the server's requests. Options, retries and tokens
 * are http.lua's.
 *
 * The client of the loop lives in a userdata in the registry, made at the first request.
 */
#include <string.h>

#include <lauxlib.h>

#include "host/await.h"
#include "host/host.h"
#include "http/client.h"
#include "http_server.h"
#include "modules.h"

#define MT_CLIENT "cl.http.client"
#define MT_EXCHANGE "cl.http.exchange"

enum {
    OPTIONS_INDEX = 1, /* user values of an exchange: the strings curl reads, … */
    HEADERS_INDEX = 2, /* … and the array of pointers to the header lines */
    HEADERS_MAX = 200,
};

static const char client_key = 0; /* its address names the client in the registry */

struct exchange {
    struct cl_wait wait;              /* first: cancel_exchange gets its address */
    struct cl_http_call *call;        /* NULL before it began and once it ended */
    struct cl_http_request request;   /* points into the user values */
    struct cl_http_response response; /* owned */
    bool ok;                          /* there was an answer */
    struct cl_err err;                /* why not */
};

/* ---------------------------------------------------------------- the client */

static int client_gc(lua_State *L)
{
    struct cl_http_client **client = lua_touserdata(L, 1);
    cl_http_client_free(*client);
    *client = NULL;
    return 0;
}

static struct cl_http_client *client_of(lua_State *L)
{
    struct cl_http_client **client;
    struct cl_err err;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        client = lua_newuserdatauv(L, sizeof *client, 0);
        *client = NULL;
        luaL_setmetatable(L, MT_CLIENT);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
    }
    client = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!*client) {
        *client = cl_http_client_new(cl_host_loop(cl_host_of(L)), &err);
        if (!*client) {
            cl_raise(L, &err);
        }
    }
    return *client;
}

/* ---------------------------------------------------------------- one exchange */

static void on_done(void *arg, bool ok, const struct cl_err *err)
{
    struct exchange *x = arg;
    x->call = NULL;
    x->ok = ok;
    if (!ok) {
        x->err = *err;
    }
    cl_wait_done(&x->wait);
}

static void cancel_exchange(struct cl_wait *wait)
{
    struct exchange *x = (struct exchange *)wait;
    if (x->call) {
        cl_http_cancel(x->call);
        x->call = NULL;
    }
}

static int exchange_gc(lua_State *L)
{
    struct exchange *x = lua_touserdata(L, 1);
    cancel_exchange(&x->wait);
    cl_http_response_fini(&x->response);
    return 0;
}

/* [-0, +1] {name = value}; several of one name are joined with ", ", as RFC 9110 allows */
static void push_headers(lua_State *L, const struct cl_http_response *r)
{
    const char *line = cl_buf_str(&r->headers);
    lua_newtable(L);
    while (*line) {
        const char *end = strchr(line, '\n');
        const char *colon = strchr(line, ':');
        if (!end || !colon || colon > end) {
            break;
        }
        lua_pushlstring(L, line, (size_t)(colon - line)); /* headers, name */
        lua_pushvalue(L, -1);
        bool again = lua_rawget(L, -3) == LUA_TSTRING; /* headers, name, earlier */
        if (again) {
            lua_pushliteral(L, ", ");
        }
        lua_pushlstring(L, colon + 2, (size_t)(end - colon - 2));
        if (again) {
            lua_concat(L, 3);
        } else {
            lua_remove(L, -2);
        }
        lua_rawset(L, -3);
        line = end + 1;
    }
}

/* Continues core.exchange() */
static int finish_exchange(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct exchange *x = (struct exchange *)ctx;
    if (!x->ok) {
        return cl_raise(L, &x->err);
    }
    lua_pushinteger(L, x->response.status);
    push_headers(L, &x->response);
    lua_pushlstring(L, cl_buf_str(&x->response.body), x->response.body.len);
    if (x->response.status / 100 == 2) {
        lua_pushnil(L);
    } else {
        struct cl_err err;
        cl_http_fail(&err, &x->request, &x->response);
        cl_push_err(L, &err);
    }
    cl_http_response_fini(&x->response);
    return 4;
}

/* [-0, +0] a string field of the table at idx, NULL when it is absent; the table keeps it */
static const char *text_field(lua_State *L, int idx, const char *name, size_t *n)
{
    const char *text = NULL;
    if (lua_getfield(L, idx, name) != LUA_TNIL) {
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, idx, name);
        text = lua_tolstring(L, -1, n);
    }
    lua_pop(L, 1);
    return text;
}

static int int_field(lua_State *L, int idx, const char *name)
{
    int is_integer = 1;
    lua_Integer value = 0;
    if (lua_getfield(L, idx, name) != LUA_TNIL) {
        value = lua_tointegerx(L, -1, &is_integer);
    }
    luaL_argcheck(L, is_integer && value >= 0 && value <= 24 * 3600 * 1000, idx, name);
    lua_pop(L, 1);
    return (int)value;
}

/* The list of "Name: value" strings in field headers, as curl wants it; x is at the top. */
static const char *const *header_array(lua_State *L, int idx)
{
    int x = lua_gettop(L);
    lua_getfield(L, idx, "headers");
    lua_Integer n = lua_istable(L, -1) ? luaL_len(L, -1) : 0;
    luaL_argcheck(L, n <= HEADERS_MAX, idx, "at most 200 headers");
    int list = lua_gettop(L);
    const char **lines = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *lines, 0);
    lua_setiuservalue(L, x, HEADERS_INDEX);
    for (lua_Integer i = 0; i < n; i++) {
        luaL_argcheck(L, lua_rawgeti(L, list, i + 1) == LUA_TSTRING, idx, "headers");
        lines[i] = lua_tostring(L, -1); /* the list in the options keeps it */
        lua_pop(L, 1);
    }
    lines[n] = NULL;
    lua_settop(L, x);
    return lines;
}

/* core.exchange{method, url, headers = {"Name: value", …}, body, timeout_ms, connect_timeout_ms,
 * ca_file} -> status, headers, body, error object unless the status is 2xx */
static int l_exchange(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct exchange *x = lua_newuserdatauv(L, sizeof *x, 2);
    memset(x, 0, sizeof *x);
    cl_http_response_init(&x->response);
    x->wait.cancel = cancel_exchange;
    luaL_setmetatable(L, MT_EXCHANGE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, OPTIONS_INDEX);
    x->request.method = text_field(L, 1, "method", NULL);
    x->request.url = text_field(L, 1, "url", NULL);
    luaL_argcheck(L, x->request.method && x->request.url, 1, "method and url");
    x->request.headers = header_array(L, 1);
    x->request.body = text_field(L, 1, "body", &x->request.body_bytes);
    x->request.ca_file = text_field(L, 1, "ca_file", NULL);
    x->request.timeout_ms = int_field(L, 1, "timeout_ms");
    x->request.connect_timeout_ms = int_field(L, 1, "connect_timeout_ms");
    struct cl_err err;
    x->call = cl_http_start(client_of(L), &x->request, &x->response, on_done, x, &err);
    if (!x->call) {
        return cl_raise(L, &err);
    }
    return cl_await(L, &x->wait, (lua_KContext)x, finish_exchange);
}

int luaopen_cl_http(lua_State *L)
{
    static const luaL_Reg functions[] = {{"exchange", l_exchange}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_CLIENT)) {
        lua_pushcfunction(L, client_gc);
        lua_setfield(L, -2, "__gc");
    }
    if (luaL_newmetatable(L, MT_EXCHANGE)) {
        lua_pushcfunction(L, exchange_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    cl_http_server_functions(L);
    return 1;
}
