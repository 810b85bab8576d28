/*
 * Functions taken from one lua_State to others. A capsule is the function's bytecode and all it
 * uses from outside: plain values, tables of them (frozen where they arrive), Lua functions, and
 * what a pure environment (pure.h) has by the same name. Anything else cannot go along.
 *
 * Only for bytes this process made: bytecode is not checked.
 */
#ifndef CL_BINDING_CAPSULE_H
#define CL_BINDING_CAPSULE_H

#include <stdbool.h>

#include <lua.h>

#include "base/buf.h"

/*
 * Appends the Lua function at idx. Raises what cannot go along, with the place of the function that
 * uses it and its name there. bare: without debug information, for a hash: names and the file do
 * not matter then (the lines on which functions begin and end still do).
 */
void cl_capsule_pack(lua_State *L, int idx, bool bare, struct cl_buf *out);

/*
 * [-0, +2] the function, and a list of what must stay as it is: a function, the number of one of
 * its upvalues, the value of that (which may be nil); the next function, and so on. env: index of
 * the environment. Raises.
 */
void cl_capsule_unpack(lua_State *L, const struct cl_buf *capsule, int env);

#endif
