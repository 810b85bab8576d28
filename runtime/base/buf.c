#include "buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 256 };

void cl_buf_init(struct cl_buf *b, size_t max_bytes)
{
    memset(b, 0, sizeof *b);
    b->max = max_bytes;
}

void cl_buf_fini(struct cl_buf *b)
{
    free(b->data);
    size_t max = b->max;
    memset(b, 0, sizeof *b);
    b->max = max;
}

void cl_buf_reset(struct cl_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

void cl_buf_trim(struct cl_buf *b, size_t keep_bytes)
{
    if (b->cap > keep_bytes) {
        cl_buf_fini(b);
    }
}

bool cl_buf_reserve(struct cl_buf *b, size_t more)
{
    if (b->failed || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

bool cl_buf_add(struct cl_buf *b, const void *bytes, size_t n)
{
    if (!cl_buf_reserve(b, n)) {
        return false;
    }
    if (n > 0) {
        memcpy(b->data + b->len, bytes, n);
    }
    b->len += n;
    b->data[b->len] = '\0';
    return true;
}

bool cl_buf_addc(struct cl_buf *b, char c)
{
    return cl_buf_add(b, &c, 1);
}

bool cl_buf_adds(struct cl_buf *b, const char *s)
{
    return cl_buf_add(b, s, strlen(s));
}

bool cl_buf_addf(struct cl_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !cl_buf_reserve(b, (size_t)n)) {
        b->failed = true;
        return false;
    }
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return true;
}

void cl_buf_shift(struct cl_buf *b, size_t n)
{
    if (n >= b->len) {
        cl_buf_reset(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

const char *cl_buf_str(const struct cl_buf *b)
{
    return b->data ? b->data : "";
}
