/*
 * The file driver: a blob is a file below the store's folder, named like it.
 *
 * Every path is walked segment by segment with O_NOFOLLOW from the folder's own descriptor, so no
 * name and no symbolic link leads outside.  A put writes a hidden temporary file, syncs it and
 * renames it: readers see the old blob or the new one.  The temporary file is named after the blob
 * and locked while it is written, so that the next put takes over what a crash left; a second
 * writer at the same time gets a name of its own.  Headers and metadata go to a sidecar, put in
 * place just before the rename: after a crash in between, the next put of the blob mends it.
 *
 * What a file system cannot keep is refused: empty segments ("a//b"), a blob "a" beside "a/b",
 * segments over 255 bytes, names starting with ".cl-".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "file.h"
#include "md5.h"
#include "sidecar.h"

enum { CHUNK_BYTES = 256 * 1024, PUT_ATTEMPTS = 3 };

struct file_reader {
    struct cl_file_store *store;   /* borrowed */
    char *name;                    /* owned; for messages */
    int fd;                        /* open */
    char etag[CL_FILE_ETAG_BYTES]; /* what it was when opened: it must be that at the end */
};

static bool no_blob(const struct cl_blob_store *store, const char *name, struct cl_err *err)
{
    return cl_fail(err, CL_NOT_FOUND, "E_NO_BLOB", "%s: there is no blob '%.200s'", store->url,
                   name);
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

/* ---------------------------------------------------------------- reading */

/* Opens a blob's file and stats it; not_found when there is none. */
static int open_blob(struct cl_blob_store *store, const char *name, struct stat *st,
                     struct cl_blob_item *props, struct cl_err *err)
{
    int dir;
    const char *base;
    int rc = cl_file_open_folder(cl_file_of(store), name, false, &dir, &base);
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
        cl_file_fail_walk(store, name, rc, "opening", err);
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
    return cl_file_fill(item, &st) || cl_file_no_memory(store, err);
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
        cl_file_no_memory(store, err);
        return NULL;
    }
    r->store = cl_file_of(store);
    r->fd = fd;
    cl_file_etag(&st, r->etag);
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
        cl_file_fail(&r->store->base, r->name, errno, "reading", err);
        return -1;
    }
    struct stat st;
    if (got == 0 && fstat(r->fd, &st) == 0) {
        char etag[CL_FILE_ETAG_BYTES];
        cl_file_etag(&st, etag);
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
        cl_file_no_memory(store, err);
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

/* ---------------------------------------------------------------- writing */

/* Opens and locks the blob's own temporary file, what is left of one that a crash cut short
 * included. 0, EWOULDBLOCK when somebody is writing it, ENOENT when it went away just now. */
static int take_temp(int dir, const char *temp, int *fd)
{
    struct stat mine;
    struct stat there;
    *fd = openat(dir, temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    int rc = *fd < 0 ? errno : 0;
    if (rc == 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno;
    }
    /* Its last owner may have renamed or removed it between our open and our lock. */
    if (rc == 0 &&
        (fstat(*fd, &mine) != 0 || fstatat(dir, temp, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
         mine.st_ino != there.st_ino)) {
        rc = ENOENT;
    }
    if (rc == 0 && ftruncate(*fd, 0) != 0) {
        rc = errno;
    }
    if (rc != 0 && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

/* A temporary file that is nobody else's, for the second writer of one blob. 0 or an errno. */
static int make_temp(int dir, char temp[CL_HIDDEN_NAME], int *fd)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    if (!cl_random(random, sizeof random)) {
        return EIO;
    }
    cl_hex(random, sizeof random, hex);
    snprintf(temp, CL_HIDDEN_NAME, CL_BLOB_HIDDEN "temp.%s", hex);
    *fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return *fd < 0 ? errno : 0;
}

/* Opens the blob's folder and a temporary file in it. 0 or an errno. */
static int create_temp(struct cl_file_store *s, const char *name, int *dir, const char **base,
                       char temp[CL_HIDDEN_NAME], int *fd)
{
    int rc = ENOENT;
    /* A delete may remove a folder that just became empty under our feet: make it again. */
    for (int i = 0; i < PUT_ATTEMPTS && rc == ENOENT; i++) {
        rc = cl_file_open_folder(s, name, true, dir, base);
        if (rc == 0) {
            cl_hidden_name(*base, "temp", temp);
            rc = take_temp(*dir, temp, fd);
            if (rc == EWOULDBLOCK) {
                rc = make_temp(*dir, temp, fd);
            }
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
        cl_file_no_memory(store, err);
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
            cl_file_fail(store, item->name, rc, "writing", err);
            goto done;
        }
        cl_md5_add(md5, chunk, (size_t)n);
        total += (uint64_t)n;
    }
    if (item->size == CL_BLOB_SIZE_UNKNOWN) {
        item->size = total;
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
    ok = fsync(fd) == 0 || cl_file_fail(store, item->name, errno, "syncing", err);
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
    char meta[CL_HIDDEN_NAME + 8];
    snprintf(meta, sizeof meta, "%s.meta", temp);
    int rc = has_props(item) ? cl_sidecar_write(dir, base, meta, item) : 0;
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
    char temp[CL_HIDDEN_NAME];
    const char *base;
    int rc = create_temp(cl_file_of(store), item->name, &dir, &base, temp, &fd);
    if (rc != 0) {
        return cl_file_fail_walk(store, item->name, rc, "creating", err);
    }
    struct stat st;
    bool ok = write_content(store, item, fd, source, err);
    if (ok && fstat(fd, &st) != 0) {
        ok = cl_file_fail(store, item->name, errno, "looking at", err);
    }
    if (ok) {
        ok = cl_file_fill(item, &st) || cl_file_no_memory(store, err);
    }
    if (ok) {
        rc = publish(dir, temp, base, item);
        ok = rc == 0 || cl_file_fail(store, item->name, rc, "putting in place", err);
    }
    if (!ok) {
        unlinkat(dir, temp, 0);
    }
    close(fd);
    close(dir);
    return ok;
}

/* Removes the folders a deleted blob leaves empty, from the innermost. */
static void prune(struct cl_file_store *s, const char *name)
{
    char path[CL_BLOB_NAME_MAX + 1];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        int dir;
        const char *base;
        *slash = '\0';
        if (cl_file_open_folder(s, path, false, &dir, &base) != 0) {
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
    int rc = cl_file_open_folder(cl_file_of(store), name, false, &dir, &base);
    if (rc == ENOENT || rc == ENOTDIR) {
        return true;
    }
    if (rc != 0) {
        return cl_file_fail_walk(store, name, rc, "deleting", err);
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
        return cl_file_fail(store, name, rc, "deleting", err);
    }
    prune(cl_file_of(store), name);
    return true;
}

/* ---------------------------------------------------------------- store */

static struct cl_blob_store *file_clone(const struct cl_blob_store *store, struct cl_err *err)
{
    struct cl_file_store *clone = malloc(sizeof *clone);
    if (!clone) {
        cl_file_no_memory(store, err);
        return NULL;
    }
    *clone = *cl_file_of(store);
    return &clone->base;
}

static void file_free(struct cl_blob_store *store)
{
    free(cl_file_of(store));
}

static const struct cl_blob_driver driver = {
    .scheme = "file",
    .clone = file_clone,
    .free = file_free,
    .check_name = check_name,
    .list = cl_file_list,
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
    struct cl_file_store *s = NULL;
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
