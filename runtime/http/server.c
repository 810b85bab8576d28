/*
 * Design notes.  libmicrohttpd runs without threads of its own: its epoll descriptor is watched by
 * our loop (on_ready), its deadlines are our timer's, and each turn is one MHD_run().
 *
 * A request has two owners: libmicrohttpd, from its first line until on_completed(), and whoever
 * took it, from take() until answer() or drop().  Whichever lets go last frees it.  While somebody
 * holds it the connection is suspended, so libmicrohttpd neither calls us nor notices that the
 * client went; it finds out when it is resumed.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

enum {
    IDLE_S = 60,
    CONNECTION_MEMORY = 64 * 1024, /* the request line and headers must fit */
    HANDLES = 2,                   /* uv handles of a server */
};

enum state {
    NEW,       /* its first line was read */
    RECEIVING, /* its headers were read */
    READY,     /* complete; its connection is suspended until it is answered or dropped */
    ANSWERED,  /* response is to be sent */
    DROPPED,   /* its connection is to be closed */
};

struct incoming {
    struct cl_http_incoming public;    /* first: what others see */
    struct cl_http_server *server;     /* borrowed; NULL once MHD let go */
    struct MHD_Connection *connection; /* MHD's; NULL once it let go */
    struct MHD_Response *response;     /* owned, once ANSWERED */
    char *method;                      /* owned */
    char *target;                      /* owned */
    enum state state;
    unsigned status;       /* of response */
    bool taken;            /* somebody outside holds it */
    struct incoming *next; /* in server->all */
    struct incoming *previous;
    struct incoming *ready_next; /* in server->ready */
};

struct cl_http_server {
    struct MHD_Daemon *daemon; /* owned */
    uv_poll_t poll;            /* its epoll descriptor */
    uv_timer_t timer;          /* its next deadline */
    int open_handles;          /* of these two; freed when none is left */
    int listen_fd;             /* ours once quiesced, else -1 */
    int port;                  /* bound */
    size_t body_max;           /* bytes */
    cl_http_ready notify;      /* called for each complete request */
    void *arg;                 /* for notify */
    struct incoming *all;      /* those MHD has */
    struct incoming *ready;    /* those nobody took, oldest first */
    struct incoming **ready_end;
};

/* ---------------------------------------------------------------- requests */

static void free_incoming(struct incoming *in)
{
    if (in->response) {
        MHD_destroy_response(in->response);
    }
    cl_buf_fini(&in->public.headers);
    cl_buf_fini(&in->public.body);
    free(in->method);
    free(in->target);
    free(in);
}

/* First sight of a request; becomes its per-request pointer. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct cl_http_server *server = arg;
    struct incoming *in = calloc(1, sizeof *in);
    char *copy = strdup(target);
    if (!in || !copy) {
        free(in);
        free(copy);
        return NULL;
    }
    in->server = server;
    in->connection = connection;
    in->target = copy;
    in->public.target = copy;
    cl_buf_init(&in->public.headers, (size_t)2 * CONNECTION_MEMORY);
    cl_buf_init(&in->public.body, server->body_max);
    in->next = server->all;
    if (in->next) {
        in->next->previous = in;
    }
    server->all = in;
    return in;
}

static void unqueue(struct cl_http_server *server, struct incoming *in)
{
    struct incoming **at = &server->ready;
    while (*at && *at != in) {
        at = &(*at)->ready_next;
    }
    if (*at) {
        *at = in->ready_next;
        if (!*at) {
            server->ready_end = at;
        }
    }
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **per_request,
                         enum MHD_RequestTerminationCode why)
{
    (void)connection;
    (void)why;
    struct cl_http_server *server = arg;
    struct incoming *in = *per_request;
    if (!in) {
        return;
    }
    *per_request = NULL;
    if (in->previous) {
        in->previous->next = in->next;
    } else {
        server->all = in->next;
    }
    if (in->next) {
        in->next->previous = in->previous;
    }
    unqueue(server, in);
    in->server = NULL;
    in->connection = NULL;
    if (!in->taken) {
        free_incoming(in);
    }
}

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    struct cl_buf *headers = arg;
    for (const char *p = name; *p; p++) {
        cl_buf_addc(headers, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
    }
    cl_buf_addf(headers, ": %s\n", value ? value : "");
    return MHD_YES;
}

/* Before the body: note method and headers, refuse what will not fit. */
static enum MHD_Result begin(struct incoming *in, const char *method)
{
    in->state = RECEIVING;
    in->method = strdup(method);
    in->public.method = in->method;
    MHD_get_connection_values(in->connection, MHD_HEADER_KIND, add_header, &in->public.headers);
    if (!in->method || in->public.headers.failed) {
        return MHD_NO;
    }
    const char *length =
        MHD_lookup_connection_value(in->connection, MHD_HEADER_KIND, "Content-Length");
    if (length && strtoull(length, NULL, 10) > in->server->body_max) {
        static char text[] = "the body is too large\n";
        struct MHD_Response *response =
            MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
        enum MHD_Result rc = MHD_queue_response(in->connection, 413, response);
        MHD_destroy_response(response);
        return rc;
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **per_request)
{
    (void)url;
    (void)version;
    struct cl_http_server *server = arg;
    struct incoming *in = *per_request;
    if (!in) {
        return MHD_NO; /* out of memory at its first line */
    }
    if (in->state == NEW) {
        return begin(in, method);
    }
    if (*n > 0) {
        /* Past the maximum without having announced it: no answer, the connection is closed. */
        bool fits = cl_buf_add(&in->public.body, bytes, *n);
        *n = 0;
        return fits ? MHD_YES : MHD_NO;
    }
    if (in->state == RECEIVING) {
        in->state = READY;
        MHD_suspend_connection(connection);
        *server->ready_end = in;
        server->ready_end = &in->ready_next;
        server->notify(server->arg);
        return MHD_YES;
    }
    if (in->state == ANSWERED) {
        return MHD_queue_response(connection, in->status, in->response);
    }
    return MHD_NO;
}

/* ---------------------------------------------------------------- the loop */

static void on_timer(uv_timer_t *timer);

static void run(struct cl_http_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &ms) == MHD_YES) {
        uv_timer_start(&server->timer, on_timer, ms, 0);
    } else {
        uv_timer_stop(&server->timer);
    }
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

/* ---------------------------------------------------------------- taking and answering */

struct cl_http_incoming *cl_http_server_take(struct cl_http_server *server)
{
    struct incoming *in = server->ready;
    if (!in) {
        return NULL;
    }
    unqueue(server, in);
    in->ready_next = NULL;
    in->taken = true;
    return &in->public;
}

/* The holder lets go; MHD does the rest at its next turn. */
static void let_go(struct incoming *in, enum state state)
{
    in->taken = false;
    if (!in->connection) {
        free_incoming(in);
        return;
    }
    in->state = state;
    MHD_resume_connection(in->connection);
    uv_timer_start(&in->server->timer, on_timer, 0, 0);
}

static struct MHD_Response *make_response(const char *const *headers, const void *body,
                                          size_t body_bytes, struct cl_err *err)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body_bytes, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (!response) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for an answer");
        return NULL;
    }
    for (size_t i = 0; headers && headers[i]; i++) {
        char name[128];
        const char *colon = strchr(headers[i], ':');
        size_t n = colon ? (size_t)(colon - headers[i]) : sizeof name;
        bool ok = i < CL_HTTP_ANSWER_HEADERS_MAX && n < sizeof name;
        if (ok) {
            memcpy(name, headers[i], n);
            name[n] = '\0';
            const char *value = colon + 1 + strspn(colon + 1, " ");
            ok = MHD_add_response_header(response, name, value) == MHD_YES;
        }
        if (!ok) {
            cl_fail(err, CL_INVALID, "E_HEADER", "an answer with a bad header, or too many");
            MHD_destroy_response(response);
            return NULL;
        }
    }
    return response;
}

bool cl_http_answer(struct cl_http_incoming *incoming, int status, const char *const *headers,
                    const void *body, size_t body_bytes, struct cl_err *err)
{
    struct incoming *in = (struct incoming *)incoming;
    if (!in->connection) {
        free_incoming(in);
        return true;
    }
    in->response = make_response(headers, body, body_bytes, err);
    if (!in->response) {
        return false;
    }
    in->status = (unsigned)status;
    let_go(in, ANSWERED);
    return true;
}

void cl_http_drop(struct cl_http_incoming *incoming)
{
    if (incoming) {
        let_go((struct incoming *)incoming, DROPPED);
    }
}

/* ---------------------------------------------------------------- life */

static void on_handle_closed(uv_handle_t *handle)
{
    struct cl_http_server *server = handle->data;
    if (--server->open_handles == 0) {
        free(server);
    }
}

static bool parse_address(const char *host, int port, struct sockaddr_storage *out,
                          struct cl_err *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return true;
    }
    return cl_fail(err, CL_INVALID, "E_ADDRESS", "'%s' is no address to serve on (127.0.0.1, ::1)",
                   host);
}

static bool start_daemon(struct cl_http_server *server, const struct sockaddr_storage *at)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (at->ss_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, at,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CL_HTTP_SERVER_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    return server->daemon != NULL;
}

struct cl_http_server *cl_http_server_new(uv_loop_t *loop, const char *host, int port,
                                          size_t body_max, cl_http_ready ready, void *arg,
                                          struct cl_err *err)
{
    struct sockaddr_storage at;
    if (!parse_address(host, port, &at, err)) {
        return NULL;
    }
    struct cl_http_server *server = calloc(1, sizeof *server);
    if (!server) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory for a server");
        return NULL;
    }
    server->listen_fd = -1;
    server->body_max = body_max;
    server->notify = ready;
    server->arg = arg;
    server->ready_end = &server->ready;
    if (!start_daemon(server, &at)) {
        int saved = errno;
        free(server);
        cl_fail_errno(err, saved, "cannot serve on %s port %d", host, port);
        return NULL;
    }
    int epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    int rc = uv_poll_init(loop, &server->poll, epoll_fd);
    if (rc != 0) {
        MHD_stop_daemon(server->daemon);
        free(server);
        cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot watch a server: %s", uv_strerror(rc));
        return NULL;
    }
    uv_timer_init(loop, &server->timer);
    server->open_handles = HANDLES;
    server->poll.data = server;
    server->timer.data = server;
    uv_poll_start(&server->poll, UV_READABLE, on_ready);
    uv_timer_start(&server->timer, on_timer, 0, 0);
    return server;
}

int cl_http_server_port(const struct cl_http_server *server)
{
    return server->port;
}

int cl_http_server_open_requests(const struct cl_http_server *server)
{
    int n = 0;
    for (const struct incoming *in = server->all; in; in = in->next) {
        n++;
    }
    return n;
}

void cl_http_server_quiesce(struct cl_http_server *server)
{
    if (server->listen_fd == -1) {
        server->listen_fd = MHD_quiesce_daemon(server->daemon);
    }
}

void cl_http_server_free(struct cl_http_server *server)
{
    if (!server) {
        return;
    }
    /* libmicrohttpd must not be stopped while a connection is suspended. */
    for (struct incoming *in = server->all; in; in = in->next) {
        if (in->state == READY) {
            in->state = DROPPED;
            MHD_resume_connection(in->connection);
        }
    }
    uv_close((uv_handle_t *)&server->poll, on_handle_closed);
    uv_close((uv_handle_t *)&server->timer, on_handle_closed);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    if (server->listen_fd != -1) {
        close(server->listen_fd);
    }
}
