#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

enum {
    STDERR_KEEP_BYTES = 600,      /* the tail of it that goes into a message */
    STDERR_MAX_BYTES = 64 * 1024, /* what we hold of it at most */
    TERM_GRACE_MS = 3000,         /* between SIGTERM and SIGKILL */
    POLL_MS = 200,                /* how often a stop request is looked for */
};

struct running {
    const struct cl_child *spec; /* borrowed */
    pid_t pid;                   /* the child */
    int out_fd;                  /* read end, -1 once closed */
    int err_fd;                  /* read end, -1 once closed */
    struct cl_buf errors;        /* what it said on standard error */
    int64_t term_at_ms;          /* boot time SIGTERM was sent, 0 before */
    bool stopped;                /* we ended it on request */
};

static char **merged_env(const char *const *extra)
{
    size_t have = 0;
    size_t more = 0;
    while (environ[have]) {
        have++;
    }
    while (extra && extra[more]) {
        more++;
    }
    char **env = calloc(have + more + 1, sizeof *env);
    if (!env) {
        return NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < have; i++) {
        bool replaced = false;
        size_t name = strcspn(environ[i], "=") + 1;
        for (size_t j = 0; j < more && !replaced; j++) {
            replaced = strncmp(environ[i], extra[j], name) == 0;
        }
        if (!replaced) {
            env[n++] = environ[i];
        }
    }
    for (size_t j = 0; j < more; j++) {
        env[n++] = (char *)(uintptr_t)extra[j]; /* posix_spawn does not write to it */
    }
    return env;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int spawn(struct running *r, int out_w, int err_w, char **env)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_w, 1);
    posix_spawn_file_actions_adddup2(&actions, err_w, 2);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    /* Its own group: Ctrl-C at the terminal is ours to handle, not the child's. */
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    char *const *argv = (char *const *)(uintptr_t)r->spec->argv;
    int rc = posix_spawnp(&r->pid, argv[0], &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static bool start(struct running *r, struct cl_err *err)
{
    int out[2] = {-1, -1};
    int errs[2] = {-1, -1};
    bool ok = false;
    char **env = merged_env(r->spec->env);
    if (!env || pipe2(out, O_CLOEXEC) != 0 || pipe2(errs, O_CLOEXEC) != 0) {
        cl_fail_errno(err, errno, "cannot start %s", r->spec->argv[0]);
        goto done;
    }
    int rc = spawn(r, out[1], errs[1], env);
    if (rc != 0) {
        cl_fail_errno(err, rc, "cannot start %s", r->spec->argv[0]);
        goto done;
    }
    r->out_fd = out[0];
    r->err_fd = errs[0];
    out[0] = errs[0] = -1;
    ok = true;
done:
    close_fd(&out[0]);
    close_fd(&out[1]);
    close_fd(&errs[0]);
    close_fd(&errs[1]);
    free(env);
    return ok;
}

static void pump(int *fd, struct cl_buf *into, bool drop_oldest)
{
    char bytes[16384];
    ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n > 0) {
        if (into && drop_oldest && into->len + (size_t)n > into->max) {
            cl_buf_shift(into, into->len);
        }
        if (into) {
            cl_buf_add(into, bytes, (size_t)n);
        }
    } else if (n == 0 || errno != EINTR) {
        close_fd(fd);
    }
}

static void stop_when_asked(struct running *r)
{
    if (!r->spec->job || !cl_job_stopping(r->spec->job)) {
        return;
    }
    int64_t now = cl_clock_boot_ms();
    if (r->term_at_ms == 0) {
        kill(r->pid, SIGTERM);
        r->term_at_ms = now;
        r->stopped = true;
    } else if (now - r->term_at_ms > TERM_GRACE_MS) {
        kill(r->pid, SIGKILL);
    }
}

static void drain(struct running *r)
{
    while (r->out_fd >= 0 || r->err_fd >= 0) {
        struct pollfd fds[2] = {{.fd = r->out_fd, .events = POLLIN},
                                {.fd = r->err_fd, .events = POLLIN}};
        poll(fds, 2, POLL_MS);
        if (fds[0].revents) {
            pump(&r->out_fd, r->spec->out, false);
        }
        if (fds[1].revents) {
            pump(&r->err_fd, &r->errors, true);
        }
        stop_when_asked(r);
    }
}

static bool judge(struct running *r, int status, struct cl_err *err)
{
    const char *name = r->spec->argv[0];
    if (r->stopped) {
        return cl_fail(err, CL_CANCELLED, "E_CANCELLED", "%s was stopped on request", name);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        if (r->spec->out && r->spec->out->failed) {
            return cl_fail(err, CL_INVALID, "E_TOO_LONG", "%s wrote more than %zu bytes", name,
                           r->spec->out->max);
        }
        return true;
    }
    const char *said = cl_buf_str(&r->errors);
    size_t len = r->errors.len;
    if (len > STDERR_KEEP_BYTES) {
        said += len - STDERR_KEEP_BYTES;
    }
    if (WIFSIGNALED(status)) {
        return cl_fail(err, CL_TRANSIENT, "E_SIGNAL", "%s was killed by signal %d: %s", name,
                       WTERMSIG(status), said);
    }
    /* 127: not found, by a shell or by a C library that learns of it only in the child. */
    enum cl_class class = WEXITSTATUS(status) == 127 ? CL_NOT_FOUND : CL_INVALID;
    return cl_fail(err, class, "E_EXIT", "%s ended with status %d: %s", name, WEXITSTATUS(status),
                   said);
}

bool cl_child_run(const struct cl_child *child, struct cl_err *err)
{
    struct running r = {.spec = child, .out_fd = -1, .err_fd = -1};
    cl_buf_init(&r.errors, STDERR_MAX_BYTES);
    bool ok = start(&r, err);
    if (ok) {
        drain(&r);
        int status = 0;
        while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR) {
        }
        ok = judge(&r, status, err);
    }
    cl_buf_fini(&r.errors);
    return ok;
}
