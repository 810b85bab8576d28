#include "xml.h"

#include <string.h>

void cl_xml_init(struct cl_xml *x, const char *bytes, size_t n)
{
    memset(x, 0, sizeof *x);
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        n -= 3;
    }
    x->p = bytes;
    x->end = bytes + n;
    cl_buf_init(&x->text, CL_XML_TEXT_MAX);
}

void cl_xml_fini(struct cl_xml *x)
{
    cl_buf_fini(&x->text);
}

static enum cl_xml_event fail(struct cl_xml *x, const char *why)
{
    x->why = why;
    x->p = x->end;
    return CL_XML_ERROR;
}

static bool named(const struct cl_xml_name *n, const char *name)
{
    return strlen(name) == n->len && memcmp(n->at, name, n->len) == 0;
}

bool cl_xml_is(const struct cl_xml *x, const char *name)
{
    return named(&x->name, name);
}

bool cl_xml_in(const struct cl_xml *x, const char *parent)
{
    /* An opened element is on the stack itself, a closed one is not any more. */
    int at = x->depth - 1;
    if (at >= 0 && x->stack[at].at == x->name.at) {
        at--;
    }
    return at >= 0 && named(&x->stack[at], parent);
}

static bool starts(const struct cl_xml *x, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(x->end - x->p) >= n && memcmp(x->p, text, n) == 0;
}

/* Moves behind the next occurrence of text; false when there is none. */
static bool skip_past(struct cl_xml *x, const char *text)
{
    const char *at = memmem(x->p, (size_t)(x->end - x->p), text, strlen(text));
    if (!at) {
        return false;
    }
    x->p = at + strlen(text);
    return true;
}

static void add_utf8(struct cl_buf *out, unsigned long c)
{
    char u[4];
    size_t n = 0;
    if (c < 0x80) {
        u[n++] = (char)c;
    } else if (c < 0x800) {
        u[n++] = (char)(0xc0 | (c >> 6));
        u[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        u[n++] = (char)(0xe0 | (c >> 12));
        u[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        u[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        u[n++] = (char)(0xf0 | (c >> 18));
        u[n++] = (char)(0x80 | ((c >> 12) & 0x3f));
        u[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        u[n++] = (char)(0x80 | (c & 0x3f));
    }
    cl_buf_add(out, u, n);
}

/* "#65" or "#x41", of len bytes; 0 for what is no character. */
static unsigned long numeric(const char *p, size_t len)
{
    bool hex = len > 1 && p[1] == 'x';
    unsigned long c = 0;
    size_t i = hex ? 2 : 1;
    if (i >= len) {
        return 0;
    }
    for (; i < len; i++) {
        unsigned digit;
        if (p[i] >= '0' && p[i] <= '9') {
            digit = (unsigned)(p[i] - '0');
        } else if (hex && p[i] >= 'a' && p[i] <= 'f') {
            digit = (unsigned)(p[i] - 'a') + 10;
        } else if (hex && p[i] >= 'A' && p[i] <= 'F') {
            digit = (unsigned)(p[i] - 'A') + 10;
        } else {
            return 0;
        }
        c = c * (hex ? 16 : 10) + digit;
        if (c > 0x10ffff) {
            return 0;
        }
    }
    return c >= 0xd800 && c <= 0xdfff ? 0 : c;
}

/* At "&": takes the entity. */
static bool take_entity(struct cl_xml *x)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    enum { LONGEST = 12 };
    const char *p = x->p + 1;
    size_t room = (size_t)(x->end - p) < LONGEST ? (size_t)(x->end - p) : LONGEST;
    const char *semicolon = memchr(p, ';', room);
    if (!semicolon) {
        return false;
    }
    struct cl_xml_name name = {p, (size_t)(semicolon - p)};
    x->p = semicolon + 1;
    if (name.len > 0 && p[0] == '#') {
        unsigned long c = numeric(p, name.len);
        if (c != 0) {
            add_utf8(&x->text, c);
        }
        return c != 0;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        if (named(&name, entities[i].name)) {
            cl_buf_addc(&x->text, entities[i].c);
            return true;
        }
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_name(char c)
{
    return is_space(c) || c == '>' || c == '/' || c == '=' || c == '<' || c == '"' || c == '&';
}

static struct cl_xml_name take_name(struct cl_xml *x)
{
    struct cl_xml_name n = {x->p, 0};
    while (x->p < x->end && !ends_name(*x->p)) {
        x->p++;
        n.len++;
    }
    return n;
}

static void skip_space(struct cl_xml *x)
{
    while (x->p < x->end && is_space(*x->p)) {
        x->p++;
    }
}

/* Takes name="value" pairs up to the tag's end. */
static bool take_attributes(struct cl_xml *x)
{
    for (;;) {
        skip_space(x);
        if (x->p >= x->end) {
            return false;
        }
        if (*x->p == '>' || *x->p == '/') {
            return true;
        }
        struct cl_xml_name name = take_name(x);
        skip_space(x);
        if (name.len == 0 || x->p >= x->end || *x->p != '=') {
            return false;
        }
        x->p++;
        skip_space(x);
        if (x->p >= x->end || (*x->p != '"' && *x->p != '\'')) {
            return false;
        }
        char quote = *x->p++;
        const char *close = memchr(x->p, quote, (size_t)(x->end - x->p));
        if (!close) {
            return false;
        }
        struct cl_xml_name value = {x->p, (size_t)(close - x->p)};
        if (named(&name, "Encoded") && named(&value, "true")) {
            x->encoded = true;
        }
        x->p = close + 1;
    }
}

static enum cl_xml_event take_close(struct cl_xml *x)
{
    x->p += 2;
    struct cl_xml_name name = take_name(x);
    skip_space(x);
    if (x->p >= x->end || *x->p != '>') {
        return fail(x, "a closing tag does not end");
    }
    x->p++;
    struct cl_xml_name *top = x->depth > 0 ? &x->stack[x->depth - 1] : NULL;
    if (!top || top->len != name.len || memcmp(top->at, name.at, name.len) != 0) {
        return fail(x, "a closing tag has no opening one");
    }
    x->depth--;
    x->name = name;
    return CL_XML_CLOSE;
}

static enum cl_xml_event take_open(struct cl_xml *x)
{
    x->p++;
    x->encoded = false;
    x->name = take_name(x);
    if (x->name.len == 0 || !take_attributes(x)) {
        return fail(x, "a tag is malformed");
    }
    if (x->depth == 0 && x->rooted) {
        return fail(x, "there are two root elements");
    }
    if (x->depth == CL_XML_DEPTH_MAX) {
        return fail(x, "elements are nested too deeply");
    }
    if (*x->p == '/') {
        x->p++;
        if (x->p >= x->end || *x->p != '>') {
            return fail(x, "a tag is malformed");
        }
        x->empty = true;
    }
    x->p++;
    x->rooted = true;
    x->stack[x->depth++] = x->name;
    cl_buf_reset(&x->text);
    return CL_XML_OPEN;
}

/* At "<!" or "<?". True when it was skipped or taken as text. */
static bool take_special(struct cl_xml *x)
{
    if (starts(x, "<!--")) {
        x->p += 4;
        return skip_past(x, "-->");
    }
    if (starts(x, "<?")) {
        return skip_past(x, "?>");
    }
    if (starts(x, "<![CDATA[") && x->depth > 0) {
        x->p += 9;
        const char *from = x->p;
        return skip_past(x, "]]>") && cl_buf_add(&x->text, from, (size_t)(x->p - 3 - from));
    }
    return false;
}

enum cl_xml_event cl_xml_next(struct cl_xml *x)
{
    if (x->why) {
        return CL_XML_ERROR;
    }
    if (x->empty) {
        x->empty = false;
        x->depth--;
        return CL_XML_CLOSE;
    }
    if (x->name.at) {
        cl_buf_reset(&x->text);
    }
    while (x->p < x->end) {
        if (*x->p == '<') {
            if (starts(x, "</")) {
                return take_close(x);
            }
            if (!starts(x, "<!") && !starts(x, "<?")) {
                return take_open(x);
            }
            if (!take_special(x)) {
                return fail(x, "a declaration that is not taken, or does not end");
            }
        } else if (x->depth == 0) {
            if (!is_space(*x->p)) {
                return fail(x, "text outside of the root element");
            }
            x->p++;
        } else if (*x->p == '&') {
            if (!take_entity(x)) {
                return fail(x, "an entity that is not known");
            }
        } else {
            size_t left = (size_t)(x->end - x->p);
            const char *lt = memchr(x->p, '<', left);
            size_t n = lt ? (size_t)(lt - x->p) : left;
            const char *amp = memchr(x->p, '&', n);
            n = amp ? (size_t)(amp - x->p) : n;
            cl_buf_add(&x->text, x->p, n);
            x->p += n;
        }
        if (x->text.failed) {
            return fail(x, "a text is too long");
        }
    }
    return x->depth > 0 || !x->rooted ? fail(x, "the document is cut off") : CL_XML_END;
}
