#include "stored.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
    READ_BYTES = 128 * 1024,
    SEALED_BYTES = CL_SEAL_CHUNK_BYTES + CL_SEAL_TAG_BYTES,
};

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

/* ---------------------------------------------------------------- writing */

struct cl_stored_writer {
    struct cl_place_writer *place; /* owned */
    struct cl_seal_file *seal;     /* owned; NULL: not encrypted */
    struct cl_sha256_stream *sha;  /* owned; over what is written */
    uint64_t bytes;                /* written */
    char *chunk;                   /* owned; clear text that waits for the rest of its chunk */
    size_t used;                   /* bytes of it */
    char *out;                     /* owned; an encrypted chunk */
};

static bool put(struct cl_stored_writer *w, const char *bytes, size_t n, struct cl_err *err)
{
    cl_sha256_add(w->sha, bytes, n);
    w->bytes += n;
    return w->place->write(w->place, bytes, n, err);
}

static bool put_chunk(struct cl_stored_writer *w, bool last, struct cl_err *err)
{
    size_t n = w->used;
    w->used = 0;
    return cl_seal_chunk(w->seal, w->chunk, n, last, w->out, err) &&
           put(w, w->out, n + CL_SEAL_TAG_BYTES, err);
}

static bool start_sealing(struct cl_stored_writer *w, const struct cl_seal *seal, const char *name,
                          struct cl_err *err)
{
    char header[CL_SEAL_HEADER_BYTES];
    w->chunk = malloc(CL_SEAL_CHUNK_BYTES);
    w->out = malloc(SEALED_BYTES);
    if (!w->chunk || !w->out) {
        return no_memory(err);
    }
    w->seal = cl_seal_begin(seal, name, header, err);
    return w->seal && put(w, header, sizeof header, err);
}

struct cl_stored_writer *cl_stored_create(struct cl_place *place, const struct cl_seal *seal,
                                          const char *name, struct cl_err *err)
{
    struct cl_stored_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->sha = cl_sha256_new())) {
        free(w);
        no_memory(err);
        return NULL;
    }
    w->place = cl_place_create(place, name, err);
    if (!w->place || (seal && !start_sealing(w, seal, name, err))) {
        cl_stored_close_writer(w);
        return NULL;
    }
    return w;
}

bool cl_stored_write(struct cl_stored_writer *w, const char *bytes, size_t n, struct cl_err *err)
{
    if (!w->seal) {
        return put(w, bytes, n, err);
    }
    while (n > 0) {
        /* a full chunk waits too: it may be the last one */
        if (w->used == CL_SEAL_CHUNK_BYTES && !put_chunk(w, false, err)) {
            return false;
        }
        size_t room = CL_SEAL_CHUNK_BYTES - w->used;
        size_t step = n < room ? n : room;
        memcpy(w->chunk + w->used, bytes, step);
        w->used += step;
        bytes += step;
        n -= step;
    }
    return true;
}

bool cl_stored_finish(struct cl_stored_writer *w, struct cl_stored *stored, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    if ((w->seal && !put_chunk(w, true, err)) || !w->place->finish(w->place, err)) {
        return false;
    }
    cl_sha256_end(w->sha, digest);
    cl_hex(digest, sizeof digest, stored->sha256);
    stored->bytes = w->bytes;
    return true;
}

void cl_stored_close_writer(struct cl_stored_writer *w)
{
    if (!w) {
        return;
    }
    if (w->place) {
        w->place->close(w->place);
    }
    cl_seal_free(w->seal);
    cl_sha256_free(w->sha);
    free(w->chunk);
    free(w->out);
    free(w);
}

/* ---------------------------------------------------------------- reading */

struct cl_stored_reader {
    struct cl_place_reader *place; /* owned */
    struct cl_seal_file *seal;     /* owned; NULL: not encrypted */
    struct cl_sha256_stream *sha;  /* owned; over what is read */
    char *name;                    /* owned; for messages */
    uint64_t bytes;                /* read */
    bool eof;                      /* all of it was read */
    bool given;                    /* the last bytes were given */
    char *in;                      /* owned; room bytes as stored */
    size_t room;                   /* of in */
    size_t used;                   /* bytes in it */
    size_t taken;                  /* of them, in chunks that were given */
    char *out;                     /* owned; a decrypted chunk */
};

/* Reads until there are `want` bytes in `in`, or the file ends. */
static bool fill(struct cl_stored_reader *r, size_t want, struct cl_err *err)
{
    while (!r->eof && r->used < want) {
        long n = r->place->read(r->place, r->in + r->used, r->room - r->used, err);
        if (n < 0) {
            return false;
        }
        cl_sha256_add(r->sha, r->in + r->used, (size_t)n);
        r->used += (size_t)n;
        r->bytes += (size_t)n;
        r->eof = n == 0;
    }
    return true;
}

static bool start_unsealing(struct cl_stored_reader *r, const struct cl_seal *seal,
                            struct cl_err *err)
{
    r->out = malloc(CL_SEAL_CHUNK_BYTES);
    if (!r->out) {
        return no_memory(err);
    }
    if (!fill(r, CL_SEAL_HEADER_BYTES, err)) {
        return false;
    }
    if (r->used < CL_SEAL_HEADER_BYTES) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED", "%s is truncated", r->name);
    }
    r->taken = CL_SEAL_HEADER_BYTES;
    r->seal = cl_seal_resume(seal, r->name, r->in, err);
    return r->seal != NULL;
}

struct cl_stored_reader *cl_stored_open(struct cl_place *place, const struct cl_seal *seal,
                                        const char *name, struct cl_err *err)
{
    struct cl_stored_reader *r = calloc(1, sizeof *r);
    if (!r) {
        no_memory(err);
        return NULL;
    }
    r->name = strdup(name);
    r->sha = cl_sha256_new();
    r->room = seal ? 2 * SEALED_BYTES : READ_BYTES;
    r->in = malloc(r->room);
    if (!r->name || !r->sha || !r->in) {
        no_memory(err);
        goto failed;
    }
    r->place = cl_place_read(place, name, err);
    if (r->place && (!seal || start_unsealing(r, seal, err))) {
        return r;
    }
failed:
    cl_stored_close_reader(r);
    return NULL;
}

/* The next chunk; one more byte than it has is read, to know whether it is the last. */
static bool next_chunk(struct cl_stored_reader *r, size_t *n, struct cl_err *err)
{
    r->used -= r->taken;
    memmove(r->in, r->in + r->taken, r->used);
    r->taken = 0;
    if (!fill(r, SEALED_BYTES + 1, err)) {
        return false;
    }
    bool last = r->used <= SEALED_BYTES;
    size_t chunk = last ? r->used : SEALED_BYTES;
    if (!cl_unseal_chunk(r->seal, r->in, chunk, last, r->out, err)) {
        return false;
    }
    r->taken = chunk;
    r->given = last;
    *n = chunk - CL_SEAL_TAG_BYTES;
    return true;
}

bool cl_stored_read(struct cl_stored_reader *r, const char **bytes, size_t *n, struct cl_err *err)
{
    *n = 0;
    *bytes = "";
    if (r->seal) {
        *bytes = r->out;
        return r->given || next_chunk(r, n, err);
    }
    r->used = 0;
    if (!fill(r, 1, err)) {
        return false;
    }
    *bytes = r->in;
    *n = r->used;
    return true;
}

bool cl_stored_check(struct cl_stored_reader *r, const struct cl_stored *stored, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    char hex[CL_SHA256_HEX_BYTES];
    while (!r->eof) {
        r->used = 0;
        if (!fill(r, 1, err)) {
            return false;
        }
    }
    cl_sha256_end(r->sha, digest);
    cl_hex(digest, sizeof digest, hex);
    if (r->bytes < stored->bytes) {
        return cl_fail(err, CL_INVALID, "E_ARCHIVE_TRUNCATED",
                       "%s is truncated: %llu of %llu bytes", r->name, (unsigned long long)r->bytes,
                       (unsigned long long)stored->bytes);
    }
    return strcmp(hex, stored->sha256) == 0 ||
           cl_fail(err, CL_INVALID, "E_ARCHIVE_ALTERED", "%s was altered: its checksum differs",
                   r->name);
}

void cl_stored_close_reader(struct cl_stored_reader *r)
{
    if (!r) {
        return;
    }
    if (r->place) {
        r->place->close(r->place);
    }
    cl_seal_free(r->seal);
    cl_sha256_free(r->sha);
    if (r->out) {
        explicit_bzero(r->out, CL_SEAL_CHUNK_BYTES);
    }
    free(r->name);
    free(r->in);
    free(r->out);
    free(r);
}
