#include "memory.h"

#include <stdlib.h>

void *cl_lua_allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct cl_lua_memory *memory = ud;
    size_t old = ptr ? osize : 0; /* for a new block osize is a type tag, not a size */
    if (nsize == 0) {
        free(ptr);
        memory->bytes -= old;
        return NULL;
    }
    if (nsize > old && memory->bytes - old + nsize > memory->max) {
        return NULL;
    }
    void *moved = realloc(ptr, nsize);
    if (moved) {
        memory->bytes = memory->bytes - old + nsize;
    }
    return moved;
}
