/* The modules Lua can require, and the loader that finds them. Nothing is read from disk. */
#ifndef CL_MODULES_H
#define CL_MODULES_H

#include <stdbool.h>

#include <lua.h>

/* Replaces package.searchers: the table in modules.c, then the runtime's own embedded Lua. */
void cl_modules_register(lua_State *L);

/* May scripts require it? */
bool cl_module_is_public(const char *name);

/* One function a module; each leaves the module's C functions in a table. */
int luaopen_cl_backup(lua_State *L);
int luaopen_cl_crypto(lua_State *L);
int luaopen_cl_db(lua_State *L);
int luaopen_cl_blob(lua_State *L);
int luaopen_cl_errors(lua_State *L);
int luaopen_cl_event(lua_State *L);
int luaopen_cl_files(lua_State *L);
int luaopen_cl_host(lua_State *L);
int luaopen_cl_http(lua_State *L);
int luaopen_cl_json(lua_State *L);
int luaopen_cl_log(lua_State *L);
int luaopen_cl_mask(lua_State *L);
int luaopen_cl_secret(lua_State *L);
int luaopen_cl_task(lua_State *L);
int luaopen_cl_time(lua_State *L);

#endif
