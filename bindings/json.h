/* What json.c, json_encode.c and other bindings share. */
#ifndef CL_BINDING_JSON_H
#define CL_BINDING_JSON_H

#include <stddef.h>

#include <lua.h>

/* Metatable of a table that is an array also when it is empty. Made when the module is loaded. */
#define CL_MT_JSON_ARRAY "cl.json.array"

/* Metafield of every table to be written as an array. */
#define CL_JSON_IS_ARRAY "__jsonarray"

enum {
    CL_JSON_DEPTH_MAX = 500,               /* arrays and objects inside one another */
    CL_JSON_BYTES_MAX = 256 * 1024 * 1024, /* one document */
};

/* The length of the UTF-8 sequence at p, 0 when it is none (overlong, surrogate, beyond U+10FFFF).
 */
size_t cl_json_utf8_length(const unsigned char *p, size_t left);

/* json.encode, and the metatable it needs. */
int cl_json_encode(lua_State *L);
void cl_json_encoder_register(lua_State *L);

#endif
