/* Methods for text: hash, redact, constant, null, partial, dictionary. */
#include <stdlib.h>
#include <string.h>

#include "method.h"

enum { HEX, LETTERS, UUID };

static const char *const hash_forms[] = {"hex", "letters", "uuid", NULL};

enum {
    HEX_DEFAULT = 32,     /* 128 bits */
    LETTERS_DEFAULT = 26, /* 130 bits */
    UUID_CHARS = 36,
    REDACT_MAX = 1000,
};

static bool width(const struct cl_mask_method *method, const char *text, size_t max_chars,
                  struct cl_err *err)
{
    size_t chars = cl_mask_chars(text, strlen(text));
    return max_chars == 0 || chars <= max_chars ||
           cl_fail(err, CL_INVALID, "E_MASK_WIDTH",
                   "method '%s' makes a value of %zu characters, more than the column's %zu",
                   method->kind->name, chars, max_chars);
}

/* Bytes of the first n characters. */
static size_t head(const char *s, size_t bytes, size_t n)
{
    size_t p = 0;
    while (p < bytes && n > 0) {
        p++;
        while (p < bytes && ((unsigned char)s[p] & 0xc0) == 0x80) {
            p++;
        }
        n--;
    }
    return p;
}

/* ---- hash */

static bool make_hash(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                      struct cl_err *err)
{
    if (!cl_method_choice(spec, "form", hash_forms, &method->form, err)) {
        return false;
    }
    uint64_t most = method->form == HEX       ? 2 * CL_SHA256_BYTES
                    : method->form == LETTERS ? CL_SHA256_BYTES * 8 / 5
                                              : UUID_CHARS;
    uint64_t usual = method->form == HEX       ? HEX_DEFAULT
                     : method->form == LETTERS ? LETTERS_DEFAULT
                                               : UUID_CHARS;
    uint64_t least = method->form == UUID ? UUID_CHARS : 1;
    return cl_method_number(spec, "length", least, most, usual, &method->number, err);
}

/* Version 8 of RFC 9562: bits of one's own. */
static void put_uuid(struct cl_buf *out, uint8_t digest[CL_SHA256_BYTES])
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    char hex[2 * CL_SHA256_BYTES + 1];
    digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80);
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    cl_hex(digest, CL_SHA256_BYTES, hex);
    for (size_t i = 0, p = 0; i < sizeof groups / sizeof *groups; p += groups[i++]) {
        if (i > 0) {
            cl_buf_addc(out, '-');
        }
        cl_buf_add(out, hex + p, groups[i]);
    }
}

static bool run_hash(const struct cl_mask_method *method, const struct cl_mask_value *value,
                     struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    char text[2 * CL_SHA256_BYTES + 1];
    (void)is_null;
    (void)err;
    cl_method_digest(method, value->in, value->n, digest);
    if (method->form == UUID) {
        put_uuid(out, digest);
        return true;
    }
    size_t n = (size_t)method->number;
    if (value->max_chars > 0 && value->max_chars < n) {
        n = value->max_chars;
    }
    if (method->form == HEX) {
        cl_hex(digest, sizeof digest, text);
    } else {
        cl_mask_letters(digest, n, text);
    }
    cl_buf_add(out, text, n);
    return true;
}

static bool fits_hash(const struct cl_mask_method *method, enum cl_mask_type type, size_t max_chars,
                      struct cl_err *err)
{
    if (type == CL_MASK_UUID && method->form != UUID) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "a hash of a uuid column needs form 'uuid'");
    }
    return method->form != UUID || max_chars == 0 || max_chars >= UUID_CHARS ||
           cl_fail(err, CL_INVALID, "E_MASK_WIDTH", "a uuid does not fit %zu characters",
                   max_chars);
}

const struct cl_method_kind cl_method_hash = {
    .name = "hash",
    .options = (const char *const[]){"form", "length", NULL},
    .types = CL_METHOD_TEXT | CL_METHOD_TYPE(CL_MASK_UUID),
    .keyed = true,
    .clean = true,
    .make = make_hash,
    .run = run_hash,
    .fits = fits_hash,
};

/* ---- redact */

static bool make_redact(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                        struct cl_err *err)
{
    const char *fill = cl_method_option(spec, "fill");
    fill = fill ? fill : "*";
    if (strlen(fill) != 1 || *fill == '@' || *fill < ' ' || *fill > '~') {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method 'redact': 'fill' is one ASCII character");
    }
    return cl_method_copy(&method->text, fill, err) &&
           cl_method_number(spec, "length", 0, REDACT_MAX, 0, &method->number, err);
}

static bool run_redact(const struct cl_mask_method *method, const struct cl_mask_value *value,
                       struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    size_t n = method->number ? (size_t)method->number : cl_mask_chars(value->in, value->n);
    (void)is_null;
    (void)err;
    if (value->max_chars > 0 && value->max_chars < n) {
        n = value->max_chars;
    }
    while (n-- > 0) {
        cl_buf_addc(out, *method->text);
    }
    return true;
}

const struct cl_method_kind cl_method_redact = {
    .name = "redact",
    .options = (const char *const[]){"fill", "length", NULL},
    .types = CL_METHOD_TEXT,
    .clean = true,
    .lossy = true,
    .make = make_redact,
    .run = run_redact,
};

/* ---- constant, null */

static bool make_constant(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                          struct cl_err *err)
{
    const char *text = cl_method_option(spec, "value");
    return text ? cl_method_copy(&method->text, text, err)
                : cl_fail(err, CL_INVALID, "E_METHOD", "method 'constant' needs 'value'");
}

static bool run_constant(const struct cl_mask_method *method, const struct cl_mask_value *value,
                         struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    (void)value;
    (void)is_null;
    (void)err;
    cl_buf_adds(out, method->text);
    return true;
}

static bool may_be(const struct cl_mask_method *method, enum cl_mask_type type, const char *text,
                   size_t max_chars, struct cl_err *err)
{
    if (type == CL_MASK_JSON && !cl_method_is_json(text, strlen(text))) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "a value of method '%s' is not JSON",
                       method->kind->name);
    }
    return width(method, text, max_chars, err);
}

static bool fits_constant(const struct cl_mask_method *method, enum cl_mask_type type,
                          size_t max_chars, struct cl_err *err)
{
    return may_be(method, type, method->text, max_chars, err);
}

const struct cl_method_kind cl_method_constant = {
    .name = "constant",
    .options = (const char *const[]){"value", NULL},
    .types = CL_METHOD_ANY,
    .lossy = true,
    .make = make_constant,
    .run = run_constant,
    .fits = fits_constant,
};

static bool run_null(const struct cl_mask_method *method, const struct cl_mask_value *value,
                     struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    (void)method;
    (void)value;
    (void)out;
    (void)err;
    *is_null = true;
    return true;
}

const struct cl_method_kind cl_method_null = {
    .name = "null",
    .options = (const char *const[]){NULL},
    .types = CL_METHOD_ANY,
    .clean = true,
    .run = run_null,
};

/* ---- partial */

static bool make_partial(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                         struct cl_err *err)
{
    return cl_method_number(spec, "first", 0, REDACT_MAX, 0, &method->first, err) &&
           cl_method_number(spec, "last", 0, REDACT_MAX, 0, &method->last, err) &&
           (method->first + method->last > 0 ||
            cl_fail(err, CL_INVALID, "E_METHOD", "method 'partial' needs 'first' or 'last'"));
}

/* A value no longer than what is kept keeps nothing. */
static bool run_partial(const struct cl_mask_method *method, const struct cl_mask_value *value,
                        struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    size_t chars = cl_mask_chars(value->in, value->n);
    bool keeps = chars > method->first + method->last;
    size_t first = keeps ? (size_t)method->first : 0;
    size_t last = keeps ? (size_t)method->last : 0;
    size_t tail = head(value->in, value->n, chars - last);
    (void)is_null;
    (void)err;
    cl_buf_add(out, value->in, head(value->in, value->n, first));
    for (size_t i = first + last; i < chars; i++) {
        cl_buf_addc(out, '*');
    }
    cl_buf_add(out, value->in + tail, value->n - tail);
    return true;
}

const struct cl_method_kind cl_method_partial = {
    .name = "partial",
    .options = (const char *const[]){"first", "last", NULL},
    .types = CL_METHOD_TEXT,
    .lossy = true,
    .make = make_partial,
    .run = run_partial,
};

/* ---- dictionary */

static int by_from(const void *a, const void *b)
{
    const struct cl_method_entry *x = a;
    const struct cl_method_entry *y = b;
    return strcmp(x->from, y->from);
}

static bool make_dictionary(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                            struct cl_err *err)
{
    const char *other = cl_method_option(spec, "default");
    if (!other || spec->n_entries == 0) {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method 'dictionary' needs entries, and 'default' for all other values");
    }
    method->entries = calloc(spec->n_entries, sizeof *method->entries);
    bool ok = method->entries && cl_method_copy(&method->text, other, err);
    for (size_t i = 0; ok && i < spec->n_entries; i++) {
        struct cl_method_entry *entry = &method->entries[method->n_entries++];
        entry->from = strdup(spec->entries[i].name);
        entry->to = strdup(spec->entries[i].value);
        ok = entry->from && entry->to;
    }
    if (!ok) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    qsort(method->entries, method->n_entries, sizeof *method->entries, by_from);
    return true;
}

/* Orders the n bytes at s, which may hold a NUL, and a string. */
static int order(const char *s, size_t n, const char *text)
{
    size_t len = strlen(text);
    int way = memcmp(s, text, n < len ? n : len);
    return way != 0 ? way : (n > len) - (n < len);
}

static bool run_dictionary(const struct cl_mask_method *method, const struct cl_mask_value *value,
                           struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    size_t low = 0, high = method->n_entries;
    const char *to = method->text;
    (void)is_null;
    (void)err;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int way = order(value->in, value->n, method->entries[middle].from);
        if (way == 0) {
            to = method->entries[middle].to;
            break;
        }
        if (way > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    cl_buf_adds(out, to);
    return true;
}

static bool fits_dictionary(const struct cl_mask_method *method, enum cl_mask_type type,
                            size_t max_chars, struct cl_err *err)
{
    bool ok = may_be(method, type, method->text, max_chars, err);
    for (size_t i = 0; ok && i < method->n_entries; i++) {
        ok = may_be(method, type, method->entries[i].to, max_chars, err);
    }
    return ok;
}

const struct cl_method_kind cl_method_dictionary = {
    .name = "dictionary",
    .options = (const char *const[]){"default", NULL},
    .types = CL_METHOD_ANY,
    .make = make_dictionary,
    .run = run_dictionary,
    .fits = fits_dictionary,
};
