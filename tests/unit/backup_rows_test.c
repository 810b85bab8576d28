/* backup: COPY rows cut and masked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/copyrow.h"
#include "backup/transform.h"
#include "backup_table.h"

/* ---------------------------------------------------------------- building COPY data */

static void put16(struct cl_buf *b, int v)
{
    cl_buf_addc(b, (char)(v >> 8));
    cl_buf_addc(b, (char)v);
}

static void put32(struct cl_buf *b, uint32_t v)
{
    put16(b, (int)(v >> 16));
    put16(b, (int)(v & 0xffff));
}

static void put_field(struct cl_buf *b, const char *bytes, size_t n)
{
    put32(b, (uint32_t)n);
    cl_buf_add(b, bytes, n);
}

/* Three columns: int4, text, jsonb. */
static void make_binary(struct cl_buf *b)
{
    cl_buf_init(b, OUT_MAX);
    cl_buf_add(b, cl_copy_header, CL_COPY_HEADER_BYTES);
    put16(b, 3);
    put_field(b, "\0\0\0\1", 4);
    put_field(b, "to a@corp.example, now", 22);
    put_field(b, "\1{\"m\": \"b@corp.example\"}", 24);
    put16(b, 3);
    put_field(b, "\0\0\0\2", 4);
    put32(b, 0xffffffff);
    put_field(b, "\1null", 5);
    put16(b, 3);
    put32(b, 0xffffffff);
    put_field(b, "", 0);
    put32(b, 0xffffffff);
    cl_buf_add(b, cl_copy_trailer, CL_COPY_TRAILER_BYTES);
}

static const char text_rows[] =
    "1\tto a@corp.example, now\t{\"m\": \"b@corp.example\"}\n"
    "2\t\\N\tnull\n"
    "\\N\t\t\\N\n"
    "4\ta\\tb\\\\c\\nd@corp.example\t{\"k\": \"x\\\\\"y@corp.example\"}\n";

static const char text_masked[] =
    "1\tto a_corp.example@sink.test, now\t{\"m\": \"b_corp.example@sink.test\"}\n"
    "2\t\\N\tnull\n"
    "\\N\t\t\\N\n"
    "4\ta\\tb\\\\c\\nd_corp.example@sink.test\t{\"k\": \"x\\\\\"y_corp.example@sink.test\"}\n";

static struct cl_mask *make_mask(void)
{
    static const struct cl_mask_spec spec = {.sink_domain = "sink.test"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

/* Runs the data through a transform in two chunks, cut at `cut`; false when it is refused. */
static bool through(enum cl_copy_format format, const struct cl_mask *mask, const char *data,
                    size_t n, size_t cut, struct cl_buf *out, uint64_t *rows, struct cl_err *err)
{
    struct cl_transform t;
    assert_true(cl_transform_init(&t, mask, &table, format, err));
    const size_t from[] = {0, cut, n};
    bool ok = true;
    for (int chunk = 0; chunk < 2 && ok; chunk++) {
        /* a copy of exactly the chunk, so that a sanitizer sees a read past it */
        size_t size = from[chunk + 1] - from[chunk];
        char *piece = malloc(size + 1);
        memcpy(piece, data + from[chunk], size);
        piece = realloc(piece, size ? size : 1);
        ok = cl_rows_feed(&t.rows, piece, size, err);
        enum cl_row_status status = CL_ROW_MORE;
        while (ok && (status = cl_rows_next(&t.rows)) != CL_ROW_MORE) {
            if (status == CL_ROW_BAD) {
                ok = cl_transform_bad(&t, err);
            } else if (status == CL_ROW_OK) {
                ok = cl_transform_row(&t, out, err);
            }
        }
        free(piece);
    }
    ok = ok && (cl_rows_complete(&t.rows) || cl_transform_bad(&t, err));
    *rows = t.rows.n;
    cl_transform_fini(&t);
    return ok;
}

/* ---------------------------------------------------------------- rows */

static void binary_rows_survive_every_cut(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    struct cl_buf data;
    struct cl_buf whole;
    struct cl_err err;
    uint64_t rows;
    make_binary(&data);
    cl_buf_init(&whole, OUT_MAX);
    assert_true(through(CL_COPY_BINARY, mask, data.data, data.len, 0, &whole, &rows, &err));
    assert_int_equal(rows, 3);
    assert_non_null(memmem(whole.data, whole.len, "a_corp.example@sink.test", 24));
    assert_non_null(memmem(whole.data, whole.len, "b_corp.example@sink.test", 24));
    assert_null(memmem(whole.data, whole.len, "@corp.example", 13));
    for (size_t cut = 0; cut <= data.len; cut++) {
        struct cl_buf out;
        cl_buf_init(&out, OUT_MAX);
        assert_true(through(CL_COPY_BINARY, mask, data.data, data.len, cut, &out, &rows, &err));
        assert_int_equal(rows, 3);
        assert_int_equal(out.len, whole.len);
        assert_memory_equal(out.data, whole.data, whole.len);
        cl_buf_fini(&out);
    }
    cl_buf_fini(&whole);
    cl_buf_fini(&data);
    cl_mask_free(mask);
}

static void unmasked_binary_rows_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct cl_buf data;
    struct cl_buf out;
    struct cl_err err;
    uint64_t rows;
    make_binary(&data);
    cl_buf_init(&out, OUT_MAX);
    assert_true(through(CL_COPY_BINARY, NULL, data.data, data.len, 30, &out, &rows, &err));
    /* header and trailer are the pipe's */
    assert_int_equal(out.len, data.len - CL_COPY_HEADER_BYTES - CL_COPY_TRAILER_BYTES);
    assert_memory_equal(out.data, data.data + CL_COPY_HEADER_BYTES, out.len);
    cl_buf_fini(&out);
    cl_buf_fini(&data);
}

static void text_rows_survive_every_cut(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    struct cl_err err;
    uint64_t rows;
    size_t n = sizeof text_rows - 1;
    for (size_t cut = 0; cut <= n; cut++) {
        struct cl_buf out;
        cl_buf_init(&out, OUT_MAX);
        assert_true(through(CL_COPY_TEXT, mask, text_rows, n, cut, &out, &rows, &err));
        assert_int_equal(rows, 4);
        assert_string_equal(cl_buf_str(&out), text_masked);
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

static void cut_off_data_is_refused(void **state)
{
    (void)state;
    struct cl_buf data;
    struct cl_err err;
    uint64_t rows;
    make_binary(&data);
    for (size_t n = 0; n < data.len; n++) {
        struct cl_buf out;
        cl_buf_init(&out, OUT_MAX);
        assert_false(through(CL_COPY_BINARY, NULL, data.data, n, n / 2, &out, &rows, &err));
        assert_non_null(strstr(err.message, "crm7.note"));
        cl_buf_fini(&out);
    }
    struct cl_buf out;
    cl_buf_init(&out, OUT_MAX);
    assert_false(
        through(CL_COPY_TEXT, NULL, text_rows, sizeof text_rows - 2, 5, &out, &rows, &err));
    cl_buf_fini(&out);
    cl_buf_fini(&data);
}

static void data_after_the_trailer_is_refused(void **state)
{
    (void)state;
    struct cl_buf data;
    struct cl_buf out;
    struct cl_err err;
    uint64_t rows;
    make_binary(&data);
    cl_buf_addc(&data, 'x');
    cl_buf_init(&out, OUT_MAX);
    assert_false(through(CL_COPY_BINARY, NULL, data.data, data.len, 7, &out, &rows, &err));
    cl_buf_fini(&out);
    cl_buf_fini(&data);
}

static void another_number_of_fields_is_refused(void **state)
{
    (void)state;
    struct cl_buf out;
    struct cl_err err;
    uint64_t rows;
    cl_buf_init(&out, OUT_MAX);
    assert_false(through(CL_COPY_TEXT, NULL, "1\t2\n", 4, 0, &out, &rows, &err));
    assert_false(through(CL_COPY_TEXT, NULL, "1\t2\t3\t4\n", 8, 0, &out, &rows, &err));
    cl_buf_fini(&out);
}

static void random_bytes_are_refused_without_harm(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        struct cl_buf out;
        struct cl_err err;
        uint64_t rows;
        size_t n = 0;
        if (round % 2 == 0) {
            memcpy(bytes, cl_copy_header, CL_COPY_HEADER_BYTES);
            n = CL_COPY_HEADER_BYTES;
            bytes[n++] = 0;
            bytes[n++] = 3;
        }
        for (; n < sizeof bytes; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[n] = (char)(round % 4 == 0 ? (seed >> 60 & 3) : seed >> 56);
        }
        cl_buf_init(&out, OUT_MAX);
        through(CL_COPY_BINARY, NULL, bytes, n, (size_t)round % n, &out, &rows, &err);
        cl_buf_fini(&out);
    }
}

static void zero_columns_are_rows_too(void **state)
{
    (void)state;
    size_t used;
    size_t scanned = 0;
    struct cl_field none[1];
    assert_int_equal(cl_row_binary("\0\0", 2, 0, none, &used), CL_ROW_OK);
    assert_int_equal(used, 2);
    assert_int_equal(cl_row_text("\n\n", 2, 0, none, &used, &scanned), CL_ROW_OK);
    assert_int_equal(used, 1);
    assert_int_equal(cl_row_text("x\n", 2, 0, none, &used, &scanned), CL_ROW_BAD);
}

static void text_escapes_go_both_ways(void **state)
{
    (void)state;
    struct cl_buf plain;
    struct cl_buf again;
    char every[256];
    for (int i = 0; i < 256; i++) {
        every[i] = (char)i;
    }
    cl_buf_init(&plain, OUT_MAX);
    cl_buf_init(&again, OUT_MAX);
    cl_text_escape(&plain, every, sizeof every);
    assert_null(memchr(plain.data, '\n', plain.len));
    assert_null(memchr(plain.data, '\t', plain.len));
    assert_true(cl_text_unescape(&again, plain.data, plain.len));
    assert_int_equal(again.len, sizeof every);
    assert_memory_equal(again.data, every, sizeof every);
    cl_buf_reset(&again);
    static const char odd[] = "\\101\\x41\\x4\\7\\q\\.";
    assert_true(cl_text_unescape(&again, odd, sizeof odd - 1));
    assert_string_equal(cl_buf_str(&again), "AA\4\aq.");
    assert_false(cl_text_unescape(&again, "a\\", 2));
    cl_buf_fini(&plain);
    cl_buf_fini(&again);
}

static void a_value_without_room_names_its_place(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    struct cl_column narrow[] = {
        {.name = "mail", .class = {.text_like = true, .binary = true, .max_chars = 8}}};
    struct cl_table small = {.schema = "s", .name = "t", .columns = narrow, .n_columns = 1};
    struct cl_transform t;
    struct cl_buf out;
    struct cl_err err;
    cl_buf_init(&out, OUT_MAX);
    assert_true(cl_transform_init(&t, mask, &small, CL_COPY_TEXT, &err));
    assert_true(cl_rows_feed(&t.rows, "x\na@b.co\n", 9, &err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_OK);
    assert_true(cl_transform_row(&t, &out, &err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_OK);
    assert_false(cl_transform_row(&t, &out, &err));
    assert_non_null(strstr(err.message, "s.t.mail, row 2"));
    cl_transform_fini(&t);
    cl_buf_fini(&out);
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_rows_survive_every_cut),
        cmocka_unit_test(unmasked_binary_rows_come_out_as_they_went_in),
        cmocka_unit_test(text_rows_survive_every_cut),
        cmocka_unit_test(cut_off_data_is_refused),
        cmocka_unit_test(data_after_the_trailer_is_refused),
        cmocka_unit_test(another_number_of_fields_is_refused),
        cmocka_unit_test(random_bytes_are_refused_without_harm),
        cmocka_unit_test(zero_columns_are_rows_too),
        cmocka_unit_test(text_escapes_go_both_ways),
        cmocka_unit_test(a_value_without_room_names_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
