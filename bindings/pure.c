#include "pure.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "modules.h"

enum { NAMES_MAX = 20 };

static const struct {
    const char *name; /* "": functions that stand in the environment itself */
    lua_CFunction open;
    const char *functions[NAMES_MAX]; /* NULL-terminated */
} libraries[] = {
    {"",
     luaopen_base,
     {"assert", "error", "ipairs", "pairs", "select", "tonumber", "tostring", "type"}},
    {"string",
     luaopen_string,
     {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack",
      "packsize", "rep", "reverse", "sub", "unpack", "upper"}},
    {"table", luaopen_table, {"concat", "insert", "move", "pack", "remove", "sort", "unpack"}},
    {"math",
     luaopen_math,
     {"abs", "ceil", "floor", "fmod", "huge", "max", "maxinteger", "min", "mininteger", "modf",
      "pi", "sqrt", "tointeger", "type", "ult"}},
    {"utf8", luaopen_utf8, {"char", "charpattern", "codepoint", "codes", "len", "offset"}},
    {"crypto",
     luaopen_cl_crypto,
     {"base64_decode", "base64_encode", "base64url_decode", "base64url_encode", "hex", "sha256"}},
    {"mask", luaopen_cl_mask, {"email", "find"}},
};

enum { LIBRARIES = sizeof libraries / sizeof *libraries };

/* ---------------------------------------------------------------- keys in order */

struct key {
    const char *text; /* NULL: a number; the table keeps it alive */
    size_t n;         /* bytes of text */
    lua_Number number;
    lua_Integer integer; /* when is_integer */
    bool is_integer;
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    if (!a->text || !b->text) {
        if (a->text || b->text) {
            return a->text ? 1 : -1;
        }
        if (a->is_integer && b->is_integer) {
            return (a->integer > b->integer) - (a->integer < b->integer);
        }
        return (a->number > b->number) - (a->number < b->number);
    }
    int order = memcmp(a->text, b->text, a->n < b->n ? a->n : b->n);
    return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

/* The key on top, which stays there. */
static bool read_key(lua_State *L, struct key *key)
{
    memset(key, 0, sizeof *key);
    if (lua_type(L, -1) == LUA_TSTRING) {
        key->text = lua_tolstring(L, -1, &key->n);
        return true;
    }
    key->number = lua_tonumber(L, -1);
    key->is_integer = lua_isinteger(L, -1);
    key->integer = lua_tointeger(L, -1);
    return lua_type(L, -1) == LUA_TNUMBER;
}

static void push_key(lua_State *L, const struct key *key)
{
    if (key->text) {
        lua_pushlstring(L, key->text, key->n);
    } else if (key->is_integer) {
        lua_pushinteger(L, key->integer);
    } else {
        lua_pushnumber(L, key->number);
    }
}

bool cl_pure_keys(lua_State *L, int idx)
{
    size_t count = 0;
    idx = lua_absindex(L, idx);
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        count++;
    }
    struct key *keys = lua_newuserdatauv(L, (count + 1) * sizeof *keys, 0);
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, idx); n++) {
        lua_pop(L, 1);
        if (!read_key(L, &keys[n])) {
            lua_pop(L, 2);
            return false;
        }
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    lua_newtable(L);
    for (size_t i = 0; i < n; i++) {
        push_key(L, &keys[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_remove(L, -2);
    return true;
}

/* Upvalues: the table, its keys, how many of them were given. */
static int next_pair(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    while (lua_rawgeti(L, lua_upvalueindex(2), ++i) != LUA_TNIL) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(3));
            return 2;
        }
        lua_pop(L, 2); /* removed meanwhile */
    }
    return 1;
}

/* pairs(table), in the order of the keys: Lua's own differs from state to state */
static int l_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__index") == LUA_TNIL) { /* else a frozen one: what is behind it */
        lua_pushvalue(L, 1);
    }
    if (!cl_pure_keys(L, 2)) {
        return luaL_argerror(L, 1, "its keys are not all strings and numbers");
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 3);
    return 1;
}

/* ---------------------------------------------------------------- what cannot be changed */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "cannot set '%s': use a local", luaL_tolstring(L, 2, NULL));
}

static int refuse_name(lua_State *L)
{
    return luaL_error(L, "there is no '%s' in a mask function", luaL_tolstring(L, 2, NULL));
}

static int length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
    return 1;
}

void cl_pure_freeze(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, length, 1);
    lua_setfield(L, -2, "__len");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* ---------------------------------------------------------------- the environment */

/* [-0, +0] the functions of libraries[i], from what its opener makes into the table at idx */
static void pick(lua_State *L, size_t i, int idx)
{
    lua_pushcfunction(L, libraries[i].open);
    lua_call(L, 0, 1);
    for (const char *const *name = libraries[i].functions; *name; name++) {
        lua_getfield(L, -1, *name);
        lua_setfield(L, idx, *name);
    }
    lua_pop(L, 1);
}

void cl_pure_push(lua_State *L)
{
    lua_newtable(L);
    int base = lua_gettop(L);
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (!libraries[i].name[0]) {
            pick(L, i, base);
            continue;
        }
        lua_newtable(L);
        pick(L, i, base + 1);
        if (libraries[i].open == luaopen_string) { /* for value:upper() */
            lua_pushliteral(L, "");
            lua_getmetatable(L, -1);
            lua_pushvalue(L, base + 1);
            lua_setfield(L, -2, "__index");
            lua_pop(L, 2);
        }
        cl_pure_freeze(L);
        lua_setfield(L, base, libraries[i].name);
    }
    lua_pushcfunction(L, l_pairs);
    lua_setfield(L, base, "pairs");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, refuse_name);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, base);
    cl_pure_freeze(L);
}

/* ---------------------------------------------------------------- names */

/* Is the value at idx the library on top, or the sandbox's view of it? */
static bool is_library(lua_State *L, int idx)
{
    if (lua_rawequal(L, idx, -1)) {
        return true;
    }
    if (!lua_istable(L, idx) || luaL_getmetafield(L, idx, "__index") == LUA_TNIL) {
        return false;
    }
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

/* The function of libraries[i], which is on top, that the value at idx is; NULL: none. */
static const char *find_function(lua_State *L, int idx, size_t i)
{
    for (const char *const *name = libraries[i].functions; *name; name++) {
        lua_pushstring(L, *name);
        lua_rawget(L, -2);
        bool same = lua_isfunction(L, idx) && lua_rawequal(L, idx, -1);
        lua_pop(L, 1);
        if (same) {
            return *name;
        }
    }
    return NULL;
}

bool cl_pure_find(lua_State *L, int idx, const char **library, const char **name)
{
    idx = lua_absindex(L, idx);
    *name = NULL;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (size_t i = 0; i < LIBRARIES && !*name; i++) {
        *library = libraries[i].name;
        lua_getfield(L, -1, **library ? *library : LUA_GNAME);
        if (lua_istable(L, -1)) { /* else not loaded, so it cannot be that */
            *name = **library && is_library(L, idx) ? "" : find_function(L, idx, i);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return *name;
}
