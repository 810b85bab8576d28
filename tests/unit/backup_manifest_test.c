/* backup: manifests of archives, and the JSON they are written in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/json.h"
#include "backup/manifest.h"
#include "backup_table.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_reads_as_it_was_written),
        cmocka_unit_test(the_first_format_is_still_read),
        cmocka_unit_test(a_table_names_its_files),
        cmocka_unit_test(a_manifest_that_leads_astray_is_refused),
        cmocka_unit_test(json_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
