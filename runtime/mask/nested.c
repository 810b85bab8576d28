/*
 * Bytes in the literal of an array, a composite or a range: "\x6f6c65" stands for them, however
 * often its backslash is doubled.  What they are is not known here, so that text which looks the
 * same is taken for bytes, too.  Everything around them is text.
 */
#include "private.h"

#include <string.h>

enum { ROUNDS_MAX = 200 }; /* no value is known that takes more than a few */

typedef void found_fn(void *arg, const char *address, size_t len);

/* The next digits at or after pos that stand for bytes. */
static bool next_digits(const char *s, size_t n, size_t pos, size_t *begin, size_t *end)
{
    const char *p;
    while (pos < n && (p = memmem(s + pos, n - pos, "\\x", 2)) != NULL) {
        *begin = (size_t)(p - s) + 2;
        *end = *begin;
        while (*end < n && cl_hex_digit(s[*end]) >= 0) {
            ++*end;
        }
        *end -= (*end - *begin) % 2;
        if (*end > *begin) {
            return true;
        }
        pos = *begin;
    }
    return false;
}

static void read_digits(const char *s, size_t begin, size_t end, struct cl_buf *bytes)
{
    cl_buf_reset(bytes);
    cl_buf_reserve(bytes, (end - begin) / 2 + 1);
    for (size_t i = begin; i < end; i += 2) {
        cl_buf_addc(bytes, (char)(cl_hex_digit(s[i]) << 4 | cl_hex_digit(s[i + 1])));
    }
}

static void put_digits(struct cl_buf *out, const char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    cl_buf_reserve(out, 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        cl_buf_addc(out, digits[(unsigned char)p[i] >> 4]);
        cl_buf_addc(out, digits[(unsigned char)p[i] & 15]);
    }
}

/* Appends the literal with its bytes masked. False when nothing was to do: *out stays as it was. */
static bool apply_in_bytes(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                           struct cl_mask_tally *tally)
{
    struct cl_buf bytes, masked;
    size_t done = 0, begin, end;
    cl_buf_init(&bytes, SIZE_MAX / 2);
    cl_buf_init(&masked, SIZE_MAX / 2);
    for (size_t pos = 0; next_digits(s, n, pos, &begin, &end); pos = end) {
        bool differs = false;
        read_digits(s, begin, end, &bytes);
        cl_buf_reset(&masked);
        cl_mask_bytes(mask, cl_buf_str(&bytes), bytes.len, &masked, &differs, tally);
        if (differs) {
            cl_buf_add(out, s + done, begin - done);
            put_digits(out, cl_buf_str(&masked), masked.len);
            done = end;
        }
        out->failed = out->failed || bytes.failed || masked.failed;
    }
    if (done > 0) {
        cl_buf_add(out, s + done, n - done);
    }
    cl_buf_fini(&bytes);
    cl_buf_fini(&masked);
    return done > 0;
}

static size_t find_in_bytes(const struct cl_mask *mask, const char *s, size_t n, found_fn *found,
                            void *arg)
{
    struct cl_buf bytes;
    size_t count = 0, begin, end;
    cl_buf_init(&bytes, SIZE_MAX / 2);
    for (size_t pos = 0; next_digits(s, n, pos, &begin, &end); pos = end) {
        read_digits(s, begin, end, &bytes);
        count += cl_mask_find_bytes(mask, cl_buf_str(&bytes), bytes.len, found, arg);
    }
    cl_buf_fini(&bytes);
    return count;
}

size_t cl_mask_find_nested(const struct cl_mask *mask, const char *s, size_t n, found_fn *found,
                           void *arg)
{
    return cl_mask_find_text(mask, s, n, found, arg) + find_in_bytes(mask, s, n, found, arg);
}

/* In bytes first: of their digits alone nothing is taken for text, as base64 makes neither an
 * at-sign of them nor the beginning of one that is written in another way. */
static void apply_once(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                       bool *changed, struct cl_mask_tally *tally)
{
    struct cl_buf within;
    cl_buf_init(&within, SIZE_MAX / 2);
    if (apply_in_bytes(mask, s, n, &within, tally)) {
        s = cl_buf_str(&within);
        n = within.len;
        *changed = true;
    }
    cl_mask_around(mask, s, n, out, changed, tally);
    out->failed = out->failed || within.failed;
    cl_buf_fini(&within);
}

void cl_mask_nested(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                    bool *changed, struct cl_mask_tally *tally)
{
    struct cl_buf before;
    size_t start = out->len;
    cl_buf_init(&before, SIZE_MAX / 2);
    apply_once(mask, s, n, out, changed, tally);
    /* Text that only looked like bytes, and stood in an address, may be shorter than it was. */
    for (unsigned round = 1; !out->failed && find_in_bytes(mask, cl_buf_str(out) + start,
                                                           out->len - start, NULL, NULL) > 0;
         round++) {
        cl_buf_reset(&before);
        cl_buf_add(&before, out->data + start, out->len - start);
        out->len = start;
        apply_once(mask, cl_buf_str(&before), before.len, out, changed, tally);
        out->failed = out->failed || before.failed || round == ROUNDS_MAX;
    }
    cl_buf_fini(&before);
}
