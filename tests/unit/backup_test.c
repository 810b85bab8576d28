/* backup: COPY rows cut and masked, manifests, plans, checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/backup.h"
#include "backup/checksum.h"
#include "backup/conninfo.h"
#include "backup/copyrow.h"
#include "backup/json.h"
#include "backup/manifest.h"
#include "backup/plan.h"
#include "backup/transform.h"

enum { OUT_MAX = 1 << 20 };

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

static struct cl_column columns[] = {
    {.name = "id", .class = {.binary = true}},
    {.name = "note", .class = {.text_like = true, .binary = true}},
    {.name = "j",
     .class = {.text_like = true,
               .binary = true,
               .carrier = CL_CARRIER_JSON,
               .form = CL_BINARY_JSONB,
               .reorders = true}},
};

static const struct cl_table table = {
    .schema = "crm7", .name = "note", .columns = columns, .n_columns = 3, .text_like = true};

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

/* ---------------------------------------------------------------- manifest */

static struct cl_data_file data_files[2];
static struct cl_filed filed[2];
static struct cl_object_role object_role = {"the \"boss\"", true, false, true};

static void fill_manifest(struct cl_manifest *m, struct cl_archived *tables,
                          struct cl_sequence *sequences, const char **pairs)
{
    memset(m, 0, sizeof *m);
    memset(tables, 0, sizeof *tables);
    snprintf(m->source.system, sizeof m->source.system, "7000000000000000001");
    snprintf(m->source.database, sizeof m->source.database, "odd \"name\"\n");
    m->source.oid = 4000000000u;
    m->source.number = 150020;
    tables->table = table;
    tables->table.format = CL_COPY_BINARY;
    for (size_t i = 0; i < 3; i++) {
        columns[i].type = "text";
    }
    memset(data_files, 0, sizeof data_files);
    snprintf(data_files[0].file, sizeof data_files[0].file, "data/0001_crm7.note.00.bin.zst");
    snprintf(data_files[1].file, sizeof data_files[1].file, "data/0001_crm7.note.01.bin.zst");
    data_files[0].rows = 5000000000u;
    data_files[1].rows = 7;
    tables->files = data_files;
    tables->n_files = 2;
    m->files = filed;
    *sequences = (struct cl_sequence){"crm7", "s", INT64_MIN, true};
    m->tables = tables;
    m->n_tables = 1;
    m->sequences = sequences;
    m->n_sequences = 1;
    m->excluded = pairs;
    m->n_excluded = 1;
    m->matviews = pairs;
    m->n_matviews = 1;
    m->object_roles = (struct cl_object_roles){.list = &object_role, .n = 1};
}

static void a_manifest_reads_as_it_was_written(void **state)
{
    (void)state;
    struct cl_manifest m;
    struct cl_manifest back;
    struct cl_archived archived;
    struct cl_sequence sequence;
    const char *pairs[] = {"crm7", "t\t\x01 \xc3\xa9"};
    struct cl_buf json;
    struct cl_err err;
    fill_manifest(&m, &archived, &sequence, pairs);
    cl_buf_init(&json, OUT_MAX);
    assert_true(cl_manifest_write(&json, &m));
    assert_true(cl_manifest_parse(&back, json.data, json.len, &err));
    assert_string_equal(back.source.database, m.source.database);
    assert_int_equal(back.source.oid, 4000000000u);
    assert_int_equal(back.n_tables, 1);
    assert_string_equal(back.tables[0].table.columns[1].name, "note");
    assert_int_equal(back.n_files, 2);
    assert_int_equal(back.files[0].file->rows, 5000000000u);
    assert_string_equal(back.files[1].file->file, "data/0001_crm7.note.01.bin.zst");
    assert_ptr_equal(back.files[1].of, &back.tables[0]);
    assert_int_equal(cl_archived_rows(&back.tables[0]), 5000000007u);
    assert_true(back.sequences[0].last_value == INT64_MIN);
    assert_true(back.sequences[0].is_called);
    assert_string_equal(back.excluded[1], pairs[1]);
    assert_string_equal(back.matviews[0], "crm7");
    assert_int_equal(back.object_roles.n, 1);
    assert_string_equal(back.object_roles.list[0].name, "the \"boss\"");
    assert_true(back.object_roles.list[0].owns && back.object_roles.list[0].grants);
    assert_false(back.object_roles.list[0].granted);
    cl_manifest_fini(&back);
    /* every prefix is refused, none crashes */
    for (size_t n = 0; n + 2 < json.len; n++) {
        char *piece = malloc(n + 1);
        memcpy(piece, json.data, n);
        assert_false(cl_manifest_parse(&back, piece, n, &err));
        cl_manifest_fini(&back);
        free(piece);
    }
    cl_buf_fini(&json);
}

static void the_first_format_is_still_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format_version\": 1, \"source\": {\"system_identifier\": \"7\", \"database_oid\": 5,"
        " \"database\": \"d\", \"server_version\": \"15.1\", \"server_version_num\": 150001},"
        " \"snapshot\": \"s\", \"started\": \"a\", \"finished\": \"b\", \"large_objects\": 0,"
        " \"schema\": {\"file\": \"schema.dump\", \"bytes\": 9, \"sha256\": \"\", \"pg_dump\": 15},"
        " \"tables\": [{\"schema\": \"s\", \"name\": \"t\", \"file\": \"data/0001_s.t.bin.zst\","
        " \"format\": \"binary\", \"rows\": 3, \"bytes\": 4, \"raw_bytes\": 5, \"sha256\": \"x\","
        " \"columns\": [{\"name\": \"c\", \"type\": \"text\"}]}],"
        " \"sequences\": [], \"materialized_views\": [], \"excluded\": []}";
    struct cl_manifest m;
    struct cl_err err;
    assert_true(cl_manifest_parse(&m, text, sizeof text - 1, &err));
    assert_int_equal(m.n_files, 1);
    assert_string_equal(m.files[0].file->file, "data/0001_s.t.bin.zst");
    assert_int_equal(cl_archived_raw_bytes(&m.tables[0]), 5);
    cl_manifest_fini(&m);
}

static void a_table_names_its_files(void **state)
{
    (void)state;
    struct cl_archived a = {.table = {.schema = "crm7", .name = "a/b\n%s"}};
    struct cl_err err;
    assert_true(cl_manifest_name_files(&a, 12, 1, false, &err));
    assert_string_equal(a.files[0].file, "data/0012_crm7.a_b__s.copy.zst");
    free(a.files);
    a.table.format = CL_COPY_BINARY;
    assert_true(cl_manifest_name_files(&a, 1, 2, false, &err));
    assert_string_equal(a.files[1].file, "data/0001_crm7.a_b__s.01.bin.zst");
    free(a.files);
}

static void refuse(const char *from, const char *to, const char *code)
{
    struct cl_manifest m;
    struct cl_archived archived;
    struct cl_sequence sequence;
    const char *pairs[] = {"a", "b"};
    struct cl_buf json;
    struct cl_buf changed;
    struct cl_err err;
    fill_manifest(&m, &archived, &sequence, pairs);
    cl_buf_init(&json, OUT_MAX);
    cl_buf_init(&changed, OUT_MAX);
    cl_manifest_write(&json, &m);
    char *at = strstr(json.data, from);
    assert_non_null(at);
    cl_buf_add(&changed, json.data, (size_t)(at - json.data));
    cl_buf_adds(&changed, to);
    cl_buf_adds(&changed, at + strlen(from));
    assert_false(cl_manifest_parse(&m, changed.data, changed.len, &err));
    assert_string_equal(err.code, code);
    cl_manifest_fini(&m);
    cl_buf_fini(&json);
    cl_buf_fini(&changed);
}

static void a_manifest_that_leads_astray_is_refused(void **state)
{
    (void)state;
    refuse("\"format_version\": 2", "\"format_version\": 3", "E_ARCHIVE_VERSION");
    refuse("\"format_version\": 2", "\"format_version\": 0", "E_ARCHIVE_VERSION");
    refuse("data/0001", "data/../0001", "E_MANIFEST");
    refuse("data/0001", "/etc/0001", "E_MANIFEST");
    refuse("\"binary\"", "\"csv\"", "E_MANIFEST");
    refuse("\"rows\": 5", "\"lines\": 5", "E_MANIFEST");
    refuse("\"rows\": 5", "\"rows\": -5", "E_MANIFEST");
    refuse("\"rows\": 5000000000", "\"rows\": 1.5", "E_JSON");
    refuse("\"rows\": 5000000000", "\"rows\": 99999999999999999999", "E_JSON");
}

static void json_is_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "{",           "[1,]",        "{\"a\" 1}", "\"\\x\"",
                                      "\"a",   "\"\\ud800\"", "nul",         "1 2",       "-",
                                      "[1 2]", "{\"a\":}",    "\"\\u0000\"", "\"\n\""};
    struct cl_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(cl_json_parse(bad[i], strlen(bad[i]), &err));
    }
    struct cl_json *v = cl_json_parse("\"\\ud83d\\ude00\\u00e9\"", 20, &err);
    assert_non_null(v);
    assert_string_equal(v->string, "\xf0\x9f\x98\x80\xc3\xa9");
    cl_json_free(v);
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_null(cl_json_parse(deep, sizeof deep, &err));
}

/* ---------------------------------------------------------------- the rest */

static void parts_go_largest_first(void **state)
{
    (void)state;
    struct cl_table tables[] = {{.schema = "b", .name = "x", .bytes = 1},
                                {.schema = "a", .name = "y", .bytes = 1},
                                {.schema = "z", .name = "z", .bytes = 900},
                                {.schema = "a", .name = "x", .bytes = 1}};
    cl_plan_order(tables, 4);
    assert_string_equal(tables[0].schema, "z");
    assert_string_equal(tables[1].name, "x");
    assert_string_equal(tables[2].name, "y");
    assert_string_equal(tables[3].schema, "b");
}

static void columns_are_matched_by_name(void **state)
{
    (void)state;
    struct cl_column other[] = {{.name = "j", .type = "jsonb"}, {.name = "id"}, {.name = "more"}};
    struct cl_table target = {.columns = other, .n_columns = 3};
    struct cl_table like = {.columns = columns, .n_columns = 1};
    struct cl_column out[3];
    const char *missing;
    assert_true(cl_plan_columns(&target, &like, out, &missing));
    assert_string_equal(out[0].name, "id");
    assert_false(cl_plan_columns(&target, &table, out, &missing));
    assert_string_equal(missing, "note");
}

static void add(struct cl_checksum *sum, const char *row)
{
    cl_checksum_add(sum, cl_digest_bytes(row, strlen(row)));
}

static void checksums_know_rows_not_their_order(void **state)
{
    (void)state;
    struct cl_checksum a = {0};
    struct cl_checksum b = {0};
    struct cl_checksum more = {0};
    add(&a, "one");
    add(&a, "two");
    add(&a, "two");
    add(&b, "two");
    add(&more, "one");
    add(&more, "two");
    cl_checksum_join(&b, &more); /* the sums of parts add up */
    assert_true(cl_checksum_equal(&a, &b));
    add(&a, "three");
    add(&b, "threE");
    assert_false(cl_checksum_equal(&a, &b));
    /* XXH3's own: they are stored, so they must be the same everywhere */
    struct cl_digest digest = cl_digest_bytes("", 0);
    assert_true(digest.half[0] == 0x6001C324468D497Fu && digest.half[1] == 0x99AA06D3014798D8u);
}

/* A row of the three columns, by field. */
static struct cl_digest digest_of(const char *id, const char *note, const char *json)
{
    struct cl_buf row;
    struct cl_field fields[3];
    size_t used;
    size_t scanned = 0;
    cl_buf_init(&row, OUT_MAX);
    cl_buf_addf(&row, "%s\t%s\t%s\n", id, note, json);
    assert_int_equal(cl_row_text(cl_buf_str(&row), row.len, 3, fields, &used, &scanned), CL_ROW_OK);
    struct cl_digest digest =
        cl_digest_row(CL_COPY_TEXT, cl_buf_str(&row), row.len, columns, fields, 3);
    cl_buf_fini(&row);
    return digest;
}

static bool same(struct cl_digest a, struct cl_digest b)
{
    return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

static void reordered_keys_count_the_same(void **state)
{
    (void)state;
    struct cl_digest one = digest_of("1", "n", "{\"ab\": 1, \"c\": 2}");
    assert_true(same(one, digest_of("1", "n", "{\"c\": 2, \"ab\": 1}")));
    assert_false(same(one, digest_of("1", "n", "{\"ab\": 1, \"c\": 3}")));
    assert_false(same(one, digest_of("1", "m", "{\"ab\": 1, \"c\": 2}")));
    assert_false(same(one, digest_of("2", "n", "{\"ab\": 1, \"c\": 2}")));
    assert_false(same(digest_of("1", "n", "\\N"), digest_of("1", "n", "")));
    assert_false(same(digest_of("1", "ab", "\\N"), digest_of("1a", "b", "\\N")));
    assert_true(cl_checksum_normalises(columns, 3));
    assert_false(cl_checksum_normalises(columns, 2));
}

static bool json_same(const char *a, const char *b)
{
    struct cl_digest x;
    struct cl_digest y;
    assert_true(cl_digest_json(&x, a, strlen(a), false));
    assert_true(cl_digest_json(&y, b, strlen(b), false));
    return same(x, y);
}

static void documents_know_values_not_the_order_of_keys(void **state)
{
    (void)state;
    assert_true(json_same("{\"a\": [1, {\"b\": null, \"c\": \"x\"}], \"d\": true}",
                          "{\"d\": true, \"a\": [1, {\"c\": \"x\", \"b\": null}]}"));
    assert_false(json_same("{\"a\": 1, \"b\": 2}", "{\"a\": 2, \"b\": 1}"));
    assert_false(json_same("{\"a\": \"b\"}", "{\"b\": \"a\"}"));
    assert_false(json_same("[1, 2]", "[2, 1]"));
    assert_false(json_same("[[1], 2]", "[[1, 2]]"));
    assert_false(json_same("{}", "[]"));
    assert_false(json_same("\"1\"", "1"));
    assert_false(json_same("[]", "[[]]"));
    assert_false(json_same("{\"a\": \"x\\\"], [\"}", "{\"a\": \"x\\\", ][\"}"));
    assert_true(json_same("{\"a\\\\\": 1, \"b\": \"c\\\"\"}", "{\"b\": \"c\\\"\", \"a\\\\\": 1}"));
}

static void documents_of_any_form_are_read_within_bounds(void **state)
{
    (void)state;
    struct cl_digest plain;
    struct cl_digest doubled;
    static const char text[] = "{\"a\": \"x\\\\\\\"]\", \"b\": 1}";        /* x \\ \" ] */
    static const char twice[] = "{\"b\": 1, \"a\": \"x\\\\\\\\\\\\\"]\"}"; /* as COPY writes it */
    assert_true(cl_digest_json(&plain, text, sizeof text - 1, false));
    assert_true(cl_digest_json(&doubled, twice, sizeof twice - 1, true));
    /* cut anywhere it is refused or read, but never past its end */
    for (size_t n = 0; n < sizeof twice; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, twice, n);
        char *exact = realloc(cut, n > 0 ? n : 1);
        struct cl_digest ignored;
        assert_true(n == 0 || n == sizeof twice - 1 || n == sizeof twice ||
                    !cl_digest_json(&ignored, exact, n, true));
        cl_digest_json(&ignored, exact, n, false);
        free(exact);
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_false(cl_digest_json(&plain, deep, sizeof deep, false));
    assert_false(cl_digest_json(&plain, "]", 1, false));
}

/* The same value in both formats, and char(n) with and without its padding. */
static void padding_does_not_count(void **state)
{
    (void)state;
    static const struct cl_column padded[] = {
        {.name = "c", .class = {.text_like = true, .binary = true, .padded = true}},
        {.name = "n", .class = {.binary = true}}};
    static const char *const rows[] = {"\0\2\0\0\0\2ab\0\0\0\1x", "\0\2\0\0\0\4ab  \0\0\0\1x",
                                       "\0\2\0\0\0\2ac\0\0\0\1x", "\0\2\0\0\0\2ab\0\0\0\1y"};
    static const size_t sizes[] = {13, 15, 13, 13};
    struct cl_digest digests[4];
    for (int i = 0; i < 4; i++) {
        struct cl_field fields[2];
        size_t used;
        assert_int_equal(cl_row_binary(rows[i], sizes[i], 2, fields, &used), CL_ROW_OK);
        digests[i] = cl_digest_row(CL_COPY_BINARY, rows[i], used, padded, fields, 2);
    }
    assert_true(same(digests[0], digests[1]));
    assert_false(same(digests[0], digests[2]));
    assert_false(same(digests[0], digests[3]));
    assert_true(cl_checksum_normalises(padded, 2));
}

static void passwords_leave_the_connection_string(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_conninfo_parts parts;
    char *whole = cl_backup_conninfo("postgresql://u:old@h:5/d%20b", "p'q\\r", &err);
    assert_non_null(whole);
    assert_non_null(strstr(whole, "password='p\\'q\\\\r'"));
    assert_true(cl_conninfo_split(whole, &parts, &err));
    assert_null(strstr(parts.public_part, "password"));
    assert_non_null(strstr(parts.public_part, "dbname='d b'"));
    assert_string_equal(parts.password_env, "PGPASSWORD=p'q\\r");
    cl_conninfo_fini(&parts);
    free(whole);
    assert_null(cl_backup_conninfo("nonsense=secretword", NULL, &err));
    assert_null(strstr(err.message, "secretword"));
    assert_int_equal(err.class, CL_INVALID);
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
        cmocka_unit_test(a_manifest_reads_as_it_was_written),
        cmocka_unit_test(the_first_format_is_still_read),
        cmocka_unit_test(a_table_names_its_files),
        cmocka_unit_test(a_manifest_that_leads_astray_is_refused),
        cmocka_unit_test(json_is_read_strictly),
        cmocka_unit_test(parts_go_largest_first),
        cmocka_unit_test(columns_are_matched_by_name),
        cmocka_unit_test(checksums_know_rows_not_their_order),
        cmocka_unit_test(reordered_keys_count_the_same),
        cmocka_unit_test(documents_know_values_not_the_order_of_keys),
        cmocka_unit_test(documents_of_any_form_are_read_within_bounds),
        cmocka_unit_test(padding_does_not_count),
        cmocka_unit_test(passwords_leave_the_connection_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
