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

/* Length of the well-formed UTF-8 character at s (its first byte is not ASCII) and its code point;
 * 1 and 0xFFFD for a stray byte. */
static size_t read_utf8(const char *s, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
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
    if (c < least[len]) { /* longer than need be: no character to anybody */
        return 1;
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

/* Full-width forms of the at-sign and the dot, which some mail programs fold. */
static bool is_wide_mark(uint32_t c)
{
    return c == 0xFF20 || c == 0x3002 || c == 0xFF0E || c == 0xFF61;
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
    } else if (is_wide_mark(c)) {
        e->kind = c == 0xFF20 ? CL_AT : CL_DOT;
    } else if (is_wide_separator(c)) {
        e->kind = CL_NONE;
    } else {
        e->kind = CL_LABEL;
        e->letter = true;
    }
}

/* `=40` is an at-sign only between a local part and a letter, since `x=40` is ordinary text; what
 * else it encodes matters inside domains only. Letters and digits count where several are written
 * so. */
static bool is_printable(const char *s, size_t n, size_t pos, struct cl_escape c)
{
    struct cl_escape next = cl_mask_escape(s, n, c.end);
    if (c.code == '@') {
        unsigned char before = pos ? (unsigned char)s[pos - 1] : 0;
        unsigned class = next.code < 0x80 ? cl_mask_class((unsigned char)next.code) : 0;
        bool first = next.end && (next.code >= 0x80 || class == CL_LETTER ||
                                  (next.printable && class == CL_DIGIT));
        return first && may_end_address(before);
    }
    if (c.code >= 0x80 || c.code == '.' || c.code == '-' || c.code == '_') {
        return true;
    }
    bool several = next.printable || (pos > 2 && cl_mask_escape(s, pos, pos - 3).printable);
    return several && (cl_mask_class((unsigned char)c.code) & (CL_LETTER | CL_DIGIT | CL_PLUS));
}

/* Are these bytes, each escaped by itself, a full-width at-sign or dot? */
static bool join_bytes(const char *s, size_t n, struct cl_escape *c)
{
    char bytes[3] = {(char)c->code};
    uint32_t code = 0;
    size_t end = c->end;
    for (size_t i = 1; i < sizeof bytes; i++) {
        struct cl_escape more = cl_mask_escape(s, n, end);
        if (!more.byte || more.end == end + 1) {
            return false;
        }
        bytes[i] = (char)more.code;
        end = more.end;
    }
    if (read_utf8(bytes, sizeof bytes, &code) < sizeof bytes || !is_wide_mark(code)) {
        return false;
    }
    *c = (struct cl_escape){.code = code, .end = end};
    return true;
}

/* Fills in what is written as an escape at s[pos]; of anything else the kind stays CL_NONE. */
static void read_escape(const char *s, size_t n, size_t pos, struct cl_element *e)
{
    struct cl_escape c = cl_mask_escape(s, n, pos);
    if (c.end == pos + 1 || (c.printable && !is_printable(s, n, pos, c))) {
        return;
    }
    if (c.byte && !join_bytes(s, n, &c)) {
        e->kind = CL_LABEL;
        e->letter = true;
        e->bytes[0] = (char)c.code;
        e->n_bytes = 1;
    } else if (c.code == CL_ANY_LETTER) { /* it is shown as '?' */
        e->kind = CL_LABEL;
        e->letter = true;
        e->bytes[0] = '?';
        e->n_bytes = 1;
    } else {
        classify(e, c.code);
    }
    e->len = c.end - pos;
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
    case '&':
    case '=':
    case '\\':
        read_escape(s, n, pos, &e);
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
    e.span = e.len;
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

/* May a local part end with the character of an escape? */
static bool is_name(uint32_t code)
{
    return code >= 0x80 ? !is_wide_separator(code) || code < 0x100
                        : cl_mask_class((unsigned char)code) != 0 || code == ')';
}

/* Bytes of the escape that begins at s[b-1] and reaches into the local part at b: they are not
 * part of it.  One in another that ends right before the at-sign may be read otherwise: it counts
 * when it is a name's. */
static size_t escape_bytes(const char *s, size_t b, size_t at)
{
    char mark = b > 0 ? s[b - 1] : 0;
    if (b == at || (mark != '%' && mark != '=' && mark != '\\')) {
        return 0;
    }
    if (mark == '\\' && s[b] && strchr("nrtbfv0", s[b])) {
        return 1;
    }
    size_t len = cl_mask_escape(s, at, b - 1).end - b;
    size_t simple = mark != '\\' ? 2 : s[b] == 'u' ? 5 : 3;
    bool all = b + len == at && len > simple;
    return all && !is_name(cl_mask_escape(s, at, b - 1).code) ? 0 : len;
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
    b += escape_bytes(s, b, at);
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
    size_t start;
    if (at == 0) {
        return false;
    }
    if (cl_mask_escape_before(s, 0, at, is_name, &start)) {
        return true;
    }
    unsigned char c = (unsigned char)s[at - 1];
    return cl_mask_class(c) == CL_SOFT || c == ')' || (c == ';' && ends_with_entity(s, at));
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
    return (cl_mask_is_quotable(s[*open]) || cl_mask_in_local(s, *close, *open)) &&
           (cl_mask_is_quotable((char)last) || may_end_address(last)) &&
           cl_mask_may_open(s, before) && (width > 1 || (outer != '"' && outer != '\\'));
}

void cl_mask_decode(const char *s, size_t from, size_t to, struct cl_buf *out)
{
    while (from < to) {
        struct cl_element e = cl_mask_element(s, to, from);
        if (e.n_bytes == 0) {
            cl_buf_addc(out, s[from++]);
        } else {
            cl_buf_add(out, e.bytes, e.n_bytes);
            from += e.span;
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
