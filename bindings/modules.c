#include "modules.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/embed.h"

static const struct {
    const char *name;
    lua_CFunction open; /* NULL: the module is Lua only */
    bool public;        /* scripts may require it */
} modules[] = {
    // clang-format off
    {"backup", luaopen_cl_backup, true},
    {"blob", luaopen_cl_blob, true},
    {"crypto", luaopen_cl_crypto, true},
    {"db", luaopen_cl_db, true},
    {"errors", luaopen_cl_errors, true},
    {"event", luaopen_cl_event, false},
    {"files", luaopen_cl_files, false},
    {"host", luaopen_cl_host, false},
    {"http", luaopen_cl_http, true},
    {"json", luaopen_cl_json, true},
    {"log", luaopen_cl_log, true},
    {"mask", luaopen_cl_mask, true},
    {"procedure", NULL, true},
    {"secret", luaopen_cl_secret, true},
    {"task", luaopen_cl_task, false},
#ifdef CL_FAULTS
    {"testing", NULL, true},
#endif
    {"time", luaopen_cl_time, true},
    // clang-format on
};

enum { MODULES = sizeof modules / sizeof *modules };

bool cl_module_is_public(const char *name)
{
    for (size_t i = 0; i < MODULES; i++) {
        if (strcmp(modules[i].name, name) == 0) {
            return modules[i].public;
        }
    }
    return false;
}

static const struct cl_embedded *find_lua(const char *name)
{
    static const char *const folders[] = {"bindings", "runtime/host"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s.lua", folders[i], name);
        const struct cl_embedded *file = cl_embedded(path);
        if (file) {
            return file;
        }
    }
    return NULL;
}

/* Loader: a C module's table is handed to the Lua file of the same name, which adds its sugar. */
static int l_load(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_CFunction open = lua_tocfunction(L, lua_upvalueindex(1));
    const struct cl_embedded *file = find_lua(name);
    lua_settop(L, 1);
    if (open) {
        lua_pushcfunction(L, open);
        lua_call(L, 0, 1); /* stack: name, core */
    } else {
        lua_pushnil(L);
    }
    if (!file) {
        return 1;
    }
    char chunk[260];
    snprintf(chunk, sizeof chunk, "@%s", file->path);
    if (luaL_loadbufferx(L, file->data, file->len, chunk, "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_insert(L, -2); /* stack: name, chunk, core */
    lua_call(L, 1, 1);
    return 1;
}

static int l_search(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    for (size_t i = 0; i < MODULES; i++) {
        if (strcmp(modules[i].name, name) == 0) {
            if (modules[i].open) {
                lua_pushcfunction(L, modules[i].open);
            } else {
                lua_pushnil(L);
            }
            lua_pushcclosure(L, l_load, 1);
            return 1;
        }
    }
    if (find_lua(name)) {
        lua_pushnil(L);
        lua_pushcclosure(L, l_load, 1);
        return 1;
    }
    lua_pushfstring(L, "the runtime has no module '%s'", name);
    return 1;
}

void cl_modules_register(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_createtable(L, 1, 0);
    lua_pushcfunction(L, l_search);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "searchers");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}
