/*
 * Soft line breaks of quoted-printable (RFC 2045 6.7): `=` at the end of a line says that the text
 * goes on.  The text is masked as if they were not there; those that stand outside of what is
 * replaced stay where they are.
 */
#include "private.h"

#include <string.h>

bool cl_mask_is_soft(const char *s, size_t n)
{
    size_t len;
    return cl_mask_next_soft(s, n, 0, &len) < n;
}

void cl_mask_join(const char *s, size_t n, struct cl_buf *out)
{
    size_t len = 0;
    for (size_t pos = 0; pos < n; pos += len) {
        size_t soft = cl_mask_next_soft(s, n, pos, &len);
        cl_buf_add(out, s + pos, soft - pos);
        pos = soft;
        len = soft < n ? len : 0;
    }
}

/* Reads the text and the joined text side by side. */
struct walk {
    const char *s;      /* the text */
    size_t n;           /* its bytes */
    size_t at;          /* how far it is read ... */
    size_t joined;      /* ... and which byte of the joined text comes next */
    size_t soft;        /* the next soft line break */
    size_t soft_len;    /* its bytes */
    struct cl_buf *out; /* what is read goes here */
};

static void pass_soft(struct walk *w)
{
    w->at = w->soft + w->soft_len;
    w->soft = cl_mask_next_soft(w->s, w->n, w->at, &w->soft_len);
}

/* Copies up to that byte of the joined text, and not the line breaks before it. */
static void copy_to(struct walk *w, size_t joined)
{
    while (w->joined < joined) {
        size_t part = joined - w->joined;
        if (w->soft - w->at < part) {
            part = w->soft - w->at;
        }
        cl_buf_add(w->out, w->s + w->at, part);
        w->at += part;
        w->joined += part;
        if (w->joined < joined) {
            cl_buf_add(w->out, w->s + w->soft, w->soft_len);
            pass_soft(w);
        }
    }
}

/* Puts the new text in the place of the bytes up to that one; line breaks in what both begin with
 * stay, those in the rest go. */
static void replace_to(struct walk *w, const char *joined, size_t to, const struct cl_buf *text)
{
    size_t from = w->joined, common = 0, done = 0;
    while (common < text->len && from + common < to &&
           joined[from + common] == text->data[common]) {
        common++;
    }
    while (w->joined < to) {
        size_t part = to - w->joined;
        if (w->soft - w->at < part) {
            part = w->soft - w->at;
        }
        w->at += part;
        w->joined += part;
        if (w->joined == to) {
            break;
        }
        if (w->joined - from <= common) {
            cl_buf_add(w->out, text->data + done, w->joined - from - done);
            done = w->joined - from;
            cl_buf_add(w->out, w->s + w->soft, w->soft_len);
        }
        pass_soft(w);
    }
    cl_buf_add(w->out, text->data + done, text->len - done);
}

void cl_mask_soft(const struct cl_mask *mask, const char *s, size_t n, size_t limit,
                  struct cl_buf *out, bool *changed, struct cl_mask_tally *tally)
{
    struct cl_buf joined, text;
    struct walk w = {.s = s, .n = n, .out = out};
    struct cl_token t;
    cl_buf_init(&joined, SIZE_MAX / 2);
    cl_buf_init(&text, SIZE_MAX / 2);
    cl_mask_join(s, n, &joined);
    const char *all = cl_buf_str(&joined);
    w.soft = cl_mask_next_soft(s, n, 0, &w.soft_len);
    for (size_t pos = 0; cl_mask_next(mask, all, joined.len, pos, &t); pos = t.next) {
        if (t.leak) {
            size_t from = cl_mask_put_from(mask, &t);
            cl_buf_reset(&text);
            if (from < w.joined) { /* one inside its quotes is hidden already */
                cl_buf_addc(&text, ' ');
            }
            copy_to(&w, from);
            cl_mask_put(mask, all, &t, limit, &text, tally);
            replace_to(&w, all, t.tail, &text);
            *changed = true;
        }
    }
    cl_buf_add(out, s + w.at, n - w.at);
    out->failed = out->failed || joined.failed || text.failed;
    cl_buf_fini(&joined);
    cl_buf_fini(&text);
}
