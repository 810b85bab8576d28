/* A Lua function as the transform of a column: what the mask room calls in the copy workers, each
 * with a lua_State of its own. */
#ifndef CL_BINDING_MASK_SCRIPT_H
#define CL_BINDING_MASK_SCRIPT_H

#include <lua.h>

#include "mask/mask.h"

/*
 * Fills *out from the function at idx. table ("schema.name") and column are what it is told in its
 * context; both are copied. The caller owns what out->free(out->arg) gives back. Raises an error
 * object (class invalid) when the function uses what cannot be taken along.
 */
void cl_mask_script_new(lua_State *L, int idx, const char *table, const char *column,
                        struct cl_mask_script *out);

#endif
