/*
 * JSON: methods for the values at given paths.
 *
 * A path is `$.person.name`, `items[*].phone`, `a["odd.key"][0]`: keys in turn, `*` for any,
 * numbers for elements of arrays.  A key goes through arrays, into each of their elements.  What
 * stands at the end of a path is every value there and below: when in doubt, too much.
 */
#include <stdlib.h>
#include <string.h>

#include "method.h"

enum {
    PARTS_MAX = 32,
    STEPS_MAX = 64,
    DEPTH_MAX = 1000,
    PATH_BYTES_MAX = 4096,
    VALUE_BYTES_MAX = 0x40000000,
};

/* How one step of a path is kept: a letter for what it is, then the key; each ends with a NUL. */
enum { KEY = 'k', ANY_KEY = 'm', ANY_ELEMENT = 'e', ELEMENT = 'n' };

struct walk {
    const struct cl_mask_method *method; /* borrowed */
    const char *s;                       /* the document, n bytes */
    size_t n;                            /* of s */
    size_t p;                            /* where we are */
    struct cl_buf *out;                  /* what has been written */
    size_t done;                         /* of s: what is in out */
    struct cl_buf plain;                 /* a decoded string */
    struct cl_buf made;                  /* what became of it */
    struct cl_err *err;                  /* why it failed; may be NULL */
};

/* Which step of each part's path a place has come to; -1: it is not on it. */
struct place {
    int at[PARTS_MAX];
};

/* ---- paths */

static void add_step(struct cl_buf *steps, char kind, const char *key, size_t n)
{
    cl_buf_addc(steps, kind);
    cl_buf_add(steps, key, n);
    cl_buf_addc(steps, '\0');
}

/* One step in brackets, which begin at path[p]; 0 when malformed, else the byte after them. */
static size_t bracket(const char *path, size_t p, struct cl_buf *steps)
{
    size_t begin = p + 1;
    if (path[begin] == '"') {
        const char *quote = strchr(path + begin + 1, '"');
        size_t end = quote ? (size_t)(quote - path) : 0;
        if (!quote || path[end + 1] != ']') {
            return 0;
        }
        add_step(steps, KEY, path + begin + 1, end - begin - 1);
        return end + 2;
    }
    size_t n = path[begin] == '*' ? 1 : strspn(path + begin, "0123456789");
    if (n == 0 || path[begin + n] != ']') {
        return 0;
    }
    add_step(steps, path[begin] == '*' ? ANY_ELEMENT : ELEMENT, path + begin, n);
    return begin + n + 1;
}

static bool parse_path(const char *path, struct cl_buf *steps, size_t *n_steps)
{
    size_t p = *path == '$' ? 1 : 0;
    *n_steps = 0;
    if (p == 1 && path[p] && path[p] != '.' && path[p] != '[') {
        return false;
    }
    while (path[p]) {
        if (path[p] == '[') {
            p = bracket(path, p, steps);
            if (p == 0) {
                return false;
            }
        } else {
            p += path[p] == '.' && p > 0;
            size_t n = strcspn(path + p, ".[");
            if (n == 0) {
                return false;
            }
            bool any = n == 1 && path[p] == '*';
            add_step(steps, any ? ANY_KEY : KEY, path + p, any ? 0 : n);
            p += n;
        }
        if (++*n_steps > STEPS_MAX) {
            return false;
        }
    }
    return *path && !steps->failed;
}

/* The step with that number; NULL behind the last. */
static const char *step(const struct cl_mask_method *part, int number)
{
    const char *s = part->steps;
    if ((size_t)number >= part->n_steps) {
        return NULL;
    }
    while (number-- > 0) {
        s += strlen(s) + 1;
    }
    return s;
}

static bool make_part(struct cl_mask_method *method, struct cl_mask_method *part,
                      const struct cl_mask_method_spec *spec, struct cl_err *err)
{
    struct cl_buf steps;
    size_t n_steps;
    part->key = method->key;
    part->key_bytes = method->key_bytes;
    if (!cl_method_make(part, spec, err)) {
        return cl_err_context(err, "path '%s'", spec->path ? spec->path : "");
    }
    if (!(part->kind->types & CL_METHOD_TEXT) || part->kind == &cl_method_json || part->by ||
        !part->kind->run) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "path '%s': not a method for values in JSON",
                       spec->path);
    }
    cl_buf_init(&steps, PATH_BYTES_MAX);
    bool ok = spec->path && parse_path(spec->path, &steps, &n_steps);
    if (ok) {
        part->steps = malloc(steps.len + 1);
        ok = part->steps != NULL;
    }
    if (ok) {
        memcpy(part->steps, cl_buf_str(&steps), steps.len + 1);
        part->n_steps = n_steps;
    }
    cl_buf_fini(&steps);
    return ok || cl_fail(err, CL_INVALID, "E_METHOD", "'%s' is not a path like $.items[*].name",
                         spec->path ? spec->path : "");
}

static bool make_json(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                      struct cl_err *err)
{
    if (spec->n_parts == 0 || spec->n_parts > PARTS_MAX) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "method 'json' needs paths, at most %d",
                       PARTS_MAX);
    }
    method->parts = calloc(spec->n_parts, sizeof *method->parts);
    if (!method->parts) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = true;
    for (size_t i = 0; ok && i < spec->n_parts; i++) {
        method->n_parts++;
        ok = make_part(method, &method->parts[i], &spec->parts[i], err);
    }
    return ok;
}

/* ---- documents */

static bool malformed(const struct walk *w)
{
    return cl_method_refuse(w->method, "JSON", w->err);
}

static void skip_space(struct walk *w)
{
    while (w->p < w->n && strchr(" \t\r\n", w->s[w->p]) && w->s[w->p]) {
        w->p++;
    }
}

/* Moves over c when it is next. */
static bool next_is(struct walk *w, char c)
{
    skip_space(w);
    bool there = w->p < w->n && w->s[w->p] == c;
    w->p += there;
    return there;
}

/* The part whose path has come to its end; NULL: none has. */
static const struct cl_mask_method *matching(const struct walk *w, const struct place *place)
{
    for (size_t i = 0; i < w->method->n_parts; i++) {
        if (place->at[i] >= 0 && !step(&w->method->parts[i], place->at[i])) {
            return &w->method->parts[i];
        }
    }
    return NULL;
}

static bool is_key(const char *s, const char *key, size_t n)
{
    return *s == ANY_KEY || (*s == KEY && strlen(s + 1) == n && memcmp(s + 1, key, n) == 0);
}

static struct place member(const struct walk *w, const struct place *from, const char *key,
                           size_t n)
{
    struct place to = *from;
    for (size_t i = 0; i < w->method->n_parts; i++) {
        const char *s = from->at[i] >= 0 ? step(&w->method->parts[i], from->at[i]) : NULL;
        if (s) {
            to.at[i] = is_key(s, key, n) ? from->at[i] + 1 : -1;
        }
    }
    return to;
}

static struct place element(const struct walk *w, const struct place *from, uint64_t number)
{
    struct place to = *from;
    for (size_t i = 0; i < w->method->n_parts; i++) {
        const char *s = from->at[i] >= 0 ? step(&w->method->parts[i], from->at[i]) : NULL;
        if (s && *s == ANY_ELEMENT) {
            to.at[i]++;
        } else if (s && *s == ELEMENT) {
            to.at[i] = strtoull(s + 1, NULL, 10) == number ? from->at[i] + 1 : -1;
        }
    }
    return to;
}

/* Is it a JSON number? */
static bool is_number(const char *s, size_t n)
{
    size_t p = n > 0 && s[0] == '-';
    size_t whole = p;
    while (p < n && s[p] >= '0' && s[p] <= '9') {
        p++;
    }
    if (p == whole || (s[whole] == '0' && p > whole + 1)) {
        return false;
    }
    if (p < n && s[p] == '.') {
        size_t point = ++p;
        while (p < n && s[p] >= '0' && s[p] <= '9') {
            p++;
        }
        if (p == point) {
            return false;
        }
    }
    if (p < n && (s[p] == 'e' || s[p] == 'E')) {
        p++;
        p += p < n && (s[p] == '+' || s[p] == '-');
        size_t power = p;
        while (p < n && s[p] >= '0' && s[p] <= '9') {
            p++;
        }
        return p == n && p > power;
    }
    return p == n;
}

static bool is_word(const char *s, size_t n)
{
    return (n == 4 && (memcmp(s, "true", 4) == 0 || memcmp(s, "null", 4) == 0)) ||
           (n == 5 && memcmp(s, "false", 5) == 0);
}

/* Writes what the part makes of the value at [begin, w->p) in its place; raw: no string. */
static bool replace(struct walk *w, const struct cl_mask_method *part, size_t begin, bool raw)
{
    struct cl_mask_value value = {.type = CL_MASK_TEXT};
    bool is_null = false;
    if (raw) {
        value.in = w->s + begin;
        value.n = w->p - begin;
        bool numeric = part->kind->types & CL_METHOD_TYPE(CL_MASK_NUMERIC);
        bool power = memchr(value.in, 'e', value.n) || memchr(value.in, 'E', value.n);
        if (numeric && !is_word(value.in, value.n)) {
            value.type = power ? CL_MASK_FLOAT8 : CL_MASK_NUMERIC;
        }
    } else {
        cl_buf_reset(&w->plain);
        cl_mask_json_decode(w->s + begin + 1, w->p - begin - 2, &w->plain);
        value.in = cl_buf_str(&w->plain);
        value.n = w->plain.len;
    }
    cl_buf_reset(&w->made);
    if (!part->kind->run(part, &value, &w->made, &is_null, w->err)) {
        return cl_err_context(w->err, "path '%s'", part->path);
    }
    cl_buf_add(w->out, w->s + w->done, begin - w->done);
    w->done = w->p;
    const char *made = cl_buf_str(&w->made);
    if (is_null) {
        cl_buf_adds(w->out, "null");
    } else if (raw && (is_number(made, w->made.len) || is_word(made, w->made.len))) {
        cl_buf_add(w->out, made, w->made.len);
    } else {
        cl_buf_addc(w->out, '"');
        cl_mask_json_encode(made, w->made.len, w->out);
        cl_buf_addc(w->out, '"');
    }
    w->out->failed = w->out->failed || w->plain.failed || w->made.failed;
    return true;
}

static bool walk_value(struct walk *w, const struct place *place, unsigned depth);

static bool walk_array(struct walk *w, const struct place *place, unsigned depth)
{
    if (next_is(w, ']')) {
        return true;
    }
    for (uint64_t i = 0;; i++) {
        struct place below = element(w, place, i);
        if (!walk_value(w, &below, depth)) {
            return false;
        }
        if (next_is(w, ']')) {
            return true;
        }
        if (!next_is(w, ',')) {
            return malformed(w);
        }
    }
}

/* Moves over a string. */
static bool skip_string(struct walk *w)
{
    bool escapes;
    size_t end = cl_mask_json_string(w->s, w->n, w->p, &escapes);
    w->p = end;
    return end > 0 || malformed(w);
}

static bool walk_object(struct walk *w, const struct place *place, unsigned depth)
{
    if (next_is(w, '}')) {
        return true;
    }
    for (;;) {
        skip_space(w);
        size_t begin = w->p;
        if (w->p >= w->n || w->s[w->p] != '"') {
            return malformed(w);
        }
        if (!skip_string(w)) {
            return false;
        }
        cl_buf_reset(&w->plain);
        cl_mask_json_decode(w->s + begin + 1, w->p - begin - 2, &w->plain);
        struct place below = member(w, place, cl_buf_str(&w->plain), w->plain.len);
        if (!next_is(w, ':')) {
            return malformed(w);
        }
        if (!walk_value(w, &below, depth)) {
            return false;
        }
        if (next_is(w, '}')) {
            return true;
        }
        if (!next_is(w, ',')) {
            return malformed(w);
        }
    }
}

static bool walk_value(struct walk *w, const struct place *place, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        return cl_method_refuse(w->method, "JSON nested at most 1000 deep", w->err);
    }
    if (next_is(w, '{')) {
        return walk_object(w, place, depth + 1);
    }
    if (next_is(w, '[')) {
        return walk_array(w, place, depth + 1);
    }
    const struct cl_mask_method *part = matching(w, place);
    size_t begin = w->p;
    if (w->p < w->n && w->s[w->p] == '"') {
        return skip_string(w) && (!part || replace(w, part, begin, false));
    }
    while (w->p < w->n && !strchr(",]} \t\r\n", w->s[w->p])) {
        w->p++;
    }
    size_t n = w->p - begin;
    if (!is_number(w->s + begin, n) && !is_word(w->s + begin, n)) {
        return malformed(w);
    }
    bool null = n == 4 && w->s[begin] == 'n';
    return !part || null || replace(w, part, begin, true);
}

static bool run_json(const struct cl_mask_method *method, const struct cl_mask_value *value,
                     struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    struct walk w = {.method = method, .s = value->in, .n = value->n, .out = out, .err = err};
    struct place top = {{0}};
    (void)is_null;
    cl_buf_init(&w.plain, VALUE_BYTES_MAX);
    cl_buf_init(&w.made, VALUE_BYTES_MAX);
    bool ok = walk_value(&w, &top, 0);
    if (ok) {
        skip_space(&w);
        ok = w.p == w.n || malformed(&w);
    }
    cl_buf_add(out, w.s + w.done, w.n - w.done);
    cl_buf_fini(&w.plain);
    cl_buf_fini(&w.made);
    return ok;
}

bool cl_method_is_json(const char *s, size_t n)
{
    static const struct cl_mask_method nothing = {.kind = &cl_method_json};
    const struct cl_mask_value value = {.in = s, .n = n, .type = CL_MASK_JSON};
    struct cl_buf out;
    bool is_null;
    cl_buf_init(&out, VALUE_BYTES_MAX);
    bool ok = run_json(&nothing, &value, &out, &is_null, NULL);
    cl_buf_fini(&out);
    return ok;
}

const struct cl_method_kind cl_method_json = {
    .name = "json",
    .options = (const char *const[]){NULL},
    .types = CL_METHOD_TEXT | CL_METHOD_TYPE(CL_MASK_JSON),
    .make = make_json,
    .run = run_json,
};
