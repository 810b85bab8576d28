/* Mask rules as other bindings take them from a script. */
#ifndef CL_BINDING_MASK_H
#define CL_BINDING_MASK_H

#include <stddef.h>

#include <lua.h>

#include "mask/mask.h"

/* The rules at idx; raises when it is none. Borrowed from that value: a job takes cl_mask_ref(). */
struct cl_mask *cl_mask_check(lua_State *L, int idx);

/* The same, NULL when the value at idx is nil or absent. */
struct cl_mask *cl_mask_opt(lua_State *L, int idx);

/* Tables whose rows must never be copied ("schema.table"), *n of them; borrowed like the rules. */
const char *const *cl_mask_rules_empty(lua_State *L, int idx, size_t *n);

#endif
