/*
 * Reads text that is base64 inside a value: one run of characters, lines of one width as MIME and
 * PEM write them, or pieces between soft line breaks.  What decodes to anything but text is let be.
 */
#include "private.h"

#include <string.h>

enum {
    LEAST_CHARS = 16,    /* padding included; shorter runs are words more often than not */
    COLUMNS_LEAST = 60,  /* text is wrapped at 60, 64, 72 or 76 columns, if at all */
    COLUMNS_MOST = 128,  /* wider runs are lines of their own */
    MIME_COLUMNS = 76,   /* RFC 2045 6.7 and 6.8 */
    LINE_END_MOST = 32,  /* bytes of a line end that is looked for backwards */
    SHORT_BYTES = 32,    /* random bytes this short look like text now and then ... */
    PIECE_LEAST = 12,    /* fewer characters below a break are a word more often than not */
    NEAR_BYTES = 32,     /* of an escape that is looked for backwards */
    CERTAIN_BYTES = 128, /* ... and never when there are so many without a control character */
};

/* What a character stands for in either alphabet (RFC 4648 4 and 5), and one; 0: it does not
 * occur. */
/* clang-format off */
static const unsigned char values[2][256] = {{
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
}, {
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['-'] = 63, ['_'] = 64,
}};
/* clang-format on */

static inline unsigned value_of(char c, bool url)
{
    return values[url][(unsigned char)c];
}

/* Bytes of the slash at s[pos] that backslashes escape, as JSON may; 0 when there is none. */
static size_t escaped_slash(const char *s, size_t n, size_t pos)
{
    size_t p = cl_mask_after_backslashes(s, n, pos);
    return p > pos && p < n && s[p] == '/' ? p + 1 - pos : 0;
}

static bool is_sign(uint32_t code)
{
    return code == '+' || code == '/';
}

/* Bytes of the plus or slash at s[pos] that is written as an escape; 0 when there is none. */
static size_t escaped_sign(const char *s, size_t n, size_t pos)
{
    if (pos >= n || s[pos] == '=' || !cl_mask_is_mark((unsigned char)s[pos])) {
        return 0;
    }
    struct cl_escape c = cl_mask_escape(s, n, pos);
    return is_sign(c.code) ? c.end - pos : escaped_slash(s, n, pos);
}

/* Bytes of the character at s[pos]; 0 when there is none. */
static inline size_t char_bytes(const char *s, size_t n, size_t pos, bool url)
{
    if (pos < n && value_of(s[pos], url)) {
        return 1;
    }
    return url ? 0 : escaped_sign(s, n, pos);
}

static size_t run_end(const char *s, size_t n, size_t pos, bool url, size_t *chars)
{
    size_t p = pos, escapes = 0, slash;
    do {
        while (p < n && value_of(s[p], url)) {
            p++;
        }
        slash = char_bytes(s, n, p, url);
        escapes += slash > 0 ? slash - 1 : 0;
        p += slash;
    } while (slash > 0);
    *chars = p - pos - escapes;
    return p;
}

/* Decodes run after run, and counts bytes that are no UTF-8. */
struct decoder {
    bool url;           /* the alphabet */
    unsigned have;      /* bits that are no whole byte yet ... */
    uint32_t bits;      /* ... the last of these */
    unsigned open;      /* bytes that the last character still needs ... */
    unsigned begun;     /* ... and has, its first one aside */
    size_t stray;       /* bytes before it that are none of a character */
    size_t stray_most;  /* more of them are no text */
    struct cl_buf *out; /* the text */
};

static void note_byte(struct decoder *d, unsigned char c)
{
    if (d->open > 0 && (c & 0xC0) == 0x80) {
        d->open--;
        d->begun++;
        return;
    }
    d->stray += d->open > 0 ? 1 + d->begun : 0;
    d->open = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 0;
    d->begun = 0;
    d->stray += c >= 0x80 && d->open == 0;
}

static size_t stray_bytes(const struct decoder *d)
{
    return d->stray + (d->open > 0 ? 1 + d->begun : 0);
}

/* Writes what a run stands for to out, which has room for n bytes. Returns the bytes; SIZE_MAX when
 * they are no text. */
static size_t decode_run(struct decoder *d, const char *s, size_t n, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned value = value_of(s[i], d->url);
        if (value == 0) { /* a sign that is escaped */
            value = value_of(cl_mask_escape(s, n, i).code == '+' ? '+' : '/', false);
            i += escaped_sign(s, n, i) - 1;
        }
        d->bits = d->bits << 6 | (value - 1);
        d->have += 6;
        if (d->have < 8) {
            continue;
        }
        d->have -= 8;
        unsigned char c = (unsigned char)(d->bits >> d->have & 0xFF);
        if (c < ' ' || c >= 0x7F || d->open > 0) {
            note_byte(d, c);
            if (d->stray > d->stray_most || c == 0x7F ||
                (c < ' ' && !(c && strchr("\t\n\f\r\x1b", c)))) {
                return SIZE_MAX;
            }
        }
        out[len++] = (char)c;
    }
    return len;
}

/* Appends what a run stands for. False, with all as it was, when that is no text. */
static bool decode(struct decoder *d, const char *s, size_t n)
{
    struct decoder before = *d;
    struct cl_buf *out = d->out;
    if (!cl_buf_reserve(out, n / 4 * 3 + 3)) {
        return false;
    }
    size_t len = decode_run(d, s, n, out->data + out->len);
    if (len == SIZE_MAX) {
        *d = before;
        return false;
    }
    out->len += len;
    out->data[out->len] = '\0';
    return true;
}

/* How many stray bytes may text of so many have? The shorter it is, the fewer: random keys pass as
 * text too often else. */
static size_t stray_most(size_t bytes)
{
    return bytes < SHORT_BYTES ? bytes / 16 : bytes < CERTAIN_BYTES ? bytes / 4 : bytes;
}

/* The padding that a run of so many characters ending before s[pos] has: its bytes, and how its
 * sign is written; 0 when it has none, or needs none. */
static size_t padding(const char *s, size_t n, size_t pos, size_t chars, const char **sign)
{
    static const char *const signs[] = {"=3D", "=3d", "=", "%3D", "%3d", "\\u003d", "\\u003D"};
    size_t missing = chars % 4 == 2 ? 2 : chars % 4 == 3 ? 1 : 0;
    for (size_t i = 0; missing && i < sizeof signs / sizeof *signs; i++) {
        size_t len = strlen(signs[i]);
        if (n - pos >= missing * len && memcmp(s + pos, signs[i], len) == 0 &&
            memcmp(s + pos + (missing - 1) * len, signs[i], len) == 0) {
            *sign = signs[i];
            return missing * len;
        }
    }
    return 0;
}

/* The same where there is none to be seen, or to be needed: URLs and JSON web tokens go without. */
static const char *usual_sign(const char *s, size_t n, const struct cl_base64 *b)
{
    bool token = (b->end < n && s[b->end] == '.') || (b->begin > 0 && s[b->begin - 1] == '.');
    const char *before = b->begin > 2 ? s + b->begin - 3 : "   ";
    if (b->url || token) {
        return NULL;
    }
    if (b->soft || memcmp(before, "=3D", 3) == 0) {
        return "=3D";
    }
    return memcmp(before, "%3D", 3) == 0 ? "%3D" : "=";
}

/* An only line right below an empty one is the body of a message: it may not grow too long. */
static void wrap_body(const char *s, struct cl_base64 *b)
{
    if (b->columns || b->end - b->begin > MIME_COLUMNS) {
        return;
    }
    for (size_t len = 1; len <= LINE_END_MOST && 2 * len <= b->begin; len++) {
        const char *eol = s + b->begin - len;
        if (memcmp(eol - len, eol, len) == 0 &&
            cl_mask_line_end(s, b->begin, b->begin - len) == len) {
            b->first = b->columns = MIME_COLUMNS;
            b->eol = eol;
            b->eol_len = len;
        }
    }
}

/* Reads on in the lines below the first one, and counts the characters of the last. Returns
 * whether they, and the first, are text. */
static bool read_lines(const char *s, size_t n, struct cl_base64 *b, struct decoder *d, bool text,
                       size_t *chars)
{
    size_t width = *chars;
    while (*chars == width && width % 4 == 0 && width >= COLUMNS_LEAST && width <= COLUMNS_MOST) {
        const char *sign;
        size_t eol = cl_mask_line_end(s, n, b->end), start = b->end + eol, next = start, more = 0;
        if (eol && (!b->eol || (eol == b->eol_len && memcmp(s + b->end, b->eol, eol) == 0))) {
            next = run_end(s, n, start, b->url, &more);
        }
        /* A word below the last line is none of it: nearly always it is no whole number of bytes.
         */
        if (more == 0 || more > width ||
            (more % 4 != 0 && next < n && !padding(s, n, next, more, &sign))) {
            break;
        }
        if (text && !decode(d, s + start, next - start)) {
            if (more < width) {
                break;
            }
            text = false; /* goes on and on, and is no text: then its beginning is none, either */
        }
        b->columns = width;
        b->eol = s + b->end;
        b->eol_len = eol;
        b->end = next;
        *chars = more;
    }
    return text;
}

/* Reads the piece below a soft line break, of so many characters. When two bits are left that are
 * zero, the "=" of the break may be padding, and what is below it other text. */
static bool read_piece(const char *s, size_t from, size_t to, struct decoder *d, size_t more)
{
    struct decoder before = *d;
    size_t len = d->out->len;
    bool may_pad = d->have == 2 && (d->bits & 3) == 0;
    if (more == 0 || (may_pad && (more < PIECE_LEAST || s[from] == '-')) ||
        !decode(d, s + from, to - from)) {
        return false;
    }
    if (may_pad && stray_bytes(d) > stray_bytes(&before) + 2) {
        *d = before;
        d->out->len = len;
        return false;
    }
    return true;
}

/* Reads on behind soft line breaks, and counts all characters. */
static void read_softly(const char *s, size_t n, struct cl_base64 *b, struct decoder *d,
                        size_t *chars)
{
    size_t widest = 0, last = 0;
    for (size_t soft; (soft = cl_mask_soft_break(s, n, b->end)) > 0;) {
        const char *sign;
        size_t more, start = b->end + soft, next = run_end(s, n, start, b->url, &more);
        bool same = !b->eol || (soft == b->eol_len && memcmp(s + b->end, b->eol, soft) == 0);
        bool padded = more == 0 && padding(s, n, start, *chars, &sign) > 0 && sign[1] == '3';
        if (!same || (!padded && !read_piece(s, start, next, d, more))) {
            break;
        }
        widest = last > widest ? last : widest;
        last = more;
        b->eol = s + b->end;
        b->eol_len = soft;
        b->soft = true;
        b->end = next;
        *chars += more;
    }
    if (b->soft) {
        b->columns = widest >= LEAST_CHARS ? widest : MIME_COLUMNS - 1;
    }
}

/* Reads the base64 that begins at b->begin. False when it is no text; b->end is set all the same.
 */
static bool read_base64(const char *s, size_t n, struct cl_base64 *b, struct cl_buf *plain)
{
    struct decoder d = {.url = b->url, .stray_most = SIZE_MAX, .out = plain};
    size_t chars;
    b->end = run_end(s, n, b->begin, b->url, &chars);
    b->first = chars;
    bool text = decode(&d, s + b->begin, b->end - b->begin);
    text = read_lines(s, n, b, &d, text, &chars);
    if (text && !b->columns) {
        read_softly(s, n, b, &d, &chars);
    }
    b->end += padding(s, n, b->end, chars, &b->sign);
    if (chars % 4 == 0) {
        b->sign = usual_sign(s, n, b);
    }
    return text && b->end - b->begin >= LEAST_CHARS && stray_bytes(&d) <= stray_most(plain->len);
}

static bool are_hex(const char *s, size_t n)
{
    while (n > 0 && cl_hex_digit(s[n - 1]) >= 0) {
        n--;
    }
    return n == 0;
}

/* Does an escape end before s[pos] whose last characters base64 may hold, too? */
static bool after_escape(const char *s, size_t pos)
{
    return (pos > 1 && s[pos - 2] == '\\' && strchr("bfnrt", s[pos - 1])) ||
           (pos > 2 && (s[pos - 3] == '%' || s[pos - 3] == '=') && are_hex(s + pos - 2, 2)) ||
           (pos > 5 && s[pos - 6] == '\\' && s[pos - 5] == 'u' && are_hex(s + pos - 4, 4));
}

/* The escape, but of quoted-printable, that holds the byte at s[pos] or ends before it; the longest
 * one, which begins at *start, not before floor. */
static struct cl_escape escape_around(const char *s, size_t n, size_t floor, size_t pos,
                                      size_t *start)
{
    struct cl_escape longest = {.end = 0};
    for (size_t p = pos; p > floor && pos - p < NEAR_BYTES; p--) {
        unsigned char before = (unsigned char)s[p - 1];
        if (!cl_mask_may_spell(before)) {
            break;
        }
        if (before == '=' || !cl_mask_is_mark(before)) {
            continue;
        }
        struct cl_escape c = cl_mask_escape(s, n, p - 1);
        if (c.end > p && c.end >= pos) {
            longest = c;
            *start = p - 1;
        }
    }
    return longest;
}

/* Does a run begin at s[pos]? What is of an escape before it is none of it. */
static bool starts(const char *s, size_t n, size_t pos, bool url)
{
    size_t unused;
    if (char_bytes(s, n, pos, url) == 0) {
        return false;
    }
    if (pos > 0 && s[pos - 1] == '\\' && (s[pos] == '/' || s[pos] == '\\')) {
        return false; /* inside of an escaped slash */
    }
    bool first = pos == 0 || !value_of(s[pos - 1], url) || after_escape(s, pos);
    return first && (url || !is_sign(escape_around(s, n, 0, pos, &unused).code));
}

/* May the byte belong to an escape, or begin padding or a soft line break? */
static inline bool is_mark(char c)
{
    return c == '=' || c == '%' || c == '\\' || c == '&';
}

/* Is a run that stands alone too short, or no text? Most are: words, names, keys. They are told
 * without a buffer, and fast. *end is set in any case. */
static bool is_word(const char *s, size_t n, size_t pos, bool url, size_t *end)
{
    enum { ALONE_MOST = SHORT_BYTES / 3 * 4 };
    size_t p = pos;
    while (p < n && value_of(s[p], url)) {
        p++;
    }
    *end = p;
    if (p - pos > ALONE_MOST || (p < n && is_mark(s[p]))) {
        return false; /* padding, a break or an escaped slash may make it longer */
    }
    if (p - pos < LEAST_CHARS) {
        return true;
    }
    char text[ALONE_MOST];
    struct decoder d = {.url = url, .stray_most = stray_most((p - pos) * 3 / 4)};
    return decode_run(&d, s + pos, p - pos, text) == SIZE_MAX || stray_bytes(&d) > d.stray_most;
}

/* Where a run may begin next, when none that begins at s[pos] is text: behind its letters and
 * digits, unless some of these may belong to an escape. */
static size_t next_start(const char *s, size_t n, size_t pos)
{
    enum { ESCAPE_BYTES = 5 }; /* of the longest one, without its last byte */
    bool within = pos > 0 && (value_of(s[pos - 1], false) || is_mark(s[pos - 1]));
    for (size_t back = 1; within && back <= ESCAPE_BYTES && back <= pos; back++) {
        if (is_mark(s[pos - back])) {
            return pos + 1;
        }
    }
    size_t end = pos;
    while (end < n && cl_mask_class((unsigned char)s[end]) & (CL_LETTER | CL_DIGIT)) {
        end++;
    }
    return end > pos ? end : pos + 1;
}

/* Reads what begins at s[pos] in both alphabets: the one that makes text of more of it is right.
 * False when none does; *next is where to go on then. */
static bool read_either(const char *s, size_t n, size_t pos, struct cl_base64 *b,
                        struct cl_buf plain[2], size_t *next)
{
    bool any = false;
    size_t end, words = next_start(s, n, pos);
    *next = words;
    for (unsigned url = 0; url < 2; url++) {
        if (!starts(s, n, pos, url)) {
            continue;
        }
        if (is_word(s, n, pos, url, &end)) {
            if (end == words && (end == n || !value_of(s[end], true))) {
                break; /* in the other alphabet it is the same */
            }
            continue;
        }
        struct cl_base64 one = {.begin = pos, .url = url};
        cl_buf_reset(&plain[url]);
        if (read_base64(s, n, &one, &plain[url])) {
            if (!any || one.end > b->end) {
                *b = one;
            }
            any = true;
        } else if (one.columns && !one.soft && one.end > *next) {
            *next = one.end; /* lines of something else: none of them is looked at by itself */
        }
    }
    return any;
}

bool cl_mask_are_words(const char *s, size_t pos, size_t end, size_t loose)
{
    size_t word;
    for (size_t p = pos; p + LEAST_CHARS <= end;) {
        bool any = p - pos <= loose;
        for (unsigned url = 0; url < 2; url++) {
            bool begins = value_of(s[p], url) && (any || !value_of(s[p - 1], url));
            if (begins && !is_word(s, end, p, url, &word)) {
                return false;
            }
        }
        p = any ? p + 1 : next_start(s, end, p);
    }
    return true;
}

/* How it escapes its signs: as the first that is, or as padding is. */
static void note_sign(const char *s, struct cl_base64 *b)
{
    for (size_t p = b->begin; p < b->end && b->plus_len == 0; p++) {
        b->plus = s + p;
        b->plus_len = escaped_sign(s, b->end, p);
    }
    bool code = b->plus_len == 0 && b->sign && (b->sign[0] == '%' || b->sign[0] == '\\');
    if (code) {
        b->plus = b->sign[0] == '%' ? "%2B" : "\\u002B";
        b->plus_len = strlen(b->plus);
    }
}

/* Where the base64 begins that escaped signs cut before the long run at s[run], not before floor.
 */
static size_t begin_before(const char *s, size_t n, size_t floor, size_t run)
{
    size_t p = run, start;
    for (;;) {
        while (p > floor && value_of(s[p - 1], false)) {
            p--;
        }
        struct cl_escape c = escape_around(s, n, floor, p, &start);
        if (!is_sign(c.code)) {
            return c.end <= p ? p : c.end < run ? c.end : run;
        }
        p = start;
    }
}

size_t cl_mask_base64_from(const char *s, size_t n, size_t first)
{
    size_t from = first, before;
    do {
        before = from;
        while (from > 0 && cl_mask_is_dense((unsigned char)s[from - 1])) {
            from--;
        }
        from = begin_before(s, n, 0, from);
    } while (from < before);
    return from;
}

bool cl_mask_next_base64(const char *s, size_t n, size_t pos, struct cl_base64 *b,
                         struct cl_buf *plain)
{
    struct cl_buf both[2];
    bool found = false;
    size_t floor = pos;
    cl_buf_init(&both[0], SIZE_MAX / 2);
    cl_buf_init(&both[1], SIZE_MAX / 2);
    while (!found && (pos = cl_mask_find_run(s, n, pos)) < n) {
        size_t begin = begin_before(s, n, floor, pos), unused;
        found = begin < pos && read_either(s, n, begin, b, both, &unused);
        while (!found && pos < n && cl_mask_is_dense((unsigned char)s[pos])) {
            if (s[pos] == '\\' && escaped_sign(s, n, pos) == 0) {
                pos += n - pos > 1 && s[pos + 1] && strchr("bfnrt", s[pos + 1]) ? 2 : 1;
            } else {
                found = read_either(s, n, pos, b, both, &pos);
            }
        }
        floor = pos;
    }
    if (found) {
        struct cl_buf text = both[b->url];
        both[b->url] = *plain;
        *plain = text;
        wrap_body(s, b);
        note_sign(s, b);
    }
    cl_buf_fini(&both[0]);
    cl_buf_fini(&both[1]);
    return found;
}
