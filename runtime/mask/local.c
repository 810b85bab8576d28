/*
 * The whole of a local part. Before an at-sign chars.c reads the plain characters that nearly all
 * of them are made of; what belongs to it besides is found here: the other marks of RFC 5322
 * (`host!jo@a.no`, `jo%b.no@a.no`, `jo#EXT#@a.no`), characters written as escapes, comments,
 * strings in escaped quotes. When in doubt it belongs to it. Not so: marks in front, the name of a
 * parameter, a path, and comments in front, which are as display names are.
 */
#include "private.h"

#include <string.h>
#include <strings.h>

enum {
    WHOLE_BYTES = 1024, /* however it is written; what is longer is no local part */
    NOWHERE = WHOLE_BYTES + 1,
};

/* One character before the at-sign, however it is written. */
struct unit {
    uint16_t at; /* where it begins, from the first one on */
    char c;      /* what it stands for: 'x' for a letter outside ASCII, FORM FEED for a separator */
};

/* ---------------------------------------------------------------- reading */

static bool is_triple(const char *s, size_t n, size_t p)
{
    return p + 3 <= n && s[p] == '=' && cl_hex_digit(s[p + 1]) >= 0 && cl_hex_digit(s[p + 2]) >= 0;
}

/* The byte that the =XX at s[p] stands for; -1 where it rather is `to=` before a name or a number.
 * Quoted-printable has no reason to write letters, digits and control characters like that, and
 * does so in capitals; a byte outside ASCII by itself is a letter of Latin-1 or a no-break space.
 */
static int printable_byte(const char *s, size_t n, size_t p)
{
    if (!is_triple(s, n, p)) {
        return -1;
    }
    int byte = cl_hex_digit(s[p + 1]) << 4 | cl_hex_digit(s[p + 2]);
    if (is_triple(s, n, p + 3) || (p >= 3 && is_triple(s, n, p - 3))) {
        return byte;
    }
    if (byte < 0x80) {
        unsigned class = cl_mask_class((unsigned char)byte);
        bool control = byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r';
        return control || (class & (CL_LETTER | CL_DIGIT)) ? -1 : byte;
    }
    bool lower = s[p + 1] >= 'a' || s[p + 2] >= 'a';
    bool word =
        s[p + 1] >= 'A' && s[p + 2] >= 'A' && !(p + 3 < n && s[p + 3] >= 'a'); /* TO=DAVID */
    return lower || word || (byte < 0xC0 && byte != 0xA0) ? -1 : byte;
}

static char meaning(const struct cl_element *e)
{
    unsigned char c = (unsigned char)e->bytes[0];
    bool ascii = e->n_bytes == 1 && c < 0x80 && c != 0;
    switch (e->kind) {
    case CL_AT:
        return '@';
    case CL_DOT:
        return '.';
    case CL_LABEL:
        return ascii && (cl_mask_class(c) & CL_IN_LABEL) ? (char)c : 'x';
    default:
        return ascii ? (char)c : '\f';
    }
}

/* Several bytes written as escapes from s[p] on are one character of UTF-8; *len becomes the length
 * of them all. A byte by itself is Latin-1 in quoted-printable, and after a percent sign anything.
 */
static char meaning_of_bytes(const char *s, size_t n, size_t p, unsigned char lead, size_t *len)
{
    char utf8[4] = {(char)lead};
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1, have = 1;
    size_t end = p + *len;
    while (have < want && end < n && s[end] == s[p]) {
        struct cl_element e = cl_mask_element(s, n, end);
        if (e.n_bytes != 1 || ((unsigned char)e.bytes[0] & 0xC0) != 0x80) {
            break;
        }
        utf8[have++] = e.bytes[0];
        end += e.span;
    }
    if (have == want && want > 1) {
        *len = end - p;
    } else if (s[p] == '=') {
        utf8[0] = (char)(0xC0 | lead >> 6);
        utf8[1] = (char)(0x80 | (lead & 0x3F));
        have = 2;
    } else {
        return 'x';
    }
    struct cl_element e = cl_mask_element(utf8, have, 0);
    return meaning(&e);
}

/* Bytes of the equals sign that is written as an escape at s[p], before what reads like its digits.
 */
static size_t escaped_equals(const char *s, size_t n, size_t p)
{
    struct cl_escape c = {.end = p + 1};
    for (size_t end = p + 2; end <= n; end++) {
        struct cl_escape more = cl_mask_escape(s, end, p);
        if (c.code == '=' && more.code != '=') {
            break;
        }
        c = more;
    }
    return c.end - p;
}

size_t cl_mask_unit(const char *s, size_t n, size_t p, char *c)
{
    if (s[p] == '=') {
        int byte = printable_byte(s, n, p);
        if (byte < 0x80) {
            *c = byte < 0 ? '=' : byte ? (char)byte : '\f';
            return byte < 0 ? 1 : 3;
        }
    }
    struct cl_element e = cl_mask_element(s, n, p);
    size_t len = e.span;
    if (len > 1 && s[p] != '=' && cl_mask_escape(s, n, p).printable) {
        *c = '='; /* to%3Dada@a.no */
        return escaped_equals(s, n, p);
    }
    if (len > 0) {
        bool byte = len > 1 && e.n_bytes == 1 && (unsigned char)e.bytes[0] >= 0x80;
        *c = byte ? meaning_of_bytes(s, n, p, (unsigned char)e.bytes[0], &len) : meaning(&e);
        return len;
    }
    if (s[p] == '\\') { /* of a control character, or before a quote */
        while (p + len < n && s[p + len] == '\\') {
            len++;
        }
        *c = '\n';
        return len + (p + len < n && s[p + len] && strchr("nrtbfv0", s[p + len]));
    }
    *c = s[p];
    return 1;
}

static bool is_core(char c)
{
    return cl_mask_class((unsigned char)c) & CL_IN_LOCAL;
}

bool cl_mask_in_local(const char *s, size_t n, size_t pos)
{
    char c = ' ';
    return pos < n && cl_mask_unit(s, n, pos, &c) > 0 && is_core(c);
}

/* ---------------------------------------------------------------- walking back */

/* Where the comment opens that units[k] closes; NOWHERE when it is none. Then the text before and
 * behind it are two elements of an array, two words of a tsvector, two tags … */
static size_t comment_start(const struct unit *units, size_t k)
{
    unsigned depth = 1;
    while (k > 0) {
        char after = units[k].c, c = units[--k].c;
        if (strchr("\n\r\"<>@[]{}", c) || (c == ',' && after != ' ' && after != '\t') ||
            (c == '\'' && !(is_core(after) && k > 0 && is_core(units[k - 1].c)))) {
            break;
        }
        depth += c == ')';
        depth -= c == '(';
        if (depth == 0) {
            return k;
        }
    }
    return NOWHERE;
}

/* The characters before an at-sign, and what of them is its local part. */
struct walk {
    struct unit units[WHOLE_BYTES];
    size_t n;     /* of units */
    size_t k;     /* how far the walk back went: units from here on were passed */
    size_t start; /* where the local part begins so far; n: nowhere yet */
    size_t close; /* the unit after its own text: a comment follows, or the at-sign */
};

static bool pass_comment(struct walk *w)
{
    size_t open = comment_start(w->units, w->k - 1);
    if (open == NOWHERE) {
        return false;
    }
    if (w->close == w->k) {
        open -= open > 0 && w->units[open - 1].c == ' '; /* jo (at work)@a.no */
        w->close = open;
    }
    w->k = open;
    return true;
}

static void walk_back(struct walk *w)
{
    w->k = w->start = w->close = w->n;
    while (w->k > 0) {
        char c = w->units[w->k - 1].c;
        if (is_core(c)) {
            w->start = --w->k;
        } else if (c == ')') {
            if (!pass_comment(w)) {
                break;
            }
        } else if (strchr("!#$%&'*/=^~", c)) {
            w->k--;
        } else {
            break;
        }
    }
}

/* The unit after the first, or the last, of these marks that is in no comment; 0 for none. */
static size_t after_mark(const struct walk *w, const char *marks, bool last)
{
    size_t after = 0;
    unsigned depth = 0;
    for (size_t k = w->start; k < w->close && (last || after == 0); k++) {
        char c = w->units[k].c;
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0 && strchr(marks, c)) {
            after = k + 1;
        }
    }
    return after;
}

/* Is what has slashes in it, the last of them before that unit, a path or a URL? */
static bool is_path(const struct walk *w, size_t slash)
{
    const struct unit *u = w->units;
    bool host = true; /* or the name of a file: so far, no slash */
    if (slash == w->close || (w->start > 0 && u[w->start - 1].c == '/')) {
        return true;
    }
    for (size_t k = w->start; k < slash; k++) {
        if ((host && u[k].c == '.') || (u[k].c == '/' && u[k + 1].c == '/')) {
            return true;
        }
        host = host && u[k].c != '/';
    }
    return false;
}

/* May the word before the first equals sign be the name of a parameter? In the addresses of bounces
 * (`bounce+jo=b.no@a.no`, `list-return-17-jo=b.no@a.no`, `prvs=1234=jo@a.no`, SRS) and in those
 * that Exchange makes of others it is the local part's first word. */
static bool is_name(const struct walk *w, size_t equals)
{
    static const char *const tags[] = {"prvs", "msprvs1", "btv1", "srs0", "srs1"};
    char word[8] = "";
    size_t n = equals - 1 - w->start;
    size_t digits = 0; /* after a hyphen, which counts as one */
    for (size_t i = 0; i < n; i++) {
        char c = w->units[w->start + i].c;
        if (c == '+' || (c == '-' && digits > 1)) {
            return false;
        }
        bool digit = cl_mask_class((unsigned char)c) == CL_DIGIT;
        digits = c == '-' ? 1 : digit && digits > 0 ? digits + 1 : 0;
        if (i < sizeof word - 1) {
            word[i] = c;
        }
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (n == strlen(tags[i]) && strcasecmp(word, tags[i]) == 0) {
            return false;
        }
    }
    return strncasecmp(word, "imcea", 5) != 0;
}

/* Of what was passed, paths and the names of parameters do not belong to it. */
static void leave_names(struct walk *w)
{
    size_t slash = after_mark(w, "/", true);
    if (slash > 0 && is_path(w, slash)) {
        w->start = slash;
    }
    size_t equals = after_mark(w, "=", false), ampersand = after_mark(w, "&", true);
    if (equals > 0 && ampersand > 0) { /* ?a=b&to=jo@a.no */
        w->start = ampersand;
        equals = after_mark(w, "=", false);
    }
    if (equals > 0 && is_name(w, equals)) {
        w->start = equals;
    }
    while (w->start < w->close && !is_core(w->units[w->start].c)) {
        w->start++;
    }
}

size_t cl_mask_local_whole(const char *s, size_t floor, size_t local, size_t at, size_t *close)
{
    struct walk w;
    unsigned char before = local > floor ? (unsigned char)s[local - 1] : 0;
    *close = at;
    if (!cl_mask_class(before) && before != ')' && before != ';') {
        return local; /* as it nearly always is */
    }
    size_t first = at - floor > WHOLE_BYTES ? at - WHOLE_BYTES : floor;
    w.n = 0;
    for (size_t p = first; p < at;) {
        struct unit *u = &w.units[w.n++];
        u->at = (uint16_t)(p - first);
        p += cl_mask_unit(s, at, p, &u->c);
    }
    walk_back(&w);
    if (w.k == 0 && first > floor) {
        return local;
    }
    leave_names(&w);
    if (w.start >= w.close) {
        return local;
    }
    if (w.close < w.n) {
        *close = first + w.units[w.close].at;
    }
    return first + w.units[w.start].at;
}

size_t cl_mask_octets(const char *s, size_t from, size_t to)
{
    size_t octets = 0;
    while (from < to) {
        struct cl_element e = cl_mask_element(s, to, from);
        octets += e.n_bytes ? e.n_bytes : 1;
        from += e.span ? e.span : 1;
    }
    return octets;
}

/* ---------------------------------------------------------------- quotes */

static bool is_quote(uint32_t code)
{
    return code == '"';
}

static bool is_any(uint32_t code)
{
    (void)code;
    return true;
}

bool cl_mask_may_open(const char *s, size_t pos)
{
    char c = ' ';
    size_t p = pos;
    if (cl_mask_escape_before(s, 0, pos, is_any, &p)) {
        cl_mask_unit(s, pos, p, &c);
        return !is_core(c) || c == 'x'; /* of its bytes only the last one was read */
    }
    if (pos > 1 && s[pos - 2] == '\\' && cl_mask_unit(s, pos, pos - 2, &c) == 2) {
        return true;
    }
    while (p > 0 && pos - p < 4 && (p == pos || ((unsigned char)s[p] & 0xC0) == 0x80)) {
        p--;
    }
    return (p < pos && cl_mask_unit(s, pos, p, &c) != pos - p) || !is_core(c);
}

bool cl_mask_coded_quotes(const char *s, size_t at, size_t *open, size_t *close)
{
    size_t p = at;
    if (!cl_mask_escape_before(s, 0, at, is_quote, &p)) {
        return false;
    }
    size_t width = at - p;
    *close = p;
    while (p >= width && memcmp(s + p - width, s + *close, width) != 0) {
        p--;
    }
    if (p < width || p == *close) {
        return false;
    }
    *open = p;
    size_t before = p - width;
    char c = ' ', first = 0;
    while (p < *close) {
        p += cl_mask_unit(s, *close, p, &c);
        first = first ? first : c;
        if (strchr("\n\r\"<>", c)) {
            return false;
        }
    }
    return cl_mask_is_quotable(first) && cl_mask_is_quotable(c) && cl_mask_may_open(s, before);
}
