/*
 * A bundle: every Lua file below the folder of an entry script, read once, so that a run can be
 * pinned to exactly these bytes.  Hidden folders and folders named `demo` are left out.
 *
 * Call order: cl_bundle_read(), use, cl_bundle_fini() (also after a failure).
 */
#ifndef CL_BUNDLE_H
#define CL_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
    CL_BUNDLE_FILES_MAX = 500,
    CL_BUNDLE_DEPTH_MAX = 8,
    CL_BUNDLE_FILE_BYTES_MAX = 1024 * 1024,
    CL_BUNDLE_BYTES_MAX = 16 * 1024 * 1024,
};

struct cl_bundle_file {
    char *path;   /* below the folder, with '/': "platform/registry.lua"; owned */
    char *source; /* the bytes; owned */
    size_t len;   /* of source */
};

struct cl_bundle {
    char *folder;                 /* of the entry script as given, "." when it had none; owned */
    char *entry;                  /* the entry script's name inside the folder; owned */
    struct cl_bundle_file *files; /* owned; in no particular order */
    size_t count;                 /* of files */
    size_t bytes;                 /* of all sources together */
};

/* *bundle must be zeroed. Class not_found when the script is missing, invalid past a limit. */
bool cl_bundle_read(const char *script, struct cl_bundle *bundle, struct cl_err *err);

void cl_bundle_fini(struct cl_bundle *bundle);

/* Reads one regular file of at most max bytes; *data is the caller's to free. */
bool cl_read_file(const char *path, size_t max, char **data, size_t *len, struct cl_err *err);

#endif
