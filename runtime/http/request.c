/*
 * Design notes.  Every option is set at every set-up: a handle is reset in between, so nothing of
 * one exchange reaches the next except the connection.
 *
 * libcurl sends a request again, whatever its method, when a *reused* connection dies before the
 * first byte of the answer.  A request that must not be sent twice therefore gets a connection of
 * its own.
 */
#include "exchange.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEFAULT_TIMEOUT_MS = 60 * 1000, DEFAULT_CONNECT_TIMEOUT_MS = 10 * 1000, URL_PRINTED = 300 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_rc;

/* A peer that closes its end must be an error, not a signal, and writes through TLS cannot ask for
 * that one by one. A handler somebody installed stays. */
static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

static void global_init(void)
{
    ignore_sigpipe();
    global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool cl_http_global_init(struct cl_err *err)
{
    pthread_once(&once, global_init);
    if (global_rc != CURLE_OK) {
        return cl_fail(err, CL_TRANSIENT, "E_CURL", "cannot initialise libcurl: %s",
                       curl_easy_strerror(global_rc));
    }
    return true;
}

/* ---------------------------------------------------------------- response */

void cl_http_response_init(struct cl_http_response *r)
{
    r->status = 0;
    cl_buf_init(&r->headers, CL_HTTP_HEADERS_MAX);
    cl_buf_init(&r->body, CL_HTTP_BODY_MAX);
}

void cl_http_response_fini(struct cl_http_response *r)
{
    cl_buf_fini(&r->headers);
    cl_buf_fini(&r->body);
}

bool cl_http_header(const struct cl_http_response *r, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);
    const char *line = cl_buf_str(&r->headers);
    while (*line) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        if (len >= n + 2 && memcmp(line, name, n) == 0 && line[n] == ':') {
            snprintf(out, size, "%.*s", (int)(len - n - 2), line + n + 2);
            return true;
        }
        line += len + (end ? 1 : 0);
    }
    return false;
}

/* ---------------------------------------------------------------- callbacks */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One header line, "Name: value\r\n". A status line starts over: it follows a 1xx answer. */
static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct cl_http_exchange *x = arg;
    struct cl_buf *headers = &x->response->headers;
    size_t n = size * count;
    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        cl_buf_reset(headers);
        return n;
    }
    const char *colon = memchr(bytes, ':', n);
    if (!colon || colon == bytes || is_space(bytes[0])) {
        return n;
    }
    const char *value = colon + 1;
    const char *end = bytes + n;
    while (value < end && is_space(*value)) {
        value++;
    }
    while (end > value && is_space(end[-1])) {
        end--;
    }
    for (const char *p = bytes; p < colon; p++) {
        cl_buf_addc(headers, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
    }
    cl_buf_adds(headers, ": ");
    cl_buf_add(headers, value, (size_t)(end - value));
    cl_buf_addc(headers, '\n');
    return headers->failed ? 0 : n;
}

static long status_of(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct cl_http_exchange *x = arg;
    size_t n = size * count;
    if (x->request->write && status_of(x->easy) / 100 == 2) {
        x->write_gave_up = !x->request->write(x->request->arg, bytes, n);
        return x->write_gave_up ? 0 : n;
    }
    return cl_buf_add(&x->response->body, bytes, n) ? n : 0;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *arg)
{
    struct cl_http_exchange *x = arg;
    long n = x->request->read(x->request->arg, bytes, size * count);
    if (n < 0) {
        x->read_gave_up = true;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)n;
}

/* curl calls this about once a second at the least. Not 0 ends the exchange. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    struct cl_http_exchange *x = arg;
    return cl_job_stopping(x->request->job) ? 1 : 0;
}

/* ---------------------------------------------------------------- set-up */

static bool add_header(struct cl_http_exchange *x, const char *line)
{
    struct curl_slist *longer = curl_slist_append(x->headers, line);
    if (longer) {
        x->headers = longer;
    }
    return longer != NULL;
}

static bool has_header(const struct cl_http_request *request, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        const char *line = request->headers[i];
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            return true;
        }
    }
    return false;
}

static bool add_headers(struct cl_http_exchange *x, struct cl_err *err)
{
    const struct cl_http_request *request = x->request;
    /* Switched off: waiting for "100 Continue" costs a second with servers that never send it,
     * and the form type is not ours to claim. */
    bool ok = add_header(x, "Expect:");
    if (!has_header(request, "Content-Type")) {
        ok = ok && add_header(x, "Content-Type:");
    }
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        const char *line = request->headers[i];
        if (i >= CL_HTTP_HEADER_COUNT_MAX) {
            return cl_fail(err, CL_INVALID, "E_HEADERS", "more than %d headers in one request",
                           CL_HTTP_HEADER_COUNT_MAX);
        }
        const char *colon = strchr(line, ':');
        if (!colon || strpbrk(line, "\r\n")) {
            return cl_fail(err, CL_INVALID, "E_HEADER", "a header with a line break or no name");
        }
        if (colon[strspn(colon, ": ")] == '\0') {
            /* curl removes "Name:"; "Name;" is how it is told to send an empty value. */
            char empty[256];
            snprintf(empty, sizeof empty, "%.*s;", (int)(colon - line), line);
            ok = ok && add_header(x, empty);
        } else {
            ok = ok && add_header(x, line);
        }
    }
    return ok || cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for request headers");
}

/* May curl send it twice? RFC 9110, 9.2.2; a key tells the server that two are one. */
static bool repeatable(const struct cl_http_request *request)
{
    static const char *const idempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++) {
        if (strcmp(request->method, idempotent[i]) == 0) {
            return true;
        }
    }
    return has_header(request, "Idempotency-Key");
}

static void set_body(CURL *easy, struct cl_http_exchange *x)
{
    const struct cl_http_request *request = x->request;
    bool writes = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
                  strcmp(request->method, "PATCH") == 0;
    if (request->read) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, x);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_bytes);
    } else if (request->body || writes) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Refuses what curl would reinterpret; tells whether the host is this machine. */
static bool check_url(const struct cl_http_request *request, bool *loopback, struct cl_err *err)
{
    bool ok = false;
    char *host = NULL;
    CURLU *url = curl_url();
    CURLUcode rc = url ? curl_url_set(url, CURLUPART_URL, request->url, 0) : CURLUE_OUT_OF_MEMORY;
    if (rc == CURLUE_OK) {
        rc = curl_url_get(url, CURLUPART_HOST, &host, 0);
    }
    if (rc == CURLUE_OUT_OF_MEMORY) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for a URL");
        goto done;
    }
    bool http = strncasecmp(request->url, "http://", 7) == 0 ||
                strncasecmp(request->url, "https://", 8) == 0;
    if (rc != CURLUE_OK || !http || strpbrk(request->url, " \r\n")) {
        char text[URL_PRINTED];
        cl_http_describe(request, text, sizeof text);
        cl_fail(err, CL_INVALID, "E_URL", "%s: %s", text,
                http && rc != CURLUE_OK ? curl_url_strerror(rc) : "not an http:// or https:// URL");
        goto done;
    }
    *loopback = strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                strcmp(host, "[::1]") == 0;
    ok = true;
done:
    curl_free(host);
    curl_url_cleanup(url);
    return ok;
}

static void set_options(CURL *easy, struct cl_http_exchange *x, bool loopback)
{
    const struct cl_http_request *request = x->request;
    int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
    int connect_ms =
        request->connect_timeout_ms > 0 ? request->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca_file) {
        /* Beside the directory of the system's certificates, which stays. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    }
    if (loopback) {
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "cloner");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (!repeatable(request)) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
    if (request->job) {
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
    }
}

bool cl_http_set_up(CURL *easy, struct cl_http_exchange *x, const struct cl_http_request *request,
                    struct cl_http_response *response, struct cl_err *err)
{
    memset(x, 0, sizeof *x);
    x->easy = easy;
    x->request = request;
    x->response = response;
    response->status = 0;
    cl_buf_reset(&response->headers);
    cl_buf_reset(&response->body);
    curl_easy_reset(easy);
    bool loopback = false;
    if (!check_url(request, &loopback, err) || !add_headers(x, err)) {
        return false;
    }
    set_options(easy, x, loopback);
    set_body(easy, x);
    return true;
}

/* ---------------------------------------------------------------- conclusion */

void cl_http_exchange_fini(struct cl_http_exchange *x)
{
    curl_slist_free_all(x->headers);
    x->headers = NULL;
}

void cl_http_describe(const struct cl_http_request *request, char *out, size_t size)
{
    const char *url = request->url;
    size_t n = strcspn(url, "?#");
    const char *scheme_end = strstr(url, "://");
    size_t scheme = scheme_end && scheme_end < url + n ? (size_t)(scheme_end - url) + 3 : 0;
    size_t authority = strcspn(url + scheme, "/?#");
    const char *host = url + scheme;
    for (size_t i = 0; i < authority; i++) {
        if (url[scheme + i] == '@') {
            host = url + scheme + i + 1;
        }
    }
    snprintf(out, size, "%s %.*s%.*s", request->method, (int)scheme, url, (int)(url + n - host),
             host);
}

struct code_class {
    CURLcode code;       /* curl's */
    enum cl_class class; /* ours */
    const char *word;    /* our code */
};

/* The one table of what curl can report; the rest is transient. */
static const struct code_class curl_classes[] = {
    {CURLE_URL_MALFORMAT, CL_INVALID, "E_URL"},
    {CURLE_UNSUPPORTED_PROTOCOL, CL_INVALID, "E_URL"},
    {CURLE_COULDNT_RESOLVE_HOST, CL_TRANSIENT, "E_RESOLVE"},
    {CURLE_COULDNT_RESOLVE_PROXY, CL_TRANSIENT, "E_RESOLVE"},
    {CURLE_COULDNT_CONNECT, CL_TRANSIENT, "E_CONNECT"},
    {CURLE_GOT_NOTHING, CL_TRANSIENT, "E_CONNECTION_LOST"},
    {CURLE_SEND_ERROR, CL_TRANSIENT, "E_CONNECTION_LOST"},
    {CURLE_RECV_ERROR, CL_TRANSIENT, "E_CONNECTION_LOST"},
    {CURLE_SEND_FAIL_REWIND, CL_TRANSIENT, "E_CONNECTION_LOST"},
    {CURLE_PARTIAL_FILE, CL_TRANSIENT, "E_PARTIAL"},
    {CURLE_OPERATION_TIMEDOUT, CL_TIMEOUT, "E_TIMEOUT"},
    {CURLE_PEER_FAILED_VERIFICATION, CL_PERMISSION, "E_TLS_VERIFY"},
    {CURLE_SSL_ISSUER_ERROR, CL_PERMISSION, "E_TLS_VERIFY"},
    {CURLE_SSL_INVALIDCERTSTATUS, CL_PERMISSION, "E_TLS_VERIFY"},
    {CURLE_SSL_CACERT_BADFILE, CL_INVALID, "E_CA_FILE"},
    {CURLE_SSL_CONNECT_ERROR, CL_TRANSIENT, "E_TLS"},
    {CURLE_OUT_OF_MEMORY, CL_TRANSIENT, "ENOMEM"},
};

static bool fail_curl(struct cl_err *err, const struct cl_http_exchange *x, CURLcode code)
{
    char text[URL_PRINTED];
    cl_http_describe(x->request, text, sizeof text);
    if (x->read_gave_up || x->write_gave_up) {
        return cl_fail(err, CL_CANCELLED, "E_GAVE_UP", "%s: given up by its own %s", text,
                       x->read_gave_up ? "reader" : "writer");
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return cl_fail(err, CL_CANCELLED, "E_CANCELLED", "%s: stopped on request", text);
    }
    if (x->response->body.failed || x->response->headers.failed) {
        return cl_fail(err, CL_INVALID, "E_TOO_LARGE", "%s: the answer is larger than %zu bytes",
                       text,
                       x->response->body.failed ? x->response->body.max : x->response->headers.max);
    }
    enum cl_class class = CL_TRANSIENT;
    const char *word = "E_HTTP";
    for (size_t i = 0; i < sizeof curl_classes / sizeof *curl_classes; i++) {
        if (curl_classes[i].code == code) {
            class = curl_classes[i].class;
            word = curl_classes[i].word;
        }
    }
    return cl_fail(err, class, word, "%s: %s", text,
                   x->curl_error[0] ? x->curl_error : curl_easy_strerror(code));
}

bool cl_http_conclude(CURL *easy, struct cl_http_exchange *x, CURLcode code, struct cl_err *err)
{
    bool ok = code == CURLE_OK;
    if (ok) {
        x->response->status = (int)status_of(easy);
    } else {
        x->response->status = 0;
        fail_curl(err, x, code);
    }
    cl_http_exchange_fini(x);
    return ok;
}
