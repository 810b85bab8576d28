/* The readers of backup_fuzz.c on noise: good inputs of each kind, altered at random, the same way
 * every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#define CL_FUZZ_INCLUDED
#include "backup_fuzz.c"

enum { ROUNDS = 12000, ALTERED_MAX = 8, INPUT_MAX = 200000 };

static uint64_t state_of_noise;

/* xorshift64: the same sequence everywhere */
static uint64_t noise(void)
{
    state_of_noise ^= state_of_noise << 13;
    state_of_noise ^= state_of_noise >> 7;
    state_of_noise ^= state_of_noise << 17;
    return state_of_noise;
}

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(noise() % n) : 0;
}

/* Alters *n bytes, which have room for as many more as ALTERED_MAX. */
static void alter(uint8_t *bytes, size_t *n)
{
    static const uint8_t telling[] = {0,   0xff, '\\', '\n', '\t', '"',
                                      '{', '[',  ',',  '.',  0x7f, 0x80};
    size_t at = below(*n);
    switch (below(6)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        bytes[at] = telling[below(sizeof telling)];
        break;
    case 2: /* cut off */
        *n = at;
        break;
    case 3: /* one is missing */
        memmove(bytes + at, bytes + at + 1, *n - at - 1);
        *n -= 1;
        break;
    case 4: /* one is there twice */
        memmove(bytes + at + 1, bytes + at, *n - at);
        *n += 1;
        break;
    default: /* a stretch is moved */
        memmove(bytes + below(at + 1), bytes + at, *n - at < 16 ? *n - at : 16);
        break;
    }
}

static void try(enum cl_fuzzed kind, const void *seed, size_t n)
{
    uint8_t *input = malloc(n + 2 + ALTERED_MAX);
    assert_non_null(input);
    assert_in_range(n, 1, INPUT_MAX);
    state_of_noise = 88172645463325252u + (uint64_t)kind;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t used = n;
        memcpy(input + 2, seed, n);
        for (size_t j = below(ALTERED_MAX); j > 0 && used > 1; j--) {
            alter(input + 2, &used);
        }
        input[0] = (uint8_t)kind;
        input[1] = (uint8_t)noise();
        LLVMFuzzerTestOneInput(input, used + 2);
    }
    free(input);
}

static const char manifest[] =
    "{\"format_version\": 2, \"source\": {\"system_identifier\": \"7\", \"database_oid\": 5,"
    " \"database\": \"d\\u00e9\\n\", \"server_version\": \"15.1\", \"server_version_num\": 150001},"
    " \"snapshot\": \"s\", \"started\": \"a\", \"finished\": \"b\", \"large_objects\": 0,"
    " \"large_object_files\": [], \"large_object_roles\": [{\"name\": \"r\", \"owns\": true,"
    " \"granted\": false, \"grants\": false}], \"compression\": {\"method\": \"zstd\", \"level\": "
    "1},"
    " \"schema\": {\"file\": \"schema.dump\", \"bytes\": 9, \"sha256\": \"\", \"pg_dump\": 15},"
    " \"tables\": [{\"schema\": \"s\", \"name\": \"t\", \"format\": \"binary\", \"files\":"
    " [{\"file\": \"data/0001_s.t.00.bin.zst\", \"rows\": 3, \"bytes\": 4, \"raw_bytes\": 5, "
    "\"sha256\": \"x\"},"
    "  {\"file\": \"data/0001_s.t.01.bin.zst\", \"rows\": 3, \"bytes\": 4, \"raw_bytes\": 5, "
    "\"sha256\": \"x\"}],"
    " \"columns\": [{\"name\": \"c\", \"type\": \"text\"}]}],"
    " \"indexes\": [], \"foreign_keys\": [],"
    " \"sequences\": [{\"schema\": \"s\", \"name\": \"q\", \"last_value\": -1, \"is_called\": "
    "true}],"
    " \"materialized_views\": [{\"schema\": \"s\", \"name\": \"v\"}], \"excluded\": []}";

static void manifests(void **state)
{
    (void)state;
    struct cl_manifest m;
    struct cl_err err = {.message = ""};
    bool ok = cl_manifest_parse(&m, manifest, sizeof manifest - 1, &err);
    if (!ok) {
        fail_msg("the seed is to be read: %s", err.message);
    }
    cl_manifest_fini(&m);
    try(CL_FUZZ_MANIFEST, manifest, sizeof manifest - 1);
}

static void envelopes(void **state)
{
    (void)state;
    struct cl_envelope e = {.manifest.bytes = 77};
    struct cl_buf json;
    memset(e.manifest.sha256, 'a', sizeof e.manifest.sha256 - 1);
    cl_buf_init(&json, INPUT_MAX);
    assert_true(cl_envelope_write(&json, &e));
    try(CL_FUZZ_ENVELOPE, json.data, json.len);
    cl_buf_fini(&json);
}

/* A frame of rows that repeat and rows that do not. */
static size_t make_frame(char *out, size_t room)
{
    char rows[6000];
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = (char)(i < sizeof rows / 2 ? "abc\t1\n"[i % 6] : (char)noise());
    }
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(zstd, out, room, rows, sizeof rows);
    ZSTD_freeCCtx(zstd);
    assert_false(ZSTD_isError(n));
    return n;
}

static void data_files(void **state)
{
    (void)state;
    char frame[8000];
    state_of_noise = 1;
    size_t n = make_frame(frame, sizeof frame);
    try(CL_FUZZ_DATA_FILE, frame, n);
}

static void sealed_files(void **state)
{
    (void)state;
    static const uint8_t key[CL_SEAL_KEY_BYTES] = {1};
    char frame[8000];
    char file[CL_SEAL_HEADER_BYTES + sizeof frame + CL_SEAL_TAG_BYTES];
    struct cl_seal seal = {.salt = {0}};
    struct cl_err err;
    state_of_noise = 1;
    size_t n = make_frame(frame, sizeof frame);
    assert_true(cl_seal_derive(&seal, key, &err));
    struct cl_seal_file *f = cl_seal_begin(&seal, "data/0001.enc", file, &err);
    assert_non_null(f);
    assert_true(cl_seal_chunk(f, frame, n, true, file + CL_SEAL_HEADER_BYTES, &err));
    cl_seal_free(f);
    try(CL_FUZZ_SEALED_FILE, file, CL_SEAL_HEADER_BYTES + n + CL_SEAL_TAG_BYTES);
}

static void rows_of_text(void **state)
{
    (void)state;
    static const char text[] =
        "1\tone\\ttwo\\\\\t\\N\n2\t\\N\tx\n\t\t\n3\t\\x41\\101\\n\\\n\tend\n\\.x\ty\tz\n";
    try(CL_FUZZ_ROWS_TEXT, text, sizeof text - 1);
}

static void rows_of_binary(void **state)
{
    (void)state;
    struct cl_buf out;
    cl_buf_init(&out, INPUT_MAX);
    cl_buf_add(&out, cl_copy_header, CL_COPY_HEADER_BYTES);
    for (size_t i = 0; i < 5; i++) {
        cl_buf_add(&out, "\0\3\0\0\0\4abcd\xff\xff\xff\xff\0\0\0\0", 18);
        cl_buf_add(&out, "\0\3\0\0\0\1z\0\0\0\2yy\0\0\0\3www", 20);
    }
    cl_buf_add(&out, cl_copy_trailer, CL_COPY_TRAILER_BYTES);
    try(CL_FUZZ_ROWS_BINARY, out.data, out.len);
    cl_buf_fini(&out);
}

static void text_values(void **state)
{
    (void)state;
    static const char text[] = "plain \b\f\n\r\t\v\\ \\x4 \\7 \\08 \x80\xff";
    try(CL_FUZZ_TEXT_VALUE, text, sizeof text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests),    cmocka_unit_test(envelopes),
        cmocka_unit_test(data_files),   cmocka_unit_test(sealed_files),
        cmocka_unit_test(rows_of_text), cmocka_unit_test(rows_of_binary),
        cmocka_unit_test(text_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
