/*
 * libFuzzer target of what reads bytes others wrote: manifests, the files of archives, COPY data.
 * The first byte of an input says which reader, the second how the rest is cut into chunks.
 *
 *   clang -g -O1 -std=c11 -D_GNU_SOURCE -DCL_FUZZ -fsanitize=fuzzer,address,undefined -Iruntime
 *     $(pkg-config --cflags libpq libuv lua5.4) tests/unit/backup_fuzz.c
 *     runtime/{backup,base,blob,http,loop,mask,pg}/x.c… build/test/embedded.c
 *     -lpq -luv -lzstd -lcrypto -lcurl -lmicrohttpd -lxxhash
 *
 * Built without CL_FUZZ, and not included by backup_fuzz_test.c, it reads one input from standard
 * input: to replay a finding.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/archive.h"
#include "backup/copyrow.h"
#include "backup/envelope.h"
#include "backup/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum cl_fuzzed {
    CL_FUZZ_MANIFEST,
    CL_FUZZ_ENVELOPE,
    CL_FUZZ_DATA_FILE,
    CL_FUZZ_SEALED_FILE,
    CL_FUZZ_ROWS_TEXT,
    CL_FUZZ_ROWS_BINARY,
    CL_FUZZ_TEXT_VALUE,
    CL_FUZZ_KINDS
};

enum { FIELDS = 3, CHECKSUM_ROWS = 64 };

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---------------------------------------------------------------- an archive in memory */

struct memory {
    struct cl_place base; /* first */
    const char *bytes;    /* of the one file */
    size_t n;             /* of them */
    size_t step;          /* read at a time */
};

struct memory_reader {
    struct cl_place_reader base; /* first */
    struct memory *memory;       /* borrowed */
    size_t at;                   /* next byte */
};

static long memory_read(struct cl_place_reader *base, char *bytes, size_t n, struct cl_err *err)
{
    struct memory_reader *r = (struct memory_reader *)base;
    (void)err;
    size_t left = r->memory->n - r->at;
    n = n < left ? n : left;
    n = n < r->memory->step ? n : r->memory->step;
    memcpy(bytes, r->memory->bytes + r->at, n);
    r->at += n;
    return (long)n;
}

static void memory_close(struct cl_place_reader *base)
{
    free(base);
}

static struct cl_place_reader *memory_open(struct cl_place *place, const char *name,
                                           struct cl_err *err)
{
    struct memory_reader *r = calloc(1, sizeof *r);
    (void)name;
    (void)err;
    MUST(r);
    r->base = (struct cl_place_reader){memory_read, memory_close};
    r->memory = (struct memory *)place;
    return &r->base;
}

static const struct cl_place_driver memory_driver = {.open = memory_open};

/* ---------------------------------------------------------------- the readers */

static void fuzz_manifest(const char *bytes, size_t n)
{
    struct cl_manifest m;
    struct cl_err err;
    if (cl_manifest_parse(&m, bytes, n, &err)) {
        struct cl_manifest again;
        struct cl_buf json;
        cl_buf_init(&json, SIZE_MAX / 2);
        MUST(cl_manifest_write(&json, &m));
        MUST(cl_manifest_parse(&again, cl_buf_str(&json), json.len, &err));
        MUST(again.n_tables == m.n_tables && again.n_files == m.n_files);
        for (size_t i = 0; i < m.n_files; i++) {
            MUST(strncmp(m.files[i].file->file, CL_DATA_FOLDER "/", 5) == 0);
            MUST(!strchr(m.files[i].file->file + 5, '/') && m.files[i].file->file[5] != '.');
        }
        cl_manifest_fini(&again);
        cl_buf_fini(&json);
    }
    cl_manifest_fini(&m);
}

static void fuzz_envelope(const char *bytes, size_t n)
{
    struct cl_envelope e = {0};
    struct cl_err err;
    bool sealed;
    if (cl_envelope_parse(&e, &sealed, bytes, n, &err) && sealed) {
        MUST(strlen(e.manifest.sha256) == CL_SHA256_HEX_BYTES - 1);
    }
}

static void fuzz_file(const char *bytes, size_t n, size_t step, bool sealed)
{
    static const uint8_t key[CL_SEAL_KEY_BYTES] = {1};
    struct memory memory = {.base.driver = &memory_driver, .bytes = bytes, .n = n, .step = step};
    struct cl_archive archive = {.place = &memory.base, .sealed = sealed};
    struct cl_data_file entry = {.file = "data/0001.enc", .bytes = n, .raw_bytes = UINT64_MAX};
    struct cl_err err;
    MUST(!sealed || cl_seal_derive(&archive.seal, key, &err));
    struct cl_file_source *source = cl_file_source_open(&archive, &entry, &err);
    size_t got = 1;
    bool ok = source != NULL;
    while (ok && got > 0) {
        const char *chunk;
        struct cl_source *base = cl_file_source_base(source);
        ok = base->next(base, &chunk, &got, &err);
    }
    MUST(!ok); /* no checksum was given that could be right */
    cl_file_source_close(source);
}

/* What the cutter made of data that came in chunks of `step` bytes. */
struct cut {
    uint64_t rows;                   /* whole ones */
    uint64_t bytes;                  /* of them */
    uint64_t lengths[CHECKSUM_ROWS]; /* of the fields of the first ones, mixed */
    bool complete;                   /* it ended where a row ends */
};

static void note_row(struct cut *cut, const struct cl_rows *rows)
{
    uint64_t mixed = rows->row_bytes;
    for (size_t i = 0; i < FIELDS; i++) {
        const struct cl_field *f = &rows->fields[i];
        MUST(f->len >= -1);
        MUST(f->len < 0 ||
             (f->data >= rows->row && f->data + f->len <= rows->row + rows->row_bytes));
        mixed = mixed * 31 + (uint64_t)f->len;
    }
    if (cut->rows < CHECKSUM_ROWS) {
        cut->lengths[cut->rows] = mixed;
    }
    cut->rows++;
    cut->bytes += rows->row_bytes;
}

static struct cut cut_rows(enum cl_copy_format format, const char *bytes, size_t n, size_t step)
{
    struct cut cut = {0};
    struct cl_rows rows = {0};
    struct cl_err err;
    enum cl_row_status status = CL_ROW_MORE;
    MUST(cl_rows_init(&rows, format, FIELDS, &err));
    for (size_t at = 0; at < n && status != CL_ROW_BAD; at += step) {
        size_t size = n - at < step ? n - at : step;
        char *chunk = malloc(size); /* of its own, so that reading past it is noticed */
        MUST(chunk);
        memcpy(chunk, bytes + at, size);
        bool fed = cl_rows_feed(&rows, chunk, size, &err);
        while (fed && ((status = cl_rows_next(&rows)) == CL_ROW_OK || status == CL_ROW_END)) {
            if (status == CL_ROW_OK) {
                note_row(&cut, &rows);
            }
        }
        status = fed ? status : CL_ROW_BAD;
        if (status == CL_ROW_MORE) {
            MUST(rows.left == 0 || rows.in_carry);
        }
        free(chunk);
    }
    cut.complete = status != CL_ROW_BAD && cl_rows_complete(&rows);
    cl_rows_fini(&rows);
    return cut;
}

static void fuzz_rows(enum cl_copy_format format, const char *bytes, size_t n, size_t step)
{
    struct cut whole = cut_rows(format, bytes, n, n + 1);
    struct cut pieces = cut_rows(format, bytes, n, step);
    MUST(whole.bytes <= n);
    MUST(whole.rows == pieces.rows && whole.bytes == pieces.bytes);
    MUST(memcmp(whole.lengths, pieces.lengths, sizeof whole.lengths) == 0);
    MUST(whole.complete == pieces.complete);
}

static void fuzz_text(const char *bytes, size_t n)
{
    struct cl_buf escaped;
    struct cl_buf back;
    cl_buf_init(&escaped, SIZE_MAX / 2);
    cl_buf_init(&back, SIZE_MAX / 2);
    MUST(cl_text_escape(&escaped, bytes, n));
    MUST(cl_text_unescape(&back, cl_buf_str(&escaped), escaped.len));
    MUST(back.len == n && (n == 0 || memcmp(back.data, bytes, n) == 0));
    cl_buf_reset(&back);
    cl_text_unescape(&back, bytes, n);
    cl_buf_fini(&back);
    cl_buf_fini(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t step = data[1] + 1u;
    size_t n = size - 2;
    char *bytes = malloc(n + 1); /* of its own: no reader may rely on what follows */
    MUST(bytes);
    memcpy(bytes, data + 2, n);
    switch ((enum cl_fuzzed)(data[0] % CL_FUZZ_KINDS)) {
    case CL_FUZZ_MANIFEST:
        fuzz_manifest(bytes, n);
        break;
    case CL_FUZZ_ENVELOPE:
        fuzz_envelope(bytes, n);
        break;
    case CL_FUZZ_DATA_FILE:
        fuzz_file(bytes, n, step, false);
        break;
    case CL_FUZZ_SEALED_FILE:
        fuzz_file(bytes, n, step, true);
        break;
    case CL_FUZZ_ROWS_TEXT:
        fuzz_rows(CL_COPY_TEXT, bytes, n, step);
        break;
    case CL_FUZZ_ROWS_BINARY:
        fuzz_rows(CL_COPY_BINARY, bytes, n, step);
        break;
    default:
        fuzz_text(bytes, n);
        break;
    }
    free(bytes);
    return 0;
}

#if !defined CL_FUZZ && !defined CL_FUZZ_INCLUDED
int main(void)
{
    static char input[1 << 20];
    size_t n = fread(input, 1, sizeof input, stdin);
    return LLVMFuzzerTestOneInput((const uint8_t *)input, n);
}
#endif
