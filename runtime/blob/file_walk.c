/* The folder driver: the way into folders, and listings. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sidecar.h"

enum { DEPTH_MAX = 100 };

struct cl_file_store *cl_file_of(const struct cl_blob_store *store)
{
    return (struct cl_file_store *)(uintptr_t)store;
}

bool cl_file_fail(const struct cl_blob_store *store, const char *name, int errnum,
                  const char *doing, struct cl_err *err)
{
    return cl_fail_errno(err, errnum, "%s: %s blob '%.200s'", store->url, doing, name);
}

bool cl_file_no_memory(const struct cl_blob_store *store, struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", store->url);
}

void cl_file_etag(const struct stat *st, char out[CL_FILE_ETAG_BYTES])
{
    snprintf(out, CL_FILE_ETAG_BYTES, "%llx-%llx-%llx", (unsigned long long)st->st_ino,
             (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec * 1000000000ULL +
                 (unsigned long long)st->st_mtim.tv_nsec);
}

bool cl_file_fill(struct cl_blob_item *item, const struct stat *st)
{
    char etag[CL_FILE_ETAG_BYTES];
    cl_file_etag(st, etag);
    free(item->etag);
    item->etag = strdup(etag);
    item->size = (uint64_t)st->st_size;
    item->modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    item->known = true;
    return item->etag != NULL;
}

/* ---------------------------------------------------------------- walking */

static int make_root(const char *root)
{
    char path[CL_BLOB_URL_MAX];
    snprintf(path, sizeof path, "%s", root);
    for (char *p = path + 1;; p++) {
        if (*p == '/' || *p == '\0') {
            char was = *p;
            *p = '\0';
            if (mkdir(path, 0755) != 0 && errno != EEXIST) {
                return errno;
            }
            if (was == '\0') {
                return 0;
            }
            *p = was;
        }
    }
}

static int open_root(const struct cl_file_store *s, bool create, int *fd)
{
    int rc = create ? make_root(s->root) : 0;
    if (rc == 0) {
        *fd = open(s->root[0] ? s->root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = *fd < 0 ? errno : 0;
    }
    return rc;
}

/* Enters one folder below *dir, replacing *dir. 0 or an errno; ELOOP for a symbolic link. */
static int enter(int *dir, const char *segment, bool create)
{
    if (create) {
        if (mkdirat(*dir, segment, 0755) == 0) {
            fsync(*dir);
        } else if (errno != EEXIST) {
            return errno;
        }
    }
    int next = openat(*dir, segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
        int rc = errno;
        struct stat st;
        if (rc == ENOTDIR && fstatat(*dir, segment, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(st.st_mode)) {
            rc = ELOOP;
        }
        return rc;
    }
    close(*dir);
    *dir = next;
    return 0;
}

/* Opens the folder a blob lies in; *base is its file name, inside name. 0 or an errno. */
int cl_file_open_folder(const struct cl_file_store *s, const char *name, bool create, int *dir,
                        const char **base)
{
    int rc = open_root(s, create, dir);
    const char *p = name;
    while (rc == 0) {
        size_t len = strcspn(p, "/");
        if (p[len] == '\0') {
            *base = p;
            return 0;
        }
        char segment[CL_BLOB_NAME_MAX + 1];
        snprintf(segment, sizeof segment, "%.*s", (int)len, p);
        rc = enter(dir, segment, create);
        p += len + 1;
        if (rc != 0) {
            close(*dir);
        }
    }
    *dir = -1;
    return rc;
}

bool cl_file_fail_walk(const struct cl_blob_store *store, const char *name, int rc,
                       const char *doing, struct cl_err *err)
{
    if (rc == ELOOP) {
        return cl_fail(err, CL_PERMISSION, "E_BLOB_SYMLINK",
                       "%s: %s blob '%.200s': symbolic links are not followed", store->url, doing,
                       name);
    }
    return cl_file_fail(store, name, rc, doing, err);
}

/* ---------------------------------------------------------------- listing */

struct walk {
    struct cl_blob_store *store; /* borrowed */
    const char *prefix;          /* what names start with */
    struct cl_blob_items *items; /* filled */
    struct cl_buf path;          /* of the folder: "" or "a/b/" */
    struct cl_err *err;          /* of the first failure */
};

static bool walk_folder(struct walk *w, int dir, int depth);

/* Could a blob at or below path start with the prefix? */
static bool wanted(const struct walk *w, bool folder)
{
    size_t n = strlen(w->prefix);
    size_t have = w->path.len;
    return strncmp(cl_buf_str(&w->path), w->prefix, folder && have < n ? have : n) == 0;
}

static bool walk_file(struct walk *w, int dir, const char *base, const struct stat *st)
{
    struct cl_blob_item item = {.name = strdup(cl_buf_str(&w->path))};
    bool ok = item.name && cl_file_fill(&item, st);
    int rc = ok ? cl_sidecar_read(dir, base, &item) : ENOMEM;
    if (rc != 0) {
        cl_file_fail(w->store, cl_buf_str(&w->path), rc, "reading the metadata of", w->err);
    } else if (!cl_blob_items_add(w->items, &item)) {
        rc = ENOMEM;
        cl_file_no_memory(w->store, w->err);
    }
    cl_blob_item_fini(&item);
    return rc == 0;
}

/* One entry; the path already ends with its name. */
static bool walk_entry(struct walk *w, int dir, const char *base, int depth)
{
    struct stat st;
    const char *path = cl_buf_str(&w->path);
    if (w->path.failed || depth > DEPTH_MAX) {
        return cl_fail(w->err, CL_INVALID, "E_BLOB_NAME", "%s: '%.200s…': the path is too long",
                       w->store->url, path);
    }
    if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        /* Deleted since the folder was read. */
        return errno == ENOENT || cl_file_fail(w->store, path, errno, "looking at", w->err);
    }
    if (S_ISREG(st.st_mode)) {
        return !wanted(w, false) || walk_file(w, dir, base, &st);
    }
    if (!S_ISDIR(st.st_mode)) {
        return !wanted(w, false) ||
               cl_fail(w->err, CL_PERMISSION, "E_BLOB_SYMLINK",
                       "%s: '%.200s' is neither a file nor a folder (symbolic links are not "
                       "followed)",
                       w->store->url, path);
    }
    cl_buf_addc(&w->path, '/');
    if (!wanted(w, true)) {
        return true;
    }
    int sub = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0) {
        return errno == ENOENT || cl_file_fail(w->store, path, errno, "opening", w->err);
    }
    return walk_folder(w, sub, depth + 1);
}

/* Closes dir. */
static bool walk_folder(struct walk *w, int dir, int depth)
{
    DIR *d = fdopendir(dir);
    if (!d) {
        int rc = errno;
        close(dir);
        return cl_file_fail(w->store, cl_buf_str(&w->path), rc, "listing", w->err);
    }
    bool ok = true;
    size_t len = w->path.len;
    while (ok) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            ok = errno == 0 ||
                 cl_file_fail(w->store, cl_buf_str(&w->path), errno, "listing", w->err);
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strncmp(e->d_name, CL_BLOB_HIDDEN, strlen(CL_BLOB_HIDDEN)) == 0) {
            continue;
        }
        cl_buf_adds(&w->path, e->d_name);
        ok = (!w->store->job || cl_job_check(w->store->job, w->err)) &&
             walk_entry(w, dirfd(d), e->d_name, depth);
        if (w->path.data) {
            w->path.len = len;
            w->path.data[len] = '\0';
        }
    }
    closedir(d);
    return ok;
}

/* A folder that is not there holds nothing, as with any prefix. */
bool cl_file_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                  struct cl_err *err)
{
    struct walk w = {.store = store, .prefix = prefix, .items = items, .err = err};
    int dir;
    int rc = open_root(cl_file_of(store), false, &dir);
    if (rc == ENOENT) {
        return true;
    }
    if (rc != 0) {
        return cl_fail_errno(err, rc, "%s: opening the folder", store->url);
    }
    cl_buf_init(&w.path, CL_BLOB_NAME_MAX + 1);
    bool ok = walk_folder(&w, dir, 0);
    cl_buf_fini(&w.path);
    return ok;
}
