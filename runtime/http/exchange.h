/*
 * One exchange on a curl easy handle: what the blocking client (blocking.c) and the asynchronous
 * one (client.c) share.  Set up, let curl run, conclude; the same handle may then be set up again.
 *
 * The exchange borrows the request and its body until it is concluded.
 */
#ifndef CL_HTTP_EXCHANGE_H
#define CL_HTTP_EXCHANGE_H

#include <curl/curl.h>

#include "http/http.h"

enum {
    CL_HTTP_HEADERS_MAX = 256 * 1024, /* bytes of a response's headers */
    CL_HTTP_HEADER_COUNT_MAX = 200,   /* headers of a request */
};

struct cl_http_exchange {
    CURL *easy;                            /* borrowed */
    const struct cl_http_request *request; /* borrowed */
    struct cl_http_response *response;     /* borrowed; filled while curl runs */
    struct curl_slist *headers;            /* owned; handed to curl */
    bool read_gave_up;                     /* request.read returned -1 */
    bool write_gave_up;                    /* request.write returned false */
    char curl_error[CURL_ERROR_SIZE];      /* curl's own words */
};

/* libcurl is initialised once a process, whoever comes first. */
bool cl_http_global_init(struct cl_err *err);

/* Configures easy for one exchange; x needs no initialisation. Whatever it returns, call
 * cl_http_conclude() or cl_http_exchange_fini(). */
bool cl_http_set_up(CURL *easy, struct cl_http_exchange *x, const struct cl_http_request *request,
                    struct cl_http_response *response, struct cl_err *err);

/* After curl ended with `code`: fills response->status, or *err (class by curl's code). Releases
 * what x owns. True when there was an answer. */
bool cl_http_conclude(CURL *easy, struct cl_http_exchange *x, CURLcode code, struct cl_err *err);

void cl_http_exchange_fini(struct cl_http_exchange *x);

/* "GET https://host/path", for messages: without user, query and fragment, which may hold secrets.
 */
void cl_http_describe(const struct cl_http_request *request, char *out, size_t size);

/* Milliseconds a Retry-After value (seconds or an HTTP date) asks for, at most a day; 0 when it
 * cannot be read or lies in the past. */
int cl_http_retry_after_ms(const char *value, int64_t now_wall_ms);

#endif
