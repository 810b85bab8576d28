/* Methods of the mask as a script describes them. */
#ifndef CL_BINDING_MASK_METHOD_H
#define CL_BINDING_MASK_METHOD_H

#include <lua.h>

#include "mask/mask.h"

/* Pushes what lives as long as the result: the methods described by the list at idx (nil: none),
 * each {schema=, table=, column=, kind=, options={{name, value}}, entries={{from, to}}, parts={…},
 * script=function}. The strings are the list's own. */
const struct cl_mask_method_spec *cl_mask_push_methods(lua_State *L, int idx, size_t *n);

/* A mask was made of the n methods: it owns their functions from here on. */
void cl_mask_methods_taken(const struct cl_mask_method_spec *list, size_t n);

#endif
