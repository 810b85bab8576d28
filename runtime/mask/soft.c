/*
 * Soft line breaks of quoted-printable (RFC 2045 6.7): `=` at the end of a line says that the text
 * goes on.  The text is masked as if they were not there; those that stand outside of what is
 * replaced stay where they are, and lines that were short enough stay so.
 */
#include "private.h"

#include <string.h>
#include <strings.h>

enum { COLUMNS = 76 };

/* The first soft line break at or after pos and its bytes; n when there is none. After another `=`
 * it is none: that ends base64, or underlines a heading. */
static size_t next_soft(const char *s, size_t n, size_t pos, size_t *len)
{
    const char *end = s + n;
    const char *lf = pos < n ? memchr(s + pos, '\n', n - pos) : NULL;
    for (; lf; lf = memchr(lf + 1, '\n', (size_t)(end - lf) - 1)) {
        size_t after = (size_t)(lf - s);
        if (after > pos && s[after - 1] == '\r') {
            after--;
        }
        if (after > pos && s[after - 1] == '=' && (after < 2 || s[after - 2] != '=')) {
            *len = (size_t)(lf - s) + 2 - after;
            return after - 1;
        }
    }
    return n;
}

bool cl_mask_is_soft(const char *s, size_t n)
{
    size_t len;
    return next_soft(s, n, 0, &len) < n;
}

void cl_mask_join(const char *s, size_t n, struct cl_buf *out)
{
    size_t len = 0;
    for (size_t pos = 0; pos < n; pos += len) {
        size_t soft = next_soft(s, n, pos, &len);
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
    w->soft = next_soft(w->s, w->n, w->at, &w->soft_len);
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
    w.soft = next_soft(s, n, 0, &w.soft_len);
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

/* ---------------------------------------------------------------- lines */

/* The lines of a value, and which of them are quoted-printable: in a message those of parts that
 * say so, else all. */
struct lines {
    const char *s;  /* the value */
    size_t n;       /* its bytes */
    size_t from;    /* the line's first byte ... */
    size_t to;      /* ... the byte after it, without its line break */
    size_t next;    /* the next line */
    bool message;   /* it has headers */
    bool declared;  /* a header says quoted-printable; its part is not reached */
    bool printable; /* this line is quoted-printable */
};

/* "Name: " */
static bool is_header(const char *s, size_t n)
{
    size_t p = 0;
    while (p < n && (s[p] == '-' || (cl_mask_class((unsigned char)s[p]) & CL_LETTER))) {
        p++;
    }
    return p > 0 && p < n && s[p] == ':';
}

static bool says_printable(const char *s, size_t n)
{
    static const char header[] = "Content-Transfer-Encoding:", value[] = "quoted-printable";
    if (n < sizeof header - 1 || strncasecmp(s, header, sizeof header - 1) != 0) {
        return false;
    }
    size_t p = sizeof header - 1;
    while (p < n && s[p] == ' ') {
        p++;
    }
    return n - p >= sizeof value - 1 && strncasecmp(s + p, value, sizeof value - 1) == 0;
}

static struct lines first_line(const char *s, size_t n)
{
    bool message = is_header(s, n) || (n > 2 && memcmp(s, "--", 2) == 0);
    return (struct lines){.s = s, .n = n, .message = message, .printable = !message};
}

static bool next_line(struct lines *l)
{
    if (l->next >= l->n) {
        return false;
    }
    const char *line = l->s + l->next;
    const char *lf = memchr(line, '\n', l->n - l->next);
    l->from = l->next;
    l->to = lf ? (size_t)(lf - l->s) : l->n;
    l->next = lf ? l->to + 1 : l->n;
    if (lf && l->to > l->from && l->s[l->to - 1] == '\r') {
        l->to--;
    }
    size_t len = l->to - l->from;
    if (l->message && len >= 2 && memcmp(line, "--", 2) == 0) {
        l->printable = false;
    } else if (l->message && !l->printable) {
        l->declared = l->declared || says_printable(line, len);
        l->printable = len == 0 && l->declared;
        l->declared = l->declared && len > 0;
    }
    return true;
}

/* Are lines quoted-printable, and all of them as short as they should be? */
static bool has_short_lines(const char *s, size_t n)
{
    struct lines l = first_line(s, n);
    bool any = false;
    if (!l.message && !cl_mask_is_soft(s, n)) {
        return false;
    }
    while (next_line(&l)) {
        any = any || l.printable;
        if (l.printable && l.to - l.from > COLUMNS) {
            return false;
        }
    }
    return any;
}

/* Where a line that is too long may be broken: after a blank, else after a mark that neither base64
 * nor the literal of an array or a row is made of; 0 for nowhere. */
static size_t place_to_break(const char *s, size_t from)
{
    static const char *const marks[] = {" \t", "<;"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        for (size_t p = from + COLUMNS - 1; p > from + COLUMNS / 3; p--) {
            if (s[p - 1] && strchr(marks[i], s[p - 1])) {
                return p;
            }
        }
    }
    return 0;
}

bool cl_mask_wrap(const char *before, size_t n_before, const char *s, size_t n, struct cl_buf *out)
{
    struct lines l = first_line(s, n);
    bool literal = n_before > 0 && before[0] && strchr("{([\"", before[0]);
    if (literal || !has_short_lines(before, n_before)) {
        return false; /* equal bounds of a range, say, have to stay equal, wherever their lines end
                       */
    }
    bool crlf = memmem(before, n_before, "\r\n", 2) != NULL;
    while (next_line(&l)) {
        while (l.printable && l.to - l.from > COLUMNS) {
            size_t cut = place_to_break(s, l.from);
            if (cut == 0) {
                break;
            }
            cl_buf_add(out, s + l.from, cut - l.from);
            cl_buf_adds(out, crlf ? "=\r\n" : "=\n");
            l.from = cut;
        }
        cl_buf_add(out, s + l.from, l.next - l.from);
    }
    return true;
}
