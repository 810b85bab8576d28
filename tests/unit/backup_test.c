/* backup: plans, checksums, connection strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/checksum.h"
#include "backup/conninfo.h"
#include "backup/copyrow.h"
#include "backup/plan.h"
#include "backup_table.h"

static void parts_go_largest_first(void **state)
{
    (void)state;
    struct cl_table tables[] = {{.schema = "b", .name = "x", .bytes = 1},
                                {.schema = "a", .name = "y", .bytes = 1},
                                {.schema = "z", .name = "z", .bytes = 900},
                                {.schema = "a", .name = "x", .bytes = 1}};
    cl_plan_order(tables, 4);
    assert_string_equal(tables[0].schema, "z");
    assert_string_equal(tables[1].name, "x");
    assert_string_equal(tables[2].name, "y");
    assert_string_equal(tables[3].schema, "b");
}

static void columns_are_matched_by_name(void **state)
{
    (void)state;
    struct cl_column other[] = {{.name = "j", .type = "jsonb"}, {.name = "id"}, {.name = "more"}};
    struct cl_table target = {.columns = other, .n_columns = 3};
    struct cl_table like = {.columns = columns, .n_columns = 1};
    struct cl_column out[3];
    const char *missing;
    assert_true(cl_plan_columns(&target, &like, out, &missing));
    assert_string_equal(out[0].name, "id");
    assert_false(cl_plan_columns(&target, &table, out, &missing));
    assert_string_equal(missing, "note");
}

static void add(struct cl_checksum *sum, const char *row)
{
    cl_checksum_add(sum, cl_digest_bytes(row, strlen(row)));
}

static void checksums_know_rows_not_their_order(void **state)
{
    (void)state;
    struct cl_checksum a = {0};
    struct cl_checksum b = {0};
    struct cl_checksum more = {0};
    add(&a, "one");
    add(&a, "two");
    add(&a, "two");
    add(&b, "two");
    add(&more, "one");
    add(&more, "two");
    cl_checksum_join(&b, &more); /* the sums of parts add up */
    assert_true(cl_checksum_equal(&a, &b));
    add(&a, "three");
    add(&b, "threE");
    assert_false(cl_checksum_equal(&a, &b));
    /* XXH3's own: they are stored, so they must be the same everywhere */
    struct cl_digest digest = cl_digest_bytes("", 0);
    assert_true(digest.half[0] == 0x6001C324468D497Fu && digest.half[1] == 0x99AA06D3014798D8u);
}

/* A row of the three columns, by field. */
static struct cl_digest digest_of(const char *id, const char *note, const char *json)
{
    struct cl_buf row;
    struct cl_field fields[3];
    size_t used;
    size_t scanned = 0;
    cl_buf_init(&row, OUT_MAX);
    cl_buf_addf(&row, "%s\t%s\t%s\n", id, note, json);
    assert_int_equal(cl_row_text(cl_buf_str(&row), row.len, 3, fields, &used, &scanned), CL_ROW_OK);
    struct cl_digest digest =
        cl_digest_row(CL_COPY_TEXT, cl_buf_str(&row), row.len, columns, fields, 3);
    cl_buf_fini(&row);
    return digest;
}

static bool same(struct cl_digest a, struct cl_digest b)
{
    return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

static void reordered_keys_count_the_same(void **state)
{
    (void)state;
    struct cl_digest one = digest_of("1", "n", "{\"ab\": 1, \"c\": 2}");
    assert_true(same(one, digest_of("1", "n", "{\"c\": 2, \"ab\": 1}")));
    assert_false(same(one, digest_of("1", "n", "{\"ab\": 1, \"c\": 3}")));
    assert_false(same(one, digest_of("1", "m", "{\"ab\": 1, \"c\": 2}")));
    assert_false(same(one, digest_of("2", "n", "{\"ab\": 1, \"c\": 2}")));
    assert_false(same(digest_of("1", "n", "\\N"), digest_of("1", "n", "")));
    assert_false(same(digest_of("1", "ab", "\\N"), digest_of("1a", "b", "\\N")));
    assert_true(cl_checksum_normalises(columns, 3));
    assert_false(cl_checksum_normalises(columns, 2));
}

static bool json_same(const char *a, const char *b)
{
    struct cl_digest x;
    struct cl_digest y;
    assert_true(cl_digest_json(&x, a, strlen(a), false));
    assert_true(cl_digest_json(&y, b, strlen(b), false));
    return same(x, y);
}

static void documents_know_values_not_the_order_of_keys(void **state)
{
    (void)state;
    assert_true(json_same("{\"a\": [1, {\"b\": null, \"c\": \"x\"}], \"d\": true}",
                          "{\"d\": true, \"a\": [1, {\"c\": \"x\", \"b\": null}]}"));
    assert_false(json_same("{\"a\": 1, \"b\": 2}", "{\"a\": 2, \"b\": 1}"));
    assert_false(json_same("{\"a\": \"b\"}", "{\"b\": \"a\"}"));
    assert_false(json_same("[1, 2]", "[2, 1]"));
    assert_false(json_same("[[1], 2]", "[[1, 2]]"));
    assert_false(json_same("{}", "[]"));
    assert_false(json_same("\"1\"", "1"));
    assert_false(json_same("[]", "[[]]"));
    assert_false(json_same("{\"a\": \"x\\\"], [\"}", "{\"a\": \"x\\\", ][\"}"));
    assert_true(json_same("{\"a\\\\\": 1, \"b\": \"c\\\"\"}", "{\"b\": \"c\\\"\", \"a\\\\\": 1}"));
}

static void documents_of_any_form_are_read_within_bounds(void **state)
{
    (void)state;
    struct cl_digest plain;
    struct cl_digest doubled;
    static const char text[] = "{\"a\": \"x\\\\\\\"]\", \"b\": 1}";        /* x \\ \" ] */
    static const char twice[] = "{\"b\": 1, \"a\": \"x\\\\\\\\\\\\\"]\"}"; /* as COPY writes it */
    assert_true(cl_digest_json(&plain, text, sizeof text - 1, false));
    assert_true(cl_digest_json(&doubled, twice, sizeof twice - 1, true));
    /* cut anywhere it is refused or read, but never past its end */
    for (size_t n = 0; n < sizeof twice; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, twice, n);
        char *exact = realloc(cut, n > 0 ? n : 1);
        struct cl_digest ignored;
        assert_true(n == 0 || n == sizeof twice - 1 || n == sizeof twice ||
                    !cl_digest_json(&ignored, exact, n, true));
        cl_digest_json(&ignored, exact, n, false);
        free(exact);
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_false(cl_digest_json(&plain, deep, sizeof deep, false));
    assert_false(cl_digest_json(&plain, "]", 1, false));
}

/* The same value in both formats, and char(n) with and without its padding. */
static void padding_does_not_count(void **state)
{
    (void)state;
    static const struct cl_column padded[] = {
        {.name = "c", .class = {.text_like = true, .binary = true, .padded = true}},
        {.name = "n", .class = {.binary = true}}};
    static const char *const rows[] = {"\0\2\0\0\0\2ab\0\0\0\1x", "\0\2\0\0\0\4ab  \0\0\0\1x",
                                       "\0\2\0\0\0\2ac\0\0\0\1x", "\0\2\0\0\0\2ab\0\0\0\1y"};
    static const size_t sizes[] = {13, 15, 13, 13};
    struct cl_digest digests[4];
    for (int i = 0; i < 4; i++) {
        struct cl_field fields[2];
        size_t used;
        assert_int_equal(cl_row_binary(rows[i], sizes[i], 2, fields, &used), CL_ROW_OK);
        digests[i] = cl_digest_row(CL_COPY_BINARY, rows[i], used, padded, fields, 2);
    }
    assert_true(same(digests[0], digests[1]));
    assert_false(same(digests[0], digests[2]));
    assert_false(same(digests[0], digests[3]));
    assert_true(cl_checksum_normalises(padded, 2));
}

static void passwords_leave_the_connection_string(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_conninfo_parts parts;
    char *whole = cl_backup_conninfo("postgresql://u:old@h:5/d%20b", "p'q\\r", &err);
    assert_non_null(whole);
    assert_non_null(strstr(whole, "password='p\\'q\\\\r'"));
    assert_true(cl_conninfo_split(whole, &parts, &err));
    assert_null(strstr(parts.public_part, "password"));
    assert_non_null(strstr(parts.public_part, "dbname='d b'"));
    assert_string_equal(parts.password_env, "PGPASSWORD=p'q\\r");
    cl_conninfo_fini(&parts);
    free(whole);
    assert_null(cl_backup_conninfo("nonsense=secretword", NULL, &err));
    assert_null(strstr(err.message, "secretword"));
    assert_int_equal(err.class, CL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_go_largest_first),
        cmocka_unit_test(columns_are_matched_by_name),
        cmocka_unit_test(checksums_know_rows_not_their_order),
        cmocka_unit_test(reordered_keys_count_the_same),
        cmocka_unit_test(documents_know_values_not_the_order_of_keys),
        cmocka_unit_test(documents_of_any_form_are_read_within_bounds),
        cmocka_unit_test(padding_does_not_count),
        cmocka_unit_test(passwords_leave_the_connection_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
