/*
 * The file driver: a blob is a file below the store's folder, named like it.
 *
 * Every path is walked segment by segment with O_NOFOLLOW from the folder's own descriptor, so no
 * name and no symbolic link leads outside.  A put writes a hidden temporary file, syncs it and
 * renames it: readers see the old blob or the new one.  Headers and metadata go to a sidecar, put
 * in place just before the rename: after a crash in between, the next put of the blob mends it.
 *
 * What a file system cannot keep is refused: empty segments ("a//b"), a blob "a" beside "a/b",
 * segments over 255 bytes, names starting with ".cl-".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "md5.h"
#include "sidecar.h"
#include "store.h"

enum { CHUNK_BYTES = 256 * 1024, DEPTH_MAX = 100, PUT_ATTEMPTS = 3, ETAG_BYTES = 64 };

struct file_store {
    struct cl_blob_store base;  /* first */
    char root[CL_BLOB_URL_MAX]; /* absolute path, no slash at its end */
};

struct file_reader {
    struct file_store *store; /* borrowed */
    char *name;               /* owned; for messages */
    int fd;                   /* open */
    char etag[ETAG_BYTES];    /* what it was when opened: it must be that at the end */
};

static struct file_store *of(const struct cl_blob_store *store)
{
    return (struct file_store *)(uintptr_t)store;
}

static bool fail_at(const struct cl_blob_store *store, const char *name, int errnum,
                    const char *doing, struct cl_err *err)
{
    return cl_fail_errno(err, errnum, "%s: %s blob '%.200s'", store->url, doing, name);
}

static bool no_blob(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    return cl_fail(err, CL_NOT_FOUND, "E_NO_BLOB", "%s: there is no blob '%.200s'", store->url,
                   name);
}

static bool out_of_memory(const struct cl_blob_store *store, struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", store->url);
}

static bool check_name(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    for (const char *p = name;;) {
        size_t len = strcspn(p, "/");
        if (len == 0) {
            return cl_fail(err, CL_INVALID, "E_BLOB_NAME",
                           "%s: blob '%.200s': a file system keeps no empty part of a name",
                           store->url, name);
        }
        if (strncmp(p, CL_BLOB_HIDDEN, strlen(CL_BLOB_HIDDEN)) == 0) {
            return cl_fail(err, CL_INVALID, "E_BLOB_NAME",
                           "%s: blob '%.200s': names that start with '" CL_BLOB_HIDDEN
                           "' are the store's own",
                           store->url, name);
        }
        if (p[len] == '\0') {
            return true;
        }
        p += len + 1;
    }
}

static void etag_of(const struct stat *st, char out[ETAG_BYTES])
{
    snprintf(out, ETAG_BYTES, "%llx-%llx-%llx", (unsigned long long)st->st_ino,
             (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec * 1000000000ULL +
                 (unsigned long long)st->st_mtim.tv_nsec);
}

static bool fill(struct cl_blob_item *item, const struct stat *st)
{
    char etag[ETAG_BYTES];
    etag_of(st, etag);
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

static int open_root(const struct file_store *s, bool create, int *fd)
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
static int open_folder(const struct file_store *s, const char *name, bool create, int *dir,
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

static bool fail_walk(const struct cl_blob_store *store, const char *name, int rc,
                      const char *doing, struct cl_err *err)
{
    if (rc == ELOOP) {
        return cl_fail(err, CL_PERMISSION, "E_BLOB_SYMLINK",
                       "%s: %s blob '%.200s': symbolic links are not followed", store->url, doing,
                       name);
    }
    return fail_at(store, name, rc, doing, err);
}

/* ---------------------------------------------------------------- reading */

/* Opens a blob's file and stats it; not_found when there is none. */
static int open_blob(struct cl_blob_store *store, const char *name, struct stat *st,
                     struct cl_blob_item *props, struct cl_err *err)
{
    int dir;
    const char *base;
    int rc = open_folder(of(store), name, false, &dir, &base);
    int fd = -1;
    if (rc == 0) {
        /* O_NONBLOCK: a FIFO must not hold us up before we saw what it is. */
        fd = openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        rc = fd < 0 ? errno : 0;
        if (rc == 0 && fstat(fd, st) != 0) {
            rc = errno;
        }
        if (rc == 0 && S_ISREG(st->st_mode) && props) {
            rc = cl_sidecar_read(dir, base, props);
        }
        close(dir);
    }
    if (rc == ENOENT || rc == ENOTDIR || (rc == 0 && !S_ISREG(st->st_mode))) {
        no_blob(store, name, err);
    } else if (rc == 0) {
        return fd;
    } else {
        fail_walk(store, name, rc, "opening", err);
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static bool file_stat(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    struct stat st;
    int fd = open_blob(store, item->name, &st, item, err);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return fill(item, &st) || out_of_memory(store, err);
}

static struct cl_blob_reader *file_open(struct cl_blob_store *store,
                                        const struct cl_blob_item *item, struct cl_err *err)
{
    struct stat st;
    int fd = open_blob(store, item->name, &st, NULL, err);
    if (fd < 0) {
        return NULL;
    }
    struct file_reader *r = calloc(1, sizeof *r);
    if (r) {
        r->name = strdup(item->name);
    }
    if (!r || !r->name) {
        free(r);
        close(fd);
        out_of_memory(store, err);
        return NULL;
    }
    r->store = of(store);
    r->fd = fd;
    etag_of(&st, r->etag);
    if (item->etag && strcmp(item->etag, r->etag) != 0) {
        cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED", "%s: blob '%.200s' has changed meanwhile",
                store->url, item->name);
        store->driver->close((struct cl_blob_reader *)r);
        return NULL;
    }
    return (struct cl_blob_reader *)r;
}

static long file_read(struct cl_blob_reader *reader, void *bytes, size_t n, struct cl_err *err)
{
    struct file_reader *r = (struct file_reader *)reader;
    ssize_t got;
    do {
        got = read(r->fd, bytes, n);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        fail_at(&r->store->base, r->name, errno, "reading", err);
        return -1;
    }
    struct stat st;
    if (got == 0 && fstat(r->fd, &st) == 0) {
        char etag[ETAG_BYTES];
        etag_of(&st, etag);
        if (strcmp(etag, r->etag) != 0) {
            cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED",
                    "%s: blob '%.200s' changed while being read", r->store->base.url, r->name);
            return -1;
        }
    }
    return (long)got;
}

static void file_close(struct cl_blob_reader *reader)
{
    struct file_reader *r = (struct file_reader *)reader;
    close(r->fd);
    free(r->name);
    free(r);
}

static bool file_digest(struct cl_blob_store *store, struct cl_blob_item *item, struct cl_err *err)
{
    bool ok = false;
    char *chunk = malloc(CHUNK_BYTES);
    struct cl_md5 *md5 = cl_md5_new();
    struct cl_blob_reader *reader = NULL;
    if (!chunk || !md5) {
        out_of_memory(store, err);
        goto done;
    }
    reader = file_open(store, item, err);
    long n = reader ? 1 : -1;
    while (n > 0 && (!store->job || cl_job_check(store->job, err))) {
        n = file_read(reader, chunk, CHUNK_BYTES, err);
        if (n > 0) {
            cl_md5_add(md5, chunk, (size_t)n);
        }
    }
    ok = n == 0;
    if (ok) {
        cl_md5_end(md5, item->md5);
        item->has_md5 = true;
    }
done:
    if (reader) {
        file_close(reader);
    }
    cl_md5_free(md5);
    free(chunk);
    return ok;
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
    bool ok = item.name && fill(&item, st);
    int rc = ok ? cl_sidecar_read(dir, base, &item) : ENOMEM;
    if (rc != 0) {
        fail_at(w->store, cl_buf_str(&w->path), rc, "reading the metadata of", w->err);
    } else if (!cl_blob_items_add(w->items, &item)) {
        rc = ENOMEM;
        out_of_memory(w->store, w->err);
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
        return errno == ENOENT || fail_at(w->store, path, errno, "looking at", w->err);
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
        return errno == ENOENT || fail_at(w->store, path, errno, "opening", w->err);
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
        return fail_at(w->store, cl_buf_str(&w->path), rc, "listing", w->err);
    }
    bool ok = true;
    size_t len = w->path.len;
    while (ok) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            ok = errno == 0 || fail_at(w->store, cl_buf_str(&w->path), errno, "listing", w->err);
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
static bool file_list(struct cl_blob_store *store, const char *prefix, struct cl_blob_items *items,
                      struct cl_err *err)
{
    struct walk w = {.store = store, .prefix = prefix, .items = items, .err = err};
    int dir;
    int rc = open_root(of(store), false, &dir);
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

/* ---------------------------------------------------------------- writing */

/* Creates a temporary file in the blob's folder. 0 or an errno. */
static int create_temp(struct file_store *s, const char *name, int *dir, const char **base,
                       char temp[64], int *fd)
{
    int rc = ENOENT;
    /* A delete may remove a folder that just became empty under our feet: make it again. */
    for (int i = 0; i < PUT_ATTEMPTS && rc == ENOENT; i++) {
        uint8_t random[8];
        char hex[2 * sizeof random + 1];
        if (!cl_random(random, sizeof random)) {
            return EIO;
        }
        cl_hex(random, sizeof random, hex);
        snprintf(temp, 64, CL_BLOB_HIDDEN "tmp.%s", hex);
        rc = open_folder(s, name, true, dir, base);
        if (rc == 0) {
            *fd = openat(*dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
            rc = *fd < 0 ? errno : 0;
            if (rc != 0) {
                close(*dir);
                *dir = -1;
            }
        }
    }
    return rc;
}

static bool write_content(struct cl_blob_store *store, struct cl_blob_item *item, int fd,
                          const struct cl_blob_source *source, struct cl_err *err)
{
    bool ok = false;
    uint64_t total = 0;
    char *chunk = malloc(CHUNK_BYTES);
    struct cl_md5 *md5 = cl_md5_new();
    if (!chunk || !md5) {
        out_of_memory(store, err);
        goto done;
    }
    for (;;) {
        if (store->job && !cl_job_check(store->job, err)) {
            goto done;
        }
        long n = source->read(source->arg, chunk, CHUNK_BYTES, err);
        if (n < 0) {
            goto done;
        }
        if (n == 0) {
            break;
        }
        int rc = cl_write_all(fd, chunk, (size_t)n);
        if (rc != 0) {
            fail_at(store, item->name, rc, "writing", err);
            goto done;
        }
        cl_md5_add(md5, chunk, (size_t)n);
        total += (uint64_t)n;
    }
    if (total != item->size) {
        cl_fail(err, CL_CONFLICT, "E_BLOB_CHANGED",
                "%s: blob '%.200s': its source gave %llu bytes, expected were %llu", store->url,
                item->name, (unsigned long long)total, (unsigned long long)item->size);
        goto done;
    }
    uint8_t digest[CL_BLOB_MD5_BYTES];
    cl_md5_end(md5, digest);
    if (!cl_blob_settle_md5(store, item, digest, err)) {
        goto done;
    }
    ok = fsync(fd) == 0 || fail_at(store, item->name, errno, "syncing", err);
done:
    cl_md5_free(md5);
    free(chunk);
    return ok;
}

static bool has_props(const struct cl_blob_item *item)
{
    bool any = item->meta_count > 0;
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        any = any || item->headers[i];
    }
    return any;
}

/* Puts the sidecar and the content in place. 0 or an errno. */
static int publish(int dir, const char *temp, const char *base, const struct cl_blob_item *item)
{
    int rc = has_props(item) ? cl_sidecar_write(dir, base, item) : 0;
    if (rc == 0 && renameat(dir, temp, dir, base) != 0) {
        rc = errno;
    }
    if (rc == 0 && !has_props(item)) {
        rc = cl_sidecar_remove(dir, base);
    }
    if (rc == 0 && fsync(dir) != 0) {
        rc = errno;
    }
    return rc;
}

static bool file_put(struct cl_blob_store *store, struct cl_blob_item *item,
                     const struct cl_blob_source *source, struct cl_err *err)
{
    int dir = -1;
    int fd = -1;
    char temp[64];
    const char *base;
    int rc = create_temp(of(store), item->name, &dir, &base, temp, &fd);
    if (rc != 0) {
        return fail_walk(store, item->name, rc, "creating", err);
    }
    struct stat st;
    bool ok = write_content(store, item, fd, source, err);
    if (ok && fstat(fd, &st) != 0) {
        ok = fail_at(store, item->name, errno, "looking at", err);
    }
    if (ok) {
        ok = fill(item, &st) || out_of_memory(store, err);
    }
    if (ok) {
        rc = publish(dir, temp, base, item);
        ok = rc == 0 || fail_at(store, item->name, rc, "putting in place", err);
    }
    if (!ok) {
        unlinkat(dir, temp, 0);
    }
    close(fd);
    close(dir);
    return ok;
}

/* Removes the folders a deleted blob leaves empty, from the innermost. */
static void prune(struct file_store *s, const char *name)
{
    char path[CL_BLOB_NAME_MAX + 1];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        int dir;
        const char *base;
        *slash = '\0';
        if (open_folder(s, path, false, &dir, &base) != 0) {
            return;
        }
        int rc = unlinkat(dir, base, AT_REMOVEDIR);
        close(dir);
        if (rc != 0) {
            return;
        }
    }
}

static bool file_remove(struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    int dir;
    const char *base;
    int rc = open_folder(of(store), name, false, &dir, &base);
    if (rc == ENOENT || rc == ENOTDIR) {
        return true;
    }
    if (rc != 0) {
        return fail_walk(store, name, rc, "deleting", err);
    }
    struct stat st;
    bool folder = fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
    if (!folder && unlinkat(dir, base, 0) != 0 && errno != ENOENT) {
        rc = errno;
    }
    if (rc == 0 && !folder) {
        rc = cl_sidecar_remove(dir, base);
    }
    close(dir);
    if (rc != 0) {
        return fail_at(store, name, rc, "deleting", err);
    }
    prune(of(store), name);
    return true;
}

/* ---------------------------------------------------------------- store */

static struct cl_blob_store *file_clone(const struct cl_blob_store *store, struct cl_err *err)
{
    struct file_store *clone = malloc(sizeof *clone);
    if (!clone) {
        out_of_memory(store, err);
        return NULL;
    }
    *clone = *of(store);
    return &clone->base;
}

static void file_free(struct cl_blob_store *store)
{
    free(of(store));
}

static const struct cl_blob_driver driver = {
    .scheme = "file",
    .clone = file_clone,
    .free = file_free,
    .check_name = check_name,
    .list = file_list,
    .stat = file_stat,
    .digest = file_digest,
    .open = file_open,
    .read = file_read,
    .close = file_close,
    .put = file_put,
    .remove = file_remove,
};

/* "." and ".." would make two URLs of one folder, and a tenant's prefix a way out of it. */
static bool dotted(const char *path)
{
    for (const char *p = path; *p; p += strcspn(p, "/")) {
        p += strspn(p, "/");
        size_t len = strcspn(p, "/");
        if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.')) {
            return true;
        }
    }
    return false;
}

struct cl_blob_store *cl_blob_file_open(const char *url, const struct cl_blob_options *options,
                                        struct cl_err *err)
{
    (void)options;
    struct file_store *s = NULL;
    struct cl_buf path;
    struct cl_buf shown;
    cl_buf_init(&path, CL_BLOB_URL_MAX - 1);
    cl_buf_init(&shown, CL_BLOB_URL_MAX - 1);
    const char *text = url + strlen("file://");
    if (!cl_blob_unescape(&path, text) || text[0] != '/' || dotted(cl_buf_str(&path))) {
        cl_fail(err, CL_INVALID, "E_BLOB_URL",
                "blob store '%s': must be file:// and an absolute path without '.' and '..', "
                "percent-encoded",
                url);
        goto done;
    }
    while (path.len > 0 && path.data[path.len - 1] == '/') {
        path.data[--path.len] = '\0';
    }
    cl_buf_adds(&shown, "file://");
    cl_blob_escape(&shown, path.len > 0 ? cl_buf_str(&path) : "/", "/");
    s = calloc(1, sizeof *s);
    if (!s || shown.failed) {
        free(s);
        s = NULL;
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "blob store '%s': out of memory", url);
        goto done;
    }
    s->base.driver = &driver;
    snprintf(s->base.url, sizeof s->base.url, "%s", cl_buf_str(&shown));
    snprintf(s->root, sizeof s->root, "%s", cl_buf_str(&path));
done:
    cl_buf_fini(&path);
    cl_buf_fini(&shown);
    return s ? &s->base : NULL;
}
