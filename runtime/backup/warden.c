/*
 * Design notes. Until it has answered, the warden belongs to the run that started it: a thread
 * looks whether somebody still reads the answer, and when not cancels what the connection waits
 * for (a table's lock, perhaps for hours) and ends the process. After the answer there is one
 * thread, and who uses the snapshot is told by the locks on the holding's file.
 */
#include "warden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "json.h"
#include "keeper.h"
#include "pg/session.h"

enum {
    ORDER_BYTES_MAX = 16 * 1024 * 1024,
    ANSWER_BYTES_MAX = 8 * 1024,
    LOOK_MS = 300,        /* how often it looks who is there */
    PROBE_MS = 30 * 1000, /* how often it talks to the server: nothing between must fall asleep */
    ANSWER_FD = STDOUT_FILENO,
    DESCRIPTORS_MAX = 1024,
};

static volatile sig_atomic_t told_to_end;

struct nurse {
    pthread_t thread;               /* joined once the answer is given */
    _Atomic(PGcancel *) connection; /* what to cancel; NULL before there is one */
    atomic_bool answered;           /* its work is done */
};

/* ---------------------------------------------------------------- order and answer */

bool cl_warden_write_order(struct cl_buf *out, const struct cl_warden_order *order)
{
    const struct cl_holding *h = &order->holding;
    const char *const members[][2] = {
        {"path", order->path},   {"conninfo", order->conninfo}, {"key", h->key},
        {"options", h->options}, {"token", h->token},           {"before", h->before},
    };
    cl_buf_addf(out, "{\"keep_s\": %d", order->keep_s);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        cl_buf_addf(out, ", \"%s\": ", members[i][0]);
        cl_json_string(out, members[i][1]);
    }
    cl_buf_adds(out, ", \"exclude\": [");
    for (size_t i = 0; i < order->n_exclude; i++) {
        cl_buf_adds(out, i > 0 ? ", " : "");
        cl_json_string(out, order->exclude[i]);
    }
    return cl_buf_adds(out, "]}");
}

/* Strings stay in the tree. */
static bool read_order(const struct cl_json *root, struct cl_warden_order *order, char ***exclude)
{
    const char *text[6];
    static const char *const names[6] = {"path", "conninfo", "key", "options", "token", "before"};
    const struct cl_json *keep_s = cl_json_get(root, "keep_s", CL_JSON_INTEGER);
    const struct cl_json *list = cl_json_get(root, "exclude", CL_JSON_ARRAY);
    for (size_t i = 0; i < 6; i++) {
        const struct cl_json *v = cl_json_get(root, names[i], CL_JSON_STRING);
        if (!v) {
            return false;
        }
        text[i] = v->string;
    }
    *exclude = calloc((list ? list->n : 0) + 1, sizeof **exclude);
    if (!keep_s || !list || !*exclude) {
        return false;
    }
    for (const struct cl_json *v = list->child; v; v = v->next) {
        if (v->kind != CL_JSON_STRING) {
            return false;
        }
        (*exclude)[order->n_exclude++] = (char *)(uintptr_t)v->string; /* only read */
    }
    order->exclude = *exclude;
    order->path = text[0];
    order->conninfo = text[1];
    order->keep_s = (int)keep_s->integer;
    struct cl_holding *h = &order->holding;
    snprintf(h->key, sizeof h->key, "%s", text[2]);
    snprintf(h->options, sizeof h->options, "%s", text[3]);
    snprintf(h->token, sizeof h->token, "%s", text[4]);
    snprintf(h->before, sizeof h->before, "%s", text[5]);
    return true;
}

bool cl_warden_read_answer(const char *text, size_t n, struct cl_err *err)
{
    struct cl_json *root = cl_json_parse(text, n, NULL);
    const struct cl_json *holds = cl_json_get(root, "holds", CL_JSON_BOOL);
    const struct cl_json *class = cl_json_get(root, "class", CL_JSON_STRING);
    const struct cl_json *code = cl_json_get(root, "code", CL_JSON_STRING);
    const struct cl_json *message = cl_json_get(root, "message", CL_JSON_STRING);
    const struct cl_json *detail = cl_json_get(root, "detail", CL_JSON_STRING);
    enum cl_class as;
    bool ok = holds && holds->integer;
    if (!ok && class && code && message && detail && cl_class_parse(class->string, &as)) {
        cl_fail(err, as, code->string, "%s", message->string);
        snprintf(err->detail, sizeof err->detail, "%s", detail->string);
    } else if (!ok) {
        cl_fail(err, CL_TRANSIENT, "E_WARDEN", "the process that was to hold the snapshot died");
    }
    cl_json_free(root);
    return ok;
}

/* False when nobody reads it. */
static bool answer(bool holds, const struct cl_err *err)
{
    struct cl_buf text;
    cl_buf_init(&text, ANSWER_BYTES_MAX);
    cl_buf_addf(&text, "{\"holds\": %s", holds ? "true" : "false");
    if (!holds) {
        cl_buf_adds(&text, ", \"class\": ");
        cl_json_string(&text, cl_class_name(err->class));
        cl_buf_adds(&text, ", \"code\": ");
        cl_json_string(&text, err->code);
        cl_buf_adds(&text, ", \"message\": ");
        cl_json_string(&text, err->message);
        cl_buf_adds(&text, ", \"detail\": ");
        cl_json_string(&text, err->detail);
    }
    cl_buf_adds(&text, "}\n");
    bool ok = !text.failed && write(ANSWER_FD, text.data, text.len) == (ssize_t)text.len;
    cl_buf_fini(&text);
    return ok;
}

/* ---------------------------------------------------------------- until it has answered */

static void *nurse_main(void *arg)
{
    struct nurse *nurse = arg;
    char why[256];
    while (!atomic_load(&nurse->answered)) {
        struct pollfd reader = {.fd = ANSWER_FD}; /* POLLHUP: the other end was closed */
        if (poll(&reader, 1, LOOK_MS) > 0 && !atomic_load(&nurse->answered)) {
            PGcancel *cancel = atomic_load(&nurse->connection);
            if (cancel) {
                PQcancel(cancel, why, sizeof why);
            }
            _exit(1);
        }
    }
    return NULL;
}

/* Snapshot and locks; fills the holding. */
static bool take(struct cl_keeper *keeper, struct cl_warden_order *order, struct nurse *nurse,
                 struct cl_err *err)
{
    static const struct cl_pg_options options = {.readonly = true, .application = "cloner keeper"};
    struct cl_catalog catalog = {0};
    keeper->link.conn = cl_pg_open(order->conninfo, &options, err);
    if (!keeper->link.conn) {
        return cl_err_context(err, "source");
    }
    atomic_store(&nurse->connection, PQgetCancel(keeper->link.conn));
    bool ok = cl_keeper_take(keeper, "source", err) &&
              cl_catalog_load(&catalog, keeper->link.conn, err) &&
              cl_catalog_exclude(&catalog, order->exclude, order->n_exclude, err) &&
              cl_keeper_lock(keeper, &catalog, err);
    cl_catalog_fini(&catalog);
    if (ok) {
        struct cl_holding *h = &order->holding;
        h->source = keeper->identity;
        h->backend = PQbackendPID(keeper->link.conn);
        memcpy(h->snapshot, keeper->snapshot, sizeof h->snapshot);
        cl_clock_iso(cl_clock_wall_ms(), h->started);
    }
    return ok;
}

static bool begin(struct cl_keeper *keeper, struct cl_warden_order *order, int *file)
{
    struct cl_err err;
    struct nurse nurse = {0};
    *file = -1;
    int rc = pthread_create(&nurse.thread, NULL, nurse_main, &nurse);
    if (rc != 0) {
        cl_fail_errno(&err, rc, "cannot start a thread");
        answer(false, &err);
        return false;
    }
    *file = cl_holding_keep(order->path, &err);
    bool ok = *file >= 0 && take(keeper, order, &nurse, &err) &&
              cl_holding_write(*file, &order->holding, &err);
    atomic_store(&nurse.answered, true);
    pthread_join(nurse.thread, NULL);
    PQfreeCancel(atomic_load(&nurse.connection));
    return answer(ok, &err) && ok;
}

/* ---------------------------------------------------------------- afterwards */

static bool probe(PGconn *conn, char *why, size_t size)
{
    struct cl_err err;
    if (cl_pg_exec(conn, "SELECT 1", &err)) {
        return true;
    }
    snprintf(why, size, "its connection to the source broke: %s", err.message);
    return false;
}

/* Returns when the snapshot is to go; *why tells it. */
static void keep(PGconn *conn, int file, int keep_s, char *why, size_t size)
{
    int64_t used_ms = cl_clock_boot_ms();
    int64_t probed_ms = used_ms;
    for (;;) {
        struct pollfd server = {.fd = PQsocket(conn), .events = POLLIN};
        int ready = poll(&server, 1, LOOK_MS);
        int64_t now_ms = cl_clock_boot_ms();
        if (told_to_end) {
            snprintf(why, size, "its keeper was told to end");
            return;
        }
        /* a server says something unasked when it ends the session */
        if (ready > 0 || now_ms - probed_ms > PROBE_MS) {
            probed_ms = now_ms;
            if (!probe(conn, why, size)) {
                return;
            }
        }
        if (cl_holding_attached(file)) {
            used_ms = now_ms;
        } else if (now_ms - used_ms > (int64_t)keep_s * 1000 && cl_holding_give_up(file)) {
            snprintf(why, size, "nobody had used it for %d s", keep_s);
            return;
        }
    }
}

static void on_end(int signal)
{
    (void)signal;
    told_to_end = 1;
}

/* In the background for good: no terminal, no folder, no descriptor of whoever started it. */
static bool leave(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction end = {.sa_handler = on_end};
    pid_t pid = fork();
    if (pid != 0) {
        _exit(pid < 0);
    }
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGTERM, &end, NULL);
    if (close_range(3, ~0U, 0) != 0) { /* a kernel before 5.9 */
        for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) {
            close(fd);
        }
    }
    return chdir("/") == 0;
}

static bool read_all(int fd, struct cl_buf *out)
{
    for (;;) {
        if (!cl_buf_reserve(out, 4096)) {
            return false;
        }
        ssize_t n = read(fd, out->data + out->len, 4095);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0;
        }
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
}

/* The order and the answer are over; nothing else may get these numbers. */
static void close_pipes(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, ANSWER_FD) < 0) {
        close(ANSWER_FD); /* the reader must see the end in any case */
    }
}

static void serve(struct cl_warden_order *order)
{
    struct cl_keeper keeper = {0};
    int file;
    bool ok = begin(&keeper, order, &file);
    close_pipes();
    if (ok) {
        keep(keeper.link.conn, file, order->keep_s, order->holding.ended,
             sizeof order->holding.ended);
        PQfinish(keeper.link.conn);
        /* who resumes reads it; when it cannot be written, the missing lock says enough */
        cl_holding_write(file, &order->holding, NULL);
    } else {
        PQfinish(keeper.link.conn);
    }
    if (file >= 0) {
        close(file); /* gives the locks back: the last thing */
    }
}

int cl_warden_main(void)
{
    struct cl_buf text;
    struct cl_warden_order order = {0};
    char **exclude = NULL;
    struct cl_json *root = NULL;
    if (!leave()) {
        return 1;
    }
    cl_buf_init(&text, ORDER_BYTES_MAX);
    bool ok = read_all(STDIN_FILENO, &text) &&
              (root = cl_json_parse(text.data, text.len, NULL)) != NULL &&
              read_order(root, &order, &exclude);
    if (ok) {
        serve(&order);
    }
    free(exclude);
    cl_json_free(root);
    cl_buf_fini(&text);
    return ok ? 0 : 1;
}
