#include "transform.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
    JSONB_VERSION = 1,
    ARRAY_HEAD_BYTES = 12,     /* dimensions, whether there are NULLs, type of the elements */
    ARRAY_DIMENSION_BYTES = 8, /* of each: length and lower bound */
    ARRAY_DIMENSIONS_MAX = 6,  /* PostgreSQL's own limit */
};

/* The method of a column; worker NULL: it has none. */
struct cl_method_use {
    struct cl_mask_worker *worker; /* owned */
    size_t by;                     /* the field that decides with it; NO_FIELD: none */
    bool shuffled;                 /* its values come from other rows */
};

static const size_t NO_FIELD = SIZE_MAX;

/* Is a field of the binary format text, but for the version before jsonb, or, unless a method wants
 * it, bytes? */
static bool readable(const struct cl_type_class *class, enum cl_copy_format format, bool method)
{
    return format == CL_COPY_TEXT ||
           (class->text_like && class->binary && !(method && cl_type_holds_bytes(class)));
}

/* The table's column called name; NO_FIELD when there is none. */
static size_t find_field(const struct cl_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return i;
        }
    }
    return NO_FIELD;
}

bool cl_transform_possible(const struct cl_mask *mask, const struct cl_table *table,
                           enum cl_copy_format format, struct cl_err *err)
{
    for (size_t i = 0; mask && i < table->n_columns; i++) {
        const struct cl_column *column = &table->columns[i];
        const struct cl_mask_method *method = cl_table_method(table, column->name, mask);
        const char *name = method ? cl_mask_method_by(method) : NULL;
        size_t by = name ? find_field(table, name) : i;
        if (by == NO_FIELD) {
            return cl_fail(err, CL_INVALID, "E_RULES",
                           "%s.%s has no column %s, which is to decide "
                           "about %s with it",
                           table->schema, table->name, name, column->name);
        }
        bool needed = method || column->class.text_like;
        if (needed && !readable(&column->class, format, method != NULL)) {
            by = i;
        } else if (!method || readable(&table->columns[by].class, format, true)) {
            continue;
        }
        return cl_fail(err, CL_INVALID, "E_BINARY_FORM",
                       "%s.%s.%s cannot be masked in the binary form it was archived in",
                       table->schema, table->name, table->columns[by].name);
    }
    return true;
}

static bool use_method(struct cl_transform *t, size_t i, const struct cl_table *table,
                       struct cl_err *err)
{
    const struct cl_mask_method *method = cl_table_method(table, table->columns[i].name, t->mask);
    if (!method) {
        return true;
    }
    const char *by = cl_mask_method_by(method);
    t->uses[i].by = by ? find_field(table, by) : NO_FIELD;
    t->uses[i].shuffled = cl_mask_method_unit(method) != NULL;
    t->uses[i].worker = cl_mask_worker_open(method, err);
    return t->uses[i].worker ||
           cl_err_context(err, "%s.%s.%s", table->schema, table->name, table->columns[i].name);
}

/* Are bytes written in digits? Those of a short address are fewer than a search minds. */
static bool in_digits(const struct cl_transform *t, size_t i)
{
    return t->rows.format == CL_COPY_TEXT && cl_type_holds_bytes(&t->columns[i].class);
}

bool cl_transform_init(struct cl_transform *t, const struct cl_mask *mask,
                       const struct cl_table *table, enum cl_copy_format format, struct cl_err *err)
{
    memset(t, 0, sizeof *t);
    t->mask = mask;
    t->schema = table->schema;
    t->table = table->name;
    t->columns = table->columns;
    cl_buf_init(&t->value, CL_ROW_BYTES_MAX);
    cl_buf_init(&t->by, CL_ROW_BYTES_MAX);
    cl_buf_init(&t->masked, CL_ROW_BYTES_MAX);
    if (!cl_rows_init(&t->rows, format, table->n_columns, err)) {
        return false;
    }
    t->keeps = calloc(table->n_columns + 1, sizeof *t->keeps);
    t->uses = calloc(table->n_columns + 1, sizeof *t->uses);
    if (!t->keeps || !t->uses) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    bool ok = cl_transform_possible(mask, table, format, err);
    t->whole_rows = true;
    for (size_t i = 0; ok && mask && i < table->n_columns; i++) {
        t->keeps[i] = cl_mask_column(mask, table->schema, table->name, table->columns[i].name);
        ok = use_method(t, i, table, err);
        t->whole_rows = t->whole_rows && !t->keeps[i] && !t->uses[i].worker && !in_digits(t, i);
    }
    return ok;
}

bool cl_transform_shuffle(struct cl_transform *t, struct cl_dealer *dealer, unsigned part,
                          struct cl_err *err)
{
    t->dealer = dealer;
    t->part = part;
    return !dealer || cl_hand_init(&t->hand, dealer, err);
}

void cl_transform_fini(struct cl_transform *t)
{
    for (size_t i = 0; t->uses && i < t->rows.n_fields; i++) {
        cl_mask_worker_close(t->uses[i].worker);
    }
    cl_rows_fini(&t->rows);
    free(t->uses);
    t->uses = NULL;
    cl_hand_fini(&t->hand);
    free(t->keeps);
    t->keeps = NULL;
    cl_buf_fini(&t->value);
    cl_buf_fini(&t->by);
    cl_buf_fini(&t->masked);
}

static bool row_error(const struct cl_transform *t, size_t column, struct cl_err *err)
{
    return cl_err_context(err, "%s.%s.%s, row %llu", t->schema, t->table, t->columns[column].name,
                          (unsigned long long)t->rows.n);
}

bool cl_transform_bad(const struct cl_transform *t, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_COPY_DATA",
                   "%s.%s: the data after row %llu is not COPY data of %zu columns", t->schema,
                   t->table, (unsigned long long)t->rows.n, t->rows.n_fields);
}

static bool too_wide(const struct cl_transform *t, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_ROW_TOO_WIDE",
                   "%s.%s, row %llu is wider than 1 GB, PostgreSQL's limit of a message", t->schema,
                   t->table, (unsigned long long)t->rows.n);
}

static uint32_t get_be32(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(char *p, uint32_t v)
{
    p[0] = (char)(v >> 24);
    p[1] = (char)(v >> 16);
    p[2] = (char)(v >> 8);
    p[3] = (char)v;
}

/* char(n) comes filled up with spaces, which would count against the column's limit. */
static size_t without_padding(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] == ' ') {
        n--;
    }
    return n;
}

/* The text of a field of the i-th column that is not NULL; in *scratch when it is not there as
 * such. */
static bool field_text(struct cl_transform *t, size_t i, const struct cl_field *field,
                       struct cl_buf *scratch, const char **text, size_t *n, struct cl_err *err)
{
    const struct cl_type_class *class = &t->columns[i].class;
    *text = field->data;
    *n = (size_t)field->len;
    if (t->rows.format == CL_COPY_BINARY && class->form == CL_BINARY_JSONB) {
        if (*n < 1 || **text != JSONB_VERSION) {
            cl_fail(err, CL_INVALID, "E_COPY_DATA", "a jsonb value of an unknown version");
            return row_error(t, i, err);
        }
        ++*text;
        --*n;
    }
    if (t->rows.format == CL_COPY_TEXT && *n > 0 && memchr(*text, '\\', *n)) {
        cl_buf_trim(scratch, CL_ROWS_KEEP_BYTES);
        cl_buf_reset(scratch);
        if (!cl_text_unescape(scratch, *text, *n)) {
            return cl_transform_bad(t, err);
        }
        *text = cl_buf_str(scratch);
        *n = scratch->len;
    }
    if (class->padded) {
        *n = without_padding(*text, *n);
    }
    return true;
}

/* Appends what the mask makes of the text to *out, or sets *is_null. */
static bool mask_value(struct cl_transform *t, size_t i, const char *text, size_t n,
                       struct cl_buf *out, bool *is_null, bool *changed, struct cl_err *err)
{
    const struct cl_type_class *class = &t->columns[i].class;
    const struct cl_method_use *use = &t->uses[i];
    bool ok;
    *is_null = false;
    if (!use->worker) {
        ok = cl_mask_apply(t->mask, t->keeps[i], class->carrier, text, n, class->max_chars, out,
                           changed, &t->tally, err);
        return ok || row_error(t, i, err);
    }
    struct cl_mask_value value = cl_type_value(class, text, n);
    if (use->shuffled) {
        ok = !t->dealer ||
             field_text(t, i, &t->hand.fields[i], &t->by, &value.dealt, &value.n_dealt, err);
    } else {
        const struct cl_field *by = use->by != NO_FIELD ? &t->rows.fields[use->by] : NULL;
        ok = !by || by->len < 0 || field_text(t, use->by, by, &t->by, &value.by, &value.n_by, err);
    }
    if (!ok) {
        return false;
    }
    *changed = true;
    ok = cl_mask_method_apply(t->mask, use->worker, t->keeps[i], &value, out, is_null, &t->tally,
                              err);
    return ok || row_error(t, i, err);
}

static bool bad_array(struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_COPY_DATA", "an array of bytea that cannot be read");
}

/* Masks the elements from p on: each a length, and so many bytes unless it is NULL. */
static bool mask_elements(struct cl_transform *t, const char *p, size_t n, struct cl_buf *out,
                          struct cl_err *err)
{
    const char *end = p + n;
    while (p < end) {
        uint32_t len;
        size_t begin = out->len + sizeof len;
        bool changed;
        if ((size_t)(end - p) < sizeof len) {
            return bad_array(err);
        }
        len = get_be32(p);
        cl_buf_add(out, p, sizeof len);
        p += sizeof len;
        if (len == UINT32_MAX) {
            continue;
        }
        if (len > (size_t)(end - p)) {
            return bad_array(err);
        }
        if (!cl_mask_apply(t->mask, NULL, CL_CARRIER_BYTES, p, len, 0, out, &changed, &t->tally,
                           err)) {
            return false;
        }
        if (!out->failed) {
            put_be32(out->data + begin - sizeof len, (uint32_t)(out->len - begin));
        }
        p += len;
    }
    return true;
}

/* A bytea[]: what is before its elements stays as it is. */
static bool mask_array(struct cl_transform *t, size_t i, struct cl_buf *out, struct cl_err *err)
{
    const struct cl_field *field = &t->rows.fields[i];
    size_t n = (size_t)field->len;
    size_t begin = out->len;
    uint32_t dimensions = n >= ARRAY_HEAD_BYTES ? get_be32(field->data) : UINT32_MAX;
    size_t head = ARRAY_HEAD_BYTES + ARRAY_DIMENSION_BYTES * (size_t)dimensions;
    bool ok = dimensions <= ARRAY_DIMENSIONS_MAX && head <= n;
    if (!ok) {
        bad_array(err);
    } else {
        cl_buf_add(out, field->data, head);
        ok = mask_elements(t, field->data + head, n - head, out, err);
    }
    if (!ok) {
        return row_error(t, i, err);
    }
    if (!out->failed) {
        put_be32(out->data + begin - sizeof(uint32_t), (uint32_t)(out->len - begin));
    }
    return true;
}

static bool mask_binary(struct cl_transform *t, size_t i, struct cl_buf *out, struct cl_err *err)
{
    if (t->columns[i].class.form == CL_BINARY_ARRAY) {
        return mask_array(t, i, out, err);
    }
    size_t begin = out->len; /* the length before it is put right below */
    const char *text;
    size_t n;
    bool changed;
    bool is_null;
    if (!field_text(t, i, &t->rows.fields[i], &t->value, &text, &n, err)) {
        return false;
    }
    if (t->columns[i].class.form == CL_BINARY_JSONB) {
        cl_buf_addc(out, JSONB_VERSION);
    }
    if (!mask_value(t, i, text, n, out, &is_null, &changed, err)) {
        return false;
    }
    if (!out->failed) {
        out->len = is_null ? begin : out->len;
        put_be32(out->data + begin - 4, is_null ? UINT32_MAX : (uint32_t)(out->len - begin));
    }
    return true;
}

/* Turns the text form of a bytea, "\\x6f6c65", into its bytes, in place. */
static bool from_hex(struct cl_buf *b)
{
    if (b->len < 2 || b->len % 2 != 0 || memcmp(b->data, "\\x", 2) != 0) {
        return false;
    }
    for (size_t i = 2; i < b->len; i += 2) {
        int high = cl_hex_digit(b->data[i]), low = cl_hex_digit(b->data[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        b->data[i / 2 - 1] = (char)(high << 4 | low);
    }
    b->len = b->len / 2 - 1;
    return true;
}

/* Appends that form of the bytes, escaped for COPY. */
static void put_hex(struct cl_buf *out, const char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    cl_buf_adds(out, "\\\\x");
    if (cl_buf_reserve(out, 2 * n + 1)) {
        for (size_t i = 0; i < n; i++) {
            cl_buf_addc(out, digits[(unsigned char)p[i] >> 4]);
            cl_buf_addc(out, digits[(unsigned char)p[i] & 15]);
        }
    }
}

/* A method made the text form of bytes, in t->masked: what that stands for is swept, too. */
static bool sweep_bytes(struct cl_transform *t, size_t i, struct cl_err *err)
{
    struct cl_buf *made = &t->masked;
    bool changed;
    if (made->len > 0 && memchr(made->data, '\\', made->len) && !from_hex(made)) {
        cl_fail(err, CL_INVALID, "E_MASK_VALUE",
                "a method makes a value that is not bytes in the form \\x6f6c65");
        return row_error(t, i, err);
    }
    cl_buf_trim(&t->value, CL_ROWS_KEEP_BYTES);
    cl_buf_reset(&t->value);
    return cl_mask_apply(t->mask, NULL, CL_CARRIER_BYTES, cl_buf_str(made), made->len, 0, &t->value,
                         &changed, &t->tally, err) ||
           row_error(t, i, err);
}

static bool mask_text(struct cl_transform *t, size_t i, struct cl_buf *out, struct cl_err *err)
{
    const struct cl_field *field = &t->rows.fields[i];
    bool bytes = t->columns[i].class.carrier == CL_CARRIER_BYTES;
    bool made = t->uses[i].worker != NULL;
    const char *text;
    size_t n;
    bool changed;
    bool is_null;
    if (!field_text(t, i, field, &t->value, &text, &n, err)) {
        return false;
    }
    if (bytes && !made) { /* it has a backslash, so it is in t->value */
        if (text != t->value.data || !from_hex(&t->value)) {
            return cl_transform_bad(t, err);
        }
        n = t->value.len;
    }
    cl_buf_trim(&t->masked, CL_ROWS_KEEP_BYTES);
    cl_buf_reset(&t->masked);
    if (!mask_value(t, i, text, n, &t->masked, &is_null, &changed, err)) {
        return false;
    }
    if (is_null) {
        cl_buf_adds(out, "\\N");
    } else if (bytes && made) {
        if (!sweep_bytes(t, i, err)) {
            return false;
        }
        put_hex(out, cl_buf_str(&t->value), t->value.len);
    } else if (changed && bytes) {
        put_hex(out, cl_buf_str(&t->masked), t->masked.len);
    } else if (changed) {
        cl_text_escape(out, cl_buf_str(&t->masked), t->masked.len);
    } else {
        cl_buf_add(out, field->data, (size_t)field->len);
    }
    return true;
}

bool cl_transform_pass(struct cl_transform *t, const char *chunk, size_t n)
{
    struct cl_rows *rows = &t->rows;
    bool row = rows->began && !rows->ended && rows->left == 0 && rows->carry.len == 0 &&
               n > CL_COPY_TRAILER_BYTES;
    t->searched = NULL;
    if (!row || !t->whole_rows) {
        return false;
    }
    t->hit = t->mask ? cl_mask_search(chunk, n, 0) : n;
    if (t->hit < n) {
        t->searched = chunk;
        return false;
    }
    rows->n++;
    return true;
}

bool cl_transform_row(struct cl_transform *t, struct cl_buf *out, struct cl_err *err)
{
    const struct cl_rows *rows = &t->rows;
    bool binary = rows->format == CL_COPY_BINARY;
    const char *done = rows->row; /* everything before it is in *out */
    bool known = rows->row == t->searched;
    size_t hit = t->hit; /* when known: nothing between this field and there needs the mask */
    if (t->dealer && !cl_dealer_give(t->dealer, t->part, rows->fields, &t->hand, err)) {
        return cl_err_context(err, "%s.%s, row %llu", t->schema, t->table,
                              (unsigned long long)rows->n);
    }
    for (size_t i = 0; t->mask && i < rows->n_fields; i++) {
        const struct cl_field *field = &rows->fields[i];
        if (field->len < 0 || !(t->columns[i].class.text_like || t->uses[i].worker)) {
            continue;
        }
        size_t begin = (size_t)(field->data - rows->row);
        if (!known || hit < begin) {
            known = true;
            hit = cl_mask_search(rows->row, rows->row_bytes, begin);
        }
        if (hit >= begin + (size_t)field->len && !t->keeps[i] && !t->uses[i].worker &&
            !in_digits(t, i)) {
            continue;
        }
        cl_buf_add(out, done, (size_t)(field->data - done)); /* in binary: its length, too */
        bool ok = binary ? mask_binary(t, i, out, err) : mask_text(t, i, out, err);
        if (!ok) {
            return false;
        }
        done = field->data + field->len;
    }
    cl_buf_add(out, done, (size_t)(rows->row + rows->row_bytes - done));
    return !out->failed || too_wide(t, err);
}

bool cl_transform_recut(struct cl_transform *t, const char *row, size_t n, struct cl_err *err)
{
    struct cl_rows *rows = &t->rows;
    size_t used;
    size_t scanned = 0;
    enum cl_row_status status =
        rows->format == CL_COPY_BINARY
            ? cl_row_binary(row, n, rows->n_fields, rows->fields, &used)
            : cl_row_text(row, n, rows->n_fields, rows->fields, &used, &scanned);
    return status == CL_ROW_OK || cl_transform_bad(t, err);
}
