/* backup: what the check keeps of keys, what it shows, what it asks the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backup/check_private.h"

static struct cl_digest key(uint64_t n)
{
    return cl_digest_bytes(&n, sizeof n);
}

static void keys_are_known_once_they_were_added(void **state)
{
    enum { KEYS = 10000 };
    struct cl_keys keys = {.max = KEYS};
    (void)state;
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_int_equal(cl_keys_add(&keys, key(i)), CL_KEYS_NEW);
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_int_equal(cl_keys_add(&keys, key(i)), CL_KEYS_KNOWN);
    }
    assert_int_equal(keys.n, KEYS);
    cl_keys_fini(&keys);
}

static void a_full_set_still_knows_what_it_has(void **state)
{
    struct cl_keys keys = {.max = 100};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(cl_keys_add(&keys, key(i)), CL_KEYS_NEW);
    }
    assert_int_equal(cl_keys_add(&keys, key(100)), CL_KEYS_FULL);
    assert_int_equal(cl_keys_add(&keys, key(7)), CL_KEYS_KNOWN);
    cl_keys_fini(&keys);
    struct cl_keys none = {0};
    assert_int_equal(cl_keys_add(&none, key(0)), CL_KEYS_FULL);
    cl_keys_fini(&none);
}

static void keys_that_share_a_half_are_apart(void **state)
{
    struct cl_keys keys = {.max = 10};
    struct cl_digest low = {.half = {64, 1}}, high = {.half = {64, 2}}, nothing = {.half = {0, 0}};
    (void)state;
    assert_int_equal(cl_keys_add(&keys, low), CL_KEYS_NEW);
    assert_int_equal(cl_keys_add(&keys, high), CL_KEYS_NEW);
    assert_int_equal(cl_keys_add(&keys, nothing), CL_KEYS_NEW);
    assert_int_equal(cl_keys_add(&keys, nothing), CL_KEYS_KNOWN);
    assert_int_equal(cl_keys_add(&keys, low), CL_KEYS_KNOWN);
    cl_keys_fini(&keys);
}

static void samples_show_little(void **state)
{
    static const struct {
        const char *value;
        const char *sample;
    } cases[] = {
        {"kari.nordmann_firma.example@sink.test", "kar\xe2\x80\xa6@sink.test"},
        {"call a_b.example@sink.test or b@sink.test", "a_b\xe2\x80\xa6@sink.test"},
        {"k@sink.test", "k\xe2\x80\xa6@sink.test"},
        {"no address", ""},
        {"@sink.test", ""},
        {"(@sink.test)", ""},
        {"", ""},
    };
    char sample[CL_CHECK_SAMPLE_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cl_check_sample(cases[i].value, strlen(cases[i].value), "sink.test", sample);
        assert_string_equal(sample, cases[i].sample);
    }
    cl_check_sample("a@b", 3,
                    "a.sink.whose.name.is.so.long.that.it.does.not.fit.into.what.there.is.of.room"
                    ".for.a.sample",
                    sample);
    assert_int_equal(strlen(sample), CL_CHECK_SAMPLE_BYTES - 1);
}

static void questions_name_their_columns(void **state)
{
    static const struct check_spelling columns[] = {{"integer", "id"}, {"text", "a \"mail\""}};
    struct check_rule rule = {.kind = CHECK_TABLE, .n_columns = 2, .shown = 1};
    (void)state;
    cl_buf_init(&rule.sql, 4096);
    cl_check_question(&rule, columns, "id > 0", "");
    assert_string_equal(
        cl_buf_str(&rule.sql),
        "SELECT count(*), min(left(v.\" 2\", 200)) FROM unnest($1::text[], $2::text[]) "
        "AS v (\" 1\", \" 2\"), LATERAL (SELECT v.\" 1\"::integer AS \"id\", "
        "v.\" 2\"::text AS \"a \"\"mail\"\"\") AS t WHERE NOT (id > 0)");
    cl_buf_reset(&rule.sql);
    rule.kind = CHECK_UNIQUE;
    cl_check_question(&rule, columns, "hash", ", LATERAL (SELECT 1) AS g");
    assert_non_null(strstr(cl_buf_str(&rule.sql), "SELECT hash, left(v.\" 2\", 200) FROM "));
    assert_non_null(strstr(cl_buf_str(&rule.sql), " AS t, LATERAL (SELECT 1) AS g"));
    cl_buf_fini(&rule.sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_known_once_they_were_added),
        cmocka_unit_test(a_full_set_still_knows_what_it_has),
        cmocka_unit_test(keys_that_share_a_half_are_apart),
        cmocka_unit_test(samples_show_little),
        cmocka_unit_test(questions_name_their_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
