/*
 * An archive below a prefix of an object store. Uploads are streams: a thread per file takes what
 * the writer puts into a small ring, so at most one block of a file is in memory.
 *
 * The manifest is the last object to be written, and what makes the rest an archive. While it is
 * being written, an object called `unfinished` holds the writer's random name: what stands beside
 * one is a left-over that the next writer removes, and a writer that finds another's name there has
 * lost the place and publishes nothing. Before publishing, every object must still be the one that
 * was written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/fault.h"
#include "base/hash.h"
#include "place.h"

enum { RING_BYTES = 1024 * 1024, NAME_BYTES = 16, MARKER_BYTES_MAX = 1024 };

#define MARKER "unfinished"

struct blob_place {
    struct cl_place base;          /* first */
    struct cl_blob_store *store;   /* owned; for the calls of one thread at a time: see mutex */
    uv_mutex_t mutex;              /* guards written, and cloning the store */
    struct cl_blob_items written;  /* what was put, to be compared before publishing */
    char name[2 * NAME_BYTES + 1]; /* of this writer */
    bool writing;                  /* between begin and publish */
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

static struct cl_blob_store *clone_store(struct blob_place *p, struct cl_err *err)
{
    uv_mutex_lock(&p->mutex);
    struct cl_blob_store *store = cl_blob_clone(p->store, p->base.job, err);
    uv_mutex_unlock(&p->mutex);
    return store;
}

static bool put_bytes(struct blob_place *p, const char *name, const char *bytes, size_t n,
                      struct cl_err *err)
{
    struct cl_blob_item item = {.name = strdup(name)};
    bool ok = item.name ? cl_blob_put_bytes(p->store, &item, bytes, n, err) : no_memory(err);
    cl_blob_item_fini(&item);
    return ok;
}

/* ---------------------------------------------------------------- making ready */

static bool remove_all(struct blob_place *p, const struct cl_blob_items *items, struct cl_err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < items->count; i++) {
        ok = strcmp(items->item[i].name, MARKER) == 0 ||
             cl_blob_delete(p->store, items->item[i].name, err);
    }
    return ok;
}

static bool blob_begin(struct cl_place *place, struct cl_err *err)
{
    struct blob_place *p = (struct blob_place *)place;
    struct cl_blob_items items = {0};
    uint8_t random[NAME_BYTES];
    bool ok = cl_blob_list(p->store, "", &items, err);
    if (ok && items.count > 0 && !cl_blob_items_find(&items, MARKER)) {
        ok = cl_fail(err, CL_CONFLICT, "E_ARCHIVE_EXISTS", "%s exists already", p->store->url);
    }
    if (ok && !cl_random(random, sizeof random)) {
        ok = cl_fail(err, CL_TRANSIENT, "E_RANDOM", "the system gives no random bytes");
    }
    if (ok) {
        cl_hex(random, sizeof random, p->name);
        ok = put_bytes(p, MARKER, p->name, strlen(p->name), err);
        p->writing = ok;
    }
    ok = ok && remove_all(p, &items, err);
    cl_blob_items_fini(&items);
    return ok;
}

/* ---------------------------------------------------------------- writing */

struct blob_writer {
    struct cl_place_writer base; /* first */
    struct blob_place *place;    /* borrowed */
    struct cl_blob_store *store; /* owned: the uploader's */
    struct cl_blob_item item;    /* the uploader's while it runs */
    struct cl_err err;           /* same: why it failed */
    uv_thread_t thread;          /* the uploader; runs until joined */
    uv_mutex_t mutex;            /* guards the following */
    uv_cond_t changed;           /* something below did */
    char *ring;                  /* owned; RING_BYTES */
    size_t first;                /* offset of the oldest byte in it */
    size_t used;                 /* bytes in it */
    bool ended;                  /* no more bytes will come */
    bool dropped;                /* the file is not wanted any more */
    bool stopped;                /* the uploader takes no more bytes */
    bool ok;                     /* same: and has put the object */
    bool joined;                 /* the thread is gone */
};

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The uploader's source. */
static long take(void *arg, void *bytes, size_t n, struct cl_err *err)
{
    struct blob_writer *w = arg;
    uv_mutex_lock(&w->mutex);
    while (w->used == 0 && !w->ended && !w->dropped) {
        uv_cond_wait(&w->changed, &w->mutex);
    }
    bool dropped = w->dropped;
    n = smallest(smallest(n, w->used), RING_BYTES - w->first);
    memcpy(bytes, w->ring + w->first, n);
    w->first = (w->first + n) % RING_BYTES;
    w->used -= n;
    uv_cond_signal(&w->changed);
    uv_mutex_unlock(&w->mutex);
    if (dropped) {
        cl_fail(err, CL_CANCELLED, "E_CANCELLED", "the file is not wanted any more");
        return -1;
    }
    return (long)n;
}

static void upload(void *arg)
{
    struct blob_writer *w = arg;
    struct cl_blob_source source = {.read = take, .arg = w};
    bool ok = cl_blob_put(w->store, &w->item, &source, &w->err);
    uv_mutex_lock(&w->mutex);
    w->ok = ok;
    w->stopped = true;
    uv_cond_signal(&w->changed);
    uv_mutex_unlock(&w->mutex);
}

static bool blob_write(struct cl_place_writer *base, const char *bytes, size_t n,
                       struct cl_err *err)
{
    struct blob_writer *w = (struct blob_writer *)base;
    bool ok = true;
    uv_mutex_lock(&w->mutex);
    while (ok && n > 0) {
        while (w->used == RING_BYTES && !w->stopped) {
            uv_cond_wait(&w->changed, &w->mutex);
        }
        ok = !w->stopped;
        size_t at = (w->first + w->used) % RING_BYTES;
        size_t step = ok ? smallest(smallest(n, RING_BYTES - w->used), RING_BYTES - at) : 0;
        memcpy(w->ring + at, bytes, step);
        w->used += step;
        bytes += step;
        n -= step;
        uv_cond_signal(&w->changed);
    }
    uv_mutex_unlock(&w->mutex);
    if (!ok) {
        *err = w->err; /* the uploader has ended */
    }
    return ok;
}

static void join(struct blob_writer *w, bool drop)
{
    if (w->joined) {
        return;
    }
    uv_mutex_lock(&w->mutex);
    w->ended = true;
    w->dropped = drop;
    uv_cond_signal(&w->changed);
    uv_mutex_unlock(&w->mutex);
    uv_thread_join(&w->thread);
    w->joined = true;
}

static bool blob_finish(struct cl_place_writer *base, struct cl_err *err)
{
    struct blob_writer *w = (struct blob_writer *)base;
    join(w, false);
    if (!w->ok) {
        *err = w->err;
        return false;
    }
    uv_mutex_lock(&w->place->mutex);
    bool ok = cl_blob_items_add(&w->place->written, &w->item) || no_memory(err);
    uv_mutex_unlock(&w->place->mutex);
    return ok;
}

static void blob_close_writer(struct cl_place_writer *base)
{
    struct blob_writer *w = (struct blob_writer *)base;
    join(w, true);
    cl_blob_item_fini(&w->item);
    cl_blob_free(w->store);
    uv_cond_destroy(&w->changed);
    uv_mutex_destroy(&w->mutex);
    free(w->ring);
    free(w);
}

static struct cl_place_writer *blob_create(struct cl_place *place, const char *name,
                                           struct cl_err *err)
{
    struct blob_place *p = (struct blob_place *)place;
    struct blob_writer *w = calloc(1, sizeof *w);
    if (!w) {
        no_memory(err);
        return NULL;
    }
    w->base = (struct cl_place_writer){blob_write, blob_finish, blob_close_writer};
    w->place = p;
    w->joined = true; /* until there is a thread */
    w->item.name = strdup(name);
    w->item.size = CL_BLOB_SIZE_UNKNOWN;
    w->ring = malloc(RING_BYTES);
    uv_mutex_init(&w->mutex);
    uv_cond_init(&w->changed);
    w->store = clone_store(p, err);
    if (!w->store) {
        goto failed;
    }
    if (!w->item.name || !w->ring || uv_thread_create(&w->thread, upload, w) != 0) {
        no_memory(err);
        goto failed;
    }
    w->joined = false;
    return &w->base;
failed:
    blob_close_writer(&w->base);
    return NULL;
}

/* ---------------------------------------------------------------- publishing */

/* Is this still our place? */
static bool check_marker(struct blob_place *p, struct cl_err *err)
{
    struct cl_buf name;
    cl_buf_init(&name, CL_BLOB_MEMORY_MAX);
    bool ok = cl_blob_get(p->store, MARKER, &name, err);
    if (!ok && strcmp(err->code, "E_NO_BLOB") != 0) {
        cl_buf_fini(&name);
        return false;
    }
    ok = ok && strcmp(cl_buf_str(&name), p->name) == 0;
    cl_buf_fini(&name);
    return ok || cl_fail(err, CL_CONFLICT, "E_ARCHIVE_BUSY",
                         "%s was taken over by another writer meanwhile", p->store->url);
}

static bool check_written(struct blob_place *p, struct cl_err *err)
{
    struct cl_blob_items items = {0};
    bool ok = cl_blob_list(p->store, "", &items, err);
    for (size_t i = 0; ok && i < p->written.count; i++) {
        const struct cl_blob_item *mine = &p->written.item[i];
        const struct cl_blob_item *there = cl_blob_items_find(&items, mine->name);
        if (!there || there->size != mine->size ||
            (there->etag && mine->etag && strcmp(there->etag, mine->etag) != 0)) {
            ok = cl_fail(err, CL_CONFLICT, "E_ARCHIVE_BUSY",
                         "%s: somebody else %s %s while it was being written", p->store->url,
                         there ? "wrote" : "removed", mine->name);
        }
    }
    if (ok && items.count != p->written.count + 1) {
        ok = cl_fail(err, CL_CONFLICT, "E_ARCHIVE_BUSY",
                     "%s: somebody else wrote there while it was being written", p->store->url);
    }
    cl_blob_items_fini(&items);
    return ok;
}

static bool blob_publish(struct cl_place *place, const char *name, const char *bytes, size_t n,
                         struct cl_err *err)
{
    struct blob_place *p = (struct blob_place *)place;
    if (!check_written(p, err) || !check_marker(p, err)) {
        return false;
    }
    if (cl_fault("archive_publish")) {
        return cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point archive_publish");
    }
    if (!put_bytes(p, name, bytes, n, err)) {
        return false;
    }
    p->writing = false; /* whatever comes: it is an archive now */
    return cl_blob_delete(p->store, MARKER, err);
}

/* Removes what this writer wrote, unless another has the place by now. */
static void abandon(struct blob_place *p)
{
    struct cl_blob_items items = {0};
    struct cl_err err;
    p->store->job = NULL; /* also when the job is being stopped */
    if (check_marker(p, &err) && cl_blob_list(p->store, "", &items, NULL) &&
        remove_all(p, &items, NULL)) {
        cl_blob_delete(p->store, MARKER, NULL);
    }
    cl_blob_items_fini(&items);
}

static void blob_close(struct cl_place *place)
{
    struct blob_place *p = (struct blob_place *)place;
    if (p->writing) {
        abandon(p);
    }
    cl_blob_items_fini(&p->written);
    cl_blob_free(p->store);
    uv_mutex_destroy(&p->mutex);
    free(p);
}

/* ---------------------------------------------------------------- reading */

struct blob_reader {
    struct cl_place_reader base;   /* first */
    struct cl_blob_store *store;   /* owned */
    struct cl_blob_reader *reader; /* owned */
};

static long blob_read(struct cl_place_reader *base, char *bytes, size_t n, struct cl_err *err)
{
    struct blob_reader *r = (struct blob_reader *)base;
    return r->store->driver->read(r->reader, bytes, n, err);
}

static void blob_close_reader(struct cl_place_reader *base)
{
    struct blob_reader *r = (struct blob_reader *)base;
    if (r->reader) {
        r->store->driver->close(r->reader);
    }
    cl_blob_free(r->store);
    free(r);
}

/* Is it one file that is missing, or all of them? */
static void missing(const struct blob_place *p, struct cl_blob_store *store, const char *name,
                    struct cl_err *err)
{
    struct cl_blob_items items = {0};
    if (cl_blob_list(store, "", &items, err)) {
        bool unfinished = cl_blob_items_find(&items, MARKER) != NULL;
        if (items.count == 0 || unfinished) {
            cl_fail(err, CL_NOT_FOUND, "E_NO_ARCHIVE", "there is no %sarchive at %s",
                    unfinished ? "finished " : "", p->store->url);
        } else {
            cl_place_lacks(name, err);
        }
    }
    cl_blob_items_fini(&items);
}

static struct cl_place_reader *blob_open(struct cl_place *place, const char *name,
                                         struct cl_err *err)
{
    struct blob_place *p = (struct blob_place *)place;
    struct blob_reader *r = calloc(1, sizeof *r);
    struct cl_blob_item item = {.name = strdup(name)};
    if (!r || !item.name) {
        no_memory(err);
        goto failed;
    }
    r->base = (struct cl_place_reader){blob_read, blob_close_reader};
    r->store = clone_store(p, err);
    if (!r->store || !cl_blob_check(r->store, name, err)) {
        goto failed;
    }
    r->reader = r->store->driver->open(r->store, &item, err);
    if (!r->reader) {
        if (strcmp(err->code, "E_NO_BLOB") == 0) {
            missing(p, r->store, name, err);
        }
        goto failed;
    }
    cl_blob_item_fini(&item);
    return &r->base;
failed:
    cl_blob_item_fini(&item);
    if (r) {
        blob_close_reader(&r->base);
    }
    return NULL;
}

static bool blob_list(struct cl_place *place, struct cl_blob_items *items, struct cl_err *err)
{
    struct blob_place *p = (struct blob_place *)place;
    struct cl_blob_items all = {0};
    bool ok = cl_blob_list(p->store, "", &all, err);
    for (size_t i = 0; ok && i < all.count; i++) {
        /* after the manifest was written only this may be left: of an answer that never came */
        ok = strcmp(all.item[i].name, MARKER) == 0 || cl_blob_items_add(items, &all.item[i]) ||
             no_memory(err);
    }
    cl_blob_items_fini(&all);
    return ok;
}

struct cl_place *cl_place_blob(const struct cl_blob_store *store, struct cl_job *job,
                               struct cl_err *err)
{
    static const struct cl_place_driver driver = {blob_begin, blob_create, blob_publish, blob_open,
                                                  blob_list,  blob_close,  NULL,         NULL};
    struct blob_place *p = calloc(1, sizeof *p);
    if (!p) {
        no_memory(err);
        return NULL;
    }
    p->base.driver = &driver;
    uv_mutex_init(&p->mutex);
    p->store = cl_blob_clone(store, job, err);
    if (!p->store) {
        blob_close(&p->base);
        return NULL;
    }
    return &p->base;
}
