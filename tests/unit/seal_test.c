/* Encryption of archives: keys, HKDF against its published vectors, what does not authenticate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/seal.h"
#include "base/hash.h"

enum { SEALED = CL_SEAL_CHUNK_BYTES + CL_SEAL_TAG_BYTES };

static void keys_come_in_three_forms(void **state)
{
    (void)state;
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    static const char base64[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    uint8_t raw[CL_SEAL_KEY_BYTES];
    uint8_t key[CL_SEAL_KEY_BYTES];
    struct cl_err err;
    for (size_t i = 0; i < sizeof raw; i++) {
        raw[i] = (uint8_t)i;
    }
    assert_true(cl_seal_parse_key(hex, sizeof hex - 1, key, &err));
    assert_memory_equal(key, raw, sizeof raw);
    assert_true(cl_seal_parse_key(base64, sizeof base64 - 1, key, &err));
    assert_memory_equal(key, raw, sizeof raw);
    assert_true(cl_seal_parse_key((const char *)raw, sizeof raw, key, &err));
    assert_memory_equal(key, raw, sizeof raw);
    assert_true(
        cl_seal_parse_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n", 46, key, &err));
    static const char *const bad[] = {
        "",
        "password",
        "0001",
        "zz",
        "AAECAwQFBgcICQoLDA0ODxAREhMU",
        "g00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(cl_seal_parse_key(bad[i], strlen(bad[i]), key, &err));
        assert_string_equal(err.code, "E_ARCHIVE_KEY");
    }
}

/* RFC 5869, A.1 and A.3 */
static void hkdf_is_the_published_one(void **state)
{
    (void)state;
    uint8_t ikm[22];
    uint8_t salt[13];
    uint8_t out[42];
    char hex[2 * sizeof out + 1];
    static const char info[] = "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9";
    memset(ikm, 0x0b, sizeof ikm);
    for (size_t i = 0; i < sizeof salt; i++) {
        salt[i] = (uint8_t)i;
    }
    assert_true(cl_hkdf_sha256(ikm, sizeof ikm, salt, sizeof salt, info, 10, out, sizeof out));
    cl_hex(out, sizeof out, hex);
    assert_string_equal(hex, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                             "34007208d5b887185865");
    assert_true(cl_hkdf_sha256(ikm, sizeof ikm, salt, 0, "", 0, out, sizeof out));
    cl_hex(out, sizeof out, hex);
    assert_string_equal(hex, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                             "9d201395faa4b61a96c8");
}

/* Two whole chunks and a short one, as they lie in a file. */
struct sample {
    struct cl_seal seal;
    char header[CL_SEAL_HEADER_BYTES];
    char *clear; /* a chunk */
    char *chunks[3];
    char *out; /* a chunk */
};

static const size_t sizes[] = {CL_SEAL_CHUNK_BYTES, CL_SEAL_CHUNK_BYTES, 100};

static int set_up(void **state)
{
    struct sample *s = calloc(1, sizeof *s);
    struct cl_err err;
    uint8_t secret[CL_SEAL_KEY_BYTES] = {1, 2, 3};
    assert_non_null(s);
    memset(s->seal.salt, 7, sizeof s->seal.salt);
    assert_true(cl_seal_derive(&s->seal, secret, &err));
    s->clear = calloc(1, CL_SEAL_CHUNK_BYTES);
    s->out = calloc(1, CL_SEAL_CHUNK_BYTES);
    struct cl_seal_file *f = cl_seal_begin(&s->seal, "data/0001.enc", s->header, &err);
    assert_non_null(f);
    for (size_t i = 0; i < 3; i++) {
        s->chunks[i] = calloc(1, SEALED);
        assert_true(cl_seal_chunk(f, s->clear, sizes[i], i == 2, s->chunks[i], &err));
    }
    cl_seal_free(f);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct sample *s = *state;
    for (size_t i = 0; i < 3; i++) {
        free(s->chunks[i]);
    }
    free(s->clear);
    free(s->out);
    free(s);
    return 0;
}

/* Opens the chunks in that order, the last of them as the last; how many do. */
static size_t opened(struct sample *s, const char *name, const size_t *order, size_t n)
{
    struct cl_err err;
    struct cl_seal_file *f = cl_seal_resume(&s->seal, name, s->header, &err);
    size_t i = 0;
    assert_non_null(f);
    while (i < n && cl_unseal_chunk(f, s->chunks[order[i]], sizes[order[i]] + CL_SEAL_TAG_BYTES,
                                    i + 1 == n, s->out, &err)) {
        i++;
    }
    assert_true(i == n || strcmp(err.code, "E_ARCHIVE_ALTERED") == 0);
    cl_seal_free(f);
    return i;
}

static void only_the_file_as_it_was_opens(void **state)
{
    struct sample *s = *state;
    static const char name[] = "data/0001.enc";
    assert_int_equal(opened(s, name, (size_t[]){0, 1, 2}, 3), 3);
    assert_int_equal(opened(s, "data/0002.enc", (size_t[]){0, 1, 2}, 3), 0);
    assert_int_equal(opened(s, name, (size_t[]){0, 1}, 2), 1);       /* cut off */
    assert_int_equal(opened(s, name, (size_t[]){0}, 1), 0);          /* cut off */
    assert_int_equal(opened(s, name, (size_t[]){1, 0, 2}, 3), 0);    /* reordered */
    assert_int_equal(opened(s, name, (size_t[]){0, 0, 1, 2}, 4), 1); /* repeated */
    assert_int_equal(opened(s, name, (size_t[]){0, 2}, 2), 1);       /* one is missing */
    assert_int_equal(opened(s, name, (size_t[]){0, 1, 2, 2}, 4), 2); /* goes on */
}

static void every_byte_counts(void **state)
{
    struct sample *s = *state;
    for (size_t i = 0; i < sizes[2] + CL_SEAL_TAG_BYTES; i++) {
        s->chunks[2][i] ^= 1;
        assert_int_equal(opened(s, "data/0001.enc", (size_t[]){0, 1, 2}, 3), 2);
        s->chunks[2][i] ^= 1;
    }
    for (size_t i = 8; i < sizeof s->header; i++) {
        s->header[i] ^= 1;
        assert_int_equal(opened(s, "data/0001.enc", (size_t[]){0, 1, 2}, 3), 0);
        s->header[i] ^= 1;
    }
    s->seal.key[0] ^= 1;
    assert_int_equal(opened(s, "data/0001.enc", (size_t[]){0, 1, 2}, 3), 0);
}

static void what_does_not_authenticate_is_not_shown(void **state)
{
    struct sample *s = *state;
    struct cl_err err;
    struct cl_seal_file *f = cl_seal_resume(&s->seal, "data/0001.enc", s->header, &err);
    memset(s->clear, 0x55, CL_SEAL_CHUNK_BYTES);
    memset(s->out, 0x55, CL_SEAL_CHUNK_BYTES);
    s->chunks[0][SEALED - 1] ^= 1;
    assert_false(cl_unseal_chunk(f, s->chunks[0], SEALED, false, s->out, &err));
    for (size_t i = 0; i < CL_SEAL_CHUNK_BYTES; i++) {
        assert_int_equal(s->out[i], 0);
    }
    assert_false(cl_unseal_chunk(f, s->chunks[0], 3, true, s->out, &err));
    assert_string_equal(err.code, "E_ARCHIVE_TRUNCATED");
    cl_seal_free(f);
    s->header[0] = 'X';
    assert_null(cl_seal_resume(&s->seal, "data/0001.enc", s->header, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_in_three_forms),
        cmocka_unit_test(hkdf_is_the_published_one),
        cmocka_unit_test_setup_teardown(only_the_file_as_it_was_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_authenticate_is_not_shown, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
