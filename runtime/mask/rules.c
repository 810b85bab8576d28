#include "private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "method.h"

enum {
    KEY_LEAST_BYTES = 16,
    SINK_MAX_BYTES = 189, /* 254 octets of an address less 64 and the at-sign */
    LABEL_MAX_BYTES = 63,
};

struct cl_mask_column {
    struct cl_mask_keep keep; /* its strings and its sorted values are ours */
    size_t n_values;          /* of keep.values */
};

struct cl_mask {
    atomic_uint owners;              /* cl_mask_ref */
    char *sink;                      /* lower case */
    char **allow;                    /* lower case, NULL-terminated */
    size_t n_allow;                  /* how many of them */
    struct cl_mask_column *columns;  /* n_columns */
    size_t n_columns;                /* columns with exceptions */
    struct cl_mask_method *methods;  /* n_methods, in order of their columns */
    size_t n_methods;                /* columns with a method */
    enum cl_mask_mode mode;          /* how addresses are replaced */
    char *key;                       /* NULL: none; wiped when given back */
    size_t key_bytes;                /* of key */
    uint8_t hiding[CL_SHA256_BYTES]; /* made of it, for hashes of addresses */
    char hash[CL_SHA256_BYTES * 2 + 1];
};

static char *lower(const char *s)
{
    char *copy = strdup(s);
    for (char *p = copy; p && *p; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p | 32);
        }
    }
    return copy;
}

static bool ends_domain(const char *domain, size_t n, const char *suffix)
{
    size_t len = strlen(suffix);
    return n >= len && strncasecmp(domain + n - len, suffix, len) == 0 &&
           (n == len || domain[n - len - 1] == '.');
}

bool cl_mask_domain_passes(const struct cl_mask *mask, const char *domain, size_t n)
{
    if (ends_domain(domain, n, mask->sink)) {
        return true;
    }
    for (size_t i = 0; i < mask->n_allow; i++) {
        if (ends_domain(domain, n, mask->allow[i])) {
            return true;
        }
    }
    return false;
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool cl_mask_keeps(const struct cl_mask_column *column, const char *in, size_t n)
{
    size_t low = 0, high = column ? column->n_values : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *value = column->keep.values[middle];
        int order = strncmp(value, in, n);
        if (order == 0) {
            order = value[n] != '\0';
            if (order == 0) {
                return strlen(value) == n; /* the value may hold a NUL: then it is another one */
            }
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* A domain the scanner reads back whole: ASCII, two labels or more, the last begins with a
 * letter. */
static bool is_domain(const char *s)
{
    size_t n = strlen(s), label = 0, labels = 1;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool edge = label == 0 || i + 1 == n || s[i + 1] == '.';
        if (c == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            labels++;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !edge)) ||
            ++label > LABEL_MAX_BYTES) {
            return false;
        }
    }
    const char *last = strrchr(s, '.');
    return n > 0 && n <= SINK_MAX_BYTES && label > 0 && labels > 1 && last[1] >= 'a' &&
           last[1] <= 'z';
}

static bool copy_domains(struct cl_mask *mask, const struct cl_mask_spec *spec, struct cl_err *err)
{
    size_t n = 0;
    while (spec->allow && spec->allow[n]) {
        n++;
    }
    mask->sink = lower(spec->sink_domain ? spec->sink_domain : "");
    mask->allow = calloc(n + 1, sizeof *mask->allow);
    if (!mask->sink || !mask->allow) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    if (!is_domain(mask->sink)) {
        return cl_fail(err, CL_INVALID, "E_DOMAIN",
                       "the sink '%s' is not a domain name (two labels or more of letters, digits "
                       "and hyphens)",
                       mask->sink);
    }
    for (size_t i = 0; i < n; i++) {
        mask->allow[i] = lower(spec->allow[i]);
        if (!mask->allow[i]) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
        mask->n_allow++;
        if (!is_domain(mask->allow[i])) {
            return cl_fail(err, CL_INVALID, "E_DOMAIN", "the allowed '%s' is not a domain name",
                           mask->allow[i]);
        }
    }
    qsort(mask->allow, n, sizeof *mask->allow, compare_values);
    return true;
}

static bool copy_keep(struct cl_mask_column *column, const struct cl_mask_keep *keep)
{
    size_t n = 0;
    while (keep->values && keep->values[n]) {
        n++;
    }
    const char **values = calloc(n + 1, sizeof *values);
    column->keep.values = values;
    column->keep.schema = strdup(keep->schema);
    column->keep.table = strdup(keep->table);
    column->keep.column = strdup(keep->column);
    column->keep.reason = strdup(keep->reason ? keep->reason : "");
    if (!values || !column->keep.schema || !column->keep.table || !column->keep.column ||
        !column->keep.reason) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = strdup(keep->values[i]);
        if (!values[i]) {
            return false;
        }
        column->n_values++;
    }
    qsort(values, n, sizeof *values, compare_values);
    return true;
}

static void hash_word(struct cl_sha256_stream *hash, const char *s)
{
    cl_sha256_add(hash, s, strlen(s) + 1); /* with its NUL: words cannot run together */
}

/* Nobody can tell the key by it. */
static void hash_key(struct cl_sha256_stream *hash, const struct cl_mask *mask)
{
    static const char what[] = "cloner mask key";
    uint8_t digest[CL_SHA256_BYTES];
    if (mask->key) {
        cl_hmac_sha256(mask->key, mask->key_bytes, what, sizeof what, digest);
        hash_word(hash, "key");
        cl_sha256_add(hash, digest, sizeof digest);
    }
}

static bool compute_hash(struct cl_mask *mask)
{
    struct cl_sha256_stream *hash = cl_sha256_new();
    uint8_t digest[CL_SHA256_BYTES];
    if (!hash) {
        return false;
    }
    hash_word(hash, "cloner mask 1");
    hash_word(hash, mask->sink);
    for (size_t i = 0; i < mask->n_allow; i++) {
        hash_word(hash, "allow");
        hash_word(hash, mask->allow[i]);
    }
    for (size_t i = 0; i < mask->n_columns; i++) {
        const struct cl_mask_column *column = &mask->columns[i];
        hash_word(hash, "keep");
        hash_word(hash, column->keep.schema);
        hash_word(hash, column->keep.table);
        hash_word(hash, column->keep.column);
        for (size_t v = 0; v < column->n_values; v++) {
            hash_word(hash, "value");
            hash_word(hash, column->keep.values[v]);
        }
    }
    if (mask->mode == CL_MASK_HASH) {
        hash_word(hash, "hash mode");
    }
    hash_key(hash, mask);
    for (size_t i = 0; i < mask->n_methods; i++) {
        hash_word(hash, mask->methods[i].schema);
        hash_word(hash, mask->methods[i].table);
        hash_word(hash, mask->methods[i].column);
        cl_sha256_add(hash, mask->methods[i].digest, CL_SHA256_BYTES);
    }
    cl_sha256_end(hash, digest);
    cl_sha256_free(hash);
    cl_hex(digest, sizeof digest, mask->hash);
    return true;
}

static int compare_columns(const void *a, const void *b)
{
    const struct cl_mask_keep *x = &((const struct cl_mask_column *)a)->keep;
    const struct cl_mask_keep *y = &((const struct cl_mask_column *)b)->keep;
    int order = strcmp(x->schema, y->schema);
    order = order ? order : strcmp(x->table, y->table);
    return order ? order : strcmp(x->column, y->column);
}

static bool copy_keeps(struct cl_mask *mask, const struct cl_mask_spec *spec, struct cl_err *err)
{
    mask->columns = calloc(spec->n_keep + 1, sizeof *mask->columns);
    if (!mask->columns) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < spec->n_keep; i++) {
        mask->n_columns++;
        if (!copy_keep(&mask->columns[i], &spec->keep[i])) {
            return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    qsort(mask->columns, mask->n_columns, sizeof *mask->columns, compare_columns);
    for (size_t i = 1; i < mask->n_columns; i++) {
        const struct cl_mask_keep *keep = &mask->columns[i].keep;
        if (compare_columns(&mask->columns[i - 1], &mask->columns[i]) == 0) {
            return cl_fail(err, CL_INVALID, "E_KEEP", "column %s.%s.%s is kept twice", keep->schema,
                           keep->table, keep->column);
        }
    }
    return true;
}

static bool copy_key(struct cl_mask *mask, const struct cl_mask_spec *spec, struct cl_err *err)
{
    mask->mode = spec->mode;
    if (!spec->key) {
        return spec->mode != CL_MASK_HASH ||
               cl_fail(err, CL_INVALID, "E_KEY", "mode 'hash' needs a key");
    }
    if (spec->key_bytes < KEY_LEAST_BYTES) {
        return cl_fail(err, CL_INVALID, "E_KEY", "the key has %zu bytes, less than %d",
                       spec->key_bytes, KEY_LEAST_BYTES);
    }
    mask->key = malloc(spec->key_bytes);
    if (!mask->key) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    memcpy(mask->key, spec->key, spec->key_bytes);
    mask->key_bytes = spec->key_bytes;
    cl_hmac_sha256(mask->key, mask->key_bytes, "address", strlen("address"), mask->hiding);
    return true;
}

static int compare_methods(const void *a, const void *b)
{
    const struct cl_mask_method *x = a;
    const struct cl_mask_method *y = b;
    int order = strcmp(x->schema, y->schema);
    order = order ? order : strcmp(x->table, y->table);
    return order ? order : strcmp(x->column, y->column);
}

/* Columns that move together do so within the same rows. */
static bool check_units(const struct cl_mask *mask, struct cl_err *err)
{
    for (size_t i = 0; i < mask->n_methods; i++) {
        const struct cl_mask_method *a = &mask->methods[i];
        const char *unit = cl_mask_method_unit(a);
        for (size_t j = 0; unit && *unit && j < i; j++) {
            const struct cl_mask_method *b = &mask->methods[j];
            const char *other = cl_mask_method_unit(b);
            if (other && strcmp(unit, other) == 0 && strcmp(a->table, b->table) == 0 &&
                strcmp(a->schema, b->schema) == 0 &&
                strcmp(a->by ? a->by : "", b->by ? b->by : "") != 0) {
                cl_fail(err, CL_INVALID, "E_METHOD",
                        "%s.%s.%s and %s of the same unit are shuffled within different columns",
                        a->schema, a->table, a->column, b->column);
                return a->where && cl_err_context(err, "%s", a->where);
            }
        }
    }
    return true;
}

static bool copy_methods(struct cl_mask *mask, const struct cl_mask_spec *spec, struct cl_err *err)
{
    mask->methods = calloc(spec->n_methods + 1, sizeof *mask->methods);
    if (!mask->methods) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < spec->n_methods; i++) {
        const struct cl_mask_method_spec *method = &spec->methods[i];
        mask->n_methods++;
        mask->methods[i].key = mask->key;
        mask->methods[i].key_bytes = mask->key_bytes;
        if (!cl_method_make(&mask->methods[i], method, err)) {
            cl_err_context(err, "%s.%s.%s", method->schema, method->table, method->column);
            return method->where && cl_err_context(err, "%s", method->where);
        }
    }
    qsort(mask->methods, mask->n_methods, sizeof *mask->methods, compare_methods);
    for (size_t i = 1; i < mask->n_methods; i++) {
        const struct cl_mask_method *method = &mask->methods[i];
        if (compare_methods(method - 1, method) == 0) {
            return cl_fail(err, CL_INVALID, "E_METHOD", "%s.%s.%s has two methods", method->schema,
                           method->table, method->column);
        }
    }
    return check_units(mask, err);
}

struct cl_mask *cl_mask_new(const struct cl_mask_spec *spec, struct cl_err *err)
{
    struct cl_mask *mask = calloc(1, sizeof *mask);
    if (!mask) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    atomic_init(&mask->owners, 1);
    bool ok = copy_domains(mask, spec, err) && copy_keeps(mask, spec, err) &&
              copy_key(mask, spec, err) && copy_methods(mask, spec, err) &&
              (compute_hash(mask) || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory"));
    if (!ok) {
        cl_mask_free(mask);
        return NULL;
    }
    for (size_t i = 0; i < mask->n_methods; i++) {
        mask->methods[i].owns_script = true;
    }
    return mask;
}

struct cl_mask *cl_mask_ref(struct cl_mask *mask)
{
    atomic_fetch_add(&mask->owners, 1);
    return mask;
}

void cl_mask_free(struct cl_mask *mask)
{
    if (!mask || atomic_fetch_sub(&mask->owners, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < mask->n_columns; i++) {
        struct cl_mask_column *column = &mask->columns[i];
        for (size_t v = 0; v < column->n_values; v++) {
            free((void *)column->keep.values[v]);
        }
        free((void *)column->keep.values);
        free((void *)column->keep.schema);
        free((void *)column->keep.table);
        free((void *)column->keep.column);
        free((void *)column->keep.reason);
    }
    for (size_t i = 0; i < mask->n_allow; i++) {
        free(mask->allow[i]);
    }
    for (size_t i = 0; i < mask->n_methods; i++) {
        cl_method_fini(&mask->methods[i]);
    }
    if (mask->key) {
        explicit_bzero(mask->key, mask->key_bytes);
        explicit_bzero(mask->hiding, sizeof mask->hiding);
    }
    free(mask->key);
    free(mask->methods);
    free(mask->columns);
    free(mask->allow);
    free(mask->sink);
    free(mask);
}

const struct cl_mask_column *cl_mask_column(const struct cl_mask *mask, const char *schema,
                                            const char *table, const char *column)
{
    for (size_t i = 0; i < mask->n_columns; i++) {
        const struct cl_mask_keep *keep = &mask->columns[i].keep;
        if (strcmp(keep->schema, schema) == 0 && strcmp(keep->table, table) == 0 &&
            strcmp(keep->column, column) == 0) {
            return &mask->columns[i];
        }
    }
    return NULL;
}

const struct cl_mask_method *cl_mask_method(const struct cl_mask *mask, const char *schema,
                                            const char *table, const char *column)
{
    for (size_t i = 0; i < mask->n_methods; i++) {
        const struct cl_mask_method *method = &mask->methods[i];
        if (strcmp(method->schema, schema) == 0 && strcmp(method->table, table) == 0 &&
            strcmp(method->column, column) == 0) {
            return method;
        }
    }
    return NULL;
}

size_t cl_mask_methods_count(const struct cl_mask *mask)
{
    return mask->n_methods;
}

const struct cl_mask_method *cl_mask_method_at(const struct cl_mask *mask, size_t i)
{
    return &mask->methods[i];
}

const uint8_t *cl_mask_address_key(const struct cl_mask *mask)
{
    return mask->key ? mask->hiding : NULL;
}

const uint8_t *cl_mask_hiding_key(const struct cl_mask *mask)
{
    return mask->mode == CL_MASK_HASH ? mask->hiding : NULL;
}

const char *cl_mask_rules_hash(const struct cl_mask *mask)
{
    return mask->hash;
}

const char *cl_mask_sink(const struct cl_mask *mask)
{
    return mask->sink;
}

const char *const *cl_mask_allow(const struct cl_mask *mask)
{
    return (const char *const *)mask->allow;
}

size_t cl_mask_keeps_count(const struct cl_mask *mask)
{
    return mask->n_columns;
}

const struct cl_mask_keep *cl_mask_keep_at(const struct cl_mask *mask, size_t i, size_t *n_values)
{
    *n_values = mask->columns[i].n_values;
    return &mask->columns[i].keep;
}
