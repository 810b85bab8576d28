/*
 * One HTTP exchange: the request and response both the asynchronous client (client.h) and the
 * blocking one for worker threads (here) speak.  TLS is always verified.  Redirects are not
 * followed: the services we talk to do not redirect, and credentials must not travel.
 */
#ifndef CL_HTTP_H
#define CL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/job.h"

enum { CL_HTTP_BODY_MAX = 256 * 1024 * 1024 }; /* of a response held in memory */

struct cl_http_request {
    const char *method;         /* "GET" */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;           /* body_bytes of it; NULL: none */
    size_t body_bytes;
    int timeout_ms;         /* for the whole exchange; 0: 60,000 */
    int connect_timeout_ms; /* 0: 10,000 */
    const char *ca_file;    /* further trusted certificates (PEM); NULL: the system's */

    /* Streaming, for blobs; NULL: use the buffers. read fills up to n bytes of the request body
     * (body_bytes says how many there are in all), 0 at the end, -1 to give up. write takes n
     * bytes of a 2xx response's body, false to give up. */
    long (*read)(void *arg, void *bytes, size_t n);
    bool (*write)(void *arg, const void *bytes, size_t n);
    void *arg;

    struct cl_job *job; /* the exchange ends when this is stopping; may be NULL */
};

struct cl_http_response {
    int status;            /* 200, 404 …; 0 when there was no answer */
    struct cl_buf headers; /* "name: value\n" each, names lower-cased */
    struct cl_buf body;    /* empty where request.write took it */
};

void cl_http_response_init(struct cl_http_response *r);
void cl_http_response_fini(struct cl_http_response *r);

/* The value of a header (lower-case name), copied into out; false when there is none. */
bool cl_http_header(const struct cl_http_response *r, const char *name, char *out, size_t size);

/* A connection kept open between requests; one thread at a time. */
struct cl_http_session;
struct cl_http_session *cl_http_session_new(struct cl_err *err);
void cl_http_session_free(struct cl_http_session *s); /* NULL is fine */

/* Performs it, blocking. True when an answer came, whatever its status. */
bool cl_http_perform(struct cl_http_session *s, const struct cl_http_request *request,
                     struct cl_http_response *response, struct cl_err *err);

/* Makes an error of an answer that is not 2xx: class by status (one table), Retry-After obeyed,
 * the start of the body in detail. Returns false. */
bool cl_http_fail(struct cl_err *err, const struct cl_http_request *request,
                  const struct cl_http_response *response);

#endif
