/*
 * Text written as base64 inside a value: one run of characters, or lines of one width as MIME and
 * PEM write them.  What decodes to anything but text is let be.
 */
#include "private.h"

#include <string.h>

enum {
    LEAST_CHARS = 16,    /* padding included; shorter runs are words more often than not */
    COLUMNS_LEAST = 60,  /* text is wrapped at 60, 64, 72 or 76 columns, if at all */
    COLUMNS_MOST = 128,  /* wider runs are lines of their own */
    MIME_COLUMNS = 76,   /* RFC 2045 6.8 */
    SHORT_BYTES = 32,    /* random bytes this short look like text now and then ... */
    CERTAIN_BYTES = 128, /* ... and never when there are so many without a control character */
};

/* What a character stands for, and one; 0: it does not occur. The last four are known by their
 * place: '+' and '/' in one alphabet, '-' and '_' in the other. */
enum { PLUS = 63, SLASH = 64, HYPHEN = 65, LOW_LINE = 66 };

/* clang-format off */
static const unsigned char values[256] = {
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = PLUS, ['/'] = SLASH, ['-'] = HYPHEN, ['_'] = LOW_LINE,
};
/* clang-format on */

static unsigned value_of(char c, bool url)
{
    unsigned v = values[(unsigned char)c];
    if (v < PLUS) {
        return v;
    }
    return url ? (v >= HYPHEN ? v - 2 : 0) : (v <= SLASH ? v : 0);
}

static size_t run_end(const char *s, size_t n, size_t pos, bool url)
{
    while (pos < n && value_of(s[pos], url)) {
        pos++;
    }
    return pos;
}

/* Appends what the characters stand for; an incomplete last byte is dropped. False, with *out as it
 * was, when that is no text: a control character is in it. */
static bool decode(const char *s, size_t n, bool url, struct cl_buf *out)
{
    size_t len = out->len;
    uint32_t bits = 0;
    unsigned have = 0;
    if (!cl_buf_reserve(out, n / 4 * 3 + 3)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bits = bits << 6 | (value_of(s[i], url) - 1);
        have += 6;
        if (have < 8) {
            continue;
        }
        have -= 8;
        unsigned char c = (unsigned char)(bits >> have & 0xFF);
        if (c == 0x7F || (c < ' ' && !(c && strchr("\t\n\f\r\x1b", c)))) {
            out->len = len;
            return false;
        }
        out->data[out->len++] = (char)c;
    }
    out->data[out->len] = '\0';
    return true;
}

/* May these bytes without control characters be text? The fewer they are, the more of them must be
 * UTF-8: random keys pass as text too often else. */
static bool is_text(const char *s, size_t n)
{
    size_t stray = 0, p = 0;
    while (p < n) {
        unsigned char c = (unsigned char)s[p];
        size_t len = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
        size_t k = 1;
        while (k < len && p + k < n && ((unsigned char)s[p + k] & 0xC0) == 0x80) {
            k++;
        }
        stray += k != len;
        p += k == len ? len : 1;
    }
    return stray <= (n < SHORT_BYTES ? n / 16 : n < CERTAIN_BYTES ? n / 4 : n);
}

/* Bytes of the line break at s[pos], also as JSON would write it; 0 when there is none. */
static size_t line_break(const char *s, size_t n, size_t pos)
{
    static const char *const breaks[] = {"\n", "\r\n", "\\n", "\\r\\n"};
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        size_t len = strlen(breaks[i]);
        if (n - pos >= len && memcmp(s + pos, breaks[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

/* The padding that a run of so many characters ending before s[pos] has: its bytes, and how its
 * sign is written; 0 when it has none, or needs none. */
static size_t padding(const char *s, size_t n, size_t pos, size_t chars, const char **sign)
{
    static const char *const signs[] = {"=", "%3D", "%3d", "\\u003d", "\\u003D"};
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

/* An only line right below an empty one is the body of a message: it may not grow too long. */
static void wrap_body(const char *s, struct cl_base64 *b)
{
    if (b->columns || b->end - b->begin > MIME_COLUMNS) {
        return;
    }
    bool crlf = b->begin >= 4 && memcmp(s + b->begin - 4, "\r\n\r\n", 4) == 0;
    bool lf = b->begin >= 2 && memcmp(s + b->begin - 2, "\n\n", 2) == 0;
    if (crlf || lf) {
        b->columns = MIME_COLUMNS;
        b->eol = crlf ? "\r\n" : "\n";
        b->eol_len = crlf ? 2 : 1;
    }
}

/* Reads the base64 that begins at b->begin. False when it is no text; b->end is set all the same.
 */
static bool read_base64(const char *s, size_t n, struct cl_base64 *b, struct cl_buf *plain)
{
    bool url = b->url;
    size_t end = run_end(s, n, b->begin, url), chars = end - b->begin, width = chars;
    bool text = decode(s + b->begin, chars, url, plain);
    while (chars == width && width % 4 == 0 && width >= COLUMNS_LEAST && width <= COLUMNS_MOST) {
        const char *sign;
        size_t eol = line_break(s, n, end), start = end + eol, next = start;
        bool same = !b->eol || (eol == b->eol_len && memcmp(s + end, b->eol, eol) == 0);
        next = eol && same ? run_end(s, n, start, url) : start;
        size_t more = next - start;
        /* A word below the last line is none of it: nearly always it is no whole number of bytes.
         */
        if (more == 0 || more > width ||
            (more % 4 != 0 && next < n && !padding(s, n, next, more, &sign))) {
            break;
        }
        if (text && !decode(s + start, more, url, plain)) {
            if (more < width) {
                break;
            }
            text = false; /* goes on and on, and is no text: then its beginning is none, either */
        }
        b->columns = width;
        b->eol = s + end;
        b->eol_len = eol;
        end = next;
        chars = more;
    }
    size_t pads = padding(s, n, end, chars, &b->sign);
    if (chars % 4 == 0) { /* cannot be seen: URLs and JSON web tokens go without */
        bool token = (end < n && s[end] == '.') || (b->begin > 0 && s[b->begin - 1] == '.');
        b->sign = url || token ? NULL : "=";
    }
    b->end = end + pads;
    return text && b->end - b->begin >= LEAST_CHARS && is_text(cl_buf_str(plain), plain->len);
}

/* Does a run begin at s[pos]? The letter of an escape before it is none of it. */
static bool starts(const char *s, size_t pos, bool url)
{
    if (!value_of(s[pos], url)) {
        return false;
    }
    return pos == 0 || !value_of(s[pos - 1], url) ||
           (pos > 1 && s[pos - 2] == '\\' && strchr("bfnrt", s[pos - 1]));
}

/* Reads what begins at s[pos] in both alphabets: the one that makes text of more of it is right.
 * False when none does; *next is where to go on then. */
static bool read_either(const char *s, size_t n, size_t pos, struct cl_base64 *b,
                        struct cl_buf plain[2], size_t *next)
{
    bool any = false;
    *next = pos + 1;
    for (unsigned url = 0; url < 2; url++) {
        struct cl_base64 one = {.begin = pos, .url = url};
        if (!starts(s, pos, url)) {
            continue;
        }
        cl_buf_reset(&plain[url]);
        if (read_base64(s, n, &one, &plain[url])) {
            if (!any || one.end > b->end) {
                *b = one;
            }
            any = true;
        } else if (one.columns && one.end > *next) {
            *next = one.end; /* lines of something else: none of them is looked at by itself */
        }
    }
    return any;
}

bool cl_mask_next_base64(const char *s, size_t n, size_t pos, struct cl_base64 *b,
                         struct cl_buf *plain)
{
    struct cl_buf both[2];
    bool found = false;
    cl_buf_init(&both[0], SIZE_MAX / 2);
    cl_buf_init(&both[1], SIZE_MAX / 2);
    while (!found && (pos = cl_mask_find_run(s, n, pos)) < n) {
        while (!found && pos < n && cl_mask_is_dense((unsigned char)s[pos])) {
            if (s[pos] == '\\') {
                pos += n - pos > 1 && s[pos + 1] && strchr("bfnrt", s[pos + 1]) ? 2 : 1;
            } else {
                found = read_either(s, n, pos, b, both, &pos);
            }
        }
    }
    if (found) {
        struct cl_buf text = both[b->url];
        both[b->url] = *plain;
        *plain = text;
        wrap_body(s, b);
    }
    cl_buf_fini(&both[0]);
    cl_buf_fini(&both[1]);
    return found;
}

void cl_mask_put_base64(const struct cl_base64 *b, const char *plain, size_t n, struct cl_buf *out)
{
    static const char standard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *alphabet = b->url ? safe : standard;
    size_t column = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t bytes = n - i < 3 ? n - i : 3;
        uint32_t bits = 0;
        char quad[4];
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < bytes ? (unsigned char)plain[i + k] : 0);
        }
        for (size_t k = 0; k < 4; k++) {
            quad[k] = alphabet[bits >> (18 - 6 * k) & 63];
        }
        if (b->columns && column == b->columns) {
            cl_buf_add(out, b->eol, b->eol_len);
            column = 0;
        }
        cl_buf_add(out, quad, bytes + 1);
        column += 4;
        for (size_t k = bytes; b->sign && k < 3; k++) {
            cl_buf_adds(out, b->sign);
        }
    }
}
