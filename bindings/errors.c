/* errors: the one error object of the script API, made here and nowhere else. */
#include <string.h>

#include <lauxlib.h>

#include "base/redact.h"
#include "host/await.h"
#include "modules.h"

#define MT_ERROR "cl.error"

static int error_tostring(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "message") != LUA_TSTRING) {
        lua_pushliteral(L, "unknown error");
    }
    return 1;
}

static void set_metatable(lua_State *L)
{
    if (luaL_newmetatable(L, MT_ERROR)) {
        lua_pushcfunction(L, error_tostring);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -2);
}

void cl_push_err(lua_State *L, const struct cl_err *err)
{
    lua_createtable(L, 0, 8);
    lua_pushstring(L, cl_class_name(err->class));
    lua_setfield(L, -2, "class");
    lua_pushstring(L, err->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->message);
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, err->retryable);
    lua_setfield(L, -2, "retryable");
    if (err->retry_after_ms > 0) {
        lua_pushinteger(L, err->retry_after_ms);
        lua_setfield(L, -2, "retry_after_ms");
    }
    if (err->detail[0]) {
        char detail[sizeof err->detail];
        memcpy(detail, err->detail, sizeof detail);
        cl_redact(detail, strlen(detail));
        lua_pushstring(L, detail);
        lua_setfield(L, -2, "detail");
    }
    set_metatable(L);
}

/* [-0, +0] the string field of the table at 1, without the secrets revealed so far */
static void redact_field(lua_State *L, const char *name)
{
    if (lua_getfield(L, 1, name) == LUA_TSTRING) {
        luaL_Buffer b;
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        char *copy = luaL_buffinitsize(L, &b, n + 1);
        memcpy(copy, text, n);
        luaL_pushresultsize(&b, cl_redact(copy, n));
        lua_setfield(L, 1, name);
    }
    lua_settop(L, 1);
}

int cl_raise(lua_State *L, const struct cl_err *err)
{
    cl_push_err(L, err);
    return lua_error(L);
}

/* errors.class(name) -> is there such a class?, is it retryable by default? */
static int l_class(lua_State *L)
{
    enum cl_class class;
    if (!cl_class_parse(luaL_checkstring(L, 1), &class)) {
        lua_pushboolean(L, false);
        return 1;
    }
    struct cl_err err;
    cl_fail(&err, class, "", "%s", "");
    lua_pushboolean(L, true);
    lua_pushboolean(L, err.retryable);
    return 2;
}

/* errors.mark(table) -> the table, now an error object */
static int l_mark(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    redact_field(L, "message");
    redact_field(L, "detail");
    set_metatable(L);
    return 1;
}

/* errors.is_object(value) */
static int l_is_object(lua_State *L)
{
    lua_settop(L, 1);
    bool is = lua_getmetatable(L, 1);
    if (is) {
        luaL_getmetatable(L, MT_ERROR);
        is = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, is);
    return 1;
}

int luaopen_cl_errors(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"class", l_class}, {"mark", l_mark}, {"is_object", l_is_object}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
