#include "method.h"

#include <stdlib.h>
#include <string.h>

struct cl_mask_worker {
    const struct cl_mask_method *method; /* borrowed */
    void *script;                        /* its state; NULL: no script */
    struct cl_buf made;                  /* what the method made, before it is swept */
};

enum {
    MADE_BYTES_MAX = 0x40000000,
    KEEP_BYTES = 1024 * 1024, /* a buffer wider than that is given back after use */
    HASH_LEAST_CHARS = 13,    /* of letters or hex: fewer are not taken for one-to-one */
};

static const struct cl_method_kind script_kind = {
    .name = "script",
    .options = (const char *const[]){NULL},
    .types = CL_METHOD_ANY,
};

static const struct cl_method_kind *const kinds[] = {
    &cl_method_hash,       &cl_method_redact,     &cl_method_constant,   &cl_method_null,
    &cl_method_partial,    &cl_method_dictionary, &cl_method_date_shift, &cl_method_noise,
    &cl_method_generalise, &cl_method_fake,       &cl_method_json,       &cl_method_shuffle,
    &script_kind,
};

static const struct cl_method_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

const char *cl_method_option(const struct cl_mask_method_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        if (strcmp(spec->options[i].name, name) == 0) {
            return spec->options[i].value;
        }
    }
    return NULL;
}

bool cl_method_number(const struct cl_mask_method_spec *spec, const char *name, uint64_t least,
                      uint64_t most, uint64_t fallback, uint64_t *out, struct cl_err *err)
{
    const char *text = cl_method_option(spec, name);
    char *end = NULL;
    *out = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : fallback;
    if (text ? !end || *end || *out < least || *out > most : fallback < least) {
        return cl_fail(err, CL_INVALID, "E_METHOD",
                       "method '%s' needs '%s', a whole number from %llu to %llu", spec->kind, name,
                       (unsigned long long)least, (unsigned long long)most);
    }
    return true;
}

bool cl_method_choice(const struct cl_mask_method_spec *spec, const char *name,
                      const char *const *words, int *out, struct cl_err *err)
{
    const char *text = cl_method_option(spec, name);
    *out = 0;
    while (text && words[*out] && strcmp(words[*out], text) != 0) {
        ++*out;
    }
    return words[*out] || cl_fail(err, CL_INVALID, "E_METHOD", "method '%s' has no %s '%s'",
                                  spec->kind, name, text);
}

void cl_method_digest(const struct cl_mask_method *method, const char *bytes, size_t n,
                      uint8_t out[CL_SHA256_BYTES])
{
    cl_hmac_sha256(method->own, sizeof method->own, bytes, n, out);
}

uint64_t cl_method_below(const uint8_t digest[8], uint64_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof number; i++) {
        number = number << 8 | digest[i];
    }
    return number % n;
}

bool cl_method_refuse(const struct cl_mask_method *method, const char *want, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_MASK_VALUE", "method '%s' wants %s, and a value is none",
                   method->kind->name, want);
}

void cl_method_depends(struct cl_mask_method *method, const char *bytes, size_t n)
{
    uint8_t digest[CL_SHA256_BYTES];
    cl_hmac_sha256(method->depends, sizeof method->depends, bytes, n, digest);
    memcpy(method->depends, digest, sizeof digest);
}

static int by_name(const void *a, const void *b)
{
    const struct cl_mask_option *const *x = a;
    const struct cl_mask_option *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void add_word(struct cl_sha256_stream *hash, const char *s)
{
    cl_sha256_add(hash, s ? s : "", strlen(s ? s : "") + 1);
}

/* In order of their names, whatever the order they came in. */
static bool add_options(struct cl_sha256_stream *hash, const struct cl_mask_option *options,
                        size_t n, struct cl_err *err)
{
    const struct cl_mask_option **order = calloc(n + 1, sizeof *order);
    if (!order) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = &options[i];
    }
    qsort(order, n, sizeof(const struct cl_mask_option *), by_name);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        ok = i == 0 || strcmp(order[i - 1]->name, order[i]->name) != 0 ||
             cl_fail(err, CL_INVALID, "E_METHOD", "'%s' is given twice", order[i]->name);
        add_word(hash, order[i]->name);
        add_word(hash, order[i]->value);
    }
    add_word(hash, "");
    free(order);
    return ok;
}

static bool compute_digest(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                           struct cl_err *err)
{
    struct cl_sha256_stream *hash = cl_sha256_new();
    if (!hash) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    add_word(hash, spec->kind);
    add_word(hash, spec->path);
    add_word(hash, spec->script ? spec->script->hash : NULL);
    cl_sha256_add(hash, method->depends, sizeof method->depends);
    bool ok = add_options(hash, spec->options, spec->n_options, err) &&
              add_options(hash, spec->entries, spec->n_entries, err);
    for (size_t i = 0; i < method->n_parts; i++) {
        cl_sha256_add(hash, method->parts[i].digest, CL_SHA256_BYTES);
    }
    cl_sha256_end(hash, method->digest);
    cl_sha256_free(hash);
    return ok;
}

static bool known_options(const struct cl_method_kind *kind, const struct cl_mask_method_spec *spec,
                          struct cl_err *err)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        size_t known = 0;
        while (kind->options[known] && strcmp(kind->options[known], spec->options[i].name) != 0) {
            known++;
        }
        if (!kind->options[known]) {
            return cl_fail(err, CL_INVALID, "E_METHOD", "method '%s' has no option '%s'",
                           spec->kind, spec->options[i].name);
        }
    }
    return true;
}

bool cl_method_copy(char **out, const char *s, struct cl_err *err)
{
    *out = s ? strdup(s) : NULL;
    return !s || *out || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* What results of one purpose tell says nothing of another's. */
static void make_key(struct cl_mask_method *method)
{
    const char *purpose = method->purpose ? method->purpose : method->kind->name;
    if (method->kind->keyed) {
        cl_hmac_sha256(method->key, method->key_bytes, purpose, strlen(purpose), method->own);
    }
}

bool cl_method_make(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                    struct cl_err *err)
{
    const struct cl_method_kind *kind = find_kind(spec->kind);
    if (!kind) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "there is no method '%s'", spec->kind);
    }
    method->kind = kind;
    method->lossy = kind->lossy;
    if (spec->script) {
        method->script = *spec->script;
    }
    if (kind->keyed && !method->key) {
        return cl_fail(err, CL_INVALID, "E_KEY", "method '%s' needs the rules to have a key",
                       kind->name);
    }
    if ((kind == &script_kind) != (spec->script != NULL)) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "method '%s' and a script do not go together",
                       kind->name);
    }
    bool ok = known_options(kind, spec, err) &&
              cl_method_copy(&method->schema, spec->schema, err) &&
              cl_method_copy(&method->table, spec->table, err) &&
              cl_method_copy(&method->column, spec->column, err) &&
              cl_method_copy(&method->where, spec->where, err) &&
              cl_method_copy(&method->path, spec->path, err) &&
              (!kind->make || kind->make(method, spec, err));
    make_key(method);
    return ok && compute_digest(method, spec, err);
}

void cl_method_fini(struct cl_mask_method *method)
{
    explicit_bzero(method->own, sizeof method->own);
    for (size_t i = 0; i < method->n_entries; i++) {
        free(method->entries[i].from);
        free(method->entries[i].to);
    }
    for (size_t i = 0; i < method->n_parts; i++) {
        cl_method_fini(&method->parts[i]);
    }
    if (method->owns_script && method->script.free) {
        method->script.free(method->script.arg);
    }
    free(method->entries);
    free(method->parts);
    free(method->words[0].word);
    free(method->words[1].word);
    free(method->schema);
    free(method->table);
    free(method->column);
    free(method->where);
    free(method->path);
    free(method->steps);
    free(method->text);
    free(method->by);
}

const char *cl_mask_method_schema(const struct cl_mask_method *method)
{
    return method->schema;
}

const char *cl_mask_method_table(const struct cl_mask_method *method)
{
    return method->table;
}

const char *cl_mask_method_column(const struct cl_mask_method *method)
{
    return method->column;
}

const char *cl_mask_method_kind(const struct cl_mask_method *method)
{
    return method->kind->name;
}

const char *cl_mask_method_where(const struct cl_mask_method *method)
{
    return method->where ? method->where : "";
}

const char *cl_mask_method_by(const struct cl_mask_method *method)
{
    return method->by;
}

const char *cl_mask_method_unit(const struct cl_mask_method *method)
{
    return method->kind == &cl_method_shuffle ? method->text : NULL;
}

void cl_mask_method_order(const struct cl_mask_method *method, const void *bytes, size_t n,
                          uint8_t out[CL_SHA256_BYTES])
{
    cl_method_digest(method, bytes, n, out);
}

bool cl_mask_method_injective(const struct cl_mask_method *method, size_t max_chars)
{
    return method->kind == &cl_method_shuffle ||
           (method->kind == &cl_method_hash && method->number >= HASH_LEAST_CHARS &&
            (max_chars == 0 || max_chars >= HASH_LEAST_CHARS));
}

bool cl_mask_method_lossy(const struct cl_mask_method *method)
{
    return method->lossy;
}

bool cl_mask_method_fits(const struct cl_mask_method *method, enum cl_mask_type type,
                         size_t max_chars, struct cl_err *err)
{
    const struct cl_method_kind *kind = method->kind;
    if (!(kind->types & CL_METHOD_TYPE(type))) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "method '%s' makes no values of its type",
                       kind->name);
    }
    return !kind->fits || kind->fits(method, type, max_chars, err);
}

struct cl_mask_worker *cl_mask_worker_open(const struct cl_mask_method *method, struct cl_err *err)
{
    struct cl_mask_worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    worker->method = method;
    cl_buf_init(&worker->made, MADE_BYTES_MAX);
    if (method->kind == &script_kind) {
        worker->script = method->script.open(method->script.arg, err);
        if (!worker->script) {
            free(worker);
            return NULL;
        }
    }
    return worker;
}

void cl_mask_worker_close(struct cl_mask_worker *worker)
{
    if (worker) {
        if (worker->script) {
            worker->method->script.close(worker->script);
        }
        cl_buf_fini(&worker->made);
        free(worker);
    }
}

/* What the method made, without an address the rules do not let pass. */
static bool sweep(const struct cl_mask *mask, const struct cl_mask_method *method,
                  const struct cl_mask_value *value, const struct cl_buf *made, struct cl_buf *out,
                  struct cl_mask_tally *tally, struct cl_err *err)
{
    bool changed;
    size_t start = out->len;
    if (method->kind->clean) {
        tally->values++;
        cl_buf_add(out, cl_buf_str(made), made->len);
    } else if (!cl_mask_apply(mask, NULL, value->carrier, cl_buf_str(made), made->len,
                              value->max_chars, out, &changed, tally, err)) {
        return false;
    }
    if (value->max_chars > 0 && !out->failed &&
        cl_mask_chars(cl_buf_str(out) + start, out->len - start) > value->max_chars) {
        return cl_fail(err, CL_INVALID, "E_MASK_WIDTH",
                       "method '%s' makes a value longer than the column's %zu characters",
                       method->kind->name, value->max_chars);
    }
    return true;
}

bool cl_mask_method_apply(const struct cl_mask *mask, struct cl_mask_worker *worker,
                          const struct cl_mask_column *column, const struct cl_mask_value *value,
                          struct cl_buf *out, bool *is_null, struct cl_mask_tally *tally,
                          struct cl_err *err)
{
    const struct cl_mask_method *method = worker->method;
    struct cl_buf *made = &worker->made;
    *is_null = false;
    if (cl_mask_keeps(column, value->in, value->n)) {
        tally->values++;
        tally->kept++;
        cl_buf_add(out, value->in, value->n);
        return true;
    }
    if (made->cap > KEEP_BYTES) {
        cl_buf_fini(made);
    }
    cl_buf_reset(made);
    bool ok = method->kind == &script_kind
                  ? method->script.call(worker->script, value->in, value->n, is_null, made, err)
                  : method->kind->run(method, value, made, is_null, err);
    if (!ok) {
        return false;
    }
    if (made->failed) {
        return cl_fail(err, CL_INVALID, "E_MASK_SIZE", "method '%s' makes more than %zu bytes",
                       method->kind->name, made->max);
    }
    return *is_null || sweep(mask, method, value, made, out, tally, err);
}
