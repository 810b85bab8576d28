/* Rows that come one in a chunk: which pass as they are, and that the others come out the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/transform.h"

enum { OUT_MAX = 1 << 20 };

static struct cl_column columns[] = {
    {.name = "id", .class = {.binary = true}},
    {.name = "note", .class = {.text_like = true, .binary = true}},
    {.name = "mail", .class = {.text_like = true, .binary = true}},
};

static const struct cl_table table = {
    .schema = "crm7", .name = "note", .columns = columns, .n_columns = 3, .text_like = true};

static struct cl_mask *make_mask(bool keeps)
{
    static const char *const names[] = {"root", NULL};
    static const struct cl_mask_keep keep[] = {{"crm7", "note", "mail", names, "sign-in names"}};
    const struct cl_mask_spec spec = {
        .sink_domain = "sink.test", .keep = keep, .n_keep = keeps ? 1 : 0};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

/* Adds a field as binary COPY has it. */
static void add_field(struct cl_buf *row, const char *value)
{
    size_t n = strlen(value);
    const char len[] = {0, 0, 0, (char)n};
    cl_buf_add(row, len, sizeof len);
    cl_buf_add(row, value, n);
}

static void make_row(struct cl_buf *row, const char *id, const char *note, const char *mail)
{
    cl_buf_init(row, OUT_MAX);
    cl_buf_add(row, "\0\3", 2);
    add_field(row, id);
    add_field(row, note);
    add_field(row, mail);
}

/* What becomes of the row; with passing, as the pipe does it. */
static bool put(struct cl_transform *t, const struct cl_buf *row, bool passing, struct cl_buf *out)
{
    struct cl_err err;
    if (passing && cl_transform_pass(t, row->data, row->len)) {
        cl_buf_add(out, row->data, row->len);
        return true;
    }
    assert_true(cl_rows_feed(&t->rows, row->data, row->len, &err));
    assert_int_equal(cl_rows_next(&t->rows), CL_ROW_OK);
    assert_true(cl_transform_row(t, out, &err));
    assert_int_equal(cl_rows_next(&t->rows), CL_ROW_MORE);
    return false;
}

static void begin(struct cl_transform *t, const struct cl_mask *mask)
{
    struct cl_err err;
    assert_true(cl_transform_init(t, mask, &table, CL_COPY_BINARY, &err));
    assert_false(cl_transform_pass(t, cl_copy_header, CL_COPY_HEADER_BYTES));
    assert_true(cl_rows_feed(&t->rows, cl_copy_header, CL_COPY_HEADER_BYTES, &err));
    assert_int_equal(cl_rows_next(&t->rows), CL_ROW_MORE);
}

static void end(struct cl_transform *t, uint64_t rows)
{
    struct cl_err err;
    assert_false(cl_transform_pass(t, cl_copy_trailer, CL_COPY_TRAILER_BYTES));
    assert_true(cl_rows_feed(&t->rows, cl_copy_trailer, CL_COPY_TRAILER_BYTES, &err));
    assert_int_equal(cl_rows_next(&t->rows), CL_ROW_END);
    assert_int_equal(cl_rows_next(&t->rows), CL_ROW_MORE);
    assert_true(cl_rows_complete(&t->rows));
    assert_int_equal(t->rows.n, rows);
    cl_transform_fini(t);
}

static const struct {
    const char *id, *note, *mail;
    bool passes; /* nothing in it looks like an address */
} rows[] = {
    {"1", "nothing here", "nor here", true},
    {"2", "", "", true},
    {"3", "write to a@corp.example", "", false},
    {"4", "", "b@corp.example", false},
    {"5", "c@corp.example and d@corp.example", "e@corp.example", false},
    {"@@", "a byte of a number", "", false},
    {"@6", "", "f@corp.example", false},
    {"7", "g%40corp.example", "h=40corp.example", false},
};

static void rows_come_out_the_same(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask(false);
    struct cl_transform passing, cutting;
    begin(&passing, mask);
    begin(&cutting, mask);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cl_buf row, one, other;
        cl_buf_init(&one, OUT_MAX);
        cl_buf_init(&other, OUT_MAX);
        make_row(&row, rows[i].id, rows[i].note, rows[i].mail);
        assert_int_equal(put(&passing, &row, true, &one), rows[i].passes);
        put(&cutting, &row, false, &other);
        assert_int_equal(one.len, other.len);
        assert_memory_equal(one.data, other.data, one.len);
        assert_null(memmem(one.data, one.len, "@corp.example", 13));
        cl_buf_fini(&row);
        cl_buf_fini(&one);
        cl_buf_fini(&other);
    }
    assert_int_equal(passing.tally.masked, cutting.tally.masked);
    assert_int_equal(passing.tally.masked, 8);
    end(&passing, sizeof rows / sizeof *rows);
    end(&cutting, sizeof rows / sizeof *rows);
    cl_mask_free(mask);
}

/* What passes on purpose is counted, so its column is always looked at. */
static void exceptions_are_counted(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask(true);
    struct cl_transform t;
    struct cl_buf row, out;
    begin(&t, mask);
    cl_buf_init(&out, OUT_MAX);
    make_row(&row, "1", "nothing", "root");
    assert_false(put(&t, &row, true, &out));
    assert_int_equal(t.tally.kept, 1);
    cl_buf_fini(&row);
    cl_buf_fini(&out);
    end(&t, 1);
    cl_mask_free(mask);
}

/* The rest of a row that came in two chunks is not one of its own. */
static void half_a_row_does_not_pass(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask(false);
    struct cl_transform t;
    struct cl_buf row, out;
    struct cl_err err;
    begin(&t, mask);
    cl_buf_init(&out, OUT_MAX);
    make_row(&row, "1", "nothing", "at all");
    assert_true(cl_rows_feed(&t.rows, row.data, 9, &err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_MORE);
    assert_false(cl_transform_pass(&t, row.data + 9, row.len - 9));
    assert_true(cl_rows_feed(&t.rows, row.data + 9, row.len - 9, &err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_OK);
    assert_true(cl_transform_row(&t, &out, &err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_MORE);
    assert_memory_equal(out.data, row.data, row.len);
    cl_buf_fini(&row);
    cl_buf_fini(&out);
    end(&t, 1);
    cl_mask_free(mask);
}

static struct cl_column list_columns[] = {
    {.name = "parts",
     .class = {.text_like = true,
               .binary = true,
               .carrier = CL_CARRIER_NESTED,
               .form = CL_BINARY_ARRAY}},
};

static const struct cl_table lists = {
    .schema = "crm7", .name = "list", .columns = list_columns, .n_columns = 1, .text_like = true};

/* Of one dimension and one based; the number of elements and their type do not matter here. */
#define HEAD "\0\0\0\1\0\0\0\1\0\0\0\21\0\0\0\4\0\0\0\1"

/* A row of one field, less than 256 bytes. */
static void make_list(struct cl_buf *row, const char *value, size_t n)
{
    cl_buf_init(row, OUT_MAX);
    cl_buf_add(row, "\0\1\0\0\0", 5);
    cl_buf_addc(row, (char)n);
    cl_buf_add(row, value, n);
}

/* The row on its way; false when it is refused. */
static bool put_list(const struct cl_mask *mask, const struct cl_buf *row, struct cl_buf *out,
                     struct cl_err *err)
{
    struct cl_transform t;
    assert_true(cl_transform_init(&t, mask, &lists, CL_COPY_BINARY, err));
    assert_true(cl_rows_feed(&t.rows, cl_copy_header, CL_COPY_HEADER_BYTES, err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_MORE);
    assert_true(cl_rows_feed(&t.rows, row->data, row->len, err));
    assert_int_equal(cl_rows_next(&t.rows), CL_ROW_OK);
    bool ok = cl_transform_row(&t, out, err);
    cl_transform_fini(&t);
    return ok;
}

/* Elements get other lengths; NULLs, empty ones and noise stay. */
static void arrays_of_bytes_are_masked(void **state)
{
    (void)state;
    static const char in[] = HEAD "\0\0\0\16mail to a@b.no\377\377\377\377\0\0\0\0"
                                  "\0\0\0\5\0\377@b.";
    static const char wanted[] = HEAD "\0\0\0\30mail to a_b.no@sink.test\377\377\377\377\0\0\0\0"
                                      "\0\0\0\5\0\377@b.";
    struct cl_mask *mask = make_mask(false);
    struct cl_buf row, expected, out;
    struct cl_err err;
    make_list(&row, in, sizeof in - 1);
    make_list(&expected, wanted, sizeof wanted - 1);
    cl_buf_init(&out, OUT_MAX);
    assert_true(put_list(mask, &row, &out, &err));
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.data, out.len);
    cl_buf_fini(&row);
    cl_buf_fini(&expected);
    cl_buf_fini(&out);
    cl_mask_free(mask);
}

static void broken_arrays_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } broken[] = {
        {"@@@@", 4},                                  /* no head */
        {"\0\0\0\7\0\0\0\1@@@@", 12},                 /* dimensions no array has */
        {"\0\0\0\2\0\0\0\1@@@@\0\0\0\1\0\0\0\1", 20}, /* less than it says */
        {HEAD "\0\0@", 23},                           /* half a length */
        {HEAD "\0\0\0\6a@b.n", 29},                   /* half an element */
        {HEAD "\177\377\377\377@", 25},               /* an element wider than the rest */
    };
    struct cl_mask *mask = make_mask(false);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct cl_buf row, out;
        struct cl_err err;
        make_list(&row, broken[i].bytes, broken[i].n);
        cl_buf_init(&out, OUT_MAX);
        assert_false(put_list(mask, &row, &out, &err));
        assert_string_equal(err.code, "E_COPY_DATA");
        assert_non_null(strstr(err.message, "crm7.list.parts, row 1"));
        cl_buf_fini(&row);
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_the_same),    cmocka_unit_test(exceptions_are_counted),
        cmocka_unit_test(half_a_row_does_not_pass),  cmocka_unit_test(arrays_of_bytes_are_masked),
        cmocka_unit_test(broken_arrays_are_refused),
    };
    return cmocka_run_group_tests_name("transform", tests, NULL, NULL);
}
