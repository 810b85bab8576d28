/*
 * A growing byte buffer with a stated maximum.
 *
 * Owner: whoever embeds it; cl_buf_fini() gives the memory back.  Appending either succeeds or
 * leaves the content as it was and says so once: after the first failure (`failed`) every further
 * append is refused, so a run of appends needs one check at its end.
 */
#ifndef CL_BUF_H
#define CL_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct cl_buf {
    char *data;  /* always NUL-terminated once anything was appended; NULL before */
    size_t len;  /* bytes in use, without the NUL */
    size_t cap;  /* bytes allocated */
    size_t max;  /* refuses to grow past this many bytes */
    bool failed; /* out of memory, or past max */
};

void cl_buf_init(struct cl_buf *b, size_t max_bytes);
void cl_buf_fini(struct cl_buf *b);  /* zeroed or finished memory is fine */
void cl_buf_reset(struct cl_buf *b); /* empties it, keeps the memory, forgets a failure */

/* Gives the memory, and what is in it, back when there is more than keep_bytes of it. */
void cl_buf_trim(struct cl_buf *b, size_t keep_bytes);

bool cl_buf_reserve(struct cl_buf *b, size_t more); /* room for `more` bytes beyond len */
bool cl_buf_add(struct cl_buf *b, const void *bytes, size_t n);
bool cl_buf_addc(struct cl_buf *b, char c);
bool cl_buf_adds(struct cl_buf *b, const char *s);
bool cl_buf_addf(struct cl_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Removes n bytes from the front. */
void cl_buf_shift(struct cl_buf *b, size_t n);

/* The content as a C string; "" when empty. Owned by the buffer. */
const char *cl_buf_str(const struct cl_buf *b);

#endif
