/*
 * JSON: the text of each string is masked as a reader sees it, and written back with escapes of
 * its own.  Every other byte (white space, numbers, the order of keys, strings without an
 * address) stays what it was.
 */
#include "private.h"

#include <string.h>

size_t cl_mask_json_string(const char *s, size_t n, size_t pos, bool *escapes)
{
    *escapes = false;
    for (size_t p = pos + 1; p < n; p++) {
        if (s[p] == '"') {
            return p + 1;
        }
        if ((unsigned char)s[p] < 0x20) {
            return 0;
        }
        if (s[p] != '\\') {
            continue;
        }
        *escapes = true;
        p++;
        if (p >= n || !strchr("\"\\/bfnrtu", s[p]) || s[p] == '\0') {
            return 0;
        }
        if (s[p] == 'u') {
            for (int i = 0; i < 4; i++) {
                p++;
                if (p >= n || !strchr("0123456789abcdefABCDEF", s[p]) || s[p] == '\0') {
                    return 0;
                }
            }
        }
    }
    return 0;
}

static bool is_outside(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(" \t\r\n{}[]:,+-.E", c));
}

bool cl_mask_json_valid(const char *s, size_t n)
{
    size_t p = 0;
    while (p < n) {
        if (s[p] == '"') {
            bool escapes;
            p = cl_mask_json_string(s, n, p, &escapes);
            if (p == 0) {
                return false;
            }
        } else if (is_outside(s[p])) {
            p++;
        } else {
            return false;
        }
    }
    return true;
}

static uint32_t hex4(const char *s)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)s[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

static void add_code(struct cl_buf *out, uint32_t c)
{
    if (c < 0x80) {
        cl_buf_addc(out, (char)c);
        return;
    }
    if (c < 0x800) {
        cl_buf_addc(out, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            cl_buf_addc(out, (char)(0xE0 | c >> 12));
        } else {
            cl_buf_addc(out, (char)(0xF0 | c >> 18));
            cl_buf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        }
        cl_buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    cl_buf_addc(out, (char)(0x80 | (c & 0x3F)));
}

void cl_mask_json_decode(const char *s, size_t n, struct cl_buf *out)
{
    size_t p = 0;
    while (p < n) {
        const char *slash = memchr(s + p, '\\', n - p);
        size_t plain = slash ? (size_t)(slash - s) - p : n - p;
        cl_buf_add(out, s + p, plain);
        p += plain;
        if (!slash) {
            break;
        }
        char c = s[p + 1];
        p += 2;
        if (c != 'u') {
            static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
            const char *at = strchr(names, c);
            cl_buf_addc(out, at ? values[at - names] : c);
            continue;
        }
        uint32_t code = hex4(s + p);
        p += 4;
        if (code >= 0xD800 && code < 0xDC00 && n - p >= 6 && s[p] == '\\' && s[p + 1] == 'u') {
            uint32_t low = hex4(s + p + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
        }
        add_code(out, code);
    }
}

void cl_mask_json_encode(const char *s, size_t n, struct cl_buf *out)
{
    for (size_t p = 0; p < n; p++) {
        unsigned char c = (unsigned char)s[p];
        static const char values[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
        const char *at = c ? strchr(values, c) : NULL;
        if (at) {
            cl_buf_addc(out, '\\');
            cl_buf_addc(out, names[at - values]);
        } else if (c < 0x20) {
            cl_buf_addf(out, "\\u%04x", c);
        } else if (c == 0xED && n - p >= 3 && ((unsigned char)s[p + 1] & 0xE0) == 0xA0 &&
                   ((unsigned char)s[p + 2] & 0xC0) == 0x80) {
            cl_buf_addf(out, "\\u%04x",
                        0xD000u | ((unsigned char)s[p + 1] & 0x3Fu) << 6 |
                            ((unsigned char)s[p + 2] & 0x3Fu));
            p += 2;
        } else {
            cl_buf_addc(out, (char)c);
        }
    }
}

/* May the JSON text hold an address? Escapes can spell any part of it, or a soft line break. */
static bool may_hold(const char *s, size_t n)
{
    if (cl_mask_candidate(s, n)) {
        return true;
    }
    const char *end = s + n;
    for (const char *p = memchr(s, '\\', n); p; p = memchr(p + 1, '\\', (size_t)(end - p) - 1)) {
        bool ascii = end - p >= 4 && p[1] == 'u' &&
                     (memcmp(p + 2, "00", 2) == 0 || (p[2] | 32) == 'f'); /* or full-width */
        if (ascii || (p > s && p[-1] == '=')) {
            return true;
        }
    }
    return false;
}

/* The three strings a walk needs again and again. */
struct work {
    struct cl_buf plain;  /* a decoded string */
    struct cl_buf masked; /* the same, masked */
};

static void work_init(struct work *w)
{
    cl_buf_init(&w->plain, SIZE_MAX / 2);
    cl_buf_init(&w->masked, SIZE_MAX / 2);
}

static void work_fini(struct work *w)
{
    cl_buf_fini(&w->plain);
    cl_buf_fini(&w->masked);
}

/* Masks the inside of one string. */
static void mask_string(const struct cl_mask *mask, struct work *w, const char *s, size_t n,
                        bool escapes, struct cl_buf *out, bool *changed,
                        struct cl_mask_tally *tally)
{
    bool differs = false;
    if (!may_hold(s, n)) {
        cl_buf_add(out, s, n);
        return;
    }
    cl_buf_reset(&w->masked);
    if (!escapes) {
        cl_mask_text(mask, s, n, SIZE_MAX, &w->masked, &differs, tally);
    } else {
        cl_buf_reset(&w->plain);
        cl_mask_json_decode(s, n, &w->plain);
        cl_mask_text(mask, cl_buf_str(&w->plain), w->plain.len, SIZE_MAX, &w->masked, &differs,
                     tally);
    }
    out->failed = out->failed || w->plain.failed || w->masked.failed;
    if (!differs) {
        cl_buf_add(out, s, n);
    } else if (!escapes) {
        cl_buf_add(out, w->masked.data, w->masked.len);
        *changed = true;
    } else {
        cl_mask_json_encode(w->masked.data, w->masked.len, out);
        *changed = true;
    }
}

static void mask_strings(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                         bool *changed, struct cl_mask_tally *tally)
{
    struct work w;
    work_init(&w);
    size_t done = 0;
    for (const char *q = memchr(s, '"', n); q; q = memchr(s + done, '"', n - done)) {
        bool escapes;
        size_t open = (size_t)(q - s) + 1, end = cl_mask_json_string(s, n, open - 1, &escapes);
        cl_buf_add(out, s + done, open - done);
        mask_string(mask, &w, s + open, end - 1 - open, escapes, out, changed, tally);
        done = end - 1;
        cl_buf_addc(out, '"');
        done++;
        if (done >= n) {
            break;
        }
    }
    cl_buf_add(out, s + done, n - done);
    work_fini(&w);
}

void cl_mask_json(const struct cl_mask *mask, const char *s, size_t n, struct cl_buf *out,
                  bool *changed, struct cl_mask_tally *tally)
{
    if (!may_hold(s, n)) {
        cl_buf_add(out, s, n);
        return;
    }
    if (cl_mask_json_valid(s, n)) {
        mask_strings(mask, s, n, out, changed, tally);
        return;
    }
    struct cl_buf text;
    cl_buf_init(&text, SIZE_MAX / 2);
    cl_mask_text(mask, s, n, SIZE_MAX, &text, changed, tally);
    if (*changed && cl_mask_json_valid(cl_buf_str(&text), text.len)) {
        mask_strings(mask, cl_buf_str(&text), text.len, out, changed, tally);
    } else {
        cl_buf_add(out, cl_buf_str(&text), text.len);
    }
    out->failed = out->failed || text.failed;
    cl_buf_fini(&text);
}

size_t cl_mask_find_json(const struct cl_mask *mask, const char *s, size_t n,
                         void (*found)(void *arg, const char *address, size_t len), void *arg)
{
    if (!may_hold(s, n)) {
        return 0;
    }
    if (!cl_mask_json_valid(s, n)) {
        return cl_mask_find_text(mask, s, n, found, arg);
    }
    size_t count = 0, p = 0;
    struct cl_buf plain;
    cl_buf_init(&plain, SIZE_MAX / 2);
    while (p < n) {
        bool escapes;
        if (s[p] != '"') {
            p++;
            continue;
        }
        size_t end = cl_mask_json_string(s, n, p, &escapes);
        if (may_hold(s + p + 1, end - p - 2)) {
            cl_buf_reset(&plain);
            cl_mask_json_decode(s + p + 1, end - p - 2, &plain);
            count += cl_mask_find_text(mask, cl_buf_str(&plain), plain.len, found, arg);
        }
        p = end;
    }
    cl_buf_fini(&plain);
    return count;
}
