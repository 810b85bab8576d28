#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, STRING_BYTES_MAX = 16 * 1024 * 1024 };

struct parser {
    const char *p;     /* next byte */
    const char *end;   /* after the last */
    const char *start; /* first, for messages */
    const char *why;   /* what is wrong at p, NULL: nothing */
};

static void skip_space(struct parser *in)
{
    while (in->p < in->end && strchr(" \t\r\n", *in->p) && *in->p) {
        in->p++;
    }
}

static bool take(struct parser *in, char c)
{
    skip_space(in);
    if (in->p < in->end && *in->p == c) {
        in->p++;
        return true;
    }
    return false;
}

static bool wrong(struct parser *in, const char *why)
{
    if (!in->why) {
        in->why = why;
    }
    return false;
}

static void add_utf8(struct cl_buf *out, uint32_t c)
{
    if (c < 0x80) {
        cl_buf_addc(out, (char)c);
    } else if (c < 0x800) {
        cl_buf_addc(out, (char)(0xc0 | c >> 6));
        cl_buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        cl_buf_addc(out, (char)(0xe0 | c >> 12));
        cl_buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        cl_buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        cl_buf_addc(out, (char)(0xf0 | c >> 18));
        cl_buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        cl_buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        cl_buf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static bool hex4(struct parser *in, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    *out = 0;
    for (int i = 0; i < 4; i++, in->p++) {
        const char *digit = in->p < in->end && *in->p ? strchr(digits, *in->p) : NULL;
        if (!digit) {
            return wrong(in, "four hex digits expected");
        }
        *out = *out << 4 | (uint32_t)((digit - digits) & 15);
    }
    return true;
}

static bool escape(struct parser *in, struct cl_buf *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = in->p < in->end ? *in->p++ : '\0';
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        return cl_buf_addc(out, to[known - from]);
    }
    uint32_t code;
    if (c != 'u' || !hex4(in, &code)) {
        return wrong(in, "unknown escape");
    }
    if (code >= 0xd800 && code < 0xdc00) {
        uint32_t low;
        if (in->end - in->p < 6 || in->p[0] != '\\' || in->p[1] != 'u') {
            return wrong(in, "half a surrogate pair");
        }
        in->p += 2;
        if (!hex4(in, &low) || low < 0xdc00 || low > 0xdfff) {
            return wrong(in, "half a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xdc00 && code < 0xe000)) {
        return wrong(in, "a character that cannot be in a name");
    }
    add_utf8(out, code);
    return true;
}

/* A string to free(). */
static char *string(struct parser *in)
{
    struct cl_buf out;
    cl_buf_init(&out, STRING_BYTES_MAX);
    cl_buf_adds(&out, "");
    bool ok = take(in, '"') || wrong(in, "a string expected");
    while (ok && in->p < in->end && *in->p != '"') {
        if (*in->p == '\\') {
            in->p++;
            ok = escape(in, &out);
        } else if ((unsigned char)*in->p < 0x20) {
            ok = wrong(in, "a control character in a string");
        } else {
            cl_buf_addc(&out, *in->p++);
        }
    }
    if (ok && in->p == in->end) {
        ok = wrong(in, "a string without end");
    }
    if (!ok || out.failed) {
        cl_buf_fini(&out);
        return NULL;
    }
    in->p++;
    return out.data;
}

static bool word(struct parser *in, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(in->end - in->p) < n || memcmp(in->p, text, n) != 0) {
        return false;
    }
    in->p += n;
    return true;
}

static bool integer(struct parser *in, int64_t *out)
{
    bool negative = in->p < in->end && *in->p == '-';
    in->p += negative;
    uint64_t value = 0;
    const char *first = in->p;
    for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
        uint64_t digit = (uint64_t)(*in->p - '0');
        if (value > ((uint64_t)INT64_MAX + negative - digit) / 10) {
            return wrong(in, "a number too large");
        }
        value = value * 10 + digit;
    }
    if (in->p == first || (in->p < in->end && strchr(".eE", *in->p) && *in->p)) {
        return wrong(in, "an integer expected");
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static struct cl_json *value(struct parser *in, int depth);

static bool members(struct parser *in, struct cl_json *parent, char close, int depth)
{
    struct cl_json **link = &parent->child;
    if (take(in, close)) {
        return true;
    }
    do {
        char *key = NULL;
        if (parent->kind == CL_JSON_OBJECT) {
            key = string(in);
            if (!key || !take(in, ':')) {
                free(key);
                return wrong(in, "a member expected");
            }
        }
        struct cl_json *child = value(in, depth + 1);
        if (!child) {
            free(key);
            return false;
        }
        child->key = key;
        *link = child;
        link = &child->next;
        parent->n++;
    } while (take(in, ','));
    return take(in, close) || wrong(in, "a comma or the end expected");
}

static bool fill(struct parser *in, struct cl_json *v, int depth)
{
    skip_space(in);
    char c = in->p < in->end ? *in->p : '\0';
    if (c == '{' || c == '[') {
        in->p++;
        v->kind = c == '{' ? CL_JSON_OBJECT : CL_JSON_ARRAY;
        return members(in, v, c == '{' ? '}' : ']', depth);
    }
    if (c == '"') {
        v->kind = CL_JSON_STRING;
        v->string = string(in);
        return v->string != NULL;
    }
    if (word(in, "true") || word(in, "false")) {
        v->kind = CL_JSON_BOOL;
        v->integer = c == 't';
        return true;
    }
    if (word(in, "null")) {
        return true;
    }
    v->kind = CL_JSON_INTEGER;
    return integer(in, &v->integer);
}

static struct cl_json *value(struct parser *in, int depth)
{
    if (depth > DEPTH_MAX) {
        wrong(in, "nested too deeply");
        return NULL;
    }
    struct cl_json *v = calloc(1, sizeof *v);
    if (v && !fill(in, v, depth)) {
        cl_json_free(v);
        v = NULL;
    }
    return v;
}

struct cl_json *cl_json_parse(const char *text, size_t n, struct cl_err *err)
{
    struct parser in = {.p = text, .end = text + n, .start = text};
    struct cl_json *root = value(&in, 0);
    skip_space(&in);
    if (root && in.p < in.end) {
        wrong(&in, "more after the end");
        cl_json_free(root);
        root = NULL;
    }
    if (!root) {
        cl_fail(err, CL_INVALID, "E_JSON", "not JSON at byte %zu: %s", (size_t)(in.p - in.start),
                in.why ? in.why : "out of memory");
    }
    return root;
}

void cl_json_free(struct cl_json *root)
{
    while (root) {
        struct cl_json *next = root->next;
        cl_json_free(root->child);
        free((char *)(uintptr_t)root->key);
        free((char *)(uintptr_t)root->string);
        free(root);
        root = next;
    }
}

const struct cl_json *cl_json_get(const struct cl_json *object, const char *key,
                                  enum cl_json_kind kind)
{
    const struct cl_json *v = object && object->kind == CL_JSON_OBJECT ? object->child : NULL;
    while (v && (v->kind != kind || strcmp(v->key, key) != 0)) {
        v = v->next;
    }
    return v;
}

bool cl_json_string(struct cl_buf *out, const char *s)
{
    cl_buf_addc(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            cl_buf_addc(out, '\\');
            cl_buf_addc(out, *s);
        } else if (c < 0x20 || c == 0x7f) {
            cl_buf_addf(out, "\\u%04x", c);
        } else {
            cl_buf_addc(out, *s);
        }
    }
    return cl_buf_addc(out, '"');
}
