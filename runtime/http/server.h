/*
 * An HTTP server on our loop, over libmicrohttpd.
 *
 * It hands out complete requests one by one and answers them when told to, in any order; in
 * between a request's connection is suspended.  Everything on the loop's thread.
 *
 * Limits: CL_HTTP_SERVER_CONNECTIONS open connections, each with at most one request; bodies up to
 * the given maximum (413 beyond it); an idle connection is closed after a minute.
 */
#ifndef CL_HTTP_SERVER_H
#define CL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

enum { CL_HTTP_SERVER_CONNECTIONS = 1000, CL_HTTP_ANSWER_HEADERS_MAX = 100 };

struct cl_http_server;

/* A request that was handed out; owned by who took it, until answered or dropped. */
struct cl_http_incoming {
    const char *method;    /* "GET" */
    const char *target;    /* path and query as they were sent, "/a%20b?c=d" */
    struct cl_buf headers; /* "name: value\n" each, names lower-cased */
    struct cl_buf body;    /* complete */
};

/* Called when a request is ready to be taken. */
typedef void (*cl_http_ready)(void *arg);

/* host is an address, 127.0.0.1 or ::1 say; port 0 picks a free one. NULL on failure. */
struct cl_http_server *cl_http_server_new(uv_loop_t *loop, const char *host, int port,
                                          size_t body_max, cl_http_ready ready, void *arg,
                                          struct cl_err *err);

int cl_http_server_port(const struct cl_http_server *server);

/* The next complete request, NULL when there is none. */
struct cl_http_incoming *cl_http_server_take(struct cl_http_server *server);

/* Answers it; headers are "Name: value", NULL-terminated, at most CL_HTTP_ANSWER_HEADERS_MAX, may
 * be NULL; the body is copied. True: the request is gone. False: this cannot be sent, and the
 * request is still the caller's. Legal, and without effect, after the client or server went. */
bool cl_http_answer(struct cl_http_incoming *incoming, int status, const char *const *headers,
                    const void *body, size_t body_bytes, struct cl_err *err);

/* Closes its connection without an answer; the request is gone. NULL is fine. */
void cl_http_drop(struct cl_http_incoming *incoming);

/* Requests whose first line came and whose answer is not sent yet. */
int cl_http_server_open_requests(const struct cl_http_server *server);

/* No new connections; those open stay. */
void cl_http_server_quiesce(struct cl_http_server *server);

/* Drops what was not answered and closes. Requests that were taken stay with their owners, who
 * still answer or drop them. The memory goes once the loop has closed the handles. */
void cl_http_server_free(struct cl_http_server *server);

#endif
