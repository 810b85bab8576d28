/* Stores as other bindings take them from a script. */
#ifndef CL_BINDING_BLOB_H
#define CL_BINDING_BLOB_H

#include <lua.h>

#include "blob/store.h"

/* The store at idx (blob.handle() of a script's store), NULL when it is nil or absent; raises when
 * it is anything else. Borrowed from that value: a job takes cl_blob_clone(). */
struct cl_blob_store *cl_blob_store_opt(lua_State *L, int idx);

#endif
