#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "envelope.h"

enum { READ_BYTES = 256 * 1024, SUM_LINE_BYTES = 128 };

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

static const struct cl_seal *seal_of(const struct cl_archive *archive)
{
    return archive->sealed ? &archive->seal : NULL;
}

static const char *schema_name(const struct cl_archive *archive)
{
    return archive->sealed ? CL_SCHEMA_SEALED_FILE : CL_SCHEMA_FILE;
}

static void checksum_of(const struct cl_buf *json, char hex[CL_SHA256_HEX_BYTES])
{
    uint8_t digest[CL_SHA256_BYTES];
    cl_sha256(cl_buf_str(json), json->len, digest);
    cl_hex(digest, sizeof digest, hex);
}

/* ---------------------------------------------------------------- writing */

bool cl_archive_begin(struct cl_archive *archive, const struct cl_backup_spec *spec,
                      struct cl_job *job, struct cl_err *err)
{
    archive->level = spec->level ? spec->level : CL_BACKUP_LEVEL_DEFAULT;
    archive->sealed = spec->key != NULL;
    if (archive->sealed) {
        if (!cl_random(archive->seal.salt, sizeof archive->seal.salt)) {
            return cl_fail(err, CL_TRANSIENT, "E_RANDOM", "the system gives no random bytes");
        }
        if (!cl_seal_derive(&archive->seal, spec->key, err)) {
            return false;
        }
    }
    archive->place = cl_place_open(spec->archive, spec->store, job, err);
    if (!archive->place) {
        return false;
    }
    archive->place->keep = spec->resume && cl_place_work(archive->place);
    return cl_place_begin(archive->place, err);
}

/* Stores bytes we hold. */
static bool store_bytes(struct cl_archive *archive, const char *name, const struct cl_seal *seal,
                        const char *bytes, size_t n, struct cl_stored *stored, struct cl_err *err)
{
    struct cl_stored_writer *w = cl_stored_create(archive->place, seal, name, err);
    bool ok = w && cl_stored_write(w, bytes, n, err) && cl_stored_finish(w, stored, err);
    cl_stored_close_writer(w);
    return ok;
}

/* Puts the manifest into a file of its own; *json becomes what leads to it. */
static bool seal_manifest(struct cl_archive *archive, struct cl_buf *json, struct cl_err *err)
{
    struct cl_envelope envelope = {0};
    if (!store_bytes(archive, CL_MANIFEST_SEALED_FILE, &archive->seal, json->data, json->len,
                     &envelope.manifest, err)) {
        return false;
    }
    memcpy(envelope.salt, archive->seal.salt, sizeof envelope.salt);
    memcpy(envelope.check, archive->seal.check, sizeof envelope.check);
    explicit_bzero(json->data, json->cap);
    cl_buf_reset(json);
    return cl_envelope_write(json, &envelope) || no_memory(err);
}

bool cl_archive_publish(struct cl_archive *archive, const struct cl_manifest *manifest,
                        struct cl_err *err)
{
    struct cl_buf json;
    struct cl_stored stored;
    char sum[SUM_LINE_BYTES];
    cl_buf_init(&json, CL_MANIFEST_BYTES_MAX);
    bool ok = cl_manifest_write(&json, manifest) || no_memory(err);
    ok = ok && (!archive->sealed || seal_manifest(archive, &json, err));
    if (ok) {
        checksum_of(&json, archive->checksum);
        int n = snprintf(sum, sizeof sum, "%s  " CL_MANIFEST_FILE "\n", archive->checksum);
        ok = store_bytes(archive, CL_MANIFEST_SUM_FILE, NULL, sum, (size_t)n, &stored, err) &&
             cl_place_publish(archive->place, CL_MANIFEST_FILE, json.data, json.len, err);
    }
    cl_buf_fini(&json);
    return ok;
}

void cl_archive_close(struct cl_archive *archive)
{
    cl_place_close(archive->place);
    explicit_bzero(archive, sizeof *archive);
}

/* ---------------------------------------------------------------- the manifest */

/* All of a file that is small enough to be held. stored NULL: whatever it is. */
static bool load(struct cl_archive *archive, const char *name, const struct cl_seal *seal,
                 const struct cl_stored *stored, struct cl_buf *out, struct cl_err *err)
{
    struct cl_stored_reader *r = cl_stored_open(archive->place, seal, name, err);
    bool ok = r != NULL;
    size_t n = 1;
    while (ok && n > 0) {
        const char *bytes;
        ok = cl_stored_read(r, &bytes, &n, err) &&
             (cl_buf_add(out, bytes, n) ||
              cl_fail(err, CL_INVALID, "E_TOO_LARGE", "%s is too large", name));
    }
    ok = ok && (!stored || cl_stored_check(r, stored, err));
    cl_stored_close_reader(r);
    return ok;
}

/* Is manifest.json the one whose checksum lies beside it? */
static bool load_manifest(struct cl_archive *archive, struct cl_buf *json, struct cl_err *err)
{
    struct cl_buf sum;
    cl_buf_init(&sum, READ_BYTES);
    bool ok = load(archive, CL_MANIFEST_FILE, NULL, NULL, json, err) &&
              load(archive, CL_MANIFEST_SUM_FILE, NULL, NULL, &sum, err);
    if (ok) {
        checksum_of(json, archive->checksum);
        size_t n = strlen(archive->checksum);
        if (sum.len <= n || memcmp(sum.data, archive->checksum, n) != 0) {
            ok = cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED",
                         CL_MANIFEST_FILE " does not match its checksum in " CL_MANIFEST_SUM_FILE);
        }
    }
    cl_buf_fini(&sum);
    return ok;
}

/* Does the key fit? */
static bool unlock(struct cl_archive *archive, const struct cl_envelope *envelope,
                   const struct cl_backup_spec *spec, struct cl_err *err)
{
    if (!spec->key) {
        return cl_fail(err, CL_PERMISSION, "E_ARCHIVE_KEY",
                       "the archive is encrypted: its key is needed ('key')");
    }
    memcpy(archive->seal.salt, envelope->salt, sizeof archive->seal.salt);
    if (!cl_seal_derive(&archive->seal, spec->key, err)) {
        return false;
    }
    archive->sealed = true;
    return cl_same_bytes(archive->seal.check, envelope->check, sizeof envelope->check) ||
           cl_fail(err, CL_PERMISSION, "E_ARCHIVE_KEY",
                   "the key is not the one the archive was encrypted with");
}

bool cl_archive_open(struct cl_archive *archive, struct cl_manifest *manifest,
                     const struct cl_backup_spec *spec, struct cl_job *job, struct cl_err *err)
{
    struct cl_buf json;
    struct cl_buf inner;
    struct cl_envelope envelope = {0};
    memset(manifest, 0, sizeof *manifest);
    archive->place = cl_place_open(spec->archive, spec->store, job, err);
    if (!archive->place) {
        return false;
    }
    cl_buf_init(&json, CL_MANIFEST_BYTES_MAX);
    cl_buf_init(&inner, CL_MANIFEST_BYTES_MAX);
    bool sealed = false;
    bool ok = load_manifest(archive, &json, err) &&
              cl_envelope_parse(&envelope, &sealed, cl_buf_str(&json), json.len, err);
    if (ok && sealed) {
        ok = unlock(archive, &envelope, spec, err) &&
             load(archive, CL_MANIFEST_SEALED_FILE, &archive->seal, &envelope.manifest, &inner,
                  err) &&
             cl_manifest_parse(manifest, cl_buf_str(&inner), inner.len, err);
    } else if (ok && spec->key) {
        /* whoever put it there did not need the key */
        ok = cl_fail(err, CL_PERMISSION, "E_ARCHIVE_KEY",
                     "the archive is not encrypted, but a key was given");
    } else if (ok) {
        ok = cl_manifest_parse(manifest, cl_buf_str(&json), json.len, err);
    }
    manifest->sealed = sealed;
    if (inner.data) {
        explicit_bzero(inner.data, inner.cap);
    }
    cl_buf_fini(&inner);
    cl_buf_fini(&json);
    return ok;
}

/* ---------------------------------------------------------------- checking */

static bool check_size(const struct cl_blob_items *items, const char *name, uint64_t bytes,
                       struct cl_err *err)
{
    const struct cl_blob_item *item = cl_blob_items_find(items, name);
    if (!item) {
        return cl_place_lacks(name, err);
    }
    if (item->size < bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED",
                       "%s is truncated: %llu of %llu bytes", name, (unsigned long long)item->size,
                       (unsigned long long)bytes);
    }
    if (item->size > bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: %llu bytes, not %llu",
                       name, (unsigned long long)item->size, (unsigned long long)bytes);
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

/* Is every file one of the sorted names? */
static bool only(const struct cl_blob_items *items, const char *const *names, size_t n,
                 struct cl_err *err)
{
    for (size_t i = 0; i < items->count; i++) {
        const char *name = items->item[i].name;
        if (!bsearch(&name, names, n, sizeof *names, by_name)) {
            return cl_fail(err, CL_INVALID, "E_ARCHIVE_EXTRA", "%s is not part of the archive",
                           name);
        }
    }
    return true;
}

bool cl_archive_check_files(struct cl_archive *archive, const struct cl_manifest *manifest,
                            struct cl_err *err)
{
    enum { OTHERS = 4 };
    struct cl_blob_items items = {0};
    const char **names = calloc(manifest->n_files + OTHERS, sizeof *names);
    if (!names) {
        return no_memory(err);
    }
    size_t n = 0;
    names[n++] = CL_MANIFEST_FILE;
    names[n++] = CL_MANIFEST_SUM_FILE;
    names[n++] = schema_name(archive);
    if (archive->sealed) {
        names[n++] = CL_MANIFEST_SEALED_FILE;
    }
    bool ok = cl_place_list(archive->place, &items, err) &&
              check_size(&items, schema_name(archive), manifest->schema_bytes, err);
    for (size_t i = 0; ok && i < manifest->n_files; i++) {
        const struct cl_data_file *file = manifest->files[i].file;
        names[n++] = file->file;
        ok = check_size(&items, file->file, file->bytes, err);
    }
    if (ok) {
        qsort(names, n, sizeof *names, by_name);
        ok = only(&items, names, n, err);
    }
    free(names);
    cl_blob_items_fini(&items);
    return ok;
}

/* ---------------------------------------------------------------- the schema */

/* Stores a file of this machine. */
static bool store_file(struct cl_archive *archive, const char *name, int fd,
                       struct cl_stored *stored, struct cl_err *err)
{
    char *chunk = malloc(READ_BYTES);
    struct cl_stored_writer *w =
        chunk ? cl_stored_create(archive->place, seal_of(archive), name, err) : NULL;
    bool ok = w != NULL || (!chunk && no_memory(err));
    ssize_t n = 1;
    while (ok && n > 0) {
        n = read(fd, chunk, READ_BYTES);
        ok = n >= 0 ? cl_stored_write(w, chunk, (size_t)n, err)
                    : cl_fail_errno(err, errno, "cannot read what becomes %s", name);
    }
    ok = ok && cl_stored_finish(w, stored, err);
    cl_stored_close_writer(w);
    free(chunk);
    return ok;
}

bool cl_archive_put_schema(struct cl_archive *archive, struct cl_manifest *manifest,
                           const char *path, struct cl_err *err)
{
    struct cl_stored stored;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return cl_fail_errno(err, errno, "cannot read %s", path);
    }
    bool ok = store_file(archive, schema_name(archive), fd, &stored, err);
    close(fd);
    if (ok) {
        manifest->schema_bytes = stored.bytes;
        memcpy(manifest->schema_sha256, stored.sha256, sizeof manifest->schema_sha256);
    }
    return ok;
}

static bool write_all(int fd, const char *path, const char *bytes, size_t n, struct cl_err *err)
{
    while (n > 0) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno != EINTR) {
            return cl_fail_errno(err, errno, "cannot write %s", path);
        }
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

bool cl_archive_get_schema(struct cl_archive *archive, const struct cl_manifest *manifest,
                           const char *path, struct cl_err *err)
{
    struct cl_stored stored = {.bytes = manifest->schema_bytes};
    memcpy(stored.sha256, manifest->schema_sha256, sizeof stored.sha256);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (path && fd < 0) {
        return cl_fail_errno(err, errno, "cannot write %s", path);
    }
    struct cl_stored_reader *r =
        cl_stored_open(archive->place, seal_of(archive), schema_name(archive), err);
    bool ok = r != NULL;
    size_t n = 1;
    while (ok && n > 0) {
        const char *bytes;
        ok = cl_stored_read(r, &bytes, &n, err) && (!path || write_all(fd, path, bytes, n, err));
    }
    ok = ok && cl_stored_check(r, &stored, err);
    cl_stored_close_reader(r);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}
