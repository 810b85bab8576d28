/*
 * Design notes.  The set is small and the texts are short, so each value is simply searched for.
 * The longest values go first: one may contain another.  `lock` guards everything but `used`,
 * which is read without it so that programs without secrets pay one atomic load a message.
 */
#include "redact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct value {
    char *bytes;      /* owned */
    size_t n;         /* of bytes */
    uint64_t used_at; /* `clock` when it was added last */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct value values[CL_REDACT_VALUES_MAX]; /* longest first */
static atomic_size_t used;                        /* how many of them are filled */
static uint64_t ticks;                            /* counts additions */

static const char mask[] = "***";
enum { MASK_BYTES = sizeof mask - 1 };

static void drop(size_t at)
{
    size_t n = atomic_load(&used);
    free(values[at].bytes);
    memmove(&values[at], &values[at + 1], (n - at - 1) * sizeof *values);
    atomic_store(&used, n - 1);
}

static void drop_oldest(void)
{
    size_t oldest = 0;
    for (size_t i = 1; i < atomic_load(&used); i++) {
        if (values[i].used_at < values[oldest].used_at) {
            oldest = i;
        }
    }
    drop(oldest);
}

/* With the lock held. */
static void add(const char *bytes, size_t n)
{
    size_t count = atomic_load(&used);
    ticks++;
    for (size_t i = 0; i < count; i++) {
        if (values[i].n == n && memcmp(values[i].bytes, bytes, n) == 0) {
            values[i].used_at = ticks;
            return;
        }
    }
    char *copy = malloc(n);
    if (!copy) {
        return;
    }
    memcpy(copy, bytes, n);
    if (count == CL_REDACT_VALUES_MAX) {
        drop_oldest();
        count--;
    }
    size_t at = 0;
    while (at < count && values[at].n >= n) {
        at++;
    }
    memmove(&values[at + 1], &values[at], (count - at) * sizeof *values);
    values[at] = (struct value){copy, n, ticks};
    atomic_store(&used, count + 1);
}

/* The value as it looks inside a JSON string. */
static void add_json_form(const char *bytes, size_t n)
{
    struct cl_buf b;
    cl_buf_init(&b, (size_t)6 * CL_REDACT_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        char c = bytes[i];
        if (c == '"' || c == '\\') {
            cl_buf_addf(&b, "\\%c", c);
        } else if (c == '\n') {
            cl_buf_adds(&b, "\\n");
        } else if ((unsigned char)c < ' ') {
            cl_buf_addf(&b, "\\u%04x", (unsigned)c);
        } else {
            cl_buf_addc(&b, c);
        }
    }
    if (!b.failed && b.len != n) {
        add(b.data, b.len);
    }
    cl_buf_fini(&b);
}

void cl_redact_add(const char *value, size_t n)
{
    if (n < CL_REDACT_BYTES_MIN || n > CL_REDACT_BYTES_MAX) {
        return;
    }
    pthread_mutex_lock(&lock);
    add(value, n);
    add_json_form(value, n);
    pthread_mutex_unlock(&lock);
}

/* Every whole occurrence of v; returns the new length. */
static size_t replace_whole(char *text, size_t n, const struct value *v)
{
    size_t from = 0;
    char *hit;
    while (from < n && (hit = memmem(text + from, n - from, v->bytes, v->n)) != NULL) {
        char *after = hit + v->n;
        memcpy(hit, mask, MASK_BYTES);
        memmove(hit + MASK_BYTES, after, (size_t)(text + n - after));
        n -= v->n - MASK_BYTES;
        from = (size_t)(hit - text) + MASK_BYTES;
    }
    return n;
}

/* A message has a maximum: the start of v may be all that was left of it. */
static size_t replace_cut_off(char *text, size_t n, const struct value *v)
{
    size_t longest = n < v->n - 1 ? n : v->n - 1;
    for (size_t len = longest; len >= CL_REDACT_BYTES_MIN; len--) {
        if (memcmp(text + n - len, v->bytes, len) == 0) {
            memcpy(text + n - len, mask, MASK_BYTES);
            return n - len + MASK_BYTES;
        }
    }
    return n;
}

size_t cl_redact(char *text, size_t n)
{
    if (atomic_load(&used) == 0) {
        return n;
    }
    size_t before = n;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < atomic_load(&used); i++) {
        n = replace_whole(text, n, &values[i]);
    }
    for (size_t i = 0; i < atomic_load(&used); i++) {
        n = replace_cut_off(text, n, &values[i]);
    }
    pthread_mutex_unlock(&lock);
    if (n < before) {
        text[n] = '\0';
    }
    return n;
}

void cl_redact_clear(void)
{
    pthread_mutex_lock(&lock);
    while (atomic_load(&used) > 0) {
        drop(atomic_load(&used) - 1);
    }
    pthread_mutex_unlock(&lock);
}
