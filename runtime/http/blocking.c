/* The blocking client of worker threads: one easy handle, whose connections stay open. */
#include <stdlib.h>

#include "exchange.h"

struct cl_http_session {
    CURL *easy; /* owned, with its connections */
};

struct cl_http_session *cl_http_session_new(struct cl_err *err)
{
    if (!cl_http_global_init(err)) {
        return NULL;
    }
    struct cl_http_session *s = calloc(1, sizeof *s);
    if (s) {
        s->easy = curl_easy_init();
    }
    if (!s || !s->easy) {
        free(s);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for an HTTP session");
        return NULL;
    }
    return s;
}

void cl_http_session_free(struct cl_http_session *s)
{
    if (s) {
        curl_easy_cleanup(s->easy);
        free(s);
    }
}

bool cl_http_perform(struct cl_http_session *s, const struct cl_http_request *request,
                     struct cl_http_response *response, struct cl_err *err)
{
    struct cl_http_exchange x;
    if (!cl_http_set_up(s->easy, &x, request, response, err)) {
        cl_http_exchange_fini(&x);
        return false;
    }
    bool ok = cl_http_conclude(s->easy, &x, curl_easy_perform(s->easy), err);
    /* The handle keeps pointers into x, which ends here. */
    curl_easy_reset(s->easy);
    return ok;
}
