/*
 * Design notes. Byte 1 is an open-file lock (it belongs to the descriptor, so a run may have many
 * threads); byte 0 is a process lock, because only that kind tells others the owner's pid. A
 * process lock is lost when the process closes any descriptor of the file: a warden opens it once.
 *
 * The file may be removed while somebody waits to lock it: who has a lock looks whether the path
 * still leads to the file that was locked, and opens it again when not.
 */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "json.h"

enum {
    FILE_BYTES_MAX = 16 * 1024,
    WARDEN_BYTE = 0,
    RUN_BYTE = 1,
    NAME_BYTES = 16,           /* of the hash that names a file */
    ENDING_TIMEOUT_MS = 10000, /* a warden that gave up needs no longer to go */
    LEAVING_TIMEOUT_MS =
        2000, /* a child of a killed run has its lock until it is a program of its own */
};

/* ---------------------------------------------------------------- the folder */

/* Not by session or TMPDIR: the one who resumes may come another way. NULL when out of memory. */
static char *folder_name(void)
{
    const char *set = getenv("CLONER_STATE");
    char name[64] = "/run/cloner";
    if (geteuid() != 0) {
        snprintf(name, sizeof name, "/tmp/cloner-%u", (unsigned)geteuid());
    }
    return strdup(set && *set ? set : name);
}

/* Whoever could write there could have us end processes of theirs choosing, or read snapshots. */
static bool folder_ready(const char *folder, struct cl_err *err)
{
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return cl_fail_errno(err, errno, "cannot make the state folder %s (CLONER_STATE names it)",
                             folder);
    }
    if (lstat(folder, &st) != 0) {
        return cl_fail_errno(err, errno, "state folder %s", folder);
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        return cl_fail(err, CL_PERMISSION, "E_STATE_FOLDER",
                       "the state folder %s must be a folder of our own that nobody else can write "
                       "to (CLONER_STATE names another)",
                       folder);
    }
    return true;
}

char *cl_holding_path(const char *key, struct cl_err *err)
{
    uint8_t hash[CL_SHA256_BYTES];
    char hex[2 * NAME_BYTES + 1];
    char *path = NULL;
    if (!*key || strlen(key) > CL_COPY_KEY_MAX) {
        cl_fail(err, CL_INVALID, "E_COPY_KEY", "a copy's key must have 1 to %d bytes",
                CL_COPY_KEY_MAX);
        return NULL;
    }
    char *folder = folder_name();
    if (!folder) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    if (folder_ready(folder, err)) {
        cl_sha256(key, strlen(key), hash);
        cl_hex(hash, NAME_BYTES, hex);
        if (asprintf(&path, "%s/%s.snapshot", folder, hex) < 0) {
            path = NULL;
            cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        }
    }
    free(folder);
    return path;
}

/* ---------------------------------------------------------------- locks */

/* cmd: F_SETLK, F_OFD_SETLK; F_GETLK leaves in *lock who is in the way. */
static int byte_lock(int fd, int cmd, int byte, struct flock *lock)
{
    *lock = (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1, .l_pid = 0};
    return fcntl(fd, cmd, lock);
}

static bool in_the_way(int fd, int byte, pid_t *pid)
{
    struct flock lock;
    if (byte_lock(fd, F_GETLK, byte, &lock) != 0 || lock.l_type == F_UNLCK) {
        return false;
    }
    *pid = lock.l_pid;
    return true;
}

static bool still_there(const char *path, int fd)
{
    struct stat by_path, by_fd;
    return stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
           by_path.st_ino == by_fd.st_ino;
}

static int open_file(const char *path, struct cl_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        cl_fail_errno(err, errno, "cannot open %s", path);
    }
    return fd;
}

int cl_holding_attach(const char *path, const char *key, struct cl_err *err)
{
    int64_t ending_ms = cl_clock_boot_ms() + ENDING_TIMEOUT_MS;
    int64_t leaving_ms = cl_clock_boot_ms() + LEAVING_TIMEOUT_MS;
    for (;;) {
        struct flock lock;
        pid_t pid = 0;
        int fd = open_file(path, err);
        if (fd < 0) {
            return -1;
        }
        bool locked = byte_lock(fd, F_OFD_SETLK, RUN_BYTE, &lock) == 0;
        if (locked && still_there(path, fd)) {
            return fd;
        }
        /* a warden that gives up goes at once; a run stays (and shows no pid) */
        bool going = locked || !in_the_way(fd, RUN_BYTE, &pid) || pid > 0;
        close(fd);
        if (cl_clock_boot_ms() > (going ? ending_ms : leaving_ms)) {
            cl_fail(err, CL_CONFLICT, "E_COPY_BUSY", "another process is at the copy '%s'", key);
            return -1;
        }
        struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}

int cl_holding_keep(const char *path, struct cl_err *err)
{
    struct flock lock;
    int fd = open_file(path, err);
    if (fd >= 0 && (byte_lock(fd, F_SETLK, WARDEN_BYTE, &lock) != 0 || !still_there(path, fd))) {
        cl_fail(err, CL_CONFLICT, "E_COPY_BUSY", "another process holds the snapshot");
        close(fd);
        fd = -1;
    }
    return fd;
}

pid_t cl_holding_warden(int fd)
{
    pid_t pid = 0;
    if (!in_the_way(fd, WARDEN_BYTE, &pid)) {
        return 0;
    }
    return pid > 0 ? pid : -1; /* 0: of another pid namespace */
}

bool cl_holding_attached(int fd)
{
    pid_t pid;
    return in_the_way(fd, RUN_BYTE, &pid);
}

bool cl_holding_give_up(int fd)
{
    struct flock lock;
    return byte_lock(fd, F_SETLK, RUN_BYTE, &lock) == 0;
}

/* ---------------------------------------------------------------- the text */

static bool take(const struct cl_json *root, const char *name, char *out, size_t size)
{
    const struct cl_json *v = cl_json_get(root, name, CL_JSON_STRING);
    if (!v || strlen(v->string) >= size) {
        return false;
    }
    memcpy(out, v->string, strlen(v->string) + 1);
    return true;
}

bool cl_holding_read(int fd, struct cl_holding *h)
{
    char text[FILE_BYTES_MAX];
    memset(h, 0, sizeof *h);
    ssize_t n = pread(fd, text, sizeof text, 0);
    struct cl_json *root = n > 0 ? cl_json_parse(text, (size_t)n, NULL) : NULL;
    const struct cl_json *oid = cl_json_get(root, "database_oid", CL_JSON_INTEGER);
    const struct cl_json *backend = cl_json_get(root, "backend", CL_JSON_INTEGER);
    bool ok = oid && backend && take(root, "key", h->key, sizeof h->key) &&
              take(root, "options", h->options, sizeof h->options) &&
              take(root, "token", h->token, sizeof h->token) &&
              take(root, "system", h->source.system, sizeof h->source.system) &&
              take(root, "database", h->source.database, sizeof h->source.database) &&
              take(root, "snapshot", h->snapshot, sizeof h->snapshot) &&
              take(root, "started", h->started, sizeof h->started) &&
              take(root, "ended", h->ended, sizeof h->ended) &&
              take(root, "before", h->before, sizeof h->before);
    if (ok) {
        h->source.oid = (uint32_t)oid->integer;
        h->backend = (int)backend->integer;
    }
    cl_json_free(root);
    return ok;
}

bool cl_holding_write(int fd, const struct cl_holding *h, struct cl_err *err)
{
    const char *const members[][2] = {
        {"key", h->key},
        {"options", h->options},
        {"token", h->token},
        {"system", h->source.system},
        {"database", h->source.database},
        {"snapshot", h->snapshot},
        {"started", h->started},
        {"ended", h->ended},
        {"before", h->before},
    };
    struct cl_buf text;
    cl_buf_init(&text, FILE_BYTES_MAX);
    cl_buf_addf(&text, "{\"pid\": %ld, \"backend\": %d, \"database_oid\": %u", (long)getpid(),
                h->backend, h->source.oid);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        cl_buf_addf(&text, ",\n \"%s\": ", members[i][0]);
        cl_json_string(&text, members[i][1]);
    }
    cl_buf_adds(&text, "}\n");
    /* in place: the locks are on this file. Cut short by a crash it reads as none. */
    bool ok = !text.failed && ftruncate(fd, 0) == 0 &&
              pwrite(fd, text.data, text.len, 0) == (ssize_t)text.len;
    if (!ok) {
        cl_fail_errno(err, errno ? errno : EIO, "cannot write what is known of the snapshot");
    }
    cl_buf_fini(&text);
    return ok;
}
