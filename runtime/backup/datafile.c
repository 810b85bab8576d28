/* The data files of an archive: COPY data in one zstd frame, stored as stored.h says. */
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "archive.h"

enum { WINDOW_LOG_MAX = 27 }; /* 128 MiB: what zstd -d takes without being asked */

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

struct cl_file_sink {
    struct cl_sink base;           /* first */
    struct cl_data_file *entry;    /* the caller's; filled by finish */
    struct cl_stored_writer *file; /* owned */
    ZSTD_CCtx *zstd;               /* one frame */
    char *out;                     /* out_bytes of compressed data */
    size_t out_bytes;              /* ZSTD_CStreamOutSize() */
    uint64_t raw_bytes;            /* taken */
};

static bool compress(struct cl_file_sink *sink, const char *bytes, size_t n,
                     ZSTD_EndDirective directive, struct cl_err *err)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {sink->out, sink->out_bytes, 0};
        left = ZSTD_compressStream2(sink->zstd, &out, &in, directive);
        if (ZSTD_isError(left)) {
            return cl_fail(err, CL_BUG, "E_ZSTD", "%s: %s", sink->entry->file,
                           ZSTD_getErrorName(left));
        }
        if (!cl_stored_write(sink->file, sink->out, out.pos, err)) {
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
    struct cl_stored stored;
    if (!compress(sink, "", 0, ZSTD_e_end, err) || !cl_stored_finish(sink->file, &stored, err)) {
        return false;
    }
    memcpy(sink->entry->sha256, stored.sha256, sizeof sink->entry->sha256);
    sink->entry->bytes = stored.bytes;
    sink->entry->raw_bytes = sink->raw_bytes;
    return true;
}

struct cl_file_sink *cl_file_sink_open(struct cl_archive *archive, struct cl_data_file *file,
                                       struct cl_err *err)
{
    struct cl_file_sink *sink = calloc(1, sizeof *sink);
    if (!sink) {
        no_memory(err);
        return NULL;
    }
    sink->base.put = file_put;
    sink->base.finish = file_finish;
    sink->base.rows = CL_ROWS_UNKNOWN;
    sink->entry = file;
    sink->out_bytes = ZSTD_CStreamOutSize();
    sink->out = malloc(sink->out_bytes);
    sink->zstd = ZSTD_createCCtx();
    if (!sink->out || !sink->zstd) {
        no_memory(err);
        goto failed;
    }
    ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_compressionLevel, archive->level);
    ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_checksumFlag, 1);
    sink->file =
        cl_stored_create(archive->place, archive->sealed ? &archive->seal : NULL, file->file, err);
    if (sink->file) {
        return sink;
    }
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
    cl_stored_close_writer(sink->file);
    ZSTD_freeCCtx(sink->zstd);
    free(sink->out);
    free(sink);
}

struct cl_file_source {
    struct cl_source base;            /* first */
    const struct cl_data_file *entry; /* the caller's: what the manifest says */
    struct cl_stored_reader *file;    /* owned */
    ZSTD_DCtx *zstd;                  /* one frame */
    ZSTD_inBuffer pending;            /* bytes of the file, not yet decompressed */
    char *out;                        /* a chunk */
    size_t out_bytes;                 /* ZSTD_DStreamOutSize() */
    size_t frame;                     /* 0: at the end of a frame */
    bool eof;                         /* all of the file was read */
    bool full;                        /* the decoder may hold more output for the same input */
    uint64_t raw_bytes;               /* given */
};

static bool altered(const struct cl_file_source *source, const char *how, struct cl_err *err)
{
    return cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: %s", source->entry->file,
                   how);
}

static bool refill(struct cl_file_source *source, struct cl_err *err)
{
    const char *bytes;
    size_t n;
    if (!cl_stored_read(source->file, &bytes, &n, err)) {
        return false;
    }
    source->eof = n == 0;
    source->pending = (ZSTD_inBuffer){bytes, n, 0};
    return true;
}

static bool check_stored(struct cl_stored_reader *reader, const struct cl_data_file *entry,
                         struct cl_err *err)
{
    struct cl_stored stored = {.bytes = entry->bytes};
    memcpy(stored.sha256, entry->sha256, sizeof stored.sha256);
    return cl_stored_check(reader, &stored, err);
}

/* The whole file has passed: is it the one the manifest speaks of? */
static bool judge(struct cl_file_source *source, struct cl_err *err)
{
    if (!check_stored(source->file, source->entry, err)) {
        return false;
    }
    if (source->frame != 0) {
        return altered(source, "it ends in the middle", err);
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

struct cl_file_source *cl_file_source_open(struct cl_archive *archive,
                                           const struct cl_data_file *file, struct cl_err *err)
{
    struct cl_file_source *source = calloc(1, sizeof *source);
    if (!source) {
        no_memory(err);
        return NULL;
    }
    source->base.next = file_next;
    source->base.rows = CL_ROWS_UNKNOWN;
    source->entry = file;
    source->frame = 1;
    source->out_bytes = ZSTD_DStreamOutSize();
    source->out = malloc(source->out_bytes);
    source->zstd = ZSTD_createDCtx();
    if (!source->out || !source->zstd) {
        no_memory(err);
        goto failed;
    }
    ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    source->file =
        cl_stored_open(archive->place, archive->sealed ? &archive->seal : NULL, file->file, err);
    if (source->file) {
        return source;
    }
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
    cl_stored_close_reader(source->file);
    ZSTD_freeDCtx(source->zstd);
    free(source->out);
    free(source);
}

bool cl_archive_check_data(struct cl_archive *archive, const struct cl_data_file *file,
                           struct cl_err *err)
{
    struct cl_stored_reader *reader = cl_stored_open(archive->place, NULL, file->file, err);
    bool ok = reader && check_stored(reader, file, err);
    cl_stored_close_reader(reader);
    return ok;
}
