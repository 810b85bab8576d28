#include "bundle.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES_MAX = 4096 };

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory while reading scripts");
}

bool cl_read_file(const char *path, size_t max, char **data, size_t *len, struct cl_err *err)
{
    bool ok = false;
    char *bytes = NULL;
    size_t n = 0;
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f) {
        int saved = errno;
        cl_fail_errno(err, saved, "cannot read '%s'", path);
        goto done;
    }
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        cl_fail(err, CL_INVALID, "E_NOT_A_FILE", "'%s' is not a regular file", path);
        goto done;
    }
    if ((size_t)st.st_size > max) {
        cl_fail(err, CL_INVALID, "E_FILE_SIZE", "'%s' is larger than %zu bytes", path, max);
        goto done;
    }
    bytes = malloc((size_t)st.st_size + 1);
    if (!bytes) {
        no_memory(err);
        goto done;
    }
    n = fread(bytes, 1, (size_t)st.st_size, f);
    if (ferror(f)) {
        int saved = errno;
        cl_fail_errno(err, saved, "cannot read '%s'", path);
        goto done;
    }
    bytes[n] = '\0';
    *data = bytes;
    *len = n;
    bytes = NULL;
    ok = true;
done:
    free(bytes);
    if (f) {
        fclose(f);
    }
    return ok;
}

static bool is_lua(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".lua") == 0;
}

static bool add_file(struct cl_bundle *b, const char *full, const char *rel, struct cl_err *err)
{
    if (b->count == CL_BUNDLE_FILES_MAX) {
        return cl_fail(err, CL_INVALID, "E_BUNDLE_SIZE",
                       "more than %d Lua files below '%s': keep scripts in a folder of their own",
                       CL_BUNDLE_FILES_MAX, b->folder);
    }
    struct cl_bundle_file *grown = realloc(b->files, (b->count + 1) * sizeof *grown);
    if (!grown) {
        return no_memory(err);
    }
    b->files = grown;
    struct cl_bundle_file *file = &b->files[b->count];
    memset(file, 0, sizeof *file);
    if (!cl_read_file(full, CL_BUNDLE_FILE_BYTES_MAX, &file->source, &file->len, err)) {
        return false;
    }
    b->count++; /* from here on cl_bundle_fini() frees it */
    file->path = strdup(rel);
    if (!file->path) {
        return no_memory(err);
    }
    b->bytes += file->len;
    if (b->bytes > CL_BUNDLE_BYTES_MAX) {
        return cl_fail(err, CL_INVALID, "E_BUNDLE_SIZE", "more than %d MiB of Lua below '%s'",
                       CL_BUNDLE_BYTES_MAX >> 20, b->folder);
    }
    return true;
}

/* Adds what lies below folder/rel ("" for the folder itself). */
static bool walk(struct cl_bundle *b, const char *rel, int depth, struct cl_err *err)
{
    bool ok = false;
    char full[PATH_BYTES_MAX];
    char below[PATH_BYTES_MAX];
    snprintf(full, sizeof full, "%s%s%s", b->folder, *rel ? "/" : "", rel);
    DIR *dir = opendir(full);
    if (!dir) {
        int saved = errno;
        return cl_fail_errno(err, saved, "cannot read the folder '%s'", full);
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct stat st;
        int n =
            snprintf(full, sizeof full, "%s/%s%s%s", b->folder, rel, *rel ? "/" : "", e->d_name);
        if (e->d_name[0] == '.' || n >= (int)sizeof full || stat(full, &st) != 0) {
            continue;
        }
        snprintf(below, sizeof below, "%s%s%s", rel, *rel ? "/" : "", e->d_name);
        if (S_ISDIR(st.st_mode) && strcmp(e->d_name, "demo") != 0) {
            if (depth == CL_BUNDLE_DEPTH_MAX) {
                cl_fail(err, CL_INVALID, "E_BUNDLE_SIZE", "'%s' lies more than %d folders deep",
                        full, CL_BUNDLE_DEPTH_MAX);
                goto done;
            }
            if (!walk(b, below, depth + 1, err)) {
                goto done;
            }
        } else if (S_ISREG(st.st_mode) && is_lua(e->d_name) && !add_file(b, full, below, err)) {
            goto done;
        }
    }
    ok = true;
done:
    closedir(dir);
    return ok;
}

static bool has_entry(const struct cl_bundle *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->files[i].path, b->entry) == 0) {
            return true;
        }
    }
    return false;
}

bool cl_bundle_read(const char *script, struct cl_bundle *bundle, struct cl_err *err)
{
    struct stat st;
    const char *slash = strrchr(script, '/');
    const char *name = slash ? slash + 1 : script;
    if (!is_lua(name)) {
        return cl_fail(err, CL_INVALID, "E_NO_SCRIPT",
                       "'%s' is not a script: its name must end in .lua", script);
    }
    if (strlen(script) >= PATH_BYTES_MAX / 2 || stat(script, &st) != 0) {
        return cl_fail(err, CL_NOT_FOUND, "E_NO_SCRIPT", "there is no script '%s'", script);
    }
    bundle->folder = slash ? strndup(script, (size_t)(slash - script)) : strdup(".");
    bundle->entry = strdup(name);
    if (!bundle->folder || !bundle->entry) {
        return no_memory(err);
    }
    if (!walk(bundle, "", 0, err)) {
        return false;
    }
    if (!has_entry(bundle)) {
        return cl_fail(err, CL_NOT_FOUND, "E_NO_SCRIPT", "'%s' is not a script", script);
    }
    return true;
}

void cl_bundle_fini(struct cl_bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++) {
        free(bundle->files[i].path);
        free(bundle->files[i].source);
    }
    free(bundle->files);
    free(bundle->folder);
    free(bundle->entry);
    memset(bundle, 0, sizeof *bundle);
}
