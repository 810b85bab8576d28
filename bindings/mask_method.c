/* mask: methods of columns, from the tables mask_methods.lua makes. */
#include "mask_method.h"

#include <string.h>

#include <lauxlib.h>

#include "mask_script.h"

#define MT_SCRIPT "cl.mask.script"

enum { LIST_MAX = 1000 * 1000 };

/* Leaves the string with its owner. */
static const char *word(lua_State *L, int idx, const char *what)
{
    size_t n;
    if (lua_type(L, idx) != LUA_TSTRING) {
        luaL_error(L, "rules: '%s' of a method is not a string", what);
    }
    const char *s = lua_tolstring(L, idx, &n);
    if (strlen(s) != n) {
        luaL_error(L, "rules: '%s' of a method holds a NUL", what);
    }
    return s;
}

static const char *field(lua_State *L, int idx, const char *name, bool needed)
{
    const char *s = NULL;
    if (lua_getfield(L, idx, name) != LUA_TNIL || needed) {
        s = word(L, -1, name);
    }
    lua_pop(L, 1);
    return s;
}

/* How many entries the list at the top of the stack has; nil has none. */
static size_t count(lua_State *L, const char *name)
{
    size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    if (n > LIST_MAX || !(lua_istable(L, -1) || lua_isnil(L, -1))) {
        luaL_error(L, "rules: '%s' is not a list of at most %d entries", name, LIST_MAX);
    }
    return n;
}

/* An array of the pairs in the field of the table at idx; the table at anchor keeps it alive. */
static const struct cl_mask_option *pairs(lua_State *L, int idx, const char *name, int anchor,
                                          size_t *n)
{
    lua_getfield(L, idx, name);
    *n = count(L, name);
    struct cl_mask_option *list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 0);
    lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        list[i].name = word(L, -2, name);
        list[i].value = word(L, -1, name);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    return list;
}

static int script_release(lua_State *L)
{
    struct cl_mask_script *script = luaL_checkudata(L, 1, MT_SCRIPT);
    if (script->arg) {
        script->free(script->arg);
        script->arg = NULL;
    }
    return 0;
}

/* The function of the method at idx; NULL: none. Collected unless a mask takes it. */
static const struct cl_mask_script *function(lua_State *L, int idx, int anchor,
                                             const struct cl_mask_method_spec *spec)
{
    if (lua_getfield(L, idx, "script") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    struct cl_mask_script *script = lua_newuserdatauv(L, sizeof *script, 0);
    memset(script, 0, sizeof *script);
    if (luaL_newmetatable(L, MT_SCRIPT)) {
        lua_pushcfunction(L, script_release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushfstring(L, "%s.%s", spec->schema, spec->table);
    cl_mask_script_new(L, -3, lua_tostring(L, -1), spec->column, script);
    lua_pop(L, 1);
    lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
    lua_pop(L, 1);
    return script;
}

/* The same for methods, which stand at the top of the stack. */
static const struct cl_mask_method_spec *methods(lua_State *L, int anchor, bool inner, size_t *n)
{
    *n = count(L, "methods");
    luaL_checkstack(L, 16, "rules: methods inside methods");
    struct cl_mask_method_spec *list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 0);
    lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
    memset(list, 0, (*n + 1) * sizeof *list);
    for (size_t i = 0; i < *n; i++) {
        struct cl_mask_method_spec *spec = &list[i];
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        int at = lua_gettop(L);
        spec->schema = field(L, at, "schema", !inner);
        spec->table = field(L, at, "table", !inner);
        spec->column = field(L, at, "column", !inner);
        spec->where = field(L, at, "where", false);
        spec->path = field(L, at, "path", inner);
        spec->kind = field(L, at, "kind", true);
        spec->options = pairs(L, at, "options", anchor, &spec->n_options);
        spec->entries = pairs(L, at, "entries", anchor, &spec->n_entries);
        if (!inner) {
            spec->script = function(L, at, anchor, spec);
            lua_getfield(L, at, "parts");
            spec->parts = methods(L, anchor, true, &spec->n_parts);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return list;
}

const struct cl_mask_method_spec *cl_mask_push_methods(lua_State *L, int idx, size_t *n)
{
    lua_newtable(L);
    int anchor = lua_gettop(L);
    lua_pushvalue(L, idx);
    const struct cl_mask_method_spec *list = methods(L, anchor, false, n);
    lua_pop(L, 1);
    return list;
}

void cl_mask_methods_taken(const struct cl_mask_method_spec *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].script) {
            ((struct cl_mask_script *)list[i].script)->arg = NULL; /* our own, from function() */
        }
    }
}
