/* Methods of columns: tables of cases, and what holds for any value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "method_help.h"

struct row {
    const char *kind;
    struct cl_mask_option options[OPTIONS_MAX];
    enum cl_mask_type type;
    size_t max_chars;
    const char *in;
    const char *out; /* NULL: whatever it is, it differs */
};

static const struct row table[] = {
    {"redact", {{0}}, CL_MASK_TEXT, 0, "Bj\xc3\xb8rn", "*****"},
    {"redact", {{"length", "3"}}, CL_MASK_TEXT, 0, "Bj\xc3\xb8rn", "***"},
    {"redact", {{"length", "8"}, {"fill", "x"}}, CL_MASK_TEXT, 5, "a", "xxxxx"},
    {"redact", {{0}}, CL_MASK_TEXT, 0, "", ""},
    {"constant", {{"value", "same"}}, CL_MASK_TEXT, 0, "a@b.no", "same"},
    {"constant", {{"value", "ask us@corp.no"}}, CL_MASK_TEXT, 0, "x", "ask us_corp.no@sink.test"},
    {"constant", {{"value", "1.50"}}, CL_MASK_NUMERIC, 0, "7", "1.50"},
    {"constant", {{"value", "too long"}}, CL_MASK_TEXT, 3, "7", "!E_MASK_WIDTH"},
    {"null", {{0}}, CL_MASK_DATE, 0, "2024-01-01", "<null>"},
    {"partial", {{"first", "2"}}, CL_MASK_TEXT, 0, "\xc3\xb8lberg", "\xc3\xb8l****"},
    {"partial", {{"last", "4"}}, CL_MASK_TEXT, 0, "1234567890", "******7890"},
    {"partial", {{"first", "1"}, {"last", "1"}}, CL_MASK_TEXT, 0, "ab", "**"},
    {"partial", {{"first", "1"}, {"last", "1"}}, CL_MASK_TEXT, 0, "abc", "a*c"},
    {"partial", {{"first", "6"}}, CL_MASK_TEXT, 0, "a@b.noXYZ", "a_b.no@sink.test***"},
    {"noise", {{"percent", "10"}}, CL_MASK_TEXT, 0, "a few", "!E_MASK_VALUE"},
    {"noise", {{"percent", "10"}}, CL_MASK_NUMERIC, 0, "0", "0"},
    {"noise", {{"percent", "10"}}, CL_MASK_NUMERIC, 0, "0.00", "0.00"},
    {"noise", {{"percent", "10"}}, CL_MASK_NUMERIC, 0, "NaN", "NaN"},
    {"noise", {{"percent", "10"}}, CL_MASK_NUMERIC, 0, "-Infinity", "-Infinity"},
    {"noise", {{"percent", "10"}}, CL_MASK_FLOAT8, 0, "NaN", "NaN"},
    {"noise", {{"percent", "10"}}, CL_MASK_FLOAT8, 0, "0x10", "!E_MASK_VALUE"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_INT4, 0, "37", "30"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_INT4, 0, "-37", "-30"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_INT4, 0, "-3", "0"},
    {"generalise",
     {{"bucket", "25"}},
     CL_MASK_NUMERIC,
     0,
     "123456789012345678901234567890.75",
     "123456789012345678901234567875.00"},
    {"generalise", {{"bucket", "1000"}}, CL_MASK_NUMERIC, 0, "1000", "1000"},
    {"generalise", {{"bucket", "1000"}}, CL_MASK_NUMERIC, 0, "0.5", "0.0"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_FLOAT8, 0, "1.5e+02", "150"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_FLOAT8, 0, "-4.25", "0"},
    {"generalise", {{"bucket", "10"}}, CL_MASK_TEXT, 0, "ten", "!E_MASK_VALUE"},
    {"generalise", {{"to", "month"}}, CL_MASK_DATE, 0, "2024-02-29", "2024-02-01"},
    {"generalise", {{"to", "year"}}, CL_MASK_DATE, 0, "2024-02-29", "2024-01-01"},
    {"generalise",
     {{"to", "month"}},
     CL_MASK_TIMESTAMP,
     0,
     "2024-02-29 12:30:01.5+00",
     "2024-02-01 00:00:00+00"},
    {"generalise", {{"to", "year"}}, CL_MASK_DATE, 0, "0044-03-15 BC", "0044-01-01 BC"},
    {"generalise", {{"to", "year"}}, CL_MASK_DATE, 0, "infinity", "infinity"},
    {"generalise", {{"to", "year"}}, CL_MASK_TEXT, 0, "2023-02-29", "!E_MASK_VALUE"},
    {"generalise", {{"to", "year"}}, CL_MASK_TEXT, 0, "2023-02-01 a@b.no", "!E_MASK_VALUE"},
    {"date_shift", {{"days", "10"}}, CL_MASK_TEXT, 0, "soon", "!E_MASK_VALUE"},
    {"date_shift", {{"days", "10"}}, CL_MASK_TIMESTAMP, 0, "-infinity", "-infinity"},
    {"date_shift", {{"days", "10"}}, CL_MASK_DATE, 0, "2024-03-01", NULL},
    {"date_shift", {{"days", "10"}}, CL_MASK_DATE, 0, "5874897-12-31", NULL},
    {"hash", {{0}}, CL_MASK_TEXT, 0, "", NULL},
    {"hash", {{"form", "letters"}, {"length", "20"}}, CL_MASK_TEXT, 8, "x", NULL},
    {"hash", {{"form", "uuid"}}, CL_MASK_UUID, 0, "x", NULL},
    {"fake", {{"of", "first_name"}}, CL_MASK_TEXT, 0, "Bj\xc3\xb8rn", NULL},
    {"fake", {{"of", "last_name"}}, CL_MASK_TEXT, 0, "Larsson", NULL},
    {"fake", {{"of", "full_name"}}, CL_MASK_TEXT, 0, "Bo Larsson", NULL},
    {"fake", {{"of", "company"}}, CL_MASK_TEXT, 0, "Acme", NULL},
    {"fake", {{"of", "street"}}, CL_MASK_TEXT, 0, "Storgata 1", NULL},
    {"fake", {{"of", "city"}}, CL_MASK_TEXT, 0, "Oslo", NULL},
    {"fake", {{"of", "phone"}}, CL_MASK_TEXT, 0, "+47 22 33 44 55", NULL},
};

static void test_cases(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *r = &table[i];
        struct cl_mask_method_spec spec = describe(r->kind, r->options);
        struct made made = make(KEY, &spec);
        struct cl_mask_value value = {
            .in = r->in, .n = strlen(r->in), .type = r->type, .max_chars = r->max_chars};
        char *first = apply(&made, &value);
        char *again = apply(&made, &value);
        bool right =
            strcmp(first, again) == 0 &&
            (r->out ? strcmp(first, r->out) == 0 : strcmp(first, r->in) != 0 && *first != '!') &&
            (r->max_chars == 0 || *first == '!' || strlen(first) <= r->max_chars);
        if (!right) {
            print_error("row %zu (%s): '%s' became '%s', then '%s'\n", i, r->kind, r->in, first,
                        again);
            failed++;
        }
        free(first);
        free(again);
        unmake(&made);
    }
    assert_int_equal(failed, 0);
}

/* What is made of one value, with any key, in a column of any width. */
static char *once(const char *key, const char *kind, const struct cl_mask_option *options,
                  const char *in, enum cl_mask_type type, size_t max_chars)
{
    struct cl_mask_method_spec spec = describe(kind, options);
    struct made made = make(key, &spec);
    struct cl_mask_value value = {.in = in, .n = strlen(in), .type = type, .max_chars = max_chars};
    char *out = apply(&made, &value);
    unmake(&made);
    return out;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        struct cl_mask_option options[OPTIONS_MAX];
        const char *in;
    } keyed[] = {
        {"hash", {{0}}, "Larsson"},
        {"fake", {{"of", "full_name"}}, "Bo Larsson"},
        {"fake", {{"of", "phone"}}, "0047 22334455"},
        {"noise", {{"percent", "50"}}, "123456789"},
        {"date_shift", {{"days", "30000"}}, "2024-02-29"},
    };
    for (size_t i = 0; i < sizeof keyed / sizeof *keyed; i++) {
        char *a = once(KEY, keyed[i].kind, keyed[i].options, keyed[i].in, CL_MASK_TEXT, 0);
        char *b = once(OTHER_KEY, keyed[i].kind, keyed[i].options, keyed[i].in, CL_MASK_TEXT, 0);
        assert_string_not_equal(a, b);
        assert_string_not_equal(a, keyed[i].in);
        free(a);
        free(b);
        struct cl_mask_method_spec spec = describe(keyed[i].kind, keyed[i].options);
        struct cl_err err;
        assert_null(rules(NULL, &spec, 1, &err));
        assert_string_equal(err.code, "E_KEY");
        assert_non_null(strstr(err.message, "s.t.c"));
    }
}

/* Whatever the width, what is made fits it. */
static void test_widths(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        struct cl_mask_option options[OPTIONS_MAX];
    } any_width[] = {
        {"hash", {{0}}},
        {"hash", {{"form", "letters"}}},
        {"redact", {{"length", "40"}}},
        {"fake", {{"of", "first_name"}}},
        {"fake", {{"of", "full_name"}}},
        {"fake", {{"of", "company"}}},
        {"fake", {{"of", "street"}}},
        {"fake", {{"of", "city"}}},
        {"fake", {{"of", "phone"}}},
    };
    for (size_t i = 0; i < sizeof any_width / sizeof *any_width; i++) {
        struct cl_mask_method_spec spec = describe(any_width[i].kind, any_width[i].options);
        struct made made = make(KEY, &spec);
        for (size_t width = 1; width < 40; width++) {
            struct cl_mask_value value = {
                .in = "+47 12 34", .n = 9, .type = CL_MASK_TEXT, .max_chars = width};
            char *out = apply(&made, &value);
            assert_true(*out != '!' && strlen(out) <= width && *out != '\0');
            free(out);
        }
        unmake(&made);
    }
}

static void test_phones(void **state)
{
    (void)state;
    static const char *const phones[][2] = {
        {"+47 22 33 44 55", "+47 dd dd dd dd"},
        {"(022) 334-455", "(0dd) ddd-ddd"},
        {"0047/22.33", "00dd/dd.dd"},
        {"call a@b.no: 12", " . dd"},
        {"none", "dddddddd"},
    };
    const struct cl_mask_option options[] = {{"of", "phone"}, {0}};
    for (size_t i = 0; i < sizeof phones / sizeof *phones; i++) {
        char *out = once(KEY, "fake", options, phones[i][0], CL_MASK_TEXT, 0);
        const char *form = phones[i][1];
        size_t n = strlen(form);
        bool same = strlen(out) == n;
        for (size_t p = 0; same && p < n; p++) {
            same = form[p] == 'd' ? out[p] >= '0' && out[p] <= '9' : out[p] == form[p];
        }
        if (!same) {
            print_error("'%s' became '%s', not '%s'\n", phones[i][0], out, form);
        }
        assert_true(same);
        free(out);
    }
}

static void test_noise_stays_near(void **state)
{
    (void)state;
    const struct cl_mask_option options[] = {{"percent", "10"}, {0}};
    struct cl_mask_method_spec spec = describe("noise", options);
    struct made made = make(KEY, &spec);
    size_t differs = 0;
    for (int i = 1; i < 30000; i += 13) {
        char in[32];
        snprintf(in, sizeof in, "%s%d.%02d", i % 2 ? "-" : "", i, i % 100);
        struct cl_mask_value value = {.in = in, .n = strlen(in), .type = CL_MASK_NUMERIC};
        char *out = apply(&made, &value);
        double ratio = strtod(out, NULL) / strtod(in, NULL);
        assert_true(ratio > 0.89 && ratio < 1.11);
        assert_true(strlen(out) <= strlen(in));
        assert_string_equal(strchr(out, '.') + 3, "");
        differs += strcmp(in, out) != 0;
        free(out);
    }
    assert_true(differs > 2200);
    static const char *const narrow[][2] = {{"32767", "-32768"}, {"32000", "-31999"}};
    for (size_t i = 0; i < 4; i++) {
        const char *in = narrow[i / 2][i % 2];
        struct cl_mask_value value = {.in = in, .n = strlen(in), .type = CL_MASK_INT2};
        char *out = apply(&made, &value);
        long number = strtol(out, NULL, 10);
        assert_true(number >= -32768 && number <= 32767);
        free(out);
    }
    struct cl_mask_value most = {.in = "9223372036854775807", .n = 19, .type = CL_MASK_INT8};
    char *out = apply(&made, &most);
    assert_true(strlen(out) == 19 && strcmp(out, most.in) < 0);
    free(out);
    unmake(&made);
}

static long day_number(const char *text)
{
    int y = 0, m = 0, d = 0;
    assert_int_equal(sscanf(text, "%d-%d-%d", &y, &m, &d), 3);
    long days = 0;
    static const int month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int i = 1900; i < y; i++) {
        days += i % 4 == 0 && (i % 100 != 0 || i % 400 == 0) ? 366 : 365;
    }
    for (int i = 1; i < m; i++) {
        days += month[i - 1] + (i == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    }
    return days + d;
}

static void test_dates_move(void **state)
{
    (void)state;
    const struct cl_mask_option options[] = {{"by", "id"}, {"days", "40"}, {0}};
    struct cl_mask_method_spec spec = describe("date_shift", options);
    struct made made = make(KEY, &spec);
    static const char *const dates[] = {"1900-03-01", "1999-12-31", "2000-02-29", "2023-03-01",
                                        "2024-12-31 23:59:59.999+00"};
    assert_string_equal(cl_mask_method_by(cl_mask_method_at(made.mask, 0)), "id");
    for (unsigned id = 0; id < 200; id++) {
        char by[8];
        long moved = 0;
        snprintf(by, sizeof by, "%u", id);
        for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
            struct cl_mask_value value = {.in = dates[i],
                                          .n = strlen(dates[i]),
                                          .by = by,
                                          .n_by = strlen(by),
                                          .type = CL_MASK_TIMESTAMP};
            char *out = apply(&made, &value);
            long days = day_number(out) - day_number(dates[i]);
            assert_true(days != 0 && days >= -40 && days <= 40);
            assert_true(i == 0 || days == moved);
            assert_string_equal(out + 10, dates[i] + 10);
            moved = days;
            free(out);
        }
    }
    unmake(&made);
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        struct cl_mask_option options[OPTIONS_MAX];
        const char *says;
    } wrong[] = {
        {"haash", {{0}}, "haash"},
        {"hash", {{"size", "3"}}, "size"},
        {"hash", {{"length", "65"}}, "64"},
        {"hash", {{"length", "1x"}}, "64"},
        {"hash", {{"form", "base64"}}, "base64"},
        {"redact", {{"fill", "@"}}, "fill"},
        {"constant", {{0}}, "value"},
        {"partial", {{0}}, "first"},
        {"date_shift", {{0}}, "days"},
        {"noise", {{"percent", "100"}}, "percent"},
        {"noise", {{"percent", "-1"}}, "percent"},
        {"generalise", {{0}}, "bucket"},
        {"generalise", {{"to", "week"}}, "week"},
        {"generalise", {{"to", ""}}, "to"},
        {"generalise", {{"to", "month"}, {"bucket", "2"}}, "either"},
        {"fake", {{0}}, "of"},
        {"fake", {{"of", "cat"}}, "cat"},
        {"dictionary", {{"default", "x"}}, "entries"},
        {"json", {{0}}, "paths"},
        {"script", {{0}}, "script"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct cl_mask_method_spec spec = describe(wrong[i].kind, wrong[i].options);
        struct cl_err err;
        spec.where = "rules.lua:7";
        assert_null(rules(KEY, &spec, 1, &err));
        assert_int_equal(err.class, CL_INVALID);
        if (!strstr(err.message, wrong[i].says) || !strstr(err.message, "rules.lua:7: s.t.c: ")) {
            print_error("%zu: %s\n", i, err.message);
            fail();
        }
    }
    const struct cl_mask_option ok[] = {{"value", "x"}, {0}};
    const struct cl_mask_method_spec twice[] = {describe("constant", ok), describe("null", NULL)};
    struct cl_err err;
    assert_null(rules(KEY, twice, 2, &err));
    assert_non_null(strstr(err.message, "two methods"));
    assert_null(rules("short", twice, 1, &err));
    assert_string_equal(err.code, "E_KEY");
    static const char *const paths[] = {"", "$x", "a..b", "a[", "a[x]", "[\"a]", "a."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct cl_mask_method_spec part = {.path = paths[i], .kind = "null"};
        struct cl_mask_method_spec spec = describe("json", NULL);
        spec.parts = &part;
        spec.n_parts = 1;
        assert_null(rules(KEY, &spec, 1, &err));
    }
}

static void test_columns(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        struct cl_mask_option options[OPTIONS_MAX];
        enum cl_mask_type type;
        size_t max_chars;
        bool fits;
        bool injective;
    } rows[] = {
        {"hash", {{0}}, CL_MASK_TEXT, 0, true, true},
        {"hash", {{0}}, CL_MASK_TEXT, 8, true, false},
        {"hash", {{"length", "8"}}, CL_MASK_TEXT, 0, true, false},
        {"hash", {{0}}, CL_MASK_DATE, 0, false, true},
        {"hash", {{0}}, CL_MASK_UUID, 0, false, true},
        {"hash", {{"form", "uuid"}}, CL_MASK_UUID, 0, true, true},
        {"hash", {{"form", "uuid"}}, CL_MASK_TEXT, 20, false, true},
        {"redact", {{0}}, CL_MASK_INT4, 0, false, false},
        {"constant", {{"value", "abc"}}, CL_MASK_TEXT, 2, false, false},
        {"constant", {{"value", "abc"}}, CL_MASK_JSON, 0, false, false},
        {"constant", {{"value", "{\"a\": 1}"}}, CL_MASK_JSON, 0, true, false},
        {"null", {{0}}, CL_MASK_OTHER, 0, true, false},
        {"noise", {{"percent", "1"}}, CL_MASK_DATE, 0, false, false},
        {"generalise", {{"to", "year"}}, CL_MASK_INT4, 0, false, false},
        {"generalise", {{"bucket", "10"}}, CL_MASK_DATE, 0, false, false},
        {"generalise", {{"bucket", "10"}}, CL_MASK_INT4, 0, true, false},
        {"date_shift", {{"days", "3"}}, CL_MASK_TIMESTAMP, 0, true, false},
        {"fake", {{"of", "city"}}, CL_MASK_JSON, 0, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cl_mask_method_spec spec = describe(rows[i].kind, rows[i].options);
        struct made made = make(KEY, &spec);
        const struct cl_mask_method *method = cl_mask_method(made.mask, "s", "t", "c");
        struct cl_err err;
        assert_non_null(method);
        if (cl_mask_method_fits(method, rows[i].type, rows[i].max_chars, &err) != rows[i].fits ||
            cl_mask_method_injective(method, rows[i].max_chars) != rows[i].injective) {
            print_error("row %zu (%s)\n", i, rows[i].kind);
            fail();
        }
        assert_null(cl_mask_method(made.mask, "s", "t", "d"));
        unmake(&made);
    }
}

static void test_rules_hash(void **state)
{
    (void)state;
    const struct cl_mask_option ab[] = {{"first", "1"}, {"last", "2"}, {0}};
    const struct cl_mask_option ba[] = {{"last", "2"}, {"first", "1"}, {0}};
    const struct cl_mask_option other[] = {{"first", "2"}, {"last", "1"}, {0}};
    struct cl_mask_method_spec specs[] = {describe("partial", ab), describe("partial", ba),
                                          describe("partial", other)};
    struct cl_err err;
    struct cl_mask *a = rules(KEY, &specs[0], 1, &err), *b = rules(KEY, &specs[1], 1, &err);
    struct cl_mask *c = rules(KEY, &specs[2], 1, &err), *d = rules(OTHER_KEY, &specs[0], 1, &err);
    struct cl_mask *e = rules(KEY, NULL, 0, &err);
    assert_string_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(b));
    assert_string_not_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(c));
    assert_string_not_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(d));
    assert_string_not_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(e));
    cl_mask_free(a);
    cl_mask_free(b);
    cl_mask_free(c);
    cl_mask_free(d);
    cl_mask_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_phones),
        cmocka_unit_test(test_noise_stays_near),
        cmocka_unit_test(test_dates_move),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_rules_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
