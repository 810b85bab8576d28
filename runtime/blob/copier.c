/*
 * Design notes.  The items are shared out by one atomic counter: item i belongs to the worker that
 * drew i, nobody else touches it.  The listing of the target is read-only while workers run, but
 * for the MD5 of a blob of the same name as item i, which is that worker's too.  The first error
 * wins (under `lock`) and makes the others stop at their next blob.  Workers are joined before the
 * run returns.
 */
#include "copier.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/fault.h"

struct run {
    struct cl_blob_copy *copy;    /* borrowed */
    struct cl_job *job;           /* borrowed; NULL in tests */
    struct cl_blob_items targets; /* what the target holds */
    atomic_size_t next;           /* item to be drawn */
    atomic_bool failed;           /* err is set */
    uv_mutex_t lock;              /* for err */
    struct cl_err err;            /* of the first failure */
    bool verifying;               /* second phase */
};

struct worker {
    struct run *run;            /* borrowed */
    struct cl_blob_store *from; /* its own clone */
    struct cl_blob_store *to;   /* its own clone */
    uv_thread_t thread;         /* joined by the run */
    bool started;               /* thread is one */
};

struct stream {
    struct worker *worker;         /* borrowed */
    struct cl_blob_reader *reader; /* open */
    uint64_t bytes;                /* read so far */
};

/* Bytes that came to be in place; moved: by this run, not before it. */
static void add_bytes(struct run *r, int64_t by, bool moved)
{
    if (r->job) {
        struct cl_progress *p = cl_job_progress(r->job);
        atomic_fetch_add(&p->done, (unsigned long long)by);
        atomic_fetch_add(&p->bytes, moved ? (unsigned long long)by : 0);
    }
}

static void add_total(struct run *r, uint64_t by)
{
    if (r->job) {
        atomic_fetch_add(&cl_job_progress(r->job)->total, by);
    }
}

static long read_stream(void *arg, void *bytes, size_t n, struct cl_err *err)
{
    struct stream *s = arg;
    struct run *r = s->worker->run;
    if (r->job && !cl_job_check(r->job, err)) {
        return -1;
    }
    long got = s->worker->from->driver->read(s->reader, bytes, n, err);
    if (got > 0) {
        s->bytes += (uint64_t)got;
        add_bytes(r, got, true);
    }
    return got;
}

static bool copy_stream(struct worker *w, struct cl_blob_item *item, struct cl_err *err)
{
    struct stream s = {.worker = w};
    struct cl_blob_source source = {.read = read_stream, .arg = &s};
    struct cl_blob_item target;
    if (!cl_blob_item_copy(&target, item)) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", w->to->url);
    }
    s.reader = w->from->driver->open(w->from, item, err);
    bool ok = s.reader && cl_blob_put(w->to, &target, &source, err);
    if (s.reader) {
        w->from->driver->close(s.reader);
    }
    if (ok) {
        /* Known from the bytes that passed: the manifest's, and what verifying compares with. */
        memcpy(item->md5, target.md5, sizeof item->md5);
        item->has_md5 = target.has_md5;
    } else {
        add_bytes(w->run, -(int64_t)s.bytes, true);
    }
    cl_blob_item_fini(&target);
    return ok;
}

/* Is what the target holds the same already? Reads where no MD5 is kept and reading is cheap. */
static bool equal(struct worker *w, struct cl_blob_item *item, bool *is, struct cl_err *err)
{
    struct cl_blob_item *target =
        (struct cl_blob_item *)(uintptr_t)cl_blob_items_find(&w->run->targets, item->name);
    *is = false;
    if (!target || target->size != item->size || !cl_blob_item_same_props(item, target)) {
        return true;
    }
    if (!cl_blob_digest(w->from, item, err) || !cl_blob_digest(w->to, target, err)) {
        return false;
    }
    *is = item->has_md5 && target->has_md5 && memcmp(item->md5, target->md5, sizeof item->md5) == 0;
    return true;
}

static bool copy_once(struct worker *w, size_t i, struct cl_err *err)
{
    struct run *r = w->run;
    struct cl_blob_item *item = &r->copy->items.item[i];
    bool same;
    if (!item->known) {
        if (!cl_blob_stat(w->from, item, err)) {
            return false;
        }
        add_total(r, item->size);
    }
    if (!equal(w, item, &same, err)) {
        return false;
    }
    if (same) {
        r->copy->how[i] = CL_BLOB_SKIPPED;
        add_bytes(r, (int64_t)item->size, false);
        return true;
    }
    bool handled = false;
    if (w->to->driver->copy && !w->to->driver->copy(w->to, w->from, item, &handled, err)) {
        return false;
    }
    if (handled) {
        add_bytes(r, (int64_t)item->size, true);
    } else if (!copy_stream(w, item, err)) {
        return false;
    }
    r->copy->how[i] = handled ? CL_BLOB_SERVER_SIDE : CL_BLOB_STREAMED;
    return true;
}

static bool copy_object(struct worker *w, size_t i, struct cl_err *err)
{
    struct run *r = w->run;
    for (int attempt = 1; !copy_once(w, i, err); attempt++) {
        int wait_ms = CL_BLOB_OBJECT_BACKOFF_MS << (attempt - 1);
        if (!err->retryable || err->retry_after_ms > wait_ms ||
            attempt == CL_BLOB_OBJECT_ATTEMPTS || !cl_blob_wait(w->to, wait_ms, err)) {
            return cl_err_context(err, "copying from %s", w->from->url);
        }
    }
    if (r->job && r->copy->how[i] != CL_BLOB_SKIPPED) {
        atomic_fetch_add(&cl_job_progress(r->job)->rows, 1);
    }
    if (cl_fault("blob_object")) {
        return cl_fail(err, CL_TRANSIENT, "E_FAULT", "%s: told to fail after blob '%.200s'",
                       w->to->url, r->copy->items.item[i].name);
    }
    return true;
}

static bool verify_object(struct worker *w, size_t i, struct cl_err *err)
{
    const struct cl_blob_item *item = &w->run->copy->items.item[i];
    struct cl_blob_item *target =
        (struct cl_blob_item *)(uintptr_t)cl_blob_items_find(&w->run->targets, item->name);
    if (!target) {
        return cl_fail(err, CL_CONFLICT, "E_BLOB_VERIFY",
                       "%s: blob '%.200s' was copied and is not there", w->to->url, item->name);
    }
    if (target->size != item->size) {
        return cl_fail(err, CL_CONFLICT, "E_BLOB_VERIFY",
                       "%s: blob '%.200s' has %llu bytes, %llu were copied", w->to->url, item->name,
                       (unsigned long long)target->size, (unsigned long long)item->size);
    }
    if (item->has_md5 && !cl_blob_digest(w->to, target, err)) {
        return false;
    }
    if (item->has_md5 && target->has_md5 && memcmp(item->md5, target->md5, sizeof item->md5) != 0) {
        return cl_fail(err, CL_CONFLICT, "E_BLOB_VERIFY",
                       "%s: blob '%.200s' does not hold what was copied: its MD5 differs",
                       w->to->url, item->name);
    }
    return true;
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct run *r = w->run;
    while (!atomic_load(&r->failed)) {
        size_t i = atomic_fetch_add(&r->next, 1);
        struct cl_err err;
        if (i >= r->copy->items.count) {
            return;
        }
        bool ok = (!r->job || cl_job_check(r->job, &err)) &&
                  (r->verifying ? verify_object(w, i, &err) : copy_object(w, i, &err));
        if (!ok) {
            uv_mutex_lock(&r->lock);
            if (!atomic_exchange(&r->failed, true)) {
                r->err = err;
            }
            uv_mutex_unlock(&r->lock);
        }
    }
}

/* Runs all items through the workers. */
static bool run_phase(struct run *r, struct cl_err *err)
{
    struct worker workers[CL_BLOB_CONCURRENCY_MAX] = {0};
    struct cl_blob_copy *c = r->copy;
    size_t threads = c->concurrency < 1                         ? 1
                     : c->concurrency > CL_BLOB_CONCURRENCY_MAX ? CL_BLOB_CONCURRENCY_MAX
                                                                : (size_t)c->concurrency;
    threads = threads < c->items.count ? threads : c->items.count;
    bool ok = true;
    atomic_store(&r->next, 0);
    for (size_t i = 0; ok && i < threads; i++) {
        struct worker *w = &workers[i];
        w->run = r;
        w->from = cl_blob_clone(c->from, r->job, err);
        w->to = w->from ? cl_blob_clone(c->to, r->job, err) : NULL;
        ok = w->to != NULL;
        if (ok) {
            w->started = uv_thread_create(&w->thread, work, w) == 0;
            ok = w->started ||
                 cl_fail(err, CL_TRANSIENT, "EAGAIN", "%s: cannot start a thread", c->to->url);
        }
    }
    if (!ok) {
        atomic_store(&r->failed, true);
    }
    for (size_t i = 0; i < threads; i++) {
        if (workers[i].started) {
            uv_thread_join(&workers[i].thread);
        }
        cl_blob_free(workers[i].from);
        cl_blob_free(workers[i].to);
    }
    if (ok && atomic_load(&r->failed)) {
        *err = r->err;
        ok = false;
    }
    return ok;
}

static bool list_target(struct run *r, struct cl_err *err)
{
    cl_blob_items_fini(&r->targets);
    return cl_blob_list(r->copy->to, "", &r->targets, err);
}

static void sum_up(struct cl_blob_copy *c)
{
    for (size_t i = 0; i < c->items.count; i++) {
        c->bytes += c->items.item[i].size;
        c->skipped += c->how[i] == CL_BLOB_SKIPPED;
        c->server_side += c->how[i] == CL_BLOB_SERVER_SIDE;
        c->copied += c->how[i] == CL_BLOB_SERVER_SIDE || c->how[i] == CL_BLOB_STREAMED;
    }
}

bool cl_blob_copy_run(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct cl_blob_copy *c = arg;
    struct run r = {.copy = c, .job = job};
    bool ok = false;
    if (uv_mutex_init(&r.lock) != 0) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", c->to->url);
    }
    c->from->job = job;
    c->to->job = job;
    c->bytes = 0;
    c->copied = c->skipped = c->server_side = 0;
    free(c->how);
    c->how = calloc(c->items.count + 1, sizeof *c->how);
    if (!c->how) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "%s: out of memory", c->to->url);
        goto done;
    }
    for (size_t i = 0; i < c->items.count; i++) {
        add_total(&r, c->items.item[i].known ? c->items.item[i].size : 0);
    }
    ok = list_target(&r, err) && run_phase(&r, err);
    if (ok && c->verify) {
        r.verifying = true;
        ok = list_target(&r, err) && run_phase(&r, err);
    }
    if (ok) {
        sum_up(c);
    }
done:
    cl_blob_items_fini(&r.targets);
    uv_mutex_destroy(&r.lock);
    return ok;
}

void cl_blob_copy_fini(struct cl_blob_copy *copy)
{
    cl_blob_free(copy->from);
    cl_blob_free(copy->to);
    cl_blob_items_fini(&copy->items);
    free(copy->how);
    memset(copy, 0, sizeof *copy);
}
