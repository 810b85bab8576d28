/* Methods of columns: tables of cases, and what holds for any value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask/mask.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "fedcba9876543210fedcba9876543210"

enum { OPTIONS_MAX = 4 };

struct made {
    struct cl_mask *mask;
    struct cl_mask_worker *worker;
};

static struct cl_mask *rules(const char *key, const struct cl_mask_method_spec *method, size_t n,
                             struct cl_err *err)
{
    struct cl_mask_spec spec = {.sink_domain = "sink.test",
                                .key = key,
                                .key_bytes = key ? strlen(key) : 0,
                                .methods = method,
                                .n_methods = n};
    return cl_mask_new(&spec, err);
}

static struct cl_mask_method_spec describe(const char *kind, const struct cl_mask_option *options)
{
    struct cl_mask_method_spec spec = {
        .schema = "s", .table = "t", .column = "c", .kind = kind, .options = options};
    while (options && spec.n_options < OPTIONS_MAX && options[spec.n_options].name) {
        spec.n_options++;
    }
    return spec;
}

static struct made make(const char *key, const struct cl_mask_method_spec *spec)
{
    struct cl_err err;
    struct made made = {.mask = rules(key, spec, 1, &err)};
    if (!made.mask) {
        print_error("%s\n", err.message);
    }
    assert_non_null(made.mask);
    made.worker = cl_mask_worker_open(cl_mask_method_at(made.mask, 0), &err);
    assert_non_null(made.worker);
    return made;
}

static void unmake(struct made *made)
{
    cl_mask_worker_close(made->worker);
    cl_mask_free(made->mask);
}

/* What becomes of a value: a string to free(), "<null>", or "!" and the error's code. */
static char *apply(struct made *made, const struct cl_mask_value *value)
{
    struct cl_buf out;
    struct cl_err err;
    struct cl_mask_tally tally = {0};
    bool is_null;
    cl_buf_init(&out, 1 << 20);
    if (!cl_mask_method_apply(made->mask, made->worker, NULL, value, &out, &is_null, &tally,
                              &err)) {
        cl_buf_reset(&out);
        cl_buf_addf(&out, "!%s", err.code);
    } else if (is_null) {
        assert_int_equal(out.len, 0);
        cl_buf_adds(&out, "<null>");
    } else {
        assert_int_equal(tally.values, 1);
    }
    char *text = strdup(cl_buf_str(&out));
    cl_buf_fini(&out);
    return text;
}

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

static void test_dictionary(void **state)
{
    (void)state;
    static const struct cl_mask_option entries[] = {{"gold", "A"}, {"a", "x@y.no"}, {"", "none"}};
    const struct cl_mask_option options[] = {{"default", "other"}, {0}};
    struct cl_mask_method_spec spec = describe("dictionary", options);
    spec.entries = entries;
    spec.n_entries = 3;
    struct made made = make(NULL, &spec);
    static const char *const cases[][2] = {{"gold", "A"},
                                           {"a", "x_y.no@sink.test"},
                                           {"", "none"},
                                           {"golden", "other"},
                                           {"go", "other"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cl_mask_value value = {
            .in = cases[i][0], .n = strlen(cases[i][0]), .type = CL_MASK_TEXT};
        char *out = apply(&made, &value);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
    unmake(&made);
}

static void test_json(void **state)
{
    (void)state;
    const struct cl_mask_option stars[] = {{"length", "2"}};
    const struct cl_mask_option ten[] = {{"bucket", "10"}};
    const struct cl_mask_method_spec parts[] = {
        {.path = "$.name", .kind = "redact", .options = stars, .n_options = 1},
        {.path = "items.age", .kind = "generalise", .options = ten, .n_options = 1},
        {.path = "all[1]", .kind = "null"},
        {.path = "[\"a.b\"].*", .kind = "redact", .options = stars, .n_options = 1},
    };
    struct cl_mask_method_spec spec = describe("json", NULL);
    spec.parts = parts;
    spec.n_parts = sizeof parts / sizeof *parts;
    struct made made = make(NULL, &spec);
    static const char *const cases[][2] = {
        {"{\"name\": \"Bo\", \"x\": \"a@b.no\"}",
         "{\"name\": \"**\", \"x\": \"a_b.no@sink.test\"}"},
        {"{\"n\\u0061me\":{\"first\":\"Bo\",\"n\":[1,null,true]}}",
         "{\"n\\u0061me\":{\"first\":\"**\",\"n\":[\"**\",null,\"**\"]}}"},
        {" [ {\"name\":\"Bo\"} , 1 ] ", " [ {\"name\":\"**\"} , 1 ] "},
        {"{\"items\":[{\"age\":37},{\"age\":\"-12\"},{\"name\":\"n\"}]}",
         "{\"items\":[{\"age\":30},{\"age\":\"-10\"},{\"name\":\"n\"}]}"},
        {"{\"all\":[1,[\"x\",{\"y\":2}],3]}", "{\"all\":[1,[null,{\"y\":null}],3]}"},
        {"{\"a.b\":{\"c\":\"secret\",\"d\":[\"e\"]},\"a\":{\"b\":1}}",
         "{\"a.b\":{\"c\":\"**\",\"d\":[\"**\"]},\"a\":{\"b\":1}}"},
        {"{\"items\":{\"age\":\"old\"}}", "!E_MASK_VALUE"},
        {"{\"name\": }", "!E_MASK_VALUE"},
        {"{\"name\": 1} x", "!E_MASK_VALUE"},
        {"null", "null"},
        {"", "!E_MASK_VALUE"},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cl_mask_value value = {.in = cases[i][0],
                                      .n = strlen(cases[i][0]),
                                      .carrier = CL_CARRIER_JSON,
                                      .type = CL_MASK_JSON};
        char *out = apply(&made, &value);
        if (strcmp(out, cases[i][1]) != 0) {
            print_error("'%s' became '%s'\n", cases[i][0], out);
            failed++;
        }
        free(out);
    }
    unmake(&made);
    assert_int_equal(failed, 0);
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

/* ---- scripts */

struct script {
    int opened; /* states that are open */
    bool freed; /* given back */
};

static void *script_open(void *arg, struct cl_err *err)
{
    struct script *script = arg;
    (void)err;
    script->opened++;
    return script;
}

static bool script_call(void *state, const char *in, size_t n, bool *is_null, struct cl_buf *out,
                        struct cl_err *err)
{
    (void)state;
    if (n == 3 && memcmp(in, "bad", 3) == 0) {
        return cl_fail(err, CL_INVALID, "E_TEST", "bad");
    }
    *is_null = n == 0;
    cl_buf_add(out, in, n);
    cl_buf_adds(out, *is_null ? "" : " me@corp.no");
    return true;
}

static void script_close(void *state)
{
    ((struct script *)state)->opened--;
}

static void script_free(void *arg)
{
    ((struct script *)arg)->freed = true;
}

static void test_script(void **state)
{
    (void)state;
    struct script script = {0};
    const struct cl_mask_script vtable = {.open = script_open,
                                          .call = script_call,
                                          .close = script_close,
                                          .free = script_free,
                                          .arg = &script,
                                          .hash = "abc"};
    struct cl_mask_method_spec spec = describe("script", NULL);
    spec.script = &vtable;
    struct made made = make(NULL, &spec);
    static const char *const cases[][2] = {
        {"x", "x me_corp.no@sink.test"}, {"", "<null>"}, {"bad", "!E_TEST"}};
    assert_int_equal(script.opened, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cl_mask_value value = {.in = cases[i][0], .n = strlen(cases[i][0])};
        char *out = apply(&made, &value);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
    unmake(&made);
    assert_int_equal(script.opened, 0);
    assert_true(script.freed);
    const struct cl_mask_method_spec two[] = {spec, spec}; /* refused: not given back */
    struct cl_err err;
    script.freed = false;
    assert_null(rules(NULL, two, 2, &err));
    assert_false(script.freed);
}

/* ---- addresses that are hidden */

static void test_hidden(void **state)
{
    (void)state;
    struct cl_mask_spec spec = {
        .sink_domain = "sink.test", .mode = CL_MASK_HASH, .key = KEY, .key_bytes = strlen(KEY)};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    static const char *const texts[] = {
        "john.doe@company.com",
        "\"john doe\"@company.com",
        "<john.doe@company.com>, jane_doe%40company.com",
        "\"john@home.no\"@company.com",
        "john@company.com@company.org",
        "\"a john@home.no, jane@sink.test doe\"@company.com",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t width = 0; width < 200; width += 60) {
            struct cl_buf out, again;
            struct cl_mask_tally tally = {0};
            bool changed;
            cl_buf_init(&out, 4096);
            cl_buf_init(&again, 4096);
            if (!cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, texts[i], strlen(texts[i]), width, &out,
                               &changed, &tally, &err)) {
                print_error("%s, %zu: %s\n", texts[i], width, err.message);
                fail();
            }
            assert_true(changed);
            assert_null(strstr(out.data, "john"));
            assert_null(strstr(out.data, "jane"));
            assert_null(strstr(out.data, "doe"));
            assert_null(strstr(out.data, "company"));
            assert_true(width == 0 || out.len <= width);
            assert_int_equal(
                cl_mask_find(mask, NULL, CL_CARRIER_TEXT, out.data, out.len, NULL, NULL), 0);
            assert_true(cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, out.data, out.len, width, &again,
                                      &changed, &tally, &err));
            assert_string_equal(again.data, out.data);
            cl_buf_fini(&out);
            cl_buf_fini(&again);
        }
    }
    cl_mask_free(mask);
    spec.key = NULL;
    assert_null(cl_mask_new(&spec, &err));
    assert_string_equal(err.code, "E_KEY");
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
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_rules_hash),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
