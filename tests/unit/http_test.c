/* http: what an answer means, and exchanges with a server that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/exchange.h"
#include "http/http.h"

static const struct cl_http_request get = {.method = "GET",
                                           .url = "https://u:p@host/a/b?sig=secret#x"};

static struct cl_err fail_with(int status, const char *headers, const char *body)
{
    struct cl_err err;
    struct cl_http_response r;
    cl_http_response_init(&r);
    r.status = status;
    cl_buf_adds(&r.headers, headers);
    cl_buf_adds(&r.body, body);
    assert_false(cl_http_fail(&err, &get, &r));
    cl_http_response_fini(&r);
    return err;
}

static void status_decides_the_class(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum cl_class class;
    } table[] = {
        {400, CL_INVALID},   {401, CL_PERMISSION}, {403, CL_PERMISSION}, {404, CL_NOT_FOUND},
        {405, CL_INVALID},   {408, CL_TRANSIENT},  {409, CL_CONFLICT},   {410, CL_NOT_FOUND},
        {412, CL_CONFLICT},  {422, CL_INVALID},    {425, CL_TRANSIENT},  {429, CL_THROTTLED},
        {500, CL_TRANSIENT}, {501, CL_INVALID},    {502, CL_TRANSIENT},  {503, CL_TRANSIENT},
        {504, CL_TRANSIENT}, {302, CL_INVALID},    {304, CL_CONFLICT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cl_err err = fail_with(table[i].status, "", "");
        assert_int_equal(err.class, table[i].class);
        char code[32];
        snprintf(code, sizeof code, "HTTP_%d", table[i].status);
        assert_string_equal(err.code, code);
    }
}

static void retry_after_is_obeyed(void **state)
{
    (void)state;
    struct cl_err err = fail_with(429, "retry-after: 7\n", "");
    assert_int_equal(err.retry_after_ms, 7000);
    err = fail_with(503, "server: x\nretry-after: 2\n", "");
    assert_int_equal(err.class, CL_THROTTLED);
    assert_int_equal(err.retry_after_ms, 2000);
    err = fail_with(400, "retry-after: 2\n", "");
    assert_int_equal(err.retry_after_ms, 0); /* trying again cannot help */
}

static void retry_after_in_all_its_forms(void **state)
{
    (void)state;
    const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110 5.6.7 */
    assert_int_equal(cl_http_retry_after_ms("120", now), 120000);
    assert_int_equal(cl_http_retry_after_ms("0", now), 0);
    assert_int_equal(cl_http_retry_after_ms("99999999999999999999", now), 24 * 3600 * 1000);
    assert_int_equal(cl_http_retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
    assert_int_equal(cl_http_retry_after_ms("Sunday, 06-Nov-94 08:49:47 GMT", now), 10000);
    assert_int_equal(cl_http_retry_after_ms("Sun, 06 Nov 1994 08:49:07 GMT", now), 0);
    assert_int_equal(cl_http_retry_after_ms("soon", now), 0);
    assert_int_equal(cl_http_retry_after_ms("12 apples", now), 0);
}

static void messages_hold_no_secret_of_the_url(void **state)
{
    (void)state;
    struct cl_err err = fail_with(404, "", "no such\nthing\xff");
    assert_string_equal(err.message, "GET https://host/a/b: answered 404");
    assert_string_equal(err.detail, "no such thing?");
}

static void headers_are_found_by_whole_name(void **state)
{
    (void)state;
    struct cl_http_response r;
    char value[8];
    cl_http_response_init(&r);
    cl_buf_adds(&r.headers, "x-etag: no\netag: \"1\"\nempty: \nlong: 0123456789\n");
    assert_true(cl_http_header(&r, "etag", value, sizeof value));
    assert_string_equal(value, "\"1\"");
    assert_true(cl_http_header(&r, "empty", value, sizeof value));
    assert_string_equal(value, "");
    assert_true(cl_http_header(&r, "long", value, sizeof value));
    assert_string_equal(value, "0123456");
    assert_false(cl_http_header(&r, "tag", value, sizeof value));
    cl_http_response_fini(&r);
}

static struct cl_err perform(const struct cl_http_request *request)
{
    struct cl_err err;
    memset(&err, 0, sizeof err);
    struct cl_http_session *s = cl_http_session_new(&err);
    assert_non_null(s);
    struct cl_http_response r;
    cl_http_response_init(&r);
    assert_false(cl_http_perform(s, request, &r, &err));
    assert_int_equal(r.status, 0);
    cl_http_response_fini(&r);
    cl_http_session_free(s);
    return err;
}

static void bad_requests_are_refused_unsent(void **state)
{
    (void)state;
    static const char *const urls[] = {"ftp://host/", "file:///etc/passwd", "host/path",
                                       "http://",     "http://a b/",        "http://host:99999/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct cl_http_request request = {.method = "GET", .url = urls[i]};
        struct cl_err err = perform(&request);
        assert_int_equal(err.class, CL_INVALID);
        assert_string_equal(err.code, "E_URL");
    }
    const char *const split[] = {"X-A: b\r\nX-C: d", NULL};
    struct cl_http_request request = {
        .method = "GET", .url = "http://127.0.0.1:1/", .headers = split};
    assert_string_equal(perform(&request).code, "E_HEADER");
}

static void nobody_listening_is_transient(void **state)
{
    (void)state;
    struct cl_http_request request = {.method = "GET", .url = "http://127.0.0.1:1/x?key=1"};
    struct cl_err err = perform(&request);
    assert_int_equal(err.class, CL_TRANSIENT);
    assert_string_equal(err.code, "E_CONNECT");
    assert_null(strstr(err.message, "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_decides_the_class),
        cmocka_unit_test(retry_after_is_obeyed),
        cmocka_unit_test(retry_after_in_all_its_forms),
        cmocka_unit_test(messages_hold_no_secret_of_the_url),
        cmocka_unit_test(headers_are_found_by_whole_name),
        cmocka_unit_test(bad_requests_are_refused_unsent),
        cmocka_unit_test(nobody_listening_is_transient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
