#include "box.h"

#include <string.h>

#include <lauxlib.h>

#define MT_BOX "cl.box"

static int box_release(lua_State *L)
{
    struct cl_buf *b = lua_touserdata(L, 1);
    if (b->data) {
        explicit_bzero(b->data, b->cap);
    }
    cl_buf_fini(b);
    return 0;
}

struct cl_buf *cl_box_push(lua_State *L, size_t max_bytes)
{
    struct cl_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
    cl_buf_init(b, max_bytes);
    if (luaL_newmetatable(L, MT_BOX)) {
        lua_pushcfunction(L, box_release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return b;
}
