/* Fields of the table on top of the stack. */
#ifndef CL_BINDING_FIELDS_H
#define CL_BINDING_FIELDS_H

#include <stdint.h>

#include <lua.h>

static inline void cl_set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static inline void cl_set_count(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

#endif
