/* http: what an answer means, and exchanges with a server that is not there. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/redact.h"
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

static void redacted(const char *text, const char *expected)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    size_t n = cl_redact(copy, strlen(copy));
    assert_string_equal(copy, expected);
    assert_int_equal(n, strlen(expected));
}

static void revealed_values_are_not_printed(void **state)
{
    (void)state;
    cl_redact_clear();
    redacted("hunter2hunter2", "hunter2hunter2");
    cl_redact_add("hunter2", 7);
    cl_redact_add("hunter2-longer", 14);
    cl_redact_add("short", 5); /* would blot out ordinary words */
    redacted("hunter2, hunter2hunter2 and hunter2-longer; short", "***, ****** and ***; short");
    redacted("cut off: hunter", "cut off: ***"); /* a message has a maximum */
    redacted("hunt", "hunt");
    cl_redact_add("a\"b\\c\nz", 7);
    redacted("{\"x\":\"a\\\"b\\\\c\\nz\"}", "{\"x\":\"***\"}"); /* inside JSON */
    struct cl_err err;
    cl_fail(&err, CL_PERMISSION, "X", "login with hunter2 refused");
    cl_err_context(&err, "hunter2 again");
    assert_string_equal(err.message, "*** again: login with *** refused");
    cl_redact_clear();
    redacted("hunter2", "hunter2");
}

/* The set is bounded; what is used stays. */
static void the_oldest_value_makes_room(void **state)
{
    (void)state;
    cl_redact_clear();
    for (int i = 0; i < CL_REDACT_VALUES_MAX + 10; i++) {
        char value[32];
        snprintf(value, sizeof value, "value-%04d", i);
        cl_redact_add("used all the time", 17);
        cl_redact_add(value, strlen(value));
    }
    redacted("used all the time", "***");
    redacted("x value-0000 x", "x value-0000 x");
    redacted("x value-0500 x", "x *** x");
    cl_redact_clear();
}

/* ---------------------------------------------------------------- against a server */

enum { PORT_DIGITS = 64, BIG = 3 * 1024 * 1024 };

struct seen {
    struct cl_buf body; /* of the request */
    bool begun;         /* the first call only announces the request */
};

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **per_request)
{
    (void)cls;
    (void)version;
    struct seen *seen = *per_request;
    if (!seen) {
        seen = *per_request = calloc(1, sizeof *seen);
        cl_buf_init(&seen->body, (size_t)2 * BIG);
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        cl_buf_add(&seen->body, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/drop") == 0) {
        return MHD_NO;
    }
    unsigned status = strcmp(url, "/missing") == 0 ? 404 : 200;
    struct MHD_Response *r =
        MHD_create_response_from_buffer(seen->body.len, seen->body.data, MHD_RESPMEM_MUST_COPY);
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    MHD_add_response_header(r, "X-Method", method);
    MHD_add_response_header(r, "X-Type", type ? type : "none");
    enum MHD_Result rc = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return rc;
}

static void request_ended(void *cls, struct MHD_Connection *connection, void **per_request,
                          enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)connection;
    (void)why;
    struct seen *seen = *per_request;
    if (seen) {
        cl_buf_fini(&seen->body);
        free(seen);
    }
}

static struct MHD_Daemon *start_server(char url[PORT_DIGITS], const char *path)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *d = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &at,
        MHD_OPTION_NOTIFY_COMPLETED, request_ended, NULL, MHD_OPTION_END);
    assert_non_null(d);
    snprintf(url, PORT_DIGITS, "http://127.0.0.1:%d%s",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port, path);
    return d;
}

static void bodies_and_headers_go_both_ways(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    char value[32];
    struct cl_err err;
    struct cl_http_response r;
    struct MHD_Daemon *d = start_server(url, "/echo");
    struct cl_http_session *s = cl_http_session_new(&err);
    cl_http_response_init(&r);
    struct cl_http_request request = {
        .method = "POST", .url = url, .body = "a\0b", .body_bytes = 3};
    for (int i = 0; i < 3; i++) {
        assert_true(cl_http_perform(s, &request, &r, &err));
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body.len, 3);
        assert_memory_equal(r.body.data, "a\0b", 3);
        assert_true(cl_http_header(&r, "x-type", value, sizeof value));
        assert_string_equal(value, "none");
    }
    request = (struct cl_http_request){.method = "DELETE", .url = url};
    assert_true(cl_http_perform(s, &request, &r, &err));
    assert_true(cl_http_header(&r, "x-method", value, sizeof value));
    assert_string_equal(value, "DELETE");
    request.method = "HEAD";
    assert_true(cl_http_perform(s, &request, &r, &err));
    assert_int_equal(r.status, 200);
    request.method = "PUT"; /* without a body: Content-Length: 0 */
    assert_true(cl_http_perform(s, &request, &r, &err));
    assert_int_equal(r.body.len, 0);
    cl_http_session_free(s);
    cl_http_response_fini(&r);
    MHD_stop_daemon(d);
}

struct stream {
    size_t left;     /* to send */
    size_t received; /* so far */
    size_t stop_at;  /* give up writing past this; 0: never */
};

static long feed(void *arg, void *bytes, size_t n)
{
    struct stream *stream = arg;
    n = n < stream->left ? n : stream->left;
    memset(bytes, 'x', n);
    stream->left -= n;
    return (long)n;
}

static long refuse(void *arg, void *bytes, size_t n)
{
    (void)arg;
    (void)bytes;
    (void)n;
    return -1;
}

static bool take(void *arg, const void *bytes, size_t n)
{
    (void)bytes;
    struct stream *stream = arg;
    stream->received += n;
    return stream->stop_at == 0 || stream->received < stream->stop_at;
}

static void streams_go_both_ways(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    struct cl_err err;
    struct cl_http_response r;
    struct MHD_Daemon *d = start_server(url, "/echo");
    struct cl_http_session *s = cl_http_session_new(&err);
    cl_http_response_init(&r);
    struct stream stream = {.left = BIG};
    struct cl_http_request request = {.method = "PUT",
                                      .url = url,
                                      .body_bytes = BIG,
                                      .read = feed,
                                      .write = take,
                                      .arg = &stream};
    assert_true(cl_http_perform(s, &request, &r, &err));
    assert_int_equal(stream.received, BIG);
    assert_int_equal(r.body.len, 0);

    stream = (struct stream){.left = BIG, .stop_at = 1000};
    assert_false(cl_http_perform(s, &request, &r, &err));
    assert_string_equal(err.code, "E_GAVE_UP");
    request.read = refuse;
    assert_false(cl_http_perform(s, &request, &r, &err));
    assert_string_equal(err.code, "E_GAVE_UP");

    /* The body of a refusal is for the error, not for the file being written. */
    char *path = strstr(url, "/echo");
    snprintf(path, 20, "/missing");
    stream = (struct stream){.left = 5};
    request.read = feed;
    request.body_bytes = 5;
    assert_true(cl_http_perform(s, &request, &r, &err));
    assert_int_equal(r.status, 404);
    assert_int_equal(stream.received, 0);
    assert_string_equal(cl_buf_str(&r.body), "xxxxx");
    cl_http_session_free(s);
    cl_http_response_fini(&r);
    MHD_stop_daemon(d);
}

/* A server that closes while we write through TLS must not end the program. */
static void sigpipe_does_not_kill(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_http_session *s = cl_http_session_new(&err);
    assert_int_equal(raise(SIGPIPE), 0);
    cl_http_session_free(s);
}

static void an_answer_past_the_limit_is_refused(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    struct cl_err err;
    struct cl_http_response r;
    struct MHD_Daemon *d = start_server(url, "/echo");
    struct cl_http_session *s = cl_http_session_new(&err);
    cl_http_response_init(&r);
    r.body.max = 4;
    struct cl_http_request request = {
        .method = "PUT", .url = url, .body = "12345", .body_bytes = 5};
    assert_false(cl_http_perform(s, &request, &r, &err));
    assert_string_equal(err.code, "E_TOO_LARGE");
    request.body_bytes = 4; /* and the session goes on */
    assert_true(cl_http_perform(s, &request, &r, &err));
    cl_http_session_free(s);
    cl_http_response_fini(&r);
    MHD_stop_daemon(d);
}

static void a_dropped_connection_is_transient(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    struct MHD_Daemon *d = start_server(url, "/drop");
    struct cl_http_request request = {.method = "GET", .url = url};
    struct cl_err err = perform(&request);
    assert_int_equal(err.class, CL_TRANSIENT);
    assert_string_equal(err.code, "E_CONNECTION_LOST");
    MHD_stop_daemon(d);
}

/* A socket that accepts connections (the kernel does) and never says a word. */
static int silent_server(char url[PORT_DIGITS])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    snprintf(url, PORT_DIGITS, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    return fd;
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    int fd = silent_server(url);
    struct cl_http_request request = {.method = "GET", .url = url, .timeout_ms = 50};
    struct cl_err err = perform(&request);
    assert_int_equal(err.class, CL_TIMEOUT);
    assert_string_equal(err.code, "E_TIMEOUT");
    close(fd);
}

static bool request_in_job(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct cl_http_request request = {.method = "GET", .url = arg, .job = job};
    cl_job_stop(job); /* as if somebody had asked just now */
    *err = perform(&request);
    return false;
}

static void job_ended(void *owner, bool ok, const struct cl_err *err)
{
    assert_false(ok);
    *(struct cl_err *)owner = *err;
}

static void a_stopping_job_ends_its_exchange(void **state)
{
    (void)state;
    char url[PORT_DIGITS];
    int fd = silent_server(url);
    uv_loop_t loop;
    struct cl_err err;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_non_null(cl_job_start(&loop, request_in_job, url, job_ended, &err, &err));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(err.class, CL_CANCELLED);
    close(fd);
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
        cmocka_unit_test(revealed_values_are_not_printed),
        cmocka_unit_test(the_oldest_value_makes_room),
        cmocka_unit_test(bodies_and_headers_go_both_ways),
        cmocka_unit_test(streams_go_both_ways),
        cmocka_unit_test(sigpipe_does_not_kill),
        cmocka_unit_test(an_answer_past_the_limit_is_refused),
        cmocka_unit_test(a_dropped_connection_is_transient),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(a_stopping_job_ends_its_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
