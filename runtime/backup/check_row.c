/*
 * What is done with a row: its swept values go through the mask, one by one, so that one that does
 * not fit is counted instead of ending everything; then whoever looks at them has a say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_private.h"

enum {
    BYTES_MAX = 0x40000000 + 65536, /* PostgreSQL's own limit of a message, and some */
    KEEP_BYTES = 1024 * 1024,       /* buffers wider than that are given back after use */
    SAMPLE_LOCAL = 3,               /* bytes of a local part that are shown */
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

void cl_check_scratch_free(struct check_scratch *list)
{
    while (list) {
        struct check_scratch *next = list->next;
        for (size_t i = 0; i < list->n_workers; i++) {
            cl_mask_worker_close(list->workers[i]);
        }
        free((void *)list->workers);
        cl_buf_fini(&list->bytes);
        cl_buf_fini(&list->raw);
        cl_buf_fini(&list->other);
        cl_buf_fini(&list->by);
        free(list);
        list = next;
    }
}

static bool open_workers(const struct check_table *t, struct check_scratch *scratch,
                         struct cl_err *err)
{
    size_t n = t->n_swept + t->n_links;
    scratch->workers = calloc(n + 1, sizeof(*scratch->workers));
    if (!scratch->workers) {
        return no_memory(err);
    }
    scratch->n_workers = n;
    for (size_t i = 0; i < n; i++) {
        bool link = i >= t->n_swept;
        const struct cl_mask_method *method =
            link ? t->links[i - t->n_swept].method : t->stats[i].method;
        if (method && !(scratch->workers[i] = cl_mask_worker_open(method, err))) {
            return false;
        }
    }
    return true;
}

static struct check_scratch *take_scratch(struct check_table *t, struct cl_err *err)
{
    uv_mutex_lock(&t->plan->mutex);
    struct check_scratch *scratch = t->scratch;
    if (scratch) {
        t->scratch = scratch->next;
    }
    uv_mutex_unlock(&t->plan->mutex);
    if (scratch) {
        return scratch;
    }
    scratch = calloc(1, sizeof *scratch);
    if (!scratch) {
        no_memory(err);
        return NULL;
    }
    cl_buf_init(&scratch->bytes, BYTES_MAX);
    cl_buf_init(&scratch->raw, BYTES_MAX);
    cl_buf_init(&scratch->other, BYTES_MAX);
    cl_buf_init(&scratch->by, BYTES_MAX);
    if (!open_workers(t, scratch, err)) {
        cl_check_scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

static void trim(struct cl_buf *b)
{
    if (b->cap > KEEP_BYTES) {
        cl_buf_fini(b);
    }
    cl_buf_reset(b);
}

static void give_scratch(struct check_table *t, struct check_scratch *scratch)
{
    trim(&scratch->bytes);
    trim(&scratch->raw);
    trim(&scratch->other);
    trim(&scratch->by);
    uv_mutex_lock(&t->plan->mutex);
    scratch->next = t->scratch;
    t->scratch = scratch;
    uv_mutex_unlock(&t->plan->mutex);
}

static size_t count_chars(const char *s, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) {
        chars += ((unsigned char)s[i] & 0xc0) != 0x80;
    }
    return chars;
}

static bool in_local(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("._+-", c);
}

void cl_check_sample(const char *value, size_t n, const char *sink, char out[CL_CHECK_SAMPLE_BYTES])
{
    const char *at = n > 0 ? memchr(value, '@', n) : NULL;
    size_t local = 0;
    out[0] = '\0';
    while (at && at - local > value && at[-1 - (long)local] && in_local(at[-1 - (long)local])) {
        local++;
    }
    if (local > 0) {
        int shown = (int)(local < SAMPLE_LOCAL ? local : SAMPLE_LOCAL);
        snprintf(out, CL_CHECK_SAMPLE_BYTES, "%.*s\xe2\x80\xa6@%s", shown, at - local, sink);
    }
}

/* One value through the mask, as a copy would do it; bytes are in digits here. False with
 * E_MASK_WIDTH when it does not fit. */
static bool apply(const struct check_table *t, const struct cl_mask_column *keep,
                  const struct cl_type_class *class, size_t max_chars, const char *in, size_t n,
                  struct cl_buf *out, bool *changed, uint64_t *shortened, struct cl_err *err)
{
    struct cl_mask_tally tally = {0};
    enum cl_carrier carrier = cl_type_holds_bytes(class) ? CL_CARRIER_NESTED : class->carrier;
    bool ok =
        cl_mask_apply(t->plan->mask, keep, carrier, in, n, max_chars, out, changed, &tally, err);
    *shortened = tally.shortened;
    return ok;
}

static bool is_width(const struct cl_err *err)
{
    return strcmp(err->code, "E_MASK_WIDTH") == 0;
}

/* The least limit with which the value fits; it is more than the column's, and at most `most`. */
static size_t least_width(const struct check_table *t, size_t i, const char *in, size_t n,
                          size_t most, struct cl_buf *scrap)
{
    const struct cl_type_class *class = &t->columns[i].class;
    size_t low = class->max_chars + 1, high = most;
    while (low < high) {
        struct cl_err err;
        size_t middle = low + (high - low) / 2;
        bool changed;
        uint64_t shortened;
        cl_buf_reset(scrap);
        if (apply(t, NULL, class, middle, in, n, scrap, &changed, &shortened, &err)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The value stands unlimited in the row's bytes, from `start` on. */
static void count_unfit(struct check_table *t, size_t i, const char *in, size_t n,
                        struct check_scratch *row, size_t start)
{
    struct check_column *stats = &t->stats[i];
    const char *masked = row->bytes.data + start;
    size_t len = row->bytes.len - start;
    size_t needed = least_width(t, i, in, n, count_chars(masked, len), &row->other);
    atomic_fetch_add(&stats->unfit, 1);
    unsigned long long most = atomic_load(&stats->needed);
    while (needed > most && !atomic_compare_exchange_weak(&stats->needed, &most, needed)) {
        /* most was loaded anew */
    }
    if (!atomic_flag_test_and_set(&stats->sampled)) {
        cl_check_sample(masked, len, cl_mask_sink(t->plan->mask), stats->sample);
    }
    row->unfit[i] = true;
}

static bool count_change(struct check_table *t, size_t i, const char *in, size_t n,
                         struct check_scratch *row, uint64_t shortened, struct cl_err *err)
{
    struct check_column *stats = &t->stats[i];
    const struct cl_type_class *class = &t->columns[i].class;
    bool changed;
    uint64_t anyway = shortened;
    atomic_fetch_add(&stats->changed, 1);
    if (shortened > 0 && class->max_chars > 0) {
        cl_buf_reset(&row->other);
        if (!apply(t, stats->keep, class, 0, in, n, &row->other, &changed, &anyway, err)) {
            return false;
        }
    }
    atomic_fetch_add(&stats->shortened, shortened > 0);
    atomic_fetch_add(&stats->squeezed, anyway < shortened);
    return true;
}

static bool mask_value(struct check_table *t, size_t i, const char *in, size_t n,
                       struct check_scratch *row, struct cl_err *err)
{
    const struct cl_type_class *class = &t->columns[i].class;
    const struct cl_mask_column *keep = t->stats[i].keep;
    size_t start = row->bytes.len;
    uint64_t shortened;
    while (class->padded && n > 0 && in[n - 1] == ' ') {
        n--; /* char(n) comes filled up, which would count against the limit */
    }
    bool ok = apply(t, keep, class, class->max_chars, in, n, &row->bytes, &row->changed[i],
                    &shortened, err);
    if (!ok && is_width(err)) {
        ok = apply(t, keep, class, 0, in, n, &row->bytes, &row->changed[i], &shortened, err);
        if (ok) {
            count_unfit(t, i, in, n, row, start);
        }
        return ok;
    }
    return ok && (!row->changed[i] || count_change(t, i, in, n, row, shortened, err));
}

/* Is it the value's fault, or a failure of ours? */
static bool is_refusal(const struct cl_err *err)
{
    return err->class == CL_INVALID;
}

/* Of a value that a method does not take the copy would fail; it is left as it is. */
static bool take_refusal(struct check_table *t, size_t i, const char *in, size_t n,
                         struct check_scratch *row, struct cl_err *err)
{
    if (!is_refusal(err)) {
        return false;
    }
    atomic_fetch_add(&t->stats[i].failed, 1);
    row->unfit[i] = true;
    cl_buf_add(&row->bytes, in, n);
    return true;
}

/* One value through its column's method; by: the field that decides with it, NULL: none. */
static bool make_value(struct check_table *t, size_t i, const char *in, size_t n,
                       const struct cl_field *by, struct check_scratch *row, struct cl_err *err)
{
    const struct cl_type_class *class = &t->columns[i].class;
    struct check_column *stats = &t->stats[i];
    struct cl_mask_tally tally = {0};
    struct cl_mask_value value = cl_type_value(class, in, n);
    size_t start = row->bytes.len;
    bool is_null = false;
    if (by && by->len >= 0) {
        cl_buf_reset(&row->by);
        if (!cl_text_unescape(&row->by, by->data, (size_t)by->len)) {
            return cl_fail(err, CL_INVALID, "E_COPY_DATA", "a value that is not COPY data");
        }
        value.by = cl_buf_str(&row->by);
        value.n_by = row->by.len;
    }
    value.dealt = in; /* shuffled: one of the column's values */
    value.n_dealt = n;
    if (!cl_mask_method_apply(t->plan->mask, row->workers[i], stats->keep, &value, &row->bytes,
                              &is_null, &tally, err)) {
        row->bytes.len = start;
        return take_refusal(t, i, in, n, row, err);
    }
    size_t len = row->bytes.len - start;
    row->changed[i] = is_null || len != n || memcmp(cl_buf_str(&row->bytes) + start, in, n) != 0;
    row->null[i] = is_null;
    atomic_fetch_add(&stats->nulls, is_null && stats->filled);
    atomic_fetch_add(&stats->changed, row->changed[i]);
    return true;
}

/* What the other end of a link makes of the value, into row->other; *is_null when nothing. */
static bool make_other(struct check_table *t, const struct check_link *link, const char *in,
                       size_t n, struct check_scratch *row, bool *is_null, struct cl_err *err)
{
    const struct cl_type_class *class = &link->class;
    size_t place = t->n_swept + (size_t)(link - t->links);
    struct cl_mask_tally tally = {0};
    struct cl_mask_value value = cl_type_value(class, in, n);
    bool changed;
    uint64_t shortened;
    *is_null = false;
    cl_buf_reset(&row->other);
    return row->workers[place]
               ? cl_mask_method_apply(t->plan->mask, row->workers[place], link->keep, &value,
                                      &row->other, is_null, &tally, err)
               : apply(t, link->keep, class, class->max_chars, in, n, &row->other, &changed,
                       &shortened, err);
}

/* Does the other end of a link make the same of the value? */
static bool follow(struct check_table *t, struct check_link *link, const char *in, size_t n,
                   struct check_scratch *row, struct cl_err *err)
{
    size_t i = link->column, len = row->len[i];
    bool is_null;
    struct cl_err refusal;
    if (row->unfit[i] || len == SIZE_MAX) {
        return true; /* told of, or nothing */
    }
    bool ok = make_other(t, link, in, n, row, &is_null, &refusal);
    if (!ok && !is_refusal(&refusal)) {
        *err = refusal;
        return false;
    }
    bool same = ok && !is_null && row->other.len == len &&
                memcmp(cl_buf_str(&row->other), cl_buf_str(&row->bytes) + row->at[i], len) == 0;
    if (!same) {
        atomic_fetch_add(&link->count, 1);
        if (!atomic_flag_test_and_set(&link->sampled)) {
            const char *sink = cl_mask_sink(t->plan->mask);
            cl_check_sample(cl_buf_str(&row->other), row->other.len, sink, link->sample);
        }
    }
    return true;
}

static bool take_value(struct check_table *t, size_t i, const struct cl_field *fields,
                       struct check_scratch *row, struct cl_err *err)
{
    const struct cl_field *field = &fields[i];
    const char *value = field->data;
    size_t n = field->len > 0 ? (size_t)field->len : 0;
    bool swept = i < t->n_swept, ok = true;
    row->at[i] = row->bytes.len;
    row->changed[i] = row->hit[i] = row->unfit[i] = row->null[i] = false;
    if (field->len < 0) {
        row->len[i] = SIZE_MAX;
        return true;
    }
    const struct check_column *stats = swept ? &t->stats[i] : NULL;
    row->hit[i] = swept && (stats->method || cl_mask_search(value, n, 0) < n);
    if (memchr(value, '\\', n)) {
        cl_buf_reset(&row->raw);
        ok = cl_text_unescape(&row->raw, value, n) ||
             cl_fail(err, CL_INVALID, "E_COPY_DATA", "a value that is not COPY data");
        value = cl_buf_str(&row->raw);
        n = row->raw.len;
    }
    if (ok && row->hit[i] && stats->method) {
        while (t->columns[i].class.padded && n > 0 && value[n - 1] == ' ') {
            n--;
        }
        ok =
            make_value(t, i, value, n, stats->by != SIZE_MAX ? &fields[stats->by] : NULL, row, err);
    } else if (ok && row->hit[i]) {
        ok = mask_value(t, i, value, n, row, err);
    } else if (ok) {
        cl_buf_add(&row->bytes, value, n);
    }
    row->len[i] = row->null[i] ? SIZE_MAX : row->bytes.len - row->at[i];
    for (size_t k = 0; ok && row->hit[i] && k < t->n_links; k++) {
        ok = t->links[k].column != i || follow(t, &t->links[k], value, n, row, err);
    }
    return ok || cl_err_context(err, "%s", t->columns[i].name);
}

/* Asks a rule's opinion of the row, if the mask may have made a difference to it. */
static bool judge(struct check_rule *rule, struct check_scratch *row, struct cl_err *err)
{
    bool changed = false, hit = rule->every;
    for (size_t k = 0; k < rule->n_columns; k++) {
        size_t i = rule->columns[k];
        if (row->unfit[i]) {
            return true; /* told of */
        }
        changed |= row->changed[i];
        hit |= row->hit[i];
    }
    bool concerned = rule->kind == CHECK_UNIQUE ? hit : changed;
    return !concerned || cl_check_judge(rule, row, changed, err);
}

/* Is there nothing an address could be made of in what is swept? Those fields come first. */
static bool is_clean(const struct check_table *t, const struct cl_field *fields)
{
    const char *from = NULL, *to = NULL;
    for (size_t i = 0; i < t->n_swept; i++) {
        if (fields[i].len >= 0) {
            from = from ? from : fields[i].data;
            to = fields[i].data + fields[i].len;
        }
    }
    return !from || cl_mask_search(from, (size_t)(to - from), 0) == (size_t)(to - from);
}

bool cl_check_row(void *arg, const struct cl_row_seen *seen, struct cl_err *err)
{
    struct check_table *t = arg;
    if (!t->every && is_clean(t, seen->fields)) {
        return true;
    }
    struct check_scratch *row = take_scratch(t, err);
    if (!row) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < t->read.n_columns; i++) {
        ok = take_value(t, i, seen->fields, row, err);
    }
    ok = ok && (!row->bytes.failed || no_memory(err));
    for (size_t k = 0; ok && k < t->n_rules; k++) {
        ok = judge(t->rules[k], row, err);
    }
    give_scratch(t, row);
    return ok;
}
