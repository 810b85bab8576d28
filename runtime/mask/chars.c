#include "private.h"

#include <string.h>

#include "base/hash.h"

/* clang-format off */
#define L CL_LETTER
#define D CL_DIGIT
#define E CL_EDGE
#define S CL_SOFT
const unsigned char cl_mask_classes[256] = {
    ['!'] = S, ['#'] = S, ['$'] = S, ['%'] = S, ['&'] = S, ['*'] = S, ['/'] = S, ['='] = S,
    ['?'] = S, ['^'] = S, ['}'] = S, ['~'] = S,
    ['-'] = E, ['_'] = E, ['.'] = CL_POINT, ['+'] = CL_PLUS,
    ['0'] = D, D, D, D, D, D, D, D, D, D,
    ['A'] = L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    ['a'] = L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
};
#undef L
#undef D
#undef E
#undef S
/* clang-format on */

/* May an address, or what stands in its place, end with this byte? (`]` ends a literal, `;` an
 * entity, and an at-sign a broken one.) What follows it is read the same before and after. */
static bool may_end_address(unsigned char c)
{
    return c >= 0x80 || (cl_mask_class(c) & CL_IN_LOCAL) || c == ']' || c == ';' || c == '@' ||
           c == '\'';
}

/* n hexadecimal digits; false when s does not hold that many. */
static bool read_hex(const char *s, size_t n, unsigned digits, uint32_t *value)
{
    if (n < digits) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int v = cl_hex_digit(s[i]);
        if (v < 0) {
            return false;
        }
        *value = *value << 4 | (uint32_t)v;
    }
    return true;
}

/* Length of the well-formed UTF-8 character at s (its first byte is not ASCII) and its code point;
 * 1 and 0xFFFD for a stray byte. */
static size_t read_utf8(const char *s, size_t n, uint32_t *code)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t len = u[0] >= 0xF0 && u[0] < 0xF8 ? 4 : u[0] >= 0xE0 ? 3 : u[0] >= 0xC0 ? 2 : 1;
    *code = 0xFFFD;
    if (len == 1 || u[0] >= 0xF8 || len > n) {
        return 1;
    }
    uint32_t c = u[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xC0) != 0x80) {
            return 1;
        }
        c = c << 6 | (u[i] & 0x3F);
    }
    *code = c;
    return len;
}

static size_t write_utf8(uint32_t c, char out[static 4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18 & 7));
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Spaces, quotes, brackets and stops outside ASCII: they end an address. */
static bool is_wide_separator(uint32_t c)
{
    if (c >= 0x80 && c <= 0xBF) {
        return c != 0xAA && c != 0xB5 && c != 0xB7 && c != 0xBA;
    }
    return (c >= 0x2000 && c <= 0x206F) || c == 0x1680 || (c >= 0x3000 && c <= 0x3020) ||
           c == 0xFEFF || c == 0xFF08 || c == 0xFF09 || c == 0xFF0C || c == 0xFF1A || c == 0xFF1B ||
           c == 0xFF1C || c == 0xFF1E || c == 0xFF3B || c == 0xFF3D;
}

/* Fills kind and flags of a character. */
static void classify(struct cl_element *e, uint32_t c)
{
    e->n_bytes = write_utf8(c, e->bytes);
    if (c < 0x80) {
        unsigned class = cl_mask_class((unsigned char)c);
        e->letter = class == CL_LETTER;
        e->digit = class == CL_DIGIT;
        e->edge = class == CL_EDGE;
        e->kind = c == '@'                ? CL_AT
                  : class == CL_POINT     ? CL_DOT
                  : (class & CL_IN_LABEL) ? CL_LABEL
                  : (class == CL_PLUS)    ? CL_CORE
                                          : CL_NONE;
    } else if (c == 0xFF20) { /* full-width forms, which some mail programs fold */
        e->kind = CL_AT;
    } else if (c == 0x3002 || c == 0xFF0E || c == 0xFF61) {
        e->kind = CL_DOT;
    } else if (is_wide_separator(c)) {
        e->kind = CL_NONE;
    } else {
        e->kind = CL_LABEL;
        e->letter = true;
    }
}

/* A byte that is one of several of an encoded character, or an ASCII one. */
static void classify_byte(struct cl_element *e, uint32_t byte)
{
    if (byte < 0x80) {
        classify(e, byte);
        return;
    }
    e->kind = CL_LABEL;
    e->letter = true;
    e->bytes[0] = (char)byte;
    e->n_bytes = 1;
}

/* %40, also encoded again: %2540. */
static void read_percent(const char *s, size_t n, struct cl_element *e)
{
    uint32_t byte = 0, more = 0;
    size_t p = 1;
    while (n - p >= 4 && s[p] == '2' && s[p + 1] == '5' && read_hex(s + p + 2, 2, 2, &more)) {
        p += 2;
    }
    if (read_hex(s + p, n - p, 2, &byte)) {
        classify_byte(e, byte);
        e->len = p + 2;
    }
}

/* Quoted-printable. `=40` is at-sign only between a local part and a letter, since `x=40` is
 * ordinary text; what else it encodes matters inside domains only. */
static void read_equals(const char *s, size_t n, size_t pos, struct cl_element *e)
{
    uint32_t byte = 0;
    if (!read_hex(s + pos + 1, n - pos - 1, 2, &byte)) {
        return;
    }
    if (byte == '@') {
        unsigned char before = pos ? (unsigned char)s[pos - 1] : 0;
        unsigned char after = n - pos > 3 ? (unsigned char)s[pos + 3] : 0;
        bool letter = after >= 0x80 || cl_mask_class(after) == CL_LETTER;
        if (!letter || !may_end_address(before)) {
            return;
        }
    } else if (byte < 0x80 && byte != '.' && byte != '-' && byte != '_') {
        return;
    }
    classify_byte(e, byte);
    e->len = 3;
}

enum { BACKSLASHES_MAX = 8 }; /* of one escape, in JSON in JSON in JSON in JSON */

size_t cl_mask_backslashes(const char *s, size_t floor, size_t pos)
{
    size_t p = pos;
    while (p > floor && s[p - 1] == '\\' && pos - p < BACKSLASHES_MAX - 1) {
        p--;
    }
    return p;
}

/* \u0040 and \x40, and \\u0040 */
static void read_backslash(const char *s, size_t n, struct cl_element *e)
{
    uint32_t code = 0;
    size_t p = 1;
    while (p < n && p < BACKSLASHES_MAX && s[p] == '\\') {
        p++;
    }
    size_t digits = p < n && s[p] == 'u' ? 4 : p < n && s[p] == 'x' ? 2 : 0;
    if (digits && read_hex(s + p + 1, n - p - 1, (unsigned)digits, &code)) {
        classify(e, code);
        e->len = p + 1 + digits;
    }
}

/* Latin letters with marks have names that end in one of these. */
static bool is_letter_name(const char *s, size_t n)
{
    static const char *const ends[] = {"uml",   "acute", "grave", "circ",  "tilde", "ring",
                                       "cedil", "lig",   "slash", "caron", "breve", "ogon",
                                       "macr",  "strok", "thorn", "eth",   "dblac"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i]);
        if (n > len && n <= len + 2 && memcmp(s + n - len, ends[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* &#64; &#x40; &commat; and what is escaped once more: &amp;#64; */
static void read_entity(const char *s, size_t n, struct cl_element *e)
{
    enum { NAME_MAX_BYTES = 10 };
    size_t p = 1;
    while (n - p >= 4 && memcmp(s + p, "amp;", 4) == 0) {
        p += 4;
    }
    size_t end = p;
    while (end < n && end - p <= NAME_MAX_BYTES &&
           ((cl_mask_class((unsigned char)s[end]) & (CL_LETTER | CL_DIGIT)) || s[end] == '#')) {
        end++;
    }
    if (end == n || s[end] != ';' || end == p) {
        return;
    }
    const char *name = s + p;
    size_t len = end - p;
    if (name[0] == '#') {
        bool hex = len > 1 && (name[1] == 'x' || name[1] == 'X');
        uint32_t code = 0;
        for (size_t i = hex ? 2 : 1; i < len; i++) {
            int v = cl_hex_digit(name[i]);
            if (v < 0 || (!hex && v > 9) || code > 0x10FFFF) {
                return;
            }
            code = code * (hex ? 16 : 10) + (uint32_t)v;
        }
        if (len == (hex ? 2 : 1) || code == 0 || code > 0x10FFFF) {
            return;
        }
        classify(e, code);
    } else if (len == 6 && memcmp(name, "commat", 6) == 0) {
        classify(e, '@');
    } else if (len == 6 && memcmp(name, "period", 6) == 0) {
        classify(e, '.');
    } else if (len == 6 && memcmp(name, "lowbar", 6) == 0) {
        classify(e, '_');
    } else if (is_letter_name(name, len)) {
        e->kind = CL_LABEL;
        e->letter = true; /* its exact letter does not matter; it is shown as '?' */
        e->bytes[0] = '?';
        e->n_bytes = 1;
    }
    e->len = end + 1;
}

/* Is the apostrophe at s[pos] inside a word (o'brien) rather than a quote before one? */
static bool is_inner_apostrophe(const char *s, size_t pos)
{
    return pos > 0 && may_end_address((unsigned char)s[pos - 1]);
}

struct cl_element cl_mask_any_element(const char *s, size_t n, size_t pos)
{
    struct cl_element e = {.kind = CL_NONE};
    if (pos >= n) {
        return e;
    }
    unsigned char c = (unsigned char)s[pos];
    uint32_t code = c;
    switch (c) {
    case '%':
        read_percent(s + pos, n - pos, &e);
        break;
    case '&':
        read_entity(s + pos, n - pos, &e);
        break;
    case '=':
        read_equals(s, n, pos, &e);
        break;
    case '\\':
        read_backslash(s + pos, n - pos, &e);
        break;
    case '\'':
        if (is_inner_apostrophe(s, pos)) {
            e.kind = CL_CORE;
            e.len = e.n_bytes = 1;
            e.bytes[0] = '\'';
        }
        break;
    default:
        e.len = c < 0x80 ? 1 : read_utf8(s + pos, n - pos, &code);
        classify(&e, code);
        if (c >= 0x80) { /* as it stands, stray bytes included */
            memcpy(e.bytes, s + pos, e.len);
            e.n_bytes = e.len;
        }
    }
    if (e.kind == CL_NONE) {
        e.len = 0;
    }
    return e;
}

/* The start of the character that ends before s[pos]. */
static size_t char_before(const char *s, size_t floor, size_t pos)
{
    size_t p = pos - 1;
    while (p > floor && pos - p < 4 && ((unsigned char)s[p] & 0xC0) == 0x80) {
        p--;
    }
    uint32_t code = 0;
    return p < pos && (unsigned char)s[p] >= 0x80 && read_utf8(s + p, pos - p, &code) == pos - p
               ? p
               : pos - 1;
}

/* Bytes of the escape that begins at s[b-1] and reaches into the local part at b: they are not
 * part of it.  *code is what it stands for. */
static size_t escape_bytes(const char *s, size_t b, size_t at, uint32_t *code)
{
    char mark = b > 0 ? s[b - 1] : 0;
    size_t n = at - b;
    if ((mark == '%' || mark == '=') && read_hex(s + b, n, 2, code)) {
        return 2;
    }
    if (mark != '\\' || n == 0) {
        return 0;
    }
    if (s[b] == 'u' && read_hex(s + b + 1, n - 1, 4, code)) {
        return 5;
    }
    if (s[b] == 'x' && read_hex(s + b + 1, n - 1, 2, code)) {
        return 3;
    }
    *code = '\n';
    return strchr("nrtbfv0", s[b]) ? 1 : 0;
}

size_t cl_mask_local_start(const char *s, size_t floor, size_t at)
{
    enum { LOCAL_MAX_BYTES = 256 }; /* longer runs are no local part: only their end is */
    size_t b = at;
    while (b > floor) {
        size_t p = b - 1;
        unsigned char c = (unsigned char)s[p];
        if (c >= 0x80) {
            uint32_t code = 0;
            p = char_before(s, floor, b);
            if (read_utf8(s + p, b - p, &code) == b - p && code != 0xFFFD &&
                is_wide_separator(code)) {
                break;
            }
        } else if (!(cl_mask_class(c) & CL_IN_LOCAL) && !(c == '\'' && is_inner_apostrophe(s, p))) {
            break;
        }
        if (at - p > LOCAL_MAX_BYTES) {
            break;
        }
        b = p;
    }
    uint32_t code = 0;
    b += escape_bytes(s, b, at, &code);
    /* Apostrophes in front are quotes, perhaps doubled: they stay where they are. */
    size_t name = b;
    while (name < at && s[name] == '\'') {
        name++;
    }
    return name < at ? name : b;
}

/* Does an HTML entity other than a space or a tag bracket end before s[at]? */
static bool ends_with_entity(const char *s, size_t at)
{
    static const char *const spaces[] = {"nbsp", "lt", "gt", "ensp", "emsp"};
    size_t p = at - 1; /* the ';' */
    size_t start = p;
    while (start > 0 && p - start < 10 &&
           (cl_mask_class((unsigned char)s[start - 1]) & (CL_LETTER | CL_DIGIT) ||
            s[start - 1] == '#')) {
        start--;
    }
    size_t mark = start; /* the byte after the '&', which may be escaped once more */
    while (mark >= 4 && memcmp(s + mark - 4, "amp;", 4) == 0) {
        mark -= 4;
    }
    if (start == p || mark == 0 || s[mark - 1] != '&') {
        return false;
    }
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (p - start == strlen(spaces[i]) && memcmp(s + start, spaces[i], p - start) == 0) {
            return false;
        }
    }
    return true;
}

bool cl_mask_soft_local(const char *s, size_t at)
{
    static const struct {
        char mark;  /* what the escape begins with */
        size_t len; /* of the whole escape */
    } escapes[] = {{'%', 3}, {'=', 3}, {'\\', 4}, {'\\', 6}, {'\\', 2}};
    if (at == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        size_t len = escapes[i].len;
        uint32_t code = 0;
        if (at >= len && s[at - len] == escapes[i].mark &&
            escape_bytes(s, at - len + 1, at, &code) == len - 1) {
            return code >= 0x80 ? !is_wide_separator(code) || code < 0x100
                                : cl_mask_class((unsigned char)code) != 0;
        }
    }
    unsigned char c = (unsigned char)s[at - 1];
    return cl_mask_class(c) == CL_SOFT || c == ')' || (c == ';' && ends_with_entity(s, at));
}

/* A quoted local part begins and ends with a character of a name, and its opening quote does not
 * follow one: otherwise the "quotes" are the end of one string and the start of the next. */
static bool is_quotable(char c)
{
    return !strchr(" \t,:;(){}=<>\"\\", c); /* NUL counts as a separator too */
}

bool cl_mask_quoted_local(const char *s, size_t at, size_t *open, size_t *close)
{
    enum { QUOTE_MAX_BYTES = 16 }; /* of one quote, escaped again and again */
    if (at < 3 || s[at - 1] != '"') {
        return false;
    }
    size_t width = 1; /* \" inside an array, "" inside a row, \\"" inside an array in a row ... */
    while (width < at && width < QUOTE_MAX_BYTES &&
           (s[at - width - 1] == '\\' || s[at - width - 1] == '"')) {
        width++;
    }
    *close = at - width;
    size_t p = *close;
    while (p > 0 && s[p - 1] != '"') {
        if (s[p - 1] == '\n' || s[p - 1] == '\r') {
            return false;
        }
        p--;
    }
    if (p == *close || p < width || memcmp(s + p - width, s + *close, width) != 0) {
        return false;
    }
    *open = p;
    size_t before = p - width;
    unsigned char outer = before ? (unsigned char)s[before - 1] : ' ';
    unsigned char last = (unsigned char)s[*close - 1];
    return is_quotable(s[*open]) && (is_quotable((char)last) || may_end_address(last)) &&
           outer < 0x80 && !(cl_mask_class(outer) & CL_IN_LOCAL) &&
           (width > 1 || (outer != '"' && outer != '\\'));
}

void cl_mask_decode(const char *s, size_t from, size_t to, struct cl_buf *out)
{
    while (from < to) {
        struct cl_element e = cl_mask_element(s, to, from);
        if (e.len == 0) {
            cl_buf_addc(out, s[from++]);
        } else {
            cl_buf_add(out, e.bytes, e.n_bytes);
            from += e.len;
        }
    }
}

size_t cl_mask_chars(const char *s, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) {
        chars += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return chars;
}

void cl_mask_letters(const uint8_t digest[CL_SHA256_BYTES], size_t n, char *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * 5;
        unsigned next = bit / 8 + 1 < CL_SHA256_BYTES ? digest[bit / 8 + 1] : 0;
        unsigned pair = (unsigned)digest[bit / 8] << 8 | next;
        out[i] = letters[pair >> (11 - bit % 8) & 31];
    }
}
