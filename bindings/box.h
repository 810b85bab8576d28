/* A buffer Lua owns: what is appended to it is given back even when a call raises. Its content is
 * wiped then, for it may be a key. */
#ifndef CL_BINDING_BOX_H
#define CL_BINDING_BOX_H

#include <lua.h>

#include "base/buf.h"

/* Pushes an empty buffer of at most max_bytes; it lives as long as the value on the stack. */
struct cl_buf *cl_box_push(lua_State *L, size_t max_bytes);

#endif
