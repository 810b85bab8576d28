/*
 * Lines: how they end, also inside of JSON, literals and XML, which write a line feed as \n or
 * &#10;, and how those of quoted-printable (RFC 2045 6.7) stay as short as they have to be.
 */
#include "private.h"

#include <string.h>
#include <strings.h>

enum {
    COLUMNS = 76,  /* RFC 2045 6.7 */
    DEPTH_MAX = 4, /* a string in a string in a string in a string */
};

/* ---------------------------------------------------------------- line ends */

/* Bytes of the line feed (else: carriage return) at s[pos], \n or another escape of it, however
 * often escaped; 0 when there is none. */
static size_t control(const char *s, size_t n, size_t pos, bool feed)
{
    if (pos >= n || s[pos] == '=' || !cl_mask_is_mark((unsigned char)s[pos])) {
        return pos < n && s[pos] == (feed ? '\n' : '\r');
    }
    size_t p = cl_mask_after_backslashes(s, n, pos);
    if (p > pos && p < n && s[p] == (feed ? 'n' : 'r')) {
        return p + 1 - pos;
    }
    struct cl_escape c = cl_mask_escape(s, n, pos);
    return c.code == (feed ? '\n' : '\r') ? c.end - pos : 0;
}

size_t cl_mask_line_end(const char *s, size_t n, size_t pos)
{
    size_t back = control(s, n, pos, false);
    size_t feed = control(s, n, pos + back, true);
    return feed ? back + feed : 0;
}

size_t cl_mask_soft_break(const char *s, size_t n, size_t pos)
{
    if (pos >= n || s[pos] != '=' || (pos > 0 && s[pos - 1] == '=')) {
        return 0;
    }
    size_t end = cl_mask_line_end(s, n, pos + 1);
    return end ? 1 + end : 0;
}

size_t cl_mask_next_soft(const char *s, size_t n, size_t pos, size_t *len)
{
    const char *end = s + n;
    const char *mark = pos < n ? memchr(s + pos, '=', n - pos) : NULL;
    for (; mark; mark = memchr(mark + 1, '=', (size_t)(end - mark) - 1)) {
        *len = cl_mask_soft_break(s, n, (size_t)(mark - s));
        if (*len > 0) {
            return (size_t)(mark - s);
        }
    }
    return n;
}

/* The first line end at or after pos and its bytes; n when there is none. Bare: its line feed
 * stands for itself. */
static size_t find_line_end(const char *s, size_t n, size_t pos, bool bare, size_t *len)
{
    for (size_t p = pos; p < n; p++) {
        if (s[p] != '\n' && s[p] != '\r' && !cl_mask_is_mark((unsigned char)s[p])) {
            continue;
        }
        *len = cl_mask_line_end(s, n, p);
        if (*len > 0 && (!bare || s[p + *len - 1] == '\n')) {
            return p;
        }
    }
    *len = 0;
    return n;
}

/* ---------------------------------------------------------------- short lines */

/* The lines of a text, and which of them are quoted-printable: in a message those of parts that
 * say so, else all. */
struct lines {
    const char *s;  /* the text */
    size_t n;       /* its bytes */
    size_t from;    /* the line's first byte ... */
    size_t to;      /* ... the byte after it, without its line end */
    size_t next;    /* the next line */
    bool bare;      /* they end with a line feed; else with what stands for one */
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

static bool next_line(struct lines *l)
{
    if (l->next >= l->n) {
        return false;
    }
    size_t end;
    l->from = l->next;
    l->to = find_line_end(l->s, l->n, l->from, l->bare, &end);
    l->next = l->to + end;
    const char *line = l->s + l->from;
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

static struct lines first_line(const char *s, size_t n)
{
    struct lines l = {.s = s, .n = n, .bare = memchr(s, '\n', n) != NULL};
    struct lines all = l;
    l.message = is_header(s, n) || (n > 2 && memcmp(s, "--", 2) == 0);
    while (!l.message && next_line(&all)) { /* its first line may be behind a quote or a tag */
        l.message = says_printable(s + all.from, all.to - all.from);
    }
    l.printable = !l.message;
    return l;
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

/* Does the line that begins at s[from] open a tag before s[p] and not close it? */
static bool is_in_tag(const char *s, size_t from, size_t p)
{
    while (p > from && s[p - 1] != '<' && s[p - 1] != '>') {
        p--;
    }
    return p > from && s[p - 1] == '<';
}

/* Where a line that is too long may be broken: after a blank, else after a mark that base64 is not
 * made of; 0 when there is none. A break in a tag would be in the way of XML. */
static size_t place_to_break(const char *s, size_t from, bool markup)
{
    static const char *const marks[] = {" \t", "<;"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        for (size_t p = from + COLUMNS - 1; p > from + COLUMNS / 3; p--) {
            if (s[p - 1] && strchr(marks[i], s[p - 1]) && !(markup && is_in_tag(s, from, p))) {
                return p;
            }
        }
    }
    return 0;
}

/* Breaks lines anew that are too long, and were not before. A break becomes *mark. */
static bool wrap_lines(const char *before, size_t n_before, const char *s, size_t n,
                       struct cl_buf *mark, struct cl_buf *out)
{
    if (!has_short_lines(before, n_before)) {
        return false;
    }
    size_t len, soft = cl_mask_next_soft(before, n_before, 0, &len);
    if (soft == n_before) {
        cl_buf_addc(mark, '=');
        soft = find_line_end(before, n_before, 0, false, &len);
    }
    cl_buf_add(mark, before + soft, len);
    struct lines l = first_line(s, n);
    while (next_line(&l)) {
        while (l.printable && l.to - l.from > COLUMNS) {
            size_t cut = place_to_break(s, l.from, before[0] == '<');
            if (cut == 0) {
                break;
            }
            cl_buf_add(out, s + l.from, cut - l.from);
            cl_buf_add(out, cl_buf_str(mark), mark->len);
            l.from = cut;
        }
        cl_buf_add(out, s + l.from, l.next - l.from);
    }
    return true;
}

/* ---------------------------------------------------------------- in strings */

/* A string in the literal of an array, a row or a range, in hstore or in JSON. */
struct string {
    const char *s; /* the text it is in */
    size_t from;   /* the byte after its opening quote ... */
    size_t to;     /* ... and its closing one */
};

/* The first string at or after s[pos]. */
static bool next_string(const char *s, size_t n, size_t pos, struct string *string)
{
    const char *quote = pos < n ? memchr(s + pos, '"', n - pos) : NULL;
    if (!quote) {
        return false;
    }
    size_t p = (size_t)(quote - s) + 1;
    *string = (struct string){.s = s, .from = p};
    while (p < n) {
        if (s[p] == '"' && !(n - p > 1 && s[p + 1] == '"')) {
            string->to = p;
            return true;
        }
        p += s[p] == '\\' || s[p] == '"' ? 2 : 1;
    }
    return false;
}

/* Bytes of the character at s[p] inside a string; *c is what it stands for. */
static size_t read_unit(const struct string *string, size_t p, char *c)
{
    const char *s = string->s;
    *c = s[p];
    if (string->to - p < 2 || (s[p] != '\\' && s[p] != '"')) {
        return 1;
    }
    size_t n = s[p + 1] == 'u' && string->to - p > 5 ? p + 6 : p + 2; /* \u000a, \n */
    size_t feed = control(s, n, p, true), back = control(s, n, p, false);
    *c = feed ? '\n' : back ? '\r' : s[p + 1];
    return feed ? feed : back ? back : 2;
}

static void unquote(const struct string *string, struct cl_buf *out)
{
    char c;
    for (size_t p = string->from; p < string->to;) {
        p += read_unit(string, p, &c);
        cl_buf_addc(out, c);
    }
}

/* Appends a character as the string writes it, in which it occurs. */
static void quote_control(const struct string *string, char c, struct cl_buf *out)
{
    char same;
    size_t len;
    for (size_t p = string->from; p < string->to; p += len) {
        len = read_unit(string, p, &same);
        if (same == c) {
            cl_buf_add(out, string->s + p, len);
            break;
        }
    }
}

/* Appends a break as the string has to write it. */
static void quote_mark(const struct string *string, const struct cl_buf *mark, struct cl_buf *out)
{
    for (size_t i = 0; i < mark->len; i++) {
        char c = mark->data[i];
        if (c == '\n' || c == '\r') {
            quote_control(string, c, out);
        } else {
            cl_buf_add(out, "\\", c == '\\'); /* doubled */
            cl_buf_addc(out, c);
        }
    }
}

static bool starts_with(const struct cl_buf *text, size_t pos, const struct cl_buf *mark)
{
    return text->len - pos >= mark->len && memcmp(text->data + pos, mark->data, mark->len) == 0;
}

/* What wrapping one string needs. */
struct work {
    struct cl_buf before; /* what it stood for before masking ... */
    struct cl_buf plain;  /* ... what it stands for ... */
    struct cl_buf broken; /* ... and that with new breaks, */
    struct cl_buf mark;   /* which are these */
    struct cl_buf quoted; /* the same as the string writes it */
};

/* Appends the string with the breaks that *w has. No break is new where one was. */
static void put_broken(const struct string *string, const struct work *w, struct cl_buf *out)
{
    size_t p = string->from, plain = 0;
    for (size_t at = 0; at < w->broken.len;) {
        if (starts_with(&w->broken, at, &w->mark) && !starts_with(&w->plain, plain, &w->mark)) {
            cl_buf_add(out, w->quoted.data, w->quoted.len);
            at += w->mark.len;
        } else {
            char c;
            size_t len = read_unit(string, p, &c);
            cl_buf_add(out, string->s + p, len);
            p += len;
            plain++;
            at++;
        }
    }
}

static bool wrap(const char *before, size_t n_before, const char *s, size_t n, unsigned depth,
                 struct cl_buf *mark, struct cl_buf *out);

/* Appends the string, with new breaks where they must be; false when there are none. One mark is
 * for all strings: those that write it differently stay as they are. */
static bool wrap_string(const struct string *before, const struct string *string, unsigned depth,
                        struct cl_buf *mark, struct cl_buf *out)
{
    size_t n_before = before->to - before->from, n = string->to - string->from;
    bool broken = false;
    if (n != n_before || memcmp(before->s + before->from, string->s + string->from, n) != 0) {
        struct work w;
        struct cl_buf *all[] = {&w.before, &w.plain, &w.broken, &w.mark, &w.quoted};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            cl_buf_init(all[i], SIZE_MAX / 2);
        }
        unquote(before, &w.before);
        unquote(string, &w.plain);
        if (wrap(cl_buf_str(&w.before), w.before.len, cl_buf_str(&w.plain), w.plain.len, depth + 1,
                 &w.mark, &w.broken)) {
            quote_mark(before, &w.mark, &w.quoted);
            if (mark->len == 0) {
                cl_buf_add(mark, w.quoted.data, w.quoted.len);
            }
            broken = mark->len == w.quoted.len && starts_with(&w.quoted, 0, mark) &&
                     !w.broken.failed && !w.plain.failed;
        }
        if (broken) {
            put_broken(string, &w, out);
        }
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            cl_buf_fini(all[i]);
        }
    }
    if (!broken) {
        cl_buf_add(out, string->s + string->from, n);
    }
    return broken;
}

/* Each string by itself: equal bounds of a range, say, have to stay equal. */
static bool wrap_strings(const char *before, size_t n_before, const char *s, size_t n,
                         unsigned depth, struct cl_buf *mark, struct cl_buf *out)
{
    struct string was, string;
    size_t pos_before = 0, pos = 0, done = 0;
    bool any = false;
    while (next_string(before, n_before, pos_before, &was) && next_string(s, n, pos, &string)) {
        cl_buf_add(out, s + done, string.from - done);
        any = wrap_string(&was, &string, depth, mark, out) || any;
        done = string.to;
        pos = string.to + 1;
        pos_before = was.to + 1;
    }
    cl_buf_add(out, s + done, n - done);
    return any;
}

static bool wrap(const char *before, size_t n_before, const char *s, size_t n, unsigned depth,
                 struct cl_buf *mark, struct cl_buf *out)
{
    if (n_before == 0 || before[0] == '\0' || !strchr("{([\"", before[0])) {
        return wrap_lines(before, n_before, s, n, mark, out);
    }
    return depth < DEPTH_MAX && wrap_strings(before, n_before, s, n, depth, mark, out);
}

/* Does it name the encoding anywhere? The hyphen is the rarest of its letters. */
static bool names_printable(const char *s, size_t n)
{
    static const char name[] = "quoted-printable";
    enum { BEFORE = 6, AFTER = sizeof name - 1 - BEFORE }; /* letters before it, and from it on */
    const char *end = s + n;
    for (const char *p = s; (p = memchr(p, '-', (size_t)(end - p))) != NULL; p++) {
        if (p - s >= BEFORE && end - p >= AFTER && (p[-1] | 32) == 'd' &&
            strncasecmp(p - BEFORE, name, sizeof name - 1) == 0) {
            return true;
        }
    }
    return false;
}

bool cl_mask_wrap(const char *before, size_t n_before, const char *s, size_t n, struct cl_buf *out)
{
    if (!cl_mask_is_soft(before, n_before) && !names_printable(before, n_before)) {
        return false;
    }
    struct cl_buf mark;
    cl_buf_init(&mark, SIZE_MAX / 2);
    bool any = wrap(before, n_before, s, n, 0, &mark, out);
    cl_buf_fini(&mark);
    return any;
}
