/* A set of keys by their 128-bit hashes, of bounded size: which were there before? Not shared. */
#ifndef CL_BACKUP_CHECK_KEYS_H
#define CL_BACKUP_CHECK_KEYS_H

#include <stddef.h>

#include "checksum.h"

enum cl_keys_answer {
    CL_KEYS_NEW,   /* was not there, is now */
    CL_KEYS_KNOWN, /* was there */
    CL_KEYS_FULL,  /* was not there, and there is no room for it */
};

struct cl_keys {
    struct cl_digest *slots; /* open hashing, cap of them; all zero: free */
    size_t cap;              /* 0 or a power of two */
    size_t n;                /* keys held */
    size_t max;              /* keys it may hold */
};

/* Legal on a zeroed set with its max set. Out of memory counts as full. */
enum cl_keys_answer cl_keys_add(struct cl_keys *keys, struct cl_digest key);
void cl_keys_fini(struct cl_keys *keys); /* max stays */

#endif
