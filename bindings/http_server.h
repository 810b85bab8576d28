/* The server's half of the http module. */
#ifndef CL_BINDING_HTTP_SERVER_H
#define CL_BINDING_HTTP_SERVER_H

#include <lua.h>

/* Adds listen() to the module table on top of the stack. */
void cl_http_server_functions(lua_State *L);

#endif
