/*
 * The asynchronous client: exchanges run by libcurl's multi interface on our loop.
 *
 * One client a loop, everything on the loop's thread.  Connections stay open between exchanges.
 * Order: new, any number of start/cancel, free.
 */
#ifndef CL_HTTP_CLIENT_H
#define CL_HTTP_CLIENT_H

#include <uv.h>

#include "http/http.h"

enum {
    CL_HTTP_CONNECTIONS_MAX = 256, /* open at once; further exchanges wait for one */
    CL_HTTP_IDLE_MAX = 32,         /* kept open for later */
};

struct cl_http_client;
struct cl_http_call;

typedef void (*cl_http_done)(void *arg, bool ok, const struct cl_err *err);

struct cl_http_client *cl_http_client_new(uv_loop_t *loop, struct cl_err *err);

/* Ends every call (none is told). The memory goes once the loop has closed the handles. */
void cl_http_client_free(struct cl_http_client *client);

/* Starts an exchange; request and response are lent until done or cancelled. done is called once,
 * never from inside this function. NULL: nothing was started. */
struct cl_http_call *cl_http_start(struct cl_http_client *client,
                                   const struct cl_http_request *request,
                                   struct cl_http_response *response, cl_http_done done, void *arg,
                                   struct cl_err *err);

/* Ends it without done. Legal only before done. */
void cl_http_cancel(struct cl_http_call *call);

#endif
