/*
 * An archive in a folder. It is written under PATH.partial, locked while somebody writes it, and
 * renamed to PATH when everything is on disk, so a folder called PATH is always whole. A file is
 * NAME.tmp until it is whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "place.h"

enum { NFTW_FDS = 8, DEPTH_MAX = 4 };

#define PARTIAL ".partial"
#define TMP ".tmp"

struct folder {
    struct cl_place base; /* first */
    char *path;           /* as published */
    char *work;           /* where it is written, until it is published */
    int lock;             /* descriptor of the work folder, locked; -1: none */
    bool writing;         /* between begin and publish */
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

static bool remove_tree(const char *path, struct cl_err *err)
{
    if (nftw(path, remove_entry, NFTW_FDS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return cl_fail_errno(err, errno, "cannot remove %s", path);
    }
    return true;
}

/* ---------------------------------------------------------------- making ready */

/* Makes the folder and locks it; two writers of one archive would otherwise mix their files. */
static bool make_and_lock(struct folder *f, struct cl_err *err)
{
    if (mkdir(f->work, 0700) != 0 && errno != EEXIST) {
        return cl_fail_errno(err, errno, "cannot make the folder %s", f->work);
    }
    f->lock = open(f->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0) {
        return cl_fail_errno(err, errno, "cannot open the folder %s", f->work);
    }
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) {
        close(f->lock);
        f->lock = -1;
        return cl_fail(err, CL_CONFLICT, "E_ARCHIVE_BUSY", "%s is being written by another process",
                       f->work);
    }
    return true;
}

/* A left-over of a crash: we hold its lock, so nobody else works there. */
static bool empty_folder(const char *path, struct cl_err *err)
{
    DIR *folder = opendir(path);
    if (!folder) {
        return cl_fail_errno(err, errno, "cannot read the folder %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char *inner = cl_path_join(path, entry->d_name);
            ok = inner ? remove_tree(inner, err) : no_memory(err);
            free(inner);
        }
    }
    closedir(folder);
    return ok;
}

static bool folder_begin(struct cl_place *place, struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    struct stat st;
    /* rmdir fails on anything but an empty folder, which may give way */
    if (lstat(f->path, &st) == 0 && rmdir(f->path) != 0) {
        return cl_fail(err, CL_CONFLICT, "E_ARCHIVE_EXISTS", "%s exists already", f->path);
    }
    if (!make_and_lock(f, err)) {
        return false;
    }
    f->writing = true;
    return place->keep || empty_folder(f->work, err);
}

/* ---------------------------------------------------------------- writing */

struct folder_writer {
    struct cl_place_writer base; /* first */
    int fd;                      /* -1: closed */
    char *path;                  /* the name it will have */
    char *temp;                  /* the name it has; NULL once it has the other */
};

static bool file_write(struct cl_place_writer *base, const char *bytes, size_t n,
                       struct cl_err *err)
{
    struct folder_writer *w = (struct folder_writer *)base;
    while (n > 0) {
        ssize_t wrote = write(w->fd, bytes, n);
        if (wrote < 0 && errno != EINTR) {
            return cl_fail_errno(err, errno, "cannot write %s", w->path);
        }
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

static bool file_finish(struct cl_place_writer *base, struct cl_err *err)
{
    struct folder_writer *w = (struct folder_writer *)base;
    int rc = fsync(w->fd);
    int saved = errno;
    close(w->fd);
    w->fd = -1;
    if (rc != 0) {
        return cl_fail_errno(err, saved, "cannot write %s", w->path);
    }
    if (rename(w->temp, w->path) != 0) {
        return cl_fail_errno(err, errno, "cannot name %s", w->path);
    }
    free(w->temp);
    w->temp = NULL;
    return true;
}

static void file_close_writer(struct cl_place_writer *base)
{
    struct folder_writer *w = (struct folder_writer *)base;
    if (w->fd >= 0) {
        close(w->fd);
    }
    if (w->temp) {
        unlink(w->temp);
    }
    free(w->temp);
    free(w->path);
    free(w);
}

/* Makes the folder that name lies in. */
static bool make_inner(const char *work, const char *name, struct cl_err *err)
{
    const char *slash = strrchr(name, '/');
    if (!slash) {
        return true;
    }
    char *inner = strndup(name, (size_t)(slash - name));
    char *path = inner ? cl_path_join(work, inner) : NULL;
    bool ok = path ? mkdir(path, 0700) == 0 || errno == EEXIST ||
                         cl_fail_errno(err, errno, "cannot make the folder %s", path)
                   : no_memory(err);
    free(inner);
    free(path);
    return ok;
}

static struct cl_place_writer *folder_create(struct cl_place *place, const char *name,
                                             struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    struct folder_writer *w = calloc(1, sizeof *w);
    if (!w) {
        no_memory(err);
        return NULL;
    }
    w->base = (struct cl_place_writer){file_write, file_finish, file_close_writer};
    w->fd = -1;
    w->path = cl_path_join(f->work, name);
    size_t n = w->path ? strlen(w->path) + sizeof TMP : 0;
    char *temp = w->path ? malloc(n) : NULL;
    if (!temp) {
        no_memory(err);
        goto failed;
    }
    snprintf(temp, n, "%s" TMP, w->path);
    if (make_inner(f->work, name, err)) {
        w->fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (w->fd >= 0) {
            w->temp = temp;
            return &w->base;
        }
        cl_fail_errno(err, errno, "cannot write %s", w->path);
    }
    free(temp);
failed:
    file_close_writer(&w->base);
    return NULL;
}

/* ---------------------------------------------------------------- publishing */

static bool sync_path(const char *path, struct cl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    return ok || cl_fail_errno(err, saved, "cannot bring %s to disk", path);
}

/* Brings to disk that the folders inside have the entries they have. */
static bool sync_inside(const char *path, struct cl_err *err)
{
    DIR *folder = opendir(path);
    if (!folder) {
        return cl_fail_errno(err, errno, "cannot read the folder %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    struct stat st;
    while (ok && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.' &&
            fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode)) {
            char *inner = cl_path_join(path, entry->d_name);
            ok = inner ? sync_path(inner, err) : no_memory(err);
            free(inner);
        }
    }
    closedir(folder);
    return ok && sync_path(path, err);
}

static bool sync_parent(const char *path, struct cl_err *err)
{
    char *parent = strdup(path);
    if (!parent) {
        return no_memory(err);
    }
    char *slash = strrchr(parent, '/');
    if (slash == parent) {
        slash++;
    }
    if (slash) {
        *slash = '\0';
    }
    bool ok = sync_path(slash ? parent : ".", err);
    free(parent);
    return ok;
}

static bool folder_publish(struct cl_place *place, const char *name, const char *bytes, size_t n,
                           struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    struct cl_place_writer *w = folder_create(place, name, err);
    bool ok = w && file_write(w, bytes, n, err) && file_finish(w, err);
    if (w) {
        file_close_writer(w);
    }
    if (!ok || !sync_inside(f->work, err)) {
        return false;
    }
    if (cl_fault("archive_publish")) {
        return cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point archive_publish");
    }
    if (rename(f->work, f->path) != 0) {
        return cl_fail_errno(err, errno, "cannot name the archive %s", f->path);
    }
    f->writing = false;
    return sync_parent(f->path, err);
}

static void folder_close(struct cl_place *place)
{
    struct folder *f = (struct folder *)place;
    if (f->writing && !place->keep) {
        remove_tree(f->work, NULL);
    }
    if (f->lock >= 0) {
        close(f->lock);
    }
    free(f->path);
    free(f->work);
    free(f);
}

/* ---------------------------------------------------------------- reading */

struct folder_reader {
    struct cl_place_reader base; /* first */
    int fd;                      /* open */
    char *path;                  /* for messages */
};

static long file_read(struct cl_place_reader *base, char *bytes, size_t n, struct cl_err *err)
{
    struct folder_reader *r = (struct folder_reader *)base;
    ssize_t got;
    do {
        got = read(r->fd, bytes, n);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        cl_fail_errno(err, errno, "cannot read %s", r->path);
    }
    return (long)got;
}

static void file_close_reader(struct cl_place_reader *base)
{
    struct folder_reader *r = (struct folder_reader *)base;
    if (r->fd >= 0) {
        close(r->fd);
    }
    free(r->path);
    free(r);
}

static struct cl_place_reader *folder_open(struct cl_place *place, const char *name,
                                           struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    struct stat st;
    struct folder_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->path = cl_path_join(f->path, name))) {
        free(r);
        no_memory(err);
        return NULL;
    }
    r->base = (struct cl_place_reader){file_read, file_close_reader};
    /* O_NONBLOCK: a FIFO must not hold us up before we saw what it is */
    r->fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (r->fd < 0 && errno == ENOENT && (stat(f->path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        cl_fail(err, CL_NOT_FOUND, "E_NO_ARCHIVE", "there is no archive at %s", f->path);
    } else if (r->fd < 0 && errno == ENOENT) {
        cl_place_lacks(name, err);
    } else if (r->fd < 0) {
        cl_fail_errno(err, errno, "cannot read %s", r->path);
    } else if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: it is no file", name);
    } else {
        return &r->base;
    }
    file_close_reader(&r->base);
    return NULL;
}

static bool add_item(struct cl_blob_items *items, const char *name, uint64_t size,
                     struct cl_err *err)
{
    struct cl_blob_item item = {.name = strdup(name), .size = size, .known = true};
    if (item.name && cl_blob_items_add(items, &item)) {
        return true;
    }
    cl_blob_item_fini(&item);
    return no_memory(err);
}

/* Lists what is in path, whose own name in the archive is inside. */
static bool list_folder(const char *path, const char *inside, int depth,
                        struct cl_blob_items *items, struct cl_err *err)
{
    DIR *folder = opendir(path);
    if (!folder) {
        return cl_fail_errno(err, errno, "cannot read the folder %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    struct stat st;
    while (ok && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char *name = *inside ? cl_path_join(inside, entry->d_name) : strdup(entry->d_name);
        char *whole = cl_path_join(path, entry->d_name);
        if (!name || !whole) {
            ok = no_memory(err);
        } else if (stat(whole, &st) != 0) {
            ok = cl_fail_errno(err, errno, "cannot look at %s", whole);
        } else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            ok = list_folder(whole, name, depth + 1, items, err);
        } else {
            ok = add_item(items, name, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, err);
        }
        free(name);
        free(whole);
    }
    closedir(folder);
    return ok;
}

static bool folder_list(struct cl_place *place, struct cl_blob_items *items, struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    return list_folder(f->path, "", 0, items, err);
}

/* ---------------------------------------------------------------- keeping */

static const char *folder_work(struct cl_place *place)
{
    return ((struct folder *)place)->work;
}

static bool folder_sweep(struct cl_place *place, cl_place_wanted wanted, void *arg,
                         struct cl_err *err)
{
    struct folder *f = (struct folder *)place;
    struct cl_blob_items items = {0};
    bool ok = list_folder(f->work, "", 0, &items, err);
    for (size_t i = 0; ok && i < items.count; i++) {
        if (!wanted(arg, items.item[i].name, items.item[i].size)) {
            char *path = cl_path_join(f->work, items.item[i].name);
            ok = path ? remove_tree(path, err) : no_memory(err);
            free(path);
        }
    }
    cl_blob_items_fini(&items);
    return ok;
}

struct cl_place *cl_place_folder(const char *path, struct cl_err *err)
{
    static const struct cl_place_driver driver = {folder_begin, folder_create, folder_publish,
                                                  folder_open,  folder_list,   folder_close,
                                                  folder_work,  folder_sweep};
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    struct folder *f = calloc(1, sizeof *f);
    if (f) {
        f->base.driver = &driver;
        f->lock = -1;
        f->path = strndup(path, n);
        f->work = malloc(n + sizeof PARTIAL);
    }
    if (!f || !f->path || !f->work) {
        if (f) {
            folder_close(&f->base);
        }
        no_memory(err);
        return NULL;
    }
    snprintf(f->work, n + sizeof PARTIAL, "%s" PARTIAL, f->path);
    return &f->base;
}
