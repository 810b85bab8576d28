/* base: errors, buffers, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/embed.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/hash.h"

static void err_is_one_line(void **state)
{
    (void)state;
    struct cl_err err;
    assert_false(cl_fail(&err, CL_CONFLICT, "E_X", "a server said:\n  no\n"));
    assert_string_equal(err.message, "a server said:   no");
    assert_int_equal(err.class, CL_CONFLICT);
    assert_false(err.retryable);
}

static void err_context_goes_in_front(void **state)
{
    (void)state;
    struct cl_err err;
    cl_fail(&err, CL_TRANSIENT, "08006", "connection lost");
    cl_err_context(&err, "copying %s", "crm7.person");
    assert_string_equal(err.message, "copying crm7.person: connection lost");
    assert_true(err.retryable);
    assert_string_equal(err.code, "08006");
}

static void err_survives_messages_that_are_too_long(void **state)
{
    (void)state;
    struct cl_err err;
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cl_fail(&err, CL_BUG, "E_X", "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    cl_err_context(&err, "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void err_of_errno(void **state)
{
    (void)state;
    struct cl_err err;
    cl_fail_errno(&err, ENOSPC, "writing /backup/x");
    assert_string_equal(err.code, "ENOSPC");
    assert_int_equal(err.class, CL_TRANSIENT);
    assert_string_equal(err.message, "writing /backup/x: No space left on device");
    cl_fail_errno(&err, ENOENT, "opening y");
    assert_int_equal(err.class, CL_NOT_FOUND);
}

static void class_names_round_trip(void **state)
{
    (void)state;
    for (int c = CL_TRANSIENT; c <= CL_BUG; c++) {
        enum cl_class back;
        assert_true(cl_class_parse(cl_class_name((enum cl_class)c), &back));
        assert_int_equal(back, c);
    }
    enum cl_class none;
    assert_false(cl_class_parse("nonsense", &none));
}

static void buf_keeps_its_maximum(void **state)
{
    (void)state;
    struct cl_buf b;
    cl_buf_init(&b, 10);
    assert_string_equal(cl_buf_str(&b), "");
    assert_true(cl_buf_adds(&b, "12345"));
    assert_false(cl_buf_adds(&b, "678901"));
    assert_string_equal(cl_buf_str(&b), "12345"); /* a refused append leaves the content */
    assert_false(cl_buf_addc(&b, 'x'));           /* and the failure sticks */
    cl_buf_reset(&b);
    assert_true(cl_buf_adds(&b, "0123456789"));
    assert_false(cl_buf_addc(&b, 'x'));
    cl_buf_fini(&b);
}

static void buf_shift_drops_the_front(void **state)
{
    (void)state;
    struct cl_buf b;
    cl_buf_init(&b, 1000);
    cl_buf_addf(&b, "%d-%s", 42, "abc");
    cl_buf_shift(&b, 3);
    assert_string_equal(cl_buf_str(&b), "abc");
    cl_buf_shift(&b, 99);
    assert_int_equal(b.len, 0);
    cl_buf_fini(&b);
}

/* FIPS 180-2, appendix B.1; RFC 4231, test case 2. */
static void hashes_match_published_vectors(void **state)
{
    (void)state;
    uint8_t digest[CL_SHA256_BYTES];
    char hex[2 * CL_SHA256_BYTES + 1];
    cl_sha256("abc", 3, digest);
    cl_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct cl_sha256_stream *s = cl_sha256_new();
    cl_sha256_add(s, "a", 1);
    cl_sha256_add(s, "bc", 2);
    uint8_t again[CL_SHA256_BYTES];
    cl_sha256_end(s, again);
    cl_sha256_free(s);
    assert_memory_equal(digest, again, sizeof digest);
    cl_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
    cl_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* RFC 4648, section 10. */
static void base64_round_trips(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct cl_buf b;
        cl_buf_init(&b, 100);
        assert_true(cl_base64_encode(&b, pairs[i][0], strlen(pairs[i][0])));
        assert_string_equal(cl_buf_str(&b), pairs[i][1]);
        cl_buf_reset(&b);
        assert_true(cl_base64_decode(&b, pairs[i][1], strlen(pairs[i][1])));
        assert_int_equal(b.len, strlen(pairs[i][0]));
        assert_string_equal(cl_buf_str(&b), pairs[i][0]);
        cl_buf_reset(&b);
        assert_false(cl_base64_decode(&b, "a?b=", 4));
        assert_false(cl_base64_decode(&b, "ab=c", 4));
        assert_false(cl_base64_decode(&b, " Zg=", 4));
        assert_false(cl_base64_decode(&b, "Zg==Zg==", 8));
        cl_buf_fini(&b);
    }
}

static void iso_time(void **state)
{
    (void)state;
    char text[CL_ISO_BYTES];
    cl_clock_iso(1771938309123, text);
    assert_string_equal(text, "2026-02-24T13:05:09.123Z");
}

static void embedded_files_are_found_by_path(void **state)
{
    (void)state;
    const struct cl_embedded *file = cl_embedded("runtime/host/engine.lua");
    assert_non_null(file);
    assert_int_equal(strlen(file->data), file->len);
    assert_null(cl_embedded("runtime/host/nothing.lua"));
}

static void fault_points_are_known_by_name(void **state)
{
    (void)state;
    assert_true(cl_fault_known("step_intent"));
    assert_false(cl_fault_known("step"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_is_one_line),
        cmocka_unit_test(err_context_goes_in_front),
        cmocka_unit_test(err_survives_messages_that_are_too_long),
        cmocka_unit_test(err_of_errno),
        cmocka_unit_test(class_names_round_trip),
        cmocka_unit_test(buf_keeps_its_maximum),
        cmocka_unit_test(buf_shift_drops_the_front),
        cmocka_unit_test(hashes_match_published_vectors),
        cmocka_unit_test(base64_round_trips),
        cmocka_unit_test(iso_time),
        cmocka_unit_test(embedded_files_are_found_by_path),
        cmocka_unit_test(fault_points_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
