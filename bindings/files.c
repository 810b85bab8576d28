/* files: scripts and configuration from disk, for the runtime's own Lua. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host/await.h"
#include "host/bundle.h"
#include "modules.h"

#define MT_BUNDLE "cl.files.bundle"
#define MT_BYTES "cl.files.bytes"

enum { FILE_BYTES_MAX = 1024 * 1024 };

struct bytes {
    char *data; /* owned; NULL before and after */
};

static int bundle_gc(lua_State *L)
{
    cl_bundle_fini(lua_touserdata(L, 1));
    return 0;
}

static int bytes_gc(lua_State *L)
{
    struct bytes *b = lua_touserdata(L, 1);
    free(b->data);
    b->data = NULL;
    return 0;
}

static void *push_box(lua_State *L, size_t size, const char *name, lua_CFunction gc)
{
    void *box = lua_newuserdatauv(L, size, 0);
    memset(box, 0, size);
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return box;
}

/* files.bundle(script) -> {folder=, entry=, modules={[path]=source}} */
static int l_bundle(lua_State *L)
{
    const char *script = luaL_checkstring(L, 1);
    struct cl_bundle *b = push_box(L, sizeof *b, MT_BUNDLE, bundle_gc);
    struct cl_err err;
    if (!cl_bundle_read(script, b, &err)) {
        return cl_raise(L, &err);
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, b->folder);
    lua_setfield(L, -2, "folder");
    lua_pushstring(L, b->entry);
    lua_setfield(L, -2, "entry");
    lua_createtable(L, 0, (int)b->count);
    for (size_t i = 0; i < b->count; i++) {
        lua_pushlstring(L, b->files[i].source, b->files[i].len);
        lua_setfield(L, -2, b->files[i].path);
    }
    lua_setfield(L, -2, "modules");
    cl_bundle_fini(b);
    return 1;
}

/* files.read(path) -> the file's bytes; raises */
static int l_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct bytes *b = push_box(L, sizeof *b, MT_BYTES, bytes_gc);
    size_t len;
    struct cl_err err;
    if (!cl_read_file(path, FILE_BYTES_MAX, &b->data, &len, &err)) {
        return cl_raise(L, &err);
    }
    lua_pushlstring(L, b->data, len);
    return 1;
}

/* files.exists(path) */
static int l_exists(lua_State *L)
{
    lua_pushboolean(L, access(luaL_checkstring(L, 1), F_OK) == 0);
    return 1;
}

int luaopen_cl_files(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"bundle", l_bundle}, {"read", l_read}, {"exists", l_exists}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
