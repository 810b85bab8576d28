#include "archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"

enum { READ_BYTES = 256 * 1024, NFTW_FDS = 8, SUM_LINE_BYTES = 128 };

char *cl_path_join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path) {
        snprintf(path, n, "%s/%s", folder, name);
    }
    return path;
}

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

static bool remove_tree(const char *path, struct cl_err *err)
{
    if (nftw(path, remove_entry, NFTW_FDS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return cl_fail_errno(err, errno, "cannot remove %s", path);
    }
    return true;
}

/* Makes the folder and locks it; two writers of one archive would otherwise mix their files. */
static bool make_and_lock(struct cl_archive *archive, struct cl_err *err)
{
    if (mkdir(archive->work, 0700) != 0 && errno != EEXIST) {
        return cl_fail_errno(err, errno, "cannot make the folder %s", archive->work);
    }
    archive->lock = open(archive->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (archive->lock < 0) {
        return cl_fail_errno(err, errno, "cannot open the folder %s", archive->work);
    }
    if (flock(archive->lock, LOCK_EX | LOCK_NB) != 0) {
        close(archive->lock);
        archive->lock = -1;
        return cl_fail(err, CL_CONFLICT, "E_ARCHIVE_BUSY", "%s is being written by another process",
                       archive->work);
    }
    return true;
}

/* A left-over of a crash: we hold its lock, so nobody else works there. */
static bool empty_folder(const char *path, struct cl_err *err)
{
    DIR *folder = opendir(path);
    if (!folder) {
        return cl_fail_errno(err, errno, "cannot read the folder %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char *inner = cl_path_join(path, entry->d_name);
            ok = inner ? remove_tree(inner, err) : no_memory(err);
            free(inner);
        }
    }
    closedir(folder);
    return ok;
}

bool cl_archive_begin(struct cl_archive *archive, const char *path, struct cl_err *err)
{
    struct stat st;
    archive->lock = -1;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    archive->path = strndup(path, n);
    archive->work = malloc(n + sizeof ".partial");
    if (!archive->path || !archive->work) {
        return no_memory(err);
    }
    snprintf(archive->work, n + sizeof ".partial", "%s.partial", archive->path);
    /* rmdir fails on anything but an empty folder, which may give way */
    if (lstat(archive->path, &st) == 0 && rmdir(archive->path) != 0) {
        return cl_fail(err, CL_CONFLICT, "E_ARCHIVE_EXISTS", "%s exists already", archive->path);
    }
    if (!make_and_lock(archive, err) || !empty_folder(archive->work, err)) {
        return false;
    }
    char *data = cl_path_join(archive->work, CL_DATA_FOLDER);
    bool ok = data && mkdir(data, 0700) == 0;
    int saved = errno;
    free(data);
    return ok || cl_fail_errno(err, saved, "cannot make a folder in %s", archive->work);
}

static bool write_file(const char *folder, const char *name, const char *bytes, size_t n,
                       struct cl_err *err)
{
    char *path = cl_path_join(folder, name);
    if (!path) {
        return no_memory(err);
    }
    bool ok = false;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        cl_fail_errno(err, errno, "cannot write %s", path);
        goto done;
    }
    while (n > 0) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno != EINTR) {
            cl_fail_errno(err, errno, "cannot write %s", path);
            goto done;
        }
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    ok = fsync(fd) == 0 || cl_fail_errno(err, errno, "cannot write %s", path);
done:
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return ok;
}

static bool sync_path(const char *path, struct cl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    return ok || cl_fail_errno(err, saved, "cannot bring %s to disk", path);
}

static bool sync_inside(const char *folder, const char *name, struct cl_err *err)
{
    char *path = cl_path_join(folder, name);
    bool ok = path ? sync_path(path, err) : no_memory(err);
    free(path);
    return ok;
}

static bool sync_parent(const char *path, struct cl_err *err)
{
    char *parent = strdup(path);
    if (!parent) {
        return no_memory(err);
    }
    char *slash = strrchr(parent, '/');
    if (slash == parent) {
        slash++;
    }
    if (slash) {
        *slash = '\0';
    }
    bool ok = sync_path(slash ? parent : ".", err);
    free(parent);
    return ok;
}

bool cl_archive_publish(struct cl_archive *archive, const struct cl_manifest *manifest,
                        struct cl_err *err)
{
    struct cl_buf json;
    char hex[CL_SHA256_HEX_BYTES];
    char sum[SUM_LINE_BYTES];
    uint8_t digest[CL_SHA256_BYTES];
    cl_buf_init(&json, CL_MANIFEST_BYTES_MAX);
    bool ok = cl_manifest_write(&json, manifest) || no_memory(err);
    if (ok) {
        cl_sha256(json.data, json.len, digest);
        cl_hex(digest, sizeof digest, hex);
        int n = snprintf(sum, sizeof sum, "%s  " CL_MANIFEST_FILE "\n", hex);
        ok = write_file(archive->work, CL_MANIFEST_FILE, json.data, json.len, err) &&
             write_file(archive->work, CL_MANIFEST_SUM_FILE, sum, (size_t)n, err);
    }
    cl_buf_fini(&json);
    if (!ok || !sync_inside(archive->work, CL_SCHEMA_FILE, err) ||
        !sync_inside(archive->work, CL_DATA_FOLDER, err) || !sync_path(archive->work, err)) {
        return false;
    }
    if (cl_fault("archive_publish")) {
        return cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point archive_publish");
    }
    if (rename(archive->work, archive->path) != 0) {
        return cl_fail_errno(err, errno, "cannot name the archive %s", archive->path);
    }
    free(archive->work);
    archive->work = NULL;
    return sync_parent(archive->path, err);
}

void cl_archive_end(struct cl_archive *archive)
{
    if (archive->work && archive->lock >= 0) {
        remove_tree(archive->work, NULL);
    }
    if (archive->path && archive->lock >= 0) {
        close(archive->lock);
    }
    free(archive->path);
    free(archive->work);
    memset(archive, 0, sizeof *archive);
    archive->lock = -1;
}

static bool missing(const char *name, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_MISSING", "the archive lacks %s", name);
}

static bool read_file(const char *folder, const char *name, struct cl_buf *out, struct cl_err *err)
{
    char *path = cl_path_join(folder, name);
    if (!path) {
        return no_memory(err);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int saved = errno;
    bool ok = fd >= 0;
    if (!ok) {
        saved == ENOENT ? missing(name, err) : cl_fail_errno(err, saved, "cannot read %s", path);
    }
    ssize_t n = 1;
    while (ok && n > 0) {
        ok = cl_buf_reserve(out, READ_BYTES) || no_memory(err);
        n = ok ? read(fd, out->data + out->len, READ_BYTES) : 0;
        if (n < 0) {
            ok = cl_fail_errno(err, errno, "cannot read %s", path);
        } else {
            out->len += (size_t)n;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return ok;
}

bool cl_archive_open(struct cl_manifest *manifest, const char *path, struct cl_err *err)
{
    struct stat st;
    struct cl_buf json;
    struct cl_buf sum;
    uint8_t digest[CL_SHA256_BYTES];
    char hex[CL_SHA256_HEX_BYTES];
    memset(manifest, 0, sizeof *manifest);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return cl_fail(err, CL_NOT_FOUND, "E_NO_ARCHIVE", "there is no archive at %s", path);
    }
    cl_buf_init(&json, CL_MANIFEST_BYTES_MAX);
    cl_buf_init(&sum, READ_BYTES + SUM_LINE_BYTES);
    bool ok = read_file(path, CL_MANIFEST_FILE, &json, err) &&
              read_file(path, CL_MANIFEST_SUM_FILE, &sum, err);
    if (ok) {
        cl_sha256(cl_buf_str(&json), json.len, digest);
        cl_hex(digest, sizeof digest, hex);
        if (sum.len < sizeof hex || memcmp(sum.data, hex, sizeof hex - 1) != 0) {
            ok = cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED",
                         CL_MANIFEST_FILE " does not match its checksum in " CL_MANIFEST_SUM_FILE);
        }
    }
    ok = ok && cl_manifest_parse(manifest, cl_buf_str(&json), json.len, err);
    cl_buf_fini(&json);
    cl_buf_fini(&sum);
    return ok;
}

static bool check_size(const char *path, const char *name, uint64_t bytes, struct cl_err *err)
{
    struct stat st;
    char *file = cl_path_join(path, name);
    bool there = file && stat(file, &st) == 0 && S_ISREG(st.st_mode);
    free(file);
    if (!there) {
        return missing(name, err);
    }
    if ((uint64_t)st.st_size < bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED",
                       "%s is truncated: %lld of %llu bytes", name, (long long)st.st_size,
                       (unsigned long long)bytes);
    }
    if ((uint64_t)st.st_size > bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: %lld bytes, not %llu",
                       name, (long long)st.st_size, (unsigned long long)bytes);
    }
    return true;
}

static int by_file(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

/* Is every entry of the folder one of the sorted names? */
static bool only(const char *path, const char *inside, const char *const *names, size_t n,
                 struct cl_err *err)
{
    char *whole = cl_path_join(path, inside);
    DIR *folder = whole ? opendir(whole) : NULL;
    free(whole);
    if (!folder) {
        return missing(*inside ? inside : "its folder", err);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            !bsearch(&name, names, n, sizeof *names, by_file)) {
            ok = cl_fail(err, CL_INVALID, "E_ARCHIVE_EXTRA", "%s%s%s is not part of the archive",
                         inside, *inside ? "/" : "", name);
        }
    }
    closedir(folder);
    return ok;
}

bool cl_archive_check_files(const struct cl_manifest *manifest, const char *path,
                            struct cl_err *err)
{
    static const char *const top[] = {CL_DATA_FOLDER, CL_MANIFEST_FILE, CL_MANIFEST_SUM_FILE,
                                      CL_SCHEMA_FILE};
    if (!check_size(path, CL_SCHEMA_FILE, manifest->schema_bytes, err)) {
        return false;
    }
    const char **names = calloc(manifest->n_files + 1, sizeof *names);
    if (!names) {
        return no_memory(err);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < manifest->n_files; i++) {
        const struct cl_data_file *file = manifest->files[i].file;
        names[i] = file->file + strlen(CL_DATA_FOLDER "/");
        ok = check_size(path, file->file, file->bytes, err);
    }
    if (ok) {
        qsort(names, manifest->n_files, sizeof *names, by_file);
        ok = only(path, "", top, sizeof top / sizeof *top, err) &&
             only(path, CL_DATA_FOLDER, names, manifest->n_files, err);
    }
    free(names);
    return ok;
}

bool cl_file_sha256(const char *file, char hex[CL_SHA256_HEX_BYTES], uint64_t *bytes,
                    struct cl_err *err)
{
    struct cl_sha256_stream *sha = cl_sha256_new();
    char *chunk = malloc(READ_BYTES);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int saved = errno;
    bool ok = sha && chunk && fd >= 0;
    ssize_t n = 1;
    *bytes = 0;
    while (ok && n > 0) {
        n = read(fd, chunk, READ_BYTES);
        saved = errno;
        ok = n >= 0;
        cl_sha256_add(sha, chunk, ok ? (size_t)n : 0);
        *bytes += ok ? (uint64_t)n : 0;
    }
    if (ok) {
        uint8_t digest[CL_SHA256_BYTES];
        cl_sha256_end(sha, digest);
        cl_hex(digest, sizeof digest, hex);
    } else {
        cl_fail_errno(err, saved, "cannot read %s", file);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(chunk);
    cl_sha256_free(sha);
    return ok;
}
