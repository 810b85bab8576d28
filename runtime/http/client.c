/*
 * Design notes.  libcurl tells which sockets to watch (on_socket) and when to call it at the
 * latest (on_deadline); we tell it what happened (act).  Ended exchanges are collected after each
 * act(), outside of curl's callbacks, and their call is freed before its owner hears of it.
 *
 * Each watched socket has a watch of its own: a uv handle lives until its close callback, which
 * may be later than the socket it watched.
 */
#include "client.h"

#include <stdlib.h>

#include "exchange.h"

struct cl_http_client {
    CURLM *multi;               /* owned */
    uv_loop_t *loop;            /* borrowed */
    uv_timer_t timer;           /* curl's deadline; freed with us in its close callback */
    struct cl_http_call *calls; /* all that run, newest first */
};

struct cl_http_call {
    struct cl_http_client *client; /* borrowed */
    CURL *easy;                    /* owned */
    struct cl_http_exchange x;     /* lives as long as easy */
    cl_http_done done;             /* called once */
    void *arg;                     /* for done */
    struct cl_http_call *next;     /* in client->calls */
    struct cl_http_call *previous; /* NULL: the first */
};

struct watch {
    uv_poll_t poll;                /* freed with the struct, in its close callback */
    struct cl_http_client *client; /* borrowed; outlives every watch that is not closing */
    curl_socket_t fd;              /* curl's */
};

/* ---------------------------------------------------------------- calls */

static void link_call(struct cl_http_client *client, struct cl_http_call *call)
{
    call->next = client->calls;
    if (call->next) {
        call->next->previous = call;
    }
    client->calls = call;
}

static void free_call(struct cl_http_call *call)
{
    if (call->previous) {
        call->previous->next = call->next;
    } else {
        call->client->calls = call->next;
    }
    if (call->next) {
        call->next->previous = call->previous;
    }
    curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    cl_http_exchange_fini(&call->x);
    free(call);
}

void cl_http_cancel(struct cl_http_call *call)
{
    free_call(call);
}

static void end_call(struct cl_http_call *call, CURLcode code)
{
    struct cl_err err;
    cl_http_done done = call->done;
    void *arg = call->arg;
    bool ok = cl_http_conclude(call->easy, &call->x, code, &err);
    free_call(call);
    done(arg, ok, &err);
}

static void collect(struct cl_http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            CURLcode code = message->data.result; /* the message goes with the handle */
            struct cl_http_call *call;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
            end_call(call, code);
        }
    }
}

static void act(struct cl_http_client *client, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(client->multi, fd, events, &running);
    collect(client);
}

/* ---------------------------------------------------------------- sockets and time */

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(watch->client, watch->fd, what);
}

static struct watch *watch_new(struct cl_http_client *client, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init_socket(client->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->client = client;
    watch->fd = fd;
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    (void)easy;
    struct cl_http_client *client = arg;
    struct watch *watch = per_socket;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(client->multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch) {
        watch = watch_new(client, fd);
        if (!watch) {
            return -1;
        }
        curl_multi_assign(client->multi, fd, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_deadline(CURLM *multi, long delay_ms, void *arg)
{
    (void)multi;
    struct cl_http_client *client = arg;
    if (delay_ms < 0) {
        uv_timer_stop(&client->timer);
        return 0;
    }
    uv_update_time(client->loop); /* a long slice of Lua may have gone by since it last looked */
    return uv_timer_start(&client->timer, on_timer, (uint64_t)delay_ms, 0) == 0 ? 0 : -1;
}

/* ---------------------------------------------------------------- life */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct cl_http_client *cl_http_client_new(uv_loop_t *loop, struct cl_err *err)
{
    if (!cl_http_global_init(err)) {
        return NULL;
    }
    struct cl_http_client *client = calloc(1, sizeof *client);
    if (client) {
        client->multi = curl_multi_init();
    }
    if (!client || !client->multi) {
        free(client);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for an HTTP client");
        return NULL;
    }
    client->loop = loop;
    client->timer.data = client;
    uv_timer_init(loop, &client->timer);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_deadline);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CL_HTTP_CONNECTIONS_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CL_HTTP_IDLE_MAX);
    return client;
}

void cl_http_client_free(struct cl_http_client *client)
{
    if (!client) {
        return;
    }
    while (client->calls) {
        free_call(client->calls);
    }
    curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

struct cl_http_call *cl_http_start(struct cl_http_client *client,
                                   const struct cl_http_request *request,
                                   struct cl_http_response *response, cl_http_done done, void *arg,
                                   struct cl_err *err)
{
    struct cl_http_call *call = calloc(1, sizeof *call);
    if (call) {
        call->easy = curl_easy_init();
    }
    if (!call || !call->easy) {
        free(call);
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for a request");
        return NULL;
    }
    call->client = client;
    call->done = done;
    call->arg = arg;
    link_call(client, call);
    if (!cl_http_set_up(call->easy, &call->x, request, response, err)) {
        free_call(call);
        return NULL;
    }
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, (char *)call);
    CURLMcode rc = curl_multi_add_handle(client->multi, call->easy);
    if (rc != CURLM_OK) {
        free_call(call);
        cl_fail(err, CL_TRANSIENT, "E_HTTP", "cannot start a request: %s", curl_multi_strerror(rc));
        return NULL;
    }
    return call;
}
