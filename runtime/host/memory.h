/* A limit for all values of one lua_State: pass cl_lua_allocate and a struct cl_lua_memory to
 * lua_newstate. What would go past it is a memory error in Lua, after a full collection. */
#ifndef CL_LUA_MEMORY_H
#define CL_LUA_MEMORY_H

#include <stddef.h>

struct cl_lua_memory {
    size_t bytes; /* allocated now */
    size_t max;   /* may be changed at any time */
};

/* ud is the struct cl_lua_memory, which outlives the state. */
void *cl_lua_allocate(void *ud, void *ptr, size_t osize, size_t nsize);

#endif
