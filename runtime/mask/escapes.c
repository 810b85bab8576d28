/*
 * Characters written as escapes: %40, =40, \u0040, &#64; and their kin.
 *
 * Carriers stand in one another, and each escapes the marks of the next: an entity in a URL is
 * %26%2364%3B, in JSON \u0026#64;, in HTML &amp;#64;.  So the characters an escape is made of are
 * read by the same functions, with one layer of escapes less undone.
 */
#include "private.h"

#include <string.h>

#include "base/hash.h"

enum {
    LAYERS_MAX = 5,      /* of escapes of several kinds; %252540 and &amp;amp;#64; count once */
    ESCAPED_MAX = 8,     /* backslashes of one that are escapes themselves */
    NAME_MAX_BYTES = 12, /* of an entity, its "#" and "x" included */
};

/* A text with so many layers of escapes undone. */
struct view {
    const char *s;   /* the text itself */
    size_t n;        /* its bytes */
    unsigned layers; /* so many */
};

static struct cl_escape undo(const struct view *v, struct cl_escape mark);

static bool is_mark(struct cl_escape c)
{
    return c.code < 0x80 && cl_mask_is_mark((unsigned char)c.code);
}

/* The character of the view at s[pos]; its end is 0 behind the last one. */
static struct cl_escape character(const struct view *v, size_t pos)
{
    if (pos >= v->n) {
        return (struct cl_escape){.end = 0};
    }
    unsigned char c = (unsigned char)v->s[pos];
    if (v->layers == 0 || !cl_mask_is_mark(c)) {
        return (struct cl_escape){.code = c, .end = pos + 1, .byte = c >= 0x80};
    }
    struct view below = {.s = v->s, .n = v->n, .layers = v->layers - 1};
    struct cl_escape mark = character(&below, pos);
    struct cl_escape whole = is_mark(mark) ? undo(&below, mark) : mark;
    return whole.end ? whole : mark;
}

static int digit_of(struct cl_escape c)
{
    return c.end && c.code < 0x80 ? cl_hex_digit((char)c.code) : -1;
}

/* So many hexadecimal digits at s[pos]: the byte after them; 0 when they are not there. */
static size_t hex(const struct view *v, size_t pos, unsigned digits, uint32_t *value)
{
    *value = 0;
    for (; digits > 0; digits--) {
        struct cl_escape c = character(v, pos);
        int d = digit_of(c);
        if (d < 0) {
            return 0;
        }
        *value = *value << 4 | (uint32_t)d;
        pos = c.end;
    }
    return pos;
}

/* After a per cent sign: 40, 2540, u0040 */
static struct cl_escape percent(const struct view *v, size_t pos)
{
    struct cl_escape e = {.end = 0}, first = character(v, pos);
    uint32_t more = 0;
    if (first.end && first.code == 'u') {
        e.end = hex(v, first.end, 4, &e.code);
        return e;
    }
    e.end = hex(v, pos, 2, &e.code);
    for (size_t end; e.end && e.code == '%' && (end = hex(v, e.end, 2, &more)) > 0; e.end = end) {
        e.code = more;
    }
    e.byte = e.code >= 0x80;
    return e;
}

/* After an equals sign, in quoted-printable: 40 */
static struct cl_escape equals(const struct view *v, size_t pos)
{
    struct cl_escape e = {.printable = true};
    e.end = hex(v, pos, 2, &e.code);
    e.byte = e.code >= 0x80;
    return e;
}

/* {40} and the byte after it; 0 when that is not there. */
static size_t braced(const struct view *v, size_t pos, uint32_t *value)
{
    struct cl_escape c = character(v, pos);
    unsigned digits = 0;
    *value = 0;
    if (c.code != '{') {
        return 0;
    }
    for (int d; (c = character(v, c.end)).end && (d = digit_of(c)) >= 0 && digits < 6; digits++) {
        *value = *value << 4 | (uint32_t)d;
    }
    return digits > 0 && c.code == '}' ? c.end : 0;
}

/* After a backslash, and perhaps more of them: u0040, x40, u{40}, U00000040 */
static struct cl_escape backslash(const struct view *v, size_t pos)
{
    struct cl_escape e = {.end = 0}, c = character(v, pos);
    unsigned most = v->layers == 0 ? CL_BACKSLASHES_MAX : ESCAPED_MAX;
    for (unsigned i = 1; c.end && c.code == '\\' && i < most; i++) {
        c = character(v, c.end);
    }
    if (!c.end) {
        return e;
    }
    if (c.code == 'u') {
        e.end = hex(v, c.end, 4, &e.code);
        e.end = e.end ? e.end : braced(v, c.end, &e.code);
    } else if (c.code == 'x' || c.code == 'U') {
        e.end = hex(v, c.end, c.code == 'x' ? 2 : 8, &e.code);
    }
    return e.code <= 0x10FFFF ? e : (struct cl_escape){.end = 0};
}

/* May the character follow so many of an entity's name? */
static bool goes_on(const char *name, size_t n, unsigned char c)
{
    unsigned class = cl_mask_class(c);
    if (n == 0 || name[0] != '#') {
        return (n == 0 && c == '#') || (class & (CL_LETTER | CL_DIGIT));
    }
    if (n == 1) {
        return class == CL_DIGIT || c == 'x' || c == 'X';
    }
    return name[1] == 'x' || name[1] == 'X' ? cl_hex_digit((char)c) >= 0 : class == CL_DIGIT;
}

/* The name of an entity: the byte after its semicolon, without which a number may go; 0 when there
 * is none. */
static size_t entity_name(const struct view *v, size_t pos, char name[static NAME_MAX_BYTES],
                          size_t *n)
{
    struct cl_escape c = character(v, pos);
    *n = 0;
    while (c.end && c.code < 0x80 && *n < NAME_MAX_BYTES &&
           goes_on(name, *n, (unsigned char)c.code)) {
        name[(*n)++] = (char)c.code;
        pos = c.end;
        c = character(v, pos);
    }
    if (*n > 0 && c.end && c.code == ';') {
        return c.end;
    }
    bool number = *n > 1 && name[0] == '#' && cl_hex_digit(name[*n - 1]) >= 0;
    return number ? pos : 0;
}

/* The number #64 or #x40; 0 when it is none. */
static uint32_t entity_number(const char *name, size_t n)
{
    bool hexadecimal = n > 1 && (name[1] == 'x' || name[1] == 'X');
    uint32_t code = 0;
    for (size_t i = hexadecimal ? 2 : 1; i < n; i++) {
        int d = cl_hex_digit(name[i]);
        if (d < 0 || (!hexadecimal && d > 9) || code > 0x10FFFF) {
            return 0;
        }
        code = code * (hexadecimal ? 16 : 10) + (uint32_t)d;
    }
    return code <= 0x10FFFF ? code : 0;
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

/* What an entity stands for; 0 when that is nothing an address or an escape is made of. */
static uint32_t entity_code(const char *name, size_t n)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {{"amp", '&'},   {"commat", '@'}, {"period", '.'}, {"lowbar", '_'}, {"percnt", '%'},
                 {"num", '#'},   {"semi", ';'},   {"bsol", '\\'},  {"equals", '='}, {"quot", '"'},
                 {"apos", '\''}, {"lsqb", '['},   {"rsqb", ']'}};
    if (name[0] == '#') {
        return entity_number(name, n);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (n == strlen(names[i].name) && memcmp(name, names[i].name, n) == 0) {
            return (unsigned char)names[i].c;
        }
    }
    return is_letter_name(name, n) ? CL_ANY_LETTER : 0;
}

/* After an ampersand: #64; #x40; commat; amp;#64; */
static struct cl_escape entity(const struct view *v, size_t pos)
{
    struct cl_escape e = {.end = 0};
    char name[NAME_MAX_BYTES];
    size_t n = 0;
    for (size_t end; (end = entity_name(v, pos, name, &n)) > 0; pos = end) {
        uint32_t code = entity_code(name, n);
        if (code == 0) {
            break;
        }
        e = (struct cl_escape){.code = code, .end = end};
        if (code != '&' || name[0] == '#') {
            break;
        }
    }
    return e;
}

/* What the mark and the view's characters behind it stand for; the end is 0 when that is no
 * escape. */
static struct cl_escape undo(const struct view *v, struct cl_escape mark)
{
    struct cl_escape e = mark.code == '%'    ? percent(v, mark.end)
                         : mark.code == '&'  ? entity(v, mark.end)
                         : mark.code == '='  ? equals(v, mark.end)
                         : mark.code == '\\' ? backslash(v, mark.end)
                                             : (struct cl_escape){.end = 0};
    e.printable = e.printable || mark.printable;
    return e;
}

struct cl_escape cl_mask_escape(const char *s, size_t n, size_t pos)
{
    struct view v = {.s = s, .n = n};
    struct cl_escape c = character(&v, pos);
    for (; v.layers < LAYERS_MAX && is_mark(c); v.layers++) {
        struct cl_escape whole = undo(&v, c);
        if (!whole.end) {
            break;
        }
        c = whole;
    }
    return c;
}

bool cl_mask_escape_before(const char *s, size_t floor, size_t end, bool (*fits)(uint32_t code),
                           size_t *start)
{
    bool found = false;
    size_t p = end;
    while (p > floor && end - p < CL_SPELLING_MAX && cl_mask_may_spell((unsigned char)s[p - 1])) {
        p--;
        if (cl_mask_is_mark((unsigned char)s[p]) && end > p + 1) {
            struct cl_escape c = cl_mask_escape(s, end, p);
            if (c.end == end && fits(c.code)) {
                *start = p;
                found = true;
            }
        }
    }
    return found;
}
