/* http, the server's half: a listener that hands requests to a task of http.lua, one by one. */
#include "http_server.h"

#include <string.h>

#include <lauxlib.h>

#include "host/await.h"
#include "host/host.h"
#include "http/server.h"

#define MT_LISTENER "cl.http.listener"
#define MT_INCOMING "cl.http.incoming"

enum { BODY_MAX = 64 * 1024 * 1024 };

struct listener {
    struct cl_wait wait;           /* first: cancel_accept gets its address */
    struct cl_http_server *server; /* NULL once closed */
    bool waiting;                  /* a task is in :accept() */
};

struct incoming {
    struct cl_http_incoming *request; /* NULL once answered or dropped */
};

/* ---------------------------------------------------------------- requests */

static struct incoming *check_incoming(lua_State *L)
{
    return luaL_checkudata(L, 1, MT_INCOMING);
}

/* incoming:drop(); serves __gc too */
static int incoming_drop(lua_State *L)
{
    struct incoming *in = check_incoming(L);
    struct cl_http_incoming *request = in->request;
    in->request = NULL;
    cl_http_drop(request);
    return 0;
}

/* incoming:answer(status, {"Name: value", …}, body) */
static int incoming_answer(lua_State *L)
{
    struct incoming *in = check_incoming(L);
    size_t n;
    lua_Integer status = luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    const char *body = luaL_checklstring(L, 4, &n);
    luaL_argcheck(L, status >= 200 && status <= 599, 2, "200 to 599");
    const char *lines[CL_HTTP_ANSWER_HEADERS_MAX + 1];
    lua_Integer count = luaL_len(L, 3);
    luaL_argcheck(L, count <= CL_HTTP_ANSWER_HEADERS_MAX, 3, "at most 100 headers");
    for (lua_Integer i = 0; i < count; i++) {
        luaL_argcheck(L, lua_rawgeti(L, 3, i + 1) == LUA_TSTRING, 3, "strings");
        lines[i] = lua_tostring(L, -1); /* the list keeps it */
        lua_pop(L, 1);
    }
    lines[count] = NULL;
    struct cl_err err;
    if (in->request && !cl_http_answer(in->request, (int)status, lines, body, n, &err)) {
        return cl_raise(L, &err);
    }
    in->request = NULL;
    return 0;
}

/* [-0, +1] {name = value}, of the first header of each name */
static void push_headers(lua_State *L, const struct cl_buf *headers)
{
    const char *line = cl_buf_str(headers);
    lua_newtable(L);
    while (*line) {
        const char *end = strchr(line, '\n');
        const char *colon = strchr(line, ':');
        if (!end || !colon || colon > end) {
            break;
        }
        lua_pushlstring(L, line, (size_t)(colon - line));
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushlstring(L, colon + 2, (size_t)(end - colon - 2));
            lua_rawset(L, -3);
        } else {
            lua_pop(L, 2);
        }
        line = end + 1;
    }
}

/* [-0, +1] the next request as {method, target, headers, body, incoming}, or nothing */
static int push_next(lua_State *L, struct listener *listener)
{
    struct incoming *in = lua_newuserdatauv(L, sizeof *in, 0);
    in->request = NULL;
    luaL_setmetatable(L, MT_INCOMING);
    in->request = cl_http_server_take(listener->server);
    if (!in->request) {
        lua_pop(L, 1);
        return 0;
    }
    lua_createtable(L, 0, 8);
    lua_insert(L, -2);
    lua_setfield(L, -2, "incoming");
    lua_pushstring(L, in->request->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, in->request->target);
    lua_setfield(L, -2, "target");
    push_headers(L, &in->request->headers);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, cl_buf_str(&in->request->body), in->request->body.len);
    lua_setfield(L, -2, "body");
    cl_buf_fini(&in->request->body); /* Lua has it now */
    return 1;
}

/* ---------------------------------------------------------------- the listener */

static struct listener *check_listener(lua_State *L)
{
    return luaL_checkudata(L, 1, MT_LISTENER);
}

static void on_request(void *arg)
{
    struct listener *listener = arg;
    if (listener->waiting) {
        listener->waiting = false;
        cl_wait_done(&listener->wait);
    }
}

static void cancel_accept(struct cl_wait *wait)
{
    ((struct listener *)wait)->waiting = false;
}

static int accept_more(lua_State *L, struct listener *listener);

/* Continues listener:accept(); the request may have gone in between. */
static int finish_accept(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return accept_more(L, (struct listener *)ctx);
}

static int accept_more(lua_State *L, struct listener *listener)
{
    if (!listener->server) {
        return 0;
    }
    if (push_next(L, listener) == 1) {
        return 1;
    }
    memset(&listener->wait, 0, sizeof listener->wait);
    listener->wait.cancel = cancel_accept;
    listener->waiting = true;
    return cl_await(L, &listener->wait, (lua_KContext)listener, finish_accept);
}

/* listener:accept() -> request, or nothing once it was closed. One task at a time. */
static int l_accept(lua_State *L)
{
    struct listener *listener = check_listener(L);
    if (listener->waiting) {
        return luaL_error(L, "somebody else is accepting already");
    }
    return accept_more(L, listener);
}

/* listener:port() */
static int l_port(lua_State *L)
{
    struct listener *listener = check_listener(L);
    lua_pushinteger(L, listener->server ? cl_http_server_port(listener->server) : 0);
    return 1;
}

/* listener:open_requests() -> those received, or being received, whose answer is not sent */
static int l_open_requests(lua_State *L)
{
    struct listener *listener = check_listener(L);
    lua_pushinteger(L, listener->server ? cl_http_server_open_requests(listener->server) : 0);
    return 1;
}

/* listener:quiesce(): no new connections */
static int l_quiesce(lua_State *L)
{
    struct listener *listener = check_listener(L);
    if (listener->server) {
        cl_http_server_quiesce(listener->server);
    }
    return 0;
}

/* listener:close(): what was not answered is dropped, accept() ends */
static int l_close(lua_State *L)
{
    struct listener *listener = check_listener(L);
    struct cl_http_server *server = listener->server;
    listener->server = NULL;
    cl_http_server_free(server);
    on_request(listener);
    return 0;
}

static int listener_gc(lua_State *L)
{
    struct listener *listener = check_listener(L);
    struct cl_http_server *server = listener->server;
    listener->server = NULL;
    listener->waiting = false;
    cl_http_server_free(server);
    return 0;
}

/* core.listen(host, port[, body_max]) -> listener */
static int l_listen(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    lua_Integer port = luaL_checkinteger(L, 2);
    lua_Integer body_max = luaL_optinteger(L, 3, BODY_MAX);
    luaL_argcheck(L, port >= 0 && port <= 65535, 2, "0 to 65535");
    luaL_argcheck(L, body_max >= 0 && body_max <= BODY_MAX, 3, "at most 64 MiB");
    struct listener *listener = lua_newuserdatauv(L, sizeof *listener, 0);
    memset(listener, 0, sizeof *listener);
    luaL_setmetatable(L, MT_LISTENER);
    struct cl_err err;
    listener->server = cl_http_server_new(cl_host_loop(cl_host_of(L)), host, (int)port,
                                          (size_t)body_max, on_request, listener, &err);
    return listener->server ? 1 : cl_raise(L, &err);
}

static void make_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
                           lua_CFunction gc)
{
    if (luaL_newmetatable(L, name)) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}

void cl_http_server_functions(lua_State *L)
{
    static const luaL_Reg listener[] = {
        {"accept", l_accept},   {"port", l_port},   {"open_requests", l_open_requests},
        {"quiesce", l_quiesce}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg incoming[] = {
        {"answer", incoming_answer}, {"drop", incoming_drop}, {NULL, NULL}};
    make_metatable(L, MT_LISTENER, listener, listener_gc);
    make_metatable(L, MT_INCOMING, incoming, incoming_drop);
    lua_pushcfunction(L, l_listen);
    lua_setfield(L, -2, "listen");
}
