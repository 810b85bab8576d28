#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "warden.h"

extern char **environ;

enum {
    ORDER_BYTES_MAX = 16 * 1024 * 1024,
    ANSWER_BYTES_MAX = 8 * 1024,
    LOOK_MS = 100,       /* how often a wait looks whether the work is to end */
    END_GRACE_MS = 5000, /* between SIGTERM and SIGKILL */
    END_MS = 10000,      /* then it is given up */
    STARTS_MAX = 5,      /* of a warden, each after the one before it was ended */
};

static const char busy[] = "E_COPY_BUSY";
/* What a snapshot that is gone is to SQL, by version and moment. */
static const char *const gone[] = {"22023", "42704", "55000"};

/* ---------------------------------------------------------------- ending a warden */

/* Signals the process that has the lock now, and no other that got its number since. */
static void send_signal(int file, pid_t pid, int number)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle >= 0) {
        if (cl_holding_warden(file) == pid) {
            syscall(SYS_pidfd_send_signal, handle, number, NULL, 0);
        }
        close(handle);
    } else if (errno == ENOSYS && cl_holding_warden(file) == pid) {
        kill(pid, number);
    }
}

/* False when there still is one: it cannot be seen from here, or is stuck. */
static bool end_warden(int file)
{
    int64_t began_ms = cl_clock_boot_ms();
    int sent = 0;
    for (;;) {
        pid_t pid = cl_holding_warden(file);
        int64_t waited_ms = cl_clock_boot_ms() - began_ms;
        if (pid == 0) {
            return true;
        }
        if (pid < 0 || waited_ms > END_MS) {
            return false;
        }
        int number = waited_ms > END_GRACE_MS ? SIGKILL : SIGTERM;
        if (number != sent) {
            send_signal(file, pid, number);
            sent = number;
        }
        struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}

/* ---------------------------------------------------------------- starting one */

/* Double fork: the process started here forks once more and ends, so nobody has to wait for the
 * one that stays, and it can never get a terminal. */
static bool spawn(int its_end, struct cl_err *err)
{
    static char program[] = "cloner", word[] = CL_WARDEN_WORD;
    char *argv[] = {program, word, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    pid_t pid = 0;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, its_end, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, its_end, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGTERM);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    int rc = posix_spawn(&pid, "/proc/self/exe", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        return cl_fail_errno(err, rc, "cannot start the process that holds the snapshot");
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return true; /* whether it came to anything is told by the answer */
}

static void send_order(int fd, const struct cl_buf *order)
{
    size_t sent = 0;
    while (sent < order->len) {
        ssize_t n = send(fd, order->data + sent, order->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
}

static bool read_answer(int fd, struct cl_watch *watch, struct cl_err *err)
{
    char text[ANSWER_BYTES_MAX];
    size_t len = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (!cl_watch_check(watch, err)) {
            return false;
        }
        if (poll(&p, 1, LOOK_MS) <= 0) {
            continue;
        }
        ssize_t n = read(fd, text + len, sizeof text - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return cl_warden_read_answer(text, len, err);
        }
        len += (size_t)n;
    }
}

static bool start_warden(const struct cl_warden_order *order, struct cl_watch *watch,
                         struct cl_err *err)
{
    int ends[2]; /* ours, its */
    struct cl_buf text;
    cl_buf_init(&text, ORDER_BYTES_MAX);
    bool ok = cl_warden_write_order(&text, order) ||
              cl_fail(err, CL_INVALID, "E_LIMIT", "the list of excluded tables is too long");
    if (ok && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        ok = cl_fail_errno(err, errno, "cannot start the process that holds the snapshot");
    } else if (ok) {
        ok = spawn(ends[1], err);
        close(ends[1]);
        if (ok) {
            send_order(ends[0], &text); /* one that died answers nothing: that is looked at */
            shutdown(ends[0], SHUT_WR);
            ok = read_answer(ends[0], watch, err);
        }
        close(ends[0]); /* unanswered: the warden takes that as its end */
    }
    if (text.data) {
        explicit_bzero(text.data, text.len); /* a password was in it */
    }
    cl_buf_fini(&text);
    return ok;
}

/* Starts one, once any other is gone: a run that was killed while it started its own left that
 * behind for a moment. */
static bool replace_warden(struct cl_hold *hold, const struct cl_warden_order *order,
                           struct cl_watch *watch, struct cl_err *err)
{
    for (int tries = 0; tries < STARTS_MAX; tries++) {
        if (!end_warden(hold->file)) {
            break;
        }
        if (start_warden(order, watch, err)) {
            return true;
        }
        if (strcmp(err->code, busy) != 0) {
            return false;
        }
    }
    return cl_fail(err, CL_CONFLICT, busy,
                   "a process that cannot be ended from here holds the snapshot of copy '%s'",
                   order->holding.key);
}

static bool take_new(struct cl_hold *hold, struct cl_keeper *keeper, struct cl_watch *watch,
                     const struct cl_backup_spec *spec, const char *options, const char *lost,
                     struct cl_err *err)
{
    uint8_t random[(CL_TOKEN_BYTES - 1) / 2];
    struct cl_warden_order order = {.path = hold->path,
                                    .conninfo = spec->source,
                                    .exclude = spec->exclude,
                                    .n_exclude = spec->n_exclude,
                                    .keep_s = spec->keep_snapshot_s};
    struct cl_holding *h = &order.holding;
    snprintf(h->key, sizeof h->key, "%s", spec->resume);
    snprintf(h->options, sizeof h->options, "%s", options);
    snprintf(h->before, sizeof h->before, "%s", lost);
    if (!cl_random(random, sizeof random)) {
        return cl_fail(err, CL_TRANSIENT, "E_RANDOM", "the system has no random numbers");
    }
    cl_hex(random, sizeof random, h->token);
    if (!replace_warden(hold, &order, watch, err)) {
        return false;
    }
    if (!cl_holding_read(hold->file, &hold->holding) ||
        strcmp(hold->holding.token, h->token) != 0) {
        return cl_fail(err, CL_CONFLICT, "E_COPY_BUSY", "%s is not what was written there",
                       hold->path);
    }
    return cl_keeper_follow(keeper, watch, spec->source, hold->holding.snapshot, err);
}

/* ---------------------------------------------------------------- finding one */

static bool is_gone(const struct cl_err *err)
{
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        if (strcmp(err->code, gone[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Joins what the file tells of. False with *lost: why that cannot be; false with *err->code set:
 * why nothing can. */
static bool join(struct cl_hold *hold, struct cl_keeper *keeper, struct cl_watch *watch,
                 const struct cl_backup_spec *spec, const char *options, char *lost, size_t size,
                 struct cl_err *err)
{
    struct cl_holding *h = &hold->holding;
    if (!cl_holding_read(hold->file, h)) {
        return false; /* none yet */
    }
    if (cl_holding_warden(hold->file) == 0) {
        snprintf(lost, size, "%s", *h->ended ? h->ended : "the process that held it was killed");
        return false;
    }
    if (strcmp(h->options, options) != 0) {
        snprintf(lost, size, "it is asked for with other options");
        return false;
    }
    if (!cl_keeper_follow(keeper, watch, spec->source, h->snapshot, err)) {
        if (is_gone(err)) {
            snprintf(lost, size, "the server does not know it any more");
            err->code[0] = '\0';
        }
        return false;
    }
    if (keeper->identity.oid != h->source.oid ||
        strcmp(keeper->identity.system, h->source.system) != 0) {
        snprintf(lost, size, "it was of another source");
        return false;
    }
    return true;
}

bool cl_hold_open(struct cl_hold *hold, struct cl_keeper *keeper, struct cl_watch *watch,
                  const struct cl_backup_spec *spec, const char *options, struct cl_err *err)
{
    char lost[sizeof hold->holding.before] = "";
    hold->path = cl_holding_path(spec->resume, err);
    hold->file = hold->path ? cl_holding_attach(hold->path, spec->resume, err) : -1;
    if (hold->file < 0) {
        return false;
    }
    err->code[0] = '\0';
    hold->joined = join(hold, keeper, watch, spec, options, lost, sizeof lost, err);
    if (hold->joined || err->code[0]) {
        return hold->joined;
    }
    cl_keeper_close(keeper);
    return take_new(hold, keeper, watch, spec, options, lost, err);
}

void cl_hold_close(struct cl_hold *hold)
{
    if (hold->path && hold->file >= 0) {
        close(hold->file);
    }
    free(hold->path);
    memset(hold, 0, sizeof *hold);
}

void cl_hold_end(struct cl_hold *hold)
{
    if (hold->path && hold->file >= 0 && end_warden(hold->file)) {
        unlink(hold->path);
    }
    cl_hold_close(hold);
}

bool cl_backup_forget(struct cl_job *job, const struct cl_backup_spec *spec,
                      struct cl_backup_summary *summary, struct cl_err *err)
{
    struct cl_hold hold = {0};
    (void)job;
    (void)summary;
    hold.path = cl_holding_path(spec->resume, err);
    hold.file = hold.path ? cl_holding_attach(hold.path, spec->resume, err) : -1;
    bool ok = hold.file >= 0;
    if (ok && !end_warden(hold.file)) {
        ok = cl_fail(err, CL_CONFLICT, "E_COPY_BUSY",
                     "a process that cannot be ended from here holds the snapshot of copy '%s'",
                     spec->resume);
    } else if (ok) {
        unlink(hold.path);
    }
    cl_hold_close(&hold);
    return ok;
}
