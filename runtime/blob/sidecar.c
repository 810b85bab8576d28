#include "sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

enum { SIDECAR_BYTES_MAX = 128 * 1024, HASH_SHOWN = 16 };

static const char readable[] = " !\"#$&'()*+,/:;<=>?@[]^`{|}";

void cl_hidden_name(const char *base, const char *kind, char out[CL_HIDDEN_NAME])
{
    uint8_t hash[CL_SHA256_BYTES];
    char hex[2 * HASH_SHOWN + 1];
    cl_sha256(base, strlen(base), hash);
    cl_hex(hash, HASH_SHOWN, hex);
    snprintf(out, CL_HIDDEN_NAME, CL_BLOB_HIDDEN "%s.%s", kind, hex);
}

int cl_write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        p += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

/* One "key: escaped value" line; unknown keys are left alone, for later versions. */
static bool take_line(struct cl_blob_item *item, const char *line, struct cl_buf *value)
{
    const char *colon = strstr(line, ": ");
    if (line[0] == '#' || !colon) {
        return true;
    }
    size_t key_len = (size_t)(colon - line);
    cl_buf_reset(value);
    if (!cl_blob_unescape(value, colon + 2)) {
        return false;
    }
    if (key_len > 5 && strncmp(line, "meta.", 5) == 0) {
        char name[CL_BLOB_HEADER_MAX];
        snprintf(name, sizeof name, "%.*s", (int)(key_len - 5), line + 5);
        return cl_blob_item_meta(item, name, cl_buf_str(value));
    }
    for (int i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (strlen(cl_blob_header_names[i]) == key_len &&
            strncmp(cl_blob_header_names[i], line, key_len) == 0) {
            return cl_blob_item_header(item, (enum cl_blob_header)i, cl_buf_str(value));
        }
    }
    return true;
}

static int take(struct cl_blob_item *item, char *text)
{
    struct cl_buf value;
    cl_buf_init(&value, SIDECAR_BYTES_MAX);
    bool ok = true;
    char *rest = text;
    for (char *line; ok && (line = strsep(&rest, "\n")) != NULL;) {
        ok = take_line(item, line, &value);
    }
    cl_buf_fini(&value);
    return ok ? 0 : EINVAL;
}

int cl_sidecar_read(int dir, const char *base, struct cl_blob_item *item)
{
    char name[CL_HIDDEN_NAME];
    cl_hidden_name(base, "meta", name);
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    int rc = 0;
    size_t used = 0;
    char *text = malloc(SIDECAR_BYTES_MAX);
    if (!text) {
        rc = ENOMEM;
        goto done;
    }
    for (;;) {
        ssize_t n = read(fd, text + used, SIDECAR_BYTES_MAX - 1 - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = errno;
            goto done;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    text[used] = '\0';
    rc = take(item, text);
done:
    free(text);
    close(fd);
    return rc;
}

static void print(struct cl_buf *out, const char *base, const struct cl_blob_item *item)
{
    cl_buf_adds(out, "# of ");
    cl_blob_escape(out, base, readable);
    cl_buf_addc(out, '\n');
    for (size_t i = 0; i < CL_BLOB_HEADER_COUNT; i++) {
        if (item->headers[i]) {
            cl_buf_addf(out, "%s: ", cl_blob_header_names[i]);
            cl_blob_escape(out, item->headers[i], readable);
            cl_buf_addc(out, '\n');
        }
    }
    for (size_t i = 0; i < item->meta_count; i++) {
        cl_buf_addf(out, "meta.%s: ", item->meta[i].name);
        cl_blob_escape(out, item->meta[i].value, readable);
        cl_buf_addc(out, '\n');
    }
}

int cl_sidecar_write(int dir, const char *base, const char *temp, const struct cl_blob_item *item)
{
    char name[CL_HIDDEN_NAME];
    cl_hidden_name(base, "meta", name);
    struct cl_buf text;
    cl_buf_init(&text, SIDECAR_BYTES_MAX - 1);
    int rc = 0;
    int fd = -1;
    print(&text, base, item);
    if (text.failed) {
        rc = EMSGSIZE;
        goto done;
    }
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        rc = errno;
        goto done;
    }
    rc = cl_write_all(fd, text.data, text.len);
    if (rc == 0 && fsync(fd) != 0) {
        rc = errno;
    }
    if (rc == 0 && renameat(dir, temp, dir, name) != 0) {
        rc = errno;
    }
    if (rc != 0) {
        unlinkat(dir, temp, 0);
    }
done:
    if (fd >= 0) {
        close(fd);
    }
    cl_buf_fini(&text);
    return rc;
}

int cl_sidecar_remove(int dir, const char *base)
{
    char name[CL_HIDDEN_NAME];
    cl_hidden_name(base, "meta", name);
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : errno;
}
