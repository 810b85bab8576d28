/* manifest.json, read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "largeobject.h"

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory reading a manifest");
}

/* A reader that remembers whether anything was missing. */
struct reader {
    const char *missing; /* the first name that was, NULL: nothing */
    int64_t version;     /* of the format */
};

static const char *get_string(struct reader *in, const struct cl_json *object, const char *key)
{
    const struct cl_json *v = cl_json_get(object, key, CL_JSON_STRING);
    if (!v && !in->missing) {
        in->missing = key;
    }
    return v ? v->string : "";
}

static int64_t get_integer(struct reader *in, const struct cl_json *object, const char *key)
{
    const struct cl_json *v = cl_json_get(object, key, CL_JSON_INTEGER);
    if ((!v || v->integer < 0) && !in->missing) {
        in->missing = key;
    }
    return v ? v->integer : 0;
}

static const struct cl_json *get_array(struct reader *in, const struct cl_json *object,
                                       const char *key)
{
    const struct cl_json *v = cl_json_get(object, key, CL_JSON_ARRAY);
    if (!v && !in->missing) {
        in->missing = key;
    }
    return v;
}

static void copy_text(char *out, size_t room, const char *from)
{
    snprintf(out, room, "%s", from);
}

/* "data/NAME", with nothing in NAME that leads elsewhere. */
static bool good_file(const char *file)
{
    size_t folder = strlen(CL_DATA_FOLDER "/");
    return strncmp(file, CL_DATA_FOLDER "/", folder) == 0 && file[folder] != '\0' &&
           file[folder] != '.' && !strchr(file + folder, '/') && strlen(file) < CL_FILE_NAME_BYTES;
}

static size_t count_columns(const struct cl_json *tables)
{
    size_t n = 0;
    for (const struct cl_json *t = tables ? tables->child : NULL; t; t = t->next) {
        const struct cl_json *columns = cl_json_get(t, "columns", CL_JSON_ARRAY);
        n += columns ? columns->n : 0;
    }
    return n;
}

static bool read_file(struct reader *in, const struct cl_json *json, struct cl_data_file *file,
                      struct cl_err *err)
{
    const char *name = get_string(in, json, "file");
    file->rows = (uint64_t)get_integer(in, json, "rows");
    file->bytes = (uint64_t)get_integer(in, json, "bytes");
    file->raw_bytes = (uint64_t)get_integer(in, json, "raw_bytes");
    copy_text(file->sha256, sizeof file->sha256, get_string(in, json, "sha256"));
    copy_text(file->file, sizeof file->file, name);
    return in->missing || good_file(name) ||
           cl_fail(err, CL_INVALID, "E_MANIFEST", CL_MANIFEST_FILE ": bad file name '%s'", name);
}

static bool read_list(struct reader *in, const struct cl_json *list, struct cl_archived *a,
                      struct cl_err *err)
{
    a->files = calloc(list->n + 1, sizeof *a->files);
    if (!a->files) {
        return no_memory(err);
    }
    for (const struct cl_json *f = list->child; f; f = f->next) {
        if (!read_file(in, f, &a->files[a->n_files++], err)) {
            return false;
        }
    }
    return true;
}

static bool read_files(struct reader *in, const struct cl_json *json, struct cl_archived *a,
                       struct cl_err *err)
{
    if (in->version == 1) {
        a->files = calloc(1, sizeof *a->files);
        a->n_files = 1;
        return a->files ? read_file(in, json, a->files, err) : no_memory(err);
    }
    const struct cl_json *list = get_array(in, json, "files");
    if (!list || list->n == 0) {
        in->missing = "files";
        return true;
    }
    return read_list(in, list, a, err);
}

static bool get_bool(struct reader *in, const struct cl_json *object, const char *key)
{
    const struct cl_json *v = cl_json_get(object, key, CL_JSON_BOOL);
    if (!v && !in->missing) {
        in->missing = key;
    }
    return v && v->integer != 0;
}

/* Older archives lack them. */
static bool read_object_roles(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *list = cl_json_get(m->json, "large_object_roles", CL_JSON_ARRAY);
    struct cl_object_roles *roles = &m->object_roles;
    roles->list = calloc(list ? list->n + 1 : 1, sizeof *roles->list);
    if (!roles->list) {
        return no_memory(err);
    }
    for (const struct cl_json *r = list ? list->child : NULL; r; r = r->next) {
        roles->list[roles->n++] = (struct cl_object_role){.name = get_string(in, r, "name"),
                                                          .owns = get_bool(in, r, "owns"),
                                                          .granted = get_bool(in, r, "granted"),
                                                          .grants = get_bool(in, r, "grants")};
    }
    return true;
}

/* Archives made before large objects were copied only count them. */
static bool read_objects(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *list = cl_json_get(m->json, "large_object_files", CL_JSON_ARRAY);
    cl_lo_table(&m->objects.table);
    return !list || read_list(in, list, &m->objects, err);
}

static bool read_table(struct reader *in, const struct cl_json *json, struct cl_archived *a,
                       struct cl_column *columns, struct cl_err *err)
{
    a->table.schema = get_string(in, json, "schema");
    a->table.name = get_string(in, json, "name");
    const struct cl_json *oid = cl_json_get(json, "oid", CL_JSON_INTEGER); /* not always there */
    a->table.oid = oid ? (uint32_t)oid->integer : 0;
    const struct cl_json *root = cl_json_get(json, "root", CL_JSON_OBJECT);
    if (root) { /* of a partition */
        a->table.root_schema = get_string(in, root, "schema");
        a->table.root_name = get_string(in, root, "name");
    }
    const char *format = get_string(in, json, "format");
    a->table.format = strcmp(format, "binary") == 0 ? CL_COPY_BINARY : CL_COPY_TEXT;
    a->table.columns = columns;
    const struct cl_json *list = get_array(in, json, "columns");
    for (const struct cl_json *c = list ? list->child : NULL; c; c = c->next) {
        struct cl_column *column = &columns[a->table.n_columns++];
        column->name = get_string(in, c, "name");
        column->type = get_string(in, c, "type");
    }
    if (!in->missing && strcmp(format, "binary") != 0 && strcmp(format, "text") != 0) {
        return cl_fail(err, CL_INVALID, "E_MANIFEST", CL_MANIFEST_FILE ": bad format of %s.%s",
                       a->table.schema, a->table.name);
    }
    return read_files(in, json, a, err) ||
           cl_err_context(err, "%s.%s", a->table.schema, a->table.name);
}

static bool read_tables(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *tables = get_array(in, m->json, "tables");
    size_t n = tables ? tables->n : 0;
    m->tables = calloc(n + 1, sizeof *m->tables);
    m->columns = calloc(count_columns(tables) + 1, sizeof *m->columns);
    if (!m->tables || !m->columns) {
        return no_memory(err);
    }
    size_t used = 0;
    for (const struct cl_json *t = tables ? tables->child : NULL; t; t = t->next) {
        struct cl_archived *a = &m->tables[m->n_tables++];
        if (!read_table(in, t, a, &m->columns[used], err)) {
            return false;
        }
        used += a->table.n_columns;
    }
    return true;
}

static bool read_sequences(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *list = get_array(in, m->json, "sequences");
    m->sequences = calloc(list ? list->n + 1 : 1, sizeof *m->sequences);
    if (!m->sequences) {
        return no_memory(err);
    }
    for (const struct cl_json *s = list ? list->child : NULL; s; s = s->next) {
        struct cl_sequence *sequence = &m->sequences[m->n_sequences++];
        const struct cl_json *last = cl_json_get(s, "last_value", CL_JSON_INTEGER);
        sequence->schema = get_string(in, s, "schema");
        sequence->name = get_string(in, s, "name");
        sequence->is_called = get_bool(in, s, "is_called");
        if (!last) {
            in->missing = "last_value";
            break;
        }
        sequence->last_value = last->integer;
    }
    return true;
}

static bool read_indexes(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *list = get_array(in, m->json, "indexes");
    m->after.indexes = calloc(list ? list->n + 1 : 1, sizeof *m->after.indexes);
    if (!m->after.indexes) {
        return no_memory(err);
    }
    for (const struct cl_json *v = list ? list->child : NULL; v; v = v->next) {
        m->after.indexes[m->after.n_indexes++] =
            (struct cl_index){.oid = (uint32_t)get_integer(in, v, "oid"),
                              .constraint_oid = (uint32_t)get_integer(in, v, "constraint_oid"),
                              .schema = get_string(in, v, "schema"),
                              .table = get_string(in, v, "table"),
                              .name = get_string(in, v, "name"),
                              .create = get_string(in, v, "create"),
                              .after = get_string(in, v, "after"),
                              .tablespace = get_string(in, v, "tablespace")};
    }
    return true;
}

static bool read_foreign_keys(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    const struct cl_json *list = get_array(in, m->json, "foreign_keys");
    m->after.foreign_keys = calloc(list ? list->n + 1 : 1, sizeof *m->after.foreign_keys);
    if (!m->after.foreign_keys) {
        return no_memory(err);
    }
    for (const struct cl_json *v = list ? list->child : NULL; v; v = v->next) {
        m->after.foreign_keys[m->after.n_foreign_keys++] =
            (struct cl_foreign_key){.oid = (uint32_t)get_integer(in, v, "oid"),
                                    .schema = get_string(in, v, "schema"),
                                    .table = get_string(in, v, "table"),
                                    .name = get_string(in, v, "name"),
                                    .create = get_string(in, v, "create"),
                                    .valid = get_bool(in, v, "valid")};
    }
    return true;
}

/* Version 1 left all of that to the schema. */
static bool read_after(struct reader *in, struct cl_manifest *m, struct cl_err *err)
{
    return (in->version == 1 || (read_indexes(in, m, err) && read_foreign_keys(in, m, err))) &&
           cl_after_sort(&m->after, err);
}

static const char **read_names(struct reader *in, struct cl_manifest *m, const char *label,
                               size_t *n, struct cl_err *err)
{
    const struct cl_json *list = get_array(in, m->json, label);
    const char **pairs = calloc(list ? 2 * list->n + 1 : 1, sizeof *pairs);
    if (!pairs) {
        no_memory(err);
        return NULL;
    }
    for (const struct cl_json *v = list ? list->child : NULL; v; v = v->next) {
        pairs[2 * *n] = get_string(in, v, "schema");
        pairs[2 * *n + 1] = get_string(in, v, "name");
        ++*n;
    }
    return pairs;
}

static void read_header(struct reader *in, struct cl_manifest *m)
{
    const struct cl_json *source = cl_json_get(m->json, "source", CL_JSON_OBJECT);
    const struct cl_json *schema = cl_json_get(m->json, "schema", CL_JSON_OBJECT);
    copy_text(m->source.system, sizeof m->source.system,
              get_string(in, source, "system_identifier"));
    m->source.oid = (uint32_t)get_integer(in, source, "database_oid");
    copy_text(m->source.database, sizeof m->source.database, get_string(in, source, "database"));
    copy_text(m->source.version, sizeof m->source.version,
              get_string(in, source, "server_version"));
    m->source.number = (int)get_integer(in, source, "server_version_num");
    copy_text(m->snapshot, sizeof m->snapshot, get_string(in, m->json, "snapshot"));
    copy_text(m->started, sizeof m->started, get_string(in, m->json, "started"));
    copy_text(m->finished, sizeof m->finished, get_string(in, m->json, "finished"));
    m->large_objects = (uint64_t)get_integer(in, m->json, "large_objects");
    m->schema_bytes = (uint64_t)get_integer(in, schema, "bytes");
    copy_text(m->schema_sha256, sizeof m->schema_sha256, get_string(in, schema, "sha256"));
    m->pg_dump = (int)get_integer(in, schema, "pg_dump");
    if (in->version > 1) {
        m->level =
            (int)get_integer(in, cl_json_get(m->json, "compression", CL_JSON_OBJECT), "level");
    }
}

bool cl_manifest_version(const struct cl_json *root, struct cl_err *err)
{
    const struct cl_json *v = cl_json_get(root, "format_version", CL_JSON_INTEGER);
    if (!v) {
        return cl_fail(err, CL_INVALID, "E_MANIFEST",
                       CL_MANIFEST_FILE ": 'format_version' is missing or wrong");
    }
    return (v->integer >= CL_ARCHIVE_VERSION_MIN && v->integer <= CL_ARCHIVE_VERSION) ||
           cl_fail(err, CL_INVALID, "E_ARCHIVE_VERSION",
                   CL_MANIFEST_FILE
                   ": the archive has format version %lld; this cloner reads %d to %d",
                   (long long)v->integer, CL_ARCHIVE_VERSION_MIN, CL_ARCHIVE_VERSION);
}

bool cl_manifest_parse(struct cl_manifest *m, const char *text, size_t n, struct cl_err *err)
{
    struct reader in = {0};
    memset(m, 0, sizeof *m);
    m->json = cl_json_parse(text, n, err);
    if (!m->json) {
        return cl_err_context(err, CL_MANIFEST_FILE);
    }
    if (!cl_manifest_version(m->json, err)) {
        return false;
    }
    in.version = get_integer(&in, m->json, "format_version");
    m->version = (int)in.version;
    read_header(&in, m);
    if (!read_tables(&in, m, err) || !read_objects(&in, m, err) ||
        !read_object_roles(&in, m, err) || !read_sequences(&in, m, err) ||
        !read_after(&in, m, err)) {
        return false;
    }
    m->excluded = read_names(&in, m, "excluded", &m->n_excluded, err);
    m->matviews =
        m->excluded ? read_names(&in, m, "materialized_views", &m->n_matviews, err) : NULL;
    if (!m->matviews) {
        return false;
    }
    if (in.missing) {
        return cl_fail(err, CL_INVALID, "E_MANIFEST", CL_MANIFEST_FILE ": '%s' is missing or wrong",
                       in.missing);
    }
    return cl_manifest_list_files(m, err);
}
