/* Methods made of more than options: dictionaries, paths in JSON, scripts; and addresses that are
 * hidden by a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "method_help.h"

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
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
