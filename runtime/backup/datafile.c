/* The data files of an archive: COPY data in one zstd frame, with a checksum over the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "archive.h"
#include "base/hash.h"

/* Level 1: the server, not the disk, is what a backup waits for. */
enum { ZSTD_LEVEL = 1 };

struct cl_file_sink {
    struct cl_sink base;          /* first */
    struct cl_data_file *entry;   /* the caller's; filled by finish */
    char *path;                   /* for messages */
    int fd;                       /* -1: closed */
    ZSTD_CCtx *zstd;              /* one frame */
    struct cl_sha256_stream *sha; /* over what is written */
    char *out;                    /* out_bytes of compressed data */
    size_t out_bytes;             /* ZSTD_CStreamOutSize() */
    uint64_t bytes;               /* written */
    uint64_t raw_bytes;           /* taken */
};

static bool write_all(struct cl_file_sink *sink, size_t n, struct cl_err *err)
{
    const char *p = sink->out;
    cl_sha256_add(sink->sha, p, n);
    sink->bytes += n;
    while (n > 0) {
        ssize_t wrote = write(sink->fd, p, n);
        if (wrote < 0 && errno != EINTR) {
            return cl_fail_errno(err, errno, "cannot write %s", sink->path);
        }
        p += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

static bool compress(struct cl_file_sink *sink, const char *bytes, size_t n,
                     ZSTD_EndDirective directive, struct cl_err *err)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {sink->out, sink->out_bytes, 0};
        left = ZSTD_compressStream2(sink->zstd, &out, &in, directive);
        if (ZSTD_isError(left)) {
            return cl_fail(err, CL_BUG, "E_ZSTD", "%s: %s", sink->path, ZSTD_getErrorName(left));
        }
        if (!write_all(sink, out.pos, err)) {
            return false;
        }
    } while (directive == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

static bool file_put(struct cl_sink *base, const char *bytes, size_t n, struct cl_err *err)
{
    struct cl_file_sink *sink = (struct cl_file_sink *)base;
    sink->raw_bytes += n;
    return compress(sink, bytes, n, ZSTD_e_continue, err);
}

static bool file_finish(struct cl_sink *base, struct cl_err *err)
{
    struct cl_file_sink *sink = (struct cl_file_sink *)base;
    uint8_t digest[CL_SHA256_BYTES];
    if (!compress(sink, "", 0, ZSTD_e_end, err)) {
        return false;
    }
    int rc = fsync(sink->fd);
    int saved = errno;
    close(sink->fd);
    sink->fd = -1;
    if (rc != 0) {
        return cl_fail_errno(err, saved, "cannot write %s", sink->path);
    }
    cl_sha256_end(sink->sha, digest);
    cl_hex(digest, sizeof digest, sink->entry->sha256);
    sink->entry->bytes = sink->bytes;
    sink->entry->raw_bytes = sink->raw_bytes;
    return true;
}

struct cl_file_sink *cl_file_sink_open(const char *folder, struct cl_data_file *entry,
                                       struct cl_err *err)
{
    struct cl_file_sink *sink = calloc(1, sizeof *sink);
    if (!sink) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    sink->base.put = file_put;
    sink->base.finish = file_finish;
    sink->base.rows = CL_ROWS_UNKNOWN;
    sink->entry = entry;
    sink->path = cl_path_join(folder, entry->file);
    sink->out_bytes = ZSTD_CStreamOutSize();
    sink->out = malloc(sink->out_bytes);
    sink->zstd = ZSTD_createCCtx();
    sink->sha = cl_sha256_new();
    sink->fd = -1;
    if (!sink->path || !sink->out || !sink->zstd || !sink->sha) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        goto failed;
    }
    ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_checksumFlag, 1);
    sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (sink->fd < 0) {
        cl_fail_errno(err, errno, "cannot write %s", sink->path);
        goto failed;
    }
    return sink;
failed:
    cl_file_sink_close(sink);
    return NULL;
}

struct cl_sink *cl_file_sink_base(struct cl_file_sink *sink)
{
    return &sink->base;
}

void cl_file_sink_close(struct cl_file_sink *sink)
{
    if (!sink) {
        return;
    }
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    ZSTD_freeCCtx(sink->zstd);
    cl_sha256_free(sink->sha);
    free(sink->out);
    free(sink->path);
    free(sink);
}

struct cl_file_source {
    struct cl_source base;            /* first */
    const struct cl_data_file *entry; /* the caller's: what the manifest says */
    char *path;                       /* for messages */
    int fd;                           /* -1: closed */
    ZSTD_DCtx *zstd;                  /* one frame */
    struct cl_sha256_stream *sha;     /* over what is read */
    char *in;                         /* compressed bytes */
    size_t in_bytes;                  /* ZSTD_DStreamInSize() */
    ZSTD_inBuffer pending;            /* of them, not yet decompressed */
    char *out;                        /* a chunk */
    size_t out_bytes;                 /* ZSTD_DStreamOutSize() */
    size_t frame;                     /* 0: at the end of a frame */
    bool eof;                         /* all of the file was read */
    bool full;                        /* the decoder may hold more output for the same input */
    uint64_t bytes;                   /* read */
    uint64_t raw_bytes;               /* given */
};

static bool altered(const struct cl_file_source *source, const char *how, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: %s", source->entry->file,
                   how);
}

static bool refill(struct cl_file_source *source, struct cl_err *err)
{
    ssize_t n;
    do {
        n = read(source->fd, source->in, source->in_bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return cl_fail_errno(err, errno, "cannot read %s", source->path);
    }
    source->eof = n == 0;
    source->bytes += (size_t)n;
    cl_sha256_add(source->sha, source->in, (size_t)n);
    source->pending = (ZSTD_inBuffer){source->in, (size_t)n, 0};
    return true;
}

/* The whole file has passed: is it the one the manifest speaks of? */
static bool judge(struct cl_file_source *source, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    char hex[CL_SHA256_HEX_BYTES];
    cl_sha256_end(source->sha, digest);
    cl_hex(digest, sizeof digest, hex);
    if (source->frame != 0 || source->bytes < source->entry->bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED", "%s is truncated",
                       source->entry->file);
    }
    if (strcmp(hex, source->entry->sha256) != 0) {
        return altered(source, "its checksum differs", err);
    }
    if (source->raw_bytes != source->entry->raw_bytes) {
        return altered(source, "it holds another number of bytes", err);
    }
    source->base.rows = (int64_t)source->entry->rows;
    return true;
}

static bool file_next(struct cl_source *base, const char **bytes, size_t *n, struct cl_err *err)
{
    struct cl_file_source *source = (struct cl_file_source *)base;
    ZSTD_outBuffer out = {source->out, source->out_bytes, 0};
    while (out.pos == 0 && !source->eof) {
        bool empty = source->pending.pos == source->pending.size;
        if (empty && !source->full && !refill(source, err)) {
            return false;
        }
        if (source->eof) {
            break;
        }
        source->frame = ZSTD_decompressStream(source->zstd, &out, &source->pending);
        if (ZSTD_isError(source->frame)) {
            return altered(source, ZSTD_getErrorName(source->frame), err);
        }
        source->full = out.pos == out.size;
    }
    *bytes = source->out;
    *n = out.pos;
    source->raw_bytes += out.pos;
    return out.pos > 0 || judge(source, err);
}

struct cl_file_source *cl_file_source_open(const char *folder, const struct cl_data_file *entry,
                                           struct cl_err *err)
{
    struct cl_file_source *source = calloc(1, sizeof *source);
    if (!source) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    source->base.next = file_next;
    source->base.rows = CL_ROWS_UNKNOWN;
    source->entry = entry;
    source->frame = 1;
    source->path = cl_path_join(folder, entry->file);
    source->in_bytes = ZSTD_DStreamInSize();
    source->in = malloc(source->in_bytes);
    source->out_bytes = ZSTD_DStreamOutSize();
    source->out = malloc(source->out_bytes);
    source->zstd = ZSTD_createDCtx();
    source->sha = cl_sha256_new();
    source->fd = -1;
    if (!source->path || !source->in || !source->out || !source->zstd || !source->sha) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        goto failed;
    }
    source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 && errno == ENOENT) {
        cl_fail(err, CL_INVALID, "E_ARCHIVE_MISSING", "the archive lacks %s", entry->file);
        goto failed;
    }
    if (source->fd < 0) {
        cl_fail_errno(err, errno, "cannot read %s", source->path);
        goto failed;
    }
    return source;
failed:
    cl_file_source_close(source);
    return NULL;
}

struct cl_source *cl_file_source_base(struct cl_file_source *source)
{
    return &source->base;
}

void cl_file_source_close(struct cl_file_source *source)
{
    if (!source) {
        return;
    }
    if (source->fd >= 0) {
        close(source->fd);
    }
    ZSTD_freeDCtx(source->zstd);
    cl_sha256_free(source->sha);
    free(source->in);
    free(source->out);
    free(source->path);
    free(source);
}
