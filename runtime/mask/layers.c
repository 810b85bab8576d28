/*
 * Text in layers: base64 that holds text again, then soft line breaks, then the addresses
 * themselves.  What finds and what masks walk the same layers in the same order.
 */
#include "private.h"

#include <string.h>

enum {
    DEPTH_MAX = 3,    /* base64 in base64 in base64 */
    ROUNDS_MAX = 200, /* a masked value is masked again while that changes what its layers hold */
};

typedef void found_fn(void *arg, const char *address, size_t len);

static size_t find(const struct cl_mask *mask, const char *s, size_t n, found_fn *found, void *arg,
                   unsigned depth);

static void apply(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally, unsigned depth,
                  bool wraps);

/* ---------------------------------------------------------------- finding */

static size_t find_in_base64(const struct cl_mask *mask, const char *s, size_t n, size_t from,
                             found_fn *found, void *arg, unsigned depth)
{
    size_t count = 0;
    struct cl_buf plain;
    struct cl_base64 b;
    if (depth == DEPTH_MAX) {
        return 0;
    }
    cl_buf_init(&plain, SIZE_MAX / 2);
    for (size_t pos = from; cl_mask_next_base64(s, n, pos, &b, &plain); pos = b.end) {
        count += find(mask, cl_buf_str(&plain), plain.len, found, arg, depth + 1);
    }
    cl_buf_fini(&plain);
    return count;
}

static size_t find_softly(const struct cl_mask *mask, const char *s, size_t n, found_fn *found,
                          void *arg)
{
    struct cl_buf joined;
    cl_buf_init(&joined, SIZE_MAX / 2);
    cl_mask_join(s, n, &joined);
    size_t count = cl_mask_find_tokens(mask, cl_buf_str(&joined), joined.len, found, arg);
    cl_buf_fini(&joined);
    return count;
}

static size_t find(const struct cl_mask *mask, const char *s, size_t n, found_fn *found, void *arg,
                   unsigned depth)
{
    size_t first = cl_mask_search(s, n, 0);
    if (first == n) {
        return 0;
    }
    size_t count = find_in_base64(mask, s, n, cl_mask_base64_from(s, n, first), found, arg, depth);
    return count + (cl_mask_is_soft(s, n) ? find_softly(mask, s, n, found, arg)
                                          : cl_mask_find_tokens(mask, s, n, found, arg));
}

size_t cl_mask_find_text(const struct cl_mask *mask, const char *s, size_t n, found_fn *found,
                         void *arg)
{
    return find(mask, s, n, found, arg, 0);
}

/* ---------------------------------------------------------------- masking */

/* What is in base64. False when nothing was to do: *out stays as it was. */
static bool apply_in_base64(const struct cl_mask *mask, const char *s, size_t n, size_t from,
                            size_t limit, struct cl_buf *out, struct cl_mask_tally *tally,
                            unsigned depth)
{
    struct cl_buf plain, masked;
    struct cl_base64 b;
    size_t done = 0;
    cl_buf_init(&plain, SIZE_MAX / 2);
    cl_buf_init(&masked, SIZE_MAX / 2);
    for (size_t pos = from; cl_mask_next_base64(s, n, pos, &b, &plain); pos = b.end) {
        bool differs = false;
        cl_buf_reset(&masked);
        apply(mask, cl_buf_str(&plain), plain.len, limit, &masked, &differs, tally, depth + 1,
              true);
        if (differs) {
            cl_buf_add(out, s + done, b.begin - done);
            cl_mask_put_base64(&b, cl_buf_str(&masked), masked.len, out);
            done = b.end;
        }
        out->failed = out->failed || masked.failed;
    }
    if (done > 0) {
        cl_buf_add(out, s + done, n - done);
    }
    cl_buf_fini(&plain);
    cl_buf_fini(&masked);
    return done > 0;
}

/* Every layer once; base64 from that byte on. */
static void apply_once(const struct cl_mask *mask, const char *s, size_t n, size_t from,
                       size_t limit, struct cl_buf *out, bool *changed, struct cl_mask_tally *tally,
                       unsigned depth)
{
    struct cl_buf within;
    cl_buf_init(&within, SIZE_MAX / 2);
    if (depth < DEPTH_MAX && apply_in_base64(mask, s, n, from, limit, &within, tally, depth)) {
        s = cl_buf_str(&within);
        n = within.len;
        *changed = true;
    }
    if (cl_mask_is_soft(s, n)) {
        cl_mask_soft(mask, s, n, limit, out, changed, tally);
    } else {
        cl_mask_tokens(mask, s, n, limit, out, changed, tally);
    }
    out->failed = out->failed || within.failed;
    cl_buf_fini(&within);
}

/* Did what was written from that byte on make an address in a layer? (Its plain tokens never do.)
 */
static bool is_unsettled(const struct cl_mask *mask, const char *s, size_t n, size_t from,
                         unsigned depth)
{
    return find_in_base64(mask, s, n, from, NULL, NULL, depth) > 0 ||
           (cl_mask_is_soft(s, n) && find_softly(mask, s, n, NULL, NULL) > 0);
}

/* Puts *again in the place of what *out holds from start on. */
static void put_again(struct cl_buf *out, size_t start, const struct cl_buf *again)
{
    if (!out->failed) {
        out->len = start;
    }
    cl_buf_add(out, cl_buf_str(again), again->len);
    out->failed = out->failed || again->failed;
}

/* wraps: lines of quoted-printable may be broken anew. */
static void apply(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally, unsigned depth,
                  bool wraps)
{
    size_t start = out->len;
    bool differs = false;
    struct cl_buf again;
    size_t first = cl_mask_search(s, n, 0);
    if (first == n) {
        cl_buf_add(out, s, n);
        return;
    }
    size_t from = cl_mask_base64_from(s, n, first);
    apply_once(mask, s, n, from, limit, out, &differs, tally, depth);
    *changed = *changed || differs;
    if (!differs || out->failed) {
        return;
    }
    cl_buf_init(&again, SIZE_MAX / 2);
    if (wraps && cl_mask_wrap(s, n, cl_buf_str(out) + start, out->len - start, &again)) {
        put_again(out, start, &again);
    }
    if (out->len - start < from || memcmp(s, out->data + start, from) != 0) {
        from = 0; /* a local part is replaced that began before its at-sign was found */
    }
    for (unsigned round = 1;
         is_unsettled(mask, cl_buf_str(out) + start, out->len - start, from, depth); round++) {
        from = 0;
        cl_buf_reset(&again);
        apply_once(mask, cl_buf_str(out) + start, out->len - start, from, limit, &again, &differs,
                   tally, depth);
        put_again(out, start, &again);
        if (round == ROUNDS_MAX) {
            out->failed = true; /* no such value is known; it is refused rather than let through */
        }
        if (out->failed) {
            break;
        }
    }
    cl_buf_fini(&again);
}

void cl_mask_text(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally)
{
    apply(mask, s, n, limit, out, changed, tally, 0, true);
}

void cl_mask_around(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                    bool *changed, struct cl_mask_tally *tally)
{
    apply(mask, s, n, SIZE_MAX, out, changed, tally, 0, false);
}
