/* The shuffle: decks, and what rules may say of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/checksum.h"
#include "backup/deck.h"
#include "mask/mask.h"

#define KEY "0123456789abcdef0123456789abcdef"

enum { VALUES_MAX = 8, TEXT_BYTES = 16 };

static const size_t first_field[] = {0};

/* Rows of a table with one column: row i has values[i]. */
struct rows {
    const unsigned *values;
    const unsigned *groups; /* NULL: all are of one */
    size_t n;
    unsigned parts;  /* row i is in part i % parts */
    size_t stride;   /* the order they come in: 0, stride, 2 * stride … modulo n */
    uint64_t kept;   /* out */
    unsigned *dealt; /* out: what row i got */
};

static struct cl_deck_key key_of(const struct rows *rows, size_t i)
{
    struct cl_digest digest = cl_digest_bytes(&i, sizeof i);
    return (struct cl_deck_key){.group = rows->groups ? rows->groups[i] : 0,
                                .hash = {digest.half[0], digest.half[1]}};
}

static struct cl_field text_of(unsigned value, char text[TEXT_BYTES])
{
    int n = snprintf(text, TEXT_BYTES, "v%u", value);
    return (struct cl_field){.data = text, .len = n};
}

static unsigned number_of(const struct cl_field *field)
{
    unsigned value = 0;
    assert_true(field->len > 1 && field->data[0] == 'v');
    for (int64_t i = 1; i < field->len; i++) {
        assert_true(field->data[i] >= '0' && field->data[i] <= '9');
        value = 10 * value + (unsigned)(field->data[i] - '0');
    }
    return value;
}

static void shuffle(struct rows *rows)
{
    struct cl_err err;
    char text[TEXT_BYTES];
    struct cl_buf value;
    struct cl_deck *deck = cl_deck_new(&err);
    assert_non_null(deck);
    cl_buf_init(&value, 1 << 20);
    for (size_t k = 0; k < rows->n; k++) {
        size_t i = k * rows->stride % rows->n;
        struct cl_deck_key key = key_of(rows, i);
        struct cl_field field = text_of(rows->values[i], text);
        assert_true(
            cl_deck_add(deck, &key, (unsigned)(i % rows->parts), &field, first_field, 1, &err));
    }
    cl_deck_deal(deck);
    assert_int_equal(cl_deck_cards(deck), rows->n);
    rows->kept = cl_deck_kept(deck);
    rows->dealt = calloc(rows->n + 1, sizeof *rows->dealt);
    assert_non_null(rows->dealt);
    for (size_t i = 0; i < rows->n; i++) {
        struct cl_deck_key key = key_of(rows, i);
        struct cl_field field = text_of(rows->values[i], text);
        assert_true(cl_deck_find(deck, &key, (unsigned)(i % rows->parts), &field, first_field, 1,
                                 &value, &err));
        rows->dealt[i] = number_of(&field);
    }
    cl_buf_fini(&value);
    cl_deck_free(deck);
}

/* How often each value occurs in a group. */
static void count(const unsigned *values, const struct rows *rows, unsigned group, size_t *counts,
                  size_t most)
{
    memset(counts, 0, most * sizeof *counts);
    for (size_t i = 0; i < rows->n; i++) {
        if (!rows->groups || rows->groups[i] == group) {
            assert_true(values[i] < most);
            counts[values[i]]++;
        }
    }
}

static void assert_shuffled(const struct rows *rows, unsigned group, size_t most)
{
    size_t *before = calloc(2 * most, sizeof *before);
    assert_non_null(before);
    count(rows->values, rows, group, before, most);
    count(rows->dealt, rows, group, before + most, most);
    assert_memory_equal(before, before + most, most * sizeof *before);
    free(before);
}

static uint64_t kept_of(const struct rows *rows)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        kept += rows->dealt[i] == rows->values[i];
    }
    return kept;
}

static void test_every_row_gets_another_value(void **state)
{
    enum { N = 1000 };
    unsigned values[N];
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        values[i] = i;
    }
    struct rows rows = {.values = values, .n = N, .parts = 1, .stride = 1};
    shuffle(&rows);
    assert_shuffled(&rows, 0, N);
    assert_int_equal(kept_of(&rows), 0);
    size_t neighbours = 0; /* the order is no order of the values */
    for (size_t i = 0; i < N; i++) {
        neighbours += rows.dealt[i] == i + 1 || rows.dealt[i] + 1 == i;
    }
    assert_true(neighbours < N / 20);
    free(rows.dealt);
}

static void test_neither_order_nor_parts_matter(void **state)
{
    enum { N = 5000 };
    unsigned values[N];
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        values[i] = i * i % 37;
    }
    struct rows one = {.values = values, .n = N, .parts = 1, .stride = 1};
    struct rows other = {.values = values, .n = N, .parts = 7, .stride = 1597};
    shuffle(&one);
    shuffle(&other);
    assert_memory_equal(one.dealt, other.dealt, sizeof values);
    assert_int_equal(kept_of(&one), 0);
    free(one.dealt);
    free(other.dealt);
}

/* As few rows keep their value as can be: those that a value has beyond half of all. */
static void test_as_few_as_can_be_keep_theirs(void **state)
{
    static const size_t cases[][VALUES_MAX] = {{1},
                                               {2},
                                               {1, 1},
                                               {2, 1},
                                               {3, 1},
                                               {2, 2},
                                               {1, 1, 1},
                                               {5, 3, 2},
                                               {6, 3, 2},
                                               {50, 30, 10, 9},
                                               {500, 500},
                                               {501, 499},
                                               {9000, 3},
                                               {1, 1, 9000},
                                               {4000, 4000, 1},
                                               {3, 3, 3, 3, 3, 3, 3, 3}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t n = 0, most = 0;
        for (size_t v = 0; v < VALUES_MAX; v++) {
            n += cases[c][v];
            most = cases[c][v] > most ? cases[c][v] : most;
        }
        unsigned *values = calloc(n, sizeof *values);
        assert_non_null(values);
        size_t at = 0;
        for (unsigned v = 0; v < VALUES_MAX; v++) {
            for (size_t k = 0; k < cases[c][v]; k++) {
                values[at++] = v;
            }
        }
        struct rows rows = {.values = values, .n = n, .parts = 3, .stride = 1};
        shuffle(&rows);
        assert_shuffled(&rows, 0, VALUES_MAX);
        uint64_t kept = kept_of(&rows), wanted = 2 * most > n ? 2 * most - n : 0;
        if (kept != wanted || rows.kept != wanted) {
            print_error("case %zu: %llu kept, %llu said, not %llu\n", c, (unsigned long long)kept,
                        (unsigned long long)rows.kept, (unsigned long long)wanted);
        }
        assert_true(kept == wanted && rows.kept == wanted);
        free(rows.dealt);
        free(values);
    }
}

static void test_groups_keep_their_values(void **state)
{
    enum { N = 900, GROUPS = 3 };
    unsigned values[N], groups[N];
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        groups[i] = i % GROUPS;
        values[i] = i;
    }
    struct rows rows = {.values = values, .groups = groups, .n = N, .parts = 2, .stride = 1};
    shuffle(&rows);
    for (unsigned g = 0; g < GROUPS; g++) {
        assert_shuffled(&rows, g, N);
    }
    assert_int_equal(kept_of(&rows), 0);
    free(rows.dealt);
}

/* Rows that are equal in everything: each is found, in its own part, and all of them once. */
static void test_equal_rows(void **state)
{
    enum { N = 6000 };
    static const struct cl_deck_key same = {.group = 1, .hash = {5, 5}};
    struct cl_err err;
    struct cl_buf value;
    char text[TEXT_BYTES];
    size_t seen[2][N + 1] = {{0}};
    (void)state;
    struct cl_deck *deck = cl_deck_new(&err);
    assert_non_null(deck);
    cl_buf_init(&value, 1 << 20);
    for (unsigned i = 0; i < N; i++) { /* half of them are equal, the others are all different */
        struct cl_deck_key key = {.group = 1, .hash = {i % 11, i}};
        struct cl_field field = text_of(i < N / 2 ? 0 : i, text);
        assert_true(
            cl_deck_add(deck, i < N / 2 ? &same : &key, i % 2, &field, first_field, 1, &err));
    }
    cl_deck_deal(deck);
    assert_int_equal(cl_deck_kept(deck), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < N / 2; i++) {
            struct cl_field field = text_of(0, text);
            assert_true(cl_deck_find(deck, &same, i % 2, &field, first_field, 1, &value, &err));
            seen[round][number_of(&field)]++;
        }
    }
    for (size_t v = 0; v < N; v++) {
        assert_int_equal(seen[0][v], v >= N / 2);
        assert_int_equal(seen[1][v], seen[0][v]); /* who reads once more gets the same */
    }
    cl_buf_fini(&value);
    cl_deck_free(deck);
}

static void test_units_with_null(void **state)
{
    static const size_t numbers[] = {2, 0};
    struct cl_err err;
    struct cl_buf value;
    (void)state;
    struct cl_deck *deck = cl_deck_new(&err);
    assert_non_null(deck);
    cl_buf_init(&value, 1 << 20);
    struct cl_field rows[][3] = {{{"a", 1}, {"-", 1}, {NULL, -1}}, {{"", 0}, {"+", 1}, {NULL, -1}}};
    struct cl_deck_key keys[] = {{.group = 1, .hash = {1, 2}}, {.group = 1, .hash = {3, 4}}};
    for (size_t i = 0; i < 2; i++) {
        assert_true(cl_deck_add(deck, &keys[i], 0, rows[i], numbers, 2, &err));
    }
    cl_deck_deal(deck);
    assert_true(cl_deck_find(deck, &keys[0], 0, rows[0], numbers, 2, &value, &err));
    assert_true(rows[0][0].len == 0 && rows[0][2].len == -1 && rows[0][1].data[0] == '-');
    assert_true(cl_deck_find(deck, &keys[1], 0, rows[1], numbers, 2, &value, &err));
    assert_true(rows[1][0].len == 1 && rows[1][0].data[0] == 'a');
    assert_false(cl_deck_find(deck, &keys[1], 1, rows[1], numbers, 2, &value, &err));
    assert_string_equal(err.code, "E_SHUFFLE");
    cl_buf_fini(&value);
    cl_deck_free(deck);
}

static struct cl_mask *rules(const struct cl_mask_method_spec *methods, size_t n, bool key,
                             struct cl_err *err)
{
    struct cl_mask_spec spec = {.sink_domain = "sink.test",
                                .key = key ? KEY : NULL,
                                .key_bytes = key ? strlen(KEY) : 0,
                                .methods = methods,
                                .n_methods = n};
    return cl_mask_new(&spec, err);
}

static void test_rules(void **state)
{
    static const struct cl_mask_option name[] = {{"unit", "name"}};
    static const struct cl_mask_option within[] = {{"unit", "name"}, {"within", "country"}};
    static const struct cl_mask_method_spec methods[] = {
        {.schema = "s",
         .table = "t",
         .column = "a",
         .kind = "shuffle",
         .options = name,
         .n_options = 1},
        {.schema = "s",
         .table = "t",
         .column = "b",
         .kind = "shuffle",
         .options = within,
         .n_options = 2},
        {.schema = "s",
         .table = "u",
         .column = "b",
         .kind = "shuffle",
         .options = within,
         .n_options = 2},
    };
    static const struct cl_mask_method_spec part[] = {{.path = "$.a", .kind = "shuffle"}};
    static const struct cl_mask_method_spec inside[] = {
        {.schema = "s", .table = "t", .column = "a", .kind = "json", .parts = part, .n_parts = 1}};
    struct cl_err err;
    (void)state;
    assert_null(rules(methods, 1, false, &err));
    assert_string_equal(err.code, "E_KEY");
    assert_null(rules(methods, 2, true, &err));
    assert_string_equal(err.code, "E_METHOD");
    assert_null(rules(inside, 1, true, &err));
    assert_string_equal(err.code, "E_METHOD");
    const struct cl_mask_method_spec both[] = {methods[0], methods[2]};
    struct cl_mask *mask = rules(both, 2, true, &err);
    assert_non_null(mask);
    assert_string_equal(cl_mask_method_unit(cl_mask_method_at(mask, 0)), "name");
    assert_null(cl_mask_method_by(cl_mask_method_at(mask, 0)));
    assert_string_equal(cl_mask_method_by(cl_mask_method_at(mask, 1)), "country");
    cl_mask_free(mask);
}

/* What is dealt is swept; nothing dealt is an error, never the value as it was. */
static void test_what_is_dealt_is_swept(void **state)
{
    static const struct cl_mask_method_spec method[] = {
        {.schema = "s", .table = "t", .column = "a", .kind = "shuffle"}};
    struct cl_err err;
    struct cl_buf out;
    struct cl_mask_tally tally = {0};
    bool is_null;
    (void)state;
    struct cl_mask *mask = rules(method, 1, true, &err);
    assert_non_null(mask);
    struct cl_mask_worker *worker = cl_mask_worker_open(cl_mask_method_at(mask, 0), &err);
    assert_non_null(worker);
    struct cl_mask_value value = {.in = "mine", .n = 4, .type = CL_MASK_TEXT};
    cl_buf_init(&out, 1 << 20);
    assert_false(cl_mask_method_apply(mask, worker, NULL, &value, &out, &is_null, &tally, &err));
    assert_string_equal(err.code, "E_SHUFFLE");
    value.dealt = "ask me@corp.no";
    value.n_dealt = strlen(value.dealt);
    assert_true(cl_mask_method_apply(mask, worker, NULL, &value, &out, &is_null, &tally, &err));
    assert_string_equal(cl_buf_str(&out), "ask me_corp.no@sink.test");
    cl_buf_fini(&out);
    cl_mask_worker_close(worker);
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_gets_another_value),
        cmocka_unit_test(test_neither_order_nor_parts_matter),
        cmocka_unit_test(test_as_few_as_can_be_keep_theirs),
        cmocka_unit_test(test_groups_keep_their_values),
        cmocka_unit_test(test_equal_rows),
        cmocka_unit_test(test_units_with_null),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_is_dealt_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
