#include "checksum.h"

#include <string.h>

#include <xxhash.h>

enum { PIECES = 32 };

/* The digests of a row's pieces, in their order, on their way to being one. */
struct pieces {
    struct cl_digest of[PIECES]; /* n of them */
    size_t n;                    /* entries of `of` */
};

struct cl_digest cl_digest_bytes(const void *bytes, size_t n)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, n);
    return (struct cl_digest){{hash.low64, hash.high64}};
}

static struct cl_digest join(const struct pieces *pieces)
{
    return cl_digest_bytes(pieces->of, pieces->n * sizeof *pieces->of);
}

static void put(struct pieces *pieces, struct cl_digest piece)
{
    if (pieces->n == PIECES) {
        pieces->of[0] = join(pieces);
        pieces->n = 1;
    }
    pieces->of[pieces->n++] = piece;
}

static const bool separates[256] = {
    [' '] = true, ['\t'] = true, ['{'] = true, ['}'] = true, ['['] = true,
    [']'] = true, ['('] = true,  [')'] = true, [','] = true, [':'] = true,
    ['"'] = true, ['\''] = true, ['='] = true, ['>'] = true, ['\\'] = true,
};

/* The words between separators, in their order or in any. */
static struct cl_digest digest_words(const char *p, size_t n, bool ordered)
{
    const char *end = p + n;
    struct cl_digest all = {{0, 0}};
    while (p < end) {
        const char *word = p;
        while (p < end && !separates[(uint8_t)*p]) {
            p++;
        }
        if (p > word) {
            struct cl_digest both[2] = {all, cl_digest_bytes(word, (size_t)(p - word))};
            all = ordered ? cl_digest_bytes(both, sizeof both)
                          : (struct cl_digest){
                                {all.half[0] + both[1].half[0], all.half[1] + both[1].half[1]}};
        }
        p++;
    }
    return all;
}

static bool normalised(const struct cl_column *column)
{
    const struct cl_type_class *class = &column->class;
    return class->text_like &&
           (class->reorders || class->padded || class->form == CL_BINARY_UNKNOWN);
}

static struct cl_digest digest_value(enum cl_copy_format format, const struct cl_column *column,
                                     const struct cl_field *field)
{
    struct cl_digest digest;
    size_t n = (size_t)field->len;
    if (column->class.form == CL_BINARY_JSONB) {
        size_t version = format == CL_COPY_BINARY && n > 0 ? 1 : 0; /* a byte before the text */
        if (cl_digest_json(&digest, field->data + version, n - version, format == CL_COPY_TEXT)) {
            return digest;
        }
    }
    if (column->class.reorders || column->class.form == CL_BINARY_UNKNOWN) {
        return digest_words(field->data, n, !column->class.reorders);
    }
    while (column->class.padded && n > 0 && field->data[n - 1] == ' ') {
        n--;
    }
    return cl_digest_bytes(field->data, n);
}

struct cl_digest cl_digest_row(enum cl_copy_format format, const char *row, size_t n,
                               const struct cl_column *columns, const struct cl_field *fields,
                               size_t n_fields)
{
    struct pieces pieces;
    size_t prefix = format == CL_COPY_BINARY ? 4 : 0; /* a value's length, which may differ */
    const char *done = row;
    pieces.n = 0;
    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].len < 0 || !normalised(&columns[i])) {
            continue;
        }
        put(&pieces, cl_digest_bytes(done, (size_t)(fields[i].data - prefix - done)));
        put(&pieces, digest_value(format, &columns[i], &fields[i]));
        done = fields[i].data + fields[i].len;
    }
    put(&pieces, cl_digest_bytes(done, (size_t)(row + n - done)));
    return pieces.n == 1 ? pieces.of[0] : join(&pieces);
}

struct cl_digest cl_digest_fields(enum cl_copy_format format, const struct cl_column *columns,
                                  const struct cl_field *fields, const size_t *numbers, size_t n)
{
    static const struct cl_digest null = {{0, 1}};
    struct pieces pieces;
    pieces.n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cl_field *field = &fields[numbers[i]];
        put(&pieces, field->len < 0 ? null : digest_value(format, &columns[numbers[i]], field));
    }
    return join(&pieces);
}

bool cl_checksum_normalises(const struct cl_column *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (normalised(&columns[i])) {
            return true;
        }
    }
    return false;
}

void cl_checksum_add(struct cl_checksum *sum, struct cl_digest row)
{
    sum->rows++;
    sum->sum[0] += row.half[0];
    sum->sum[1] += row.half[1];
}

bool cl_digest_transformed(struct cl_digest *digest, struct cl_transform *t, bool by_field,
                           const char *row, size_t n, struct cl_err *err)
{
    if (!by_field) {
        *digest = cl_digest_bytes(row, n);
        return true;
    }
    if (t->mask && !cl_transform_recut(t, row, n, err)) {
        return false;
    }
    *digest = cl_digest_row(t->rows.format, row, n, t->columns, t->rows.fields, t->rows.n_fields);
    return true;
}

bool cl_checksum_transformed(struct cl_checksum *sum, struct cl_transform *t, bool by_field,
                             const char *row, size_t n, struct cl_err *err)
{
    struct cl_digest digest;
    if (!cl_digest_transformed(&digest, t, by_field, row, n, err)) {
        return false;
    }
    cl_checksum_add(sum, digest);
    return true;
}

void cl_checksum_join(struct cl_checksum *sum, const struct cl_checksum *part)
{
    sum->rows += part->rows;
    sum->sum[0] += part->sum[0];
    sum->sum[1] += part->sum[1];
}

bool cl_checksum_equal(const struct cl_checksum *a, const struct cl_checksum *b)
{
    return a->rows == b->rows && a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1];
}
