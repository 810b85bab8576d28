#include "manifest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_BYTES = 80 };

static bool no_memory(struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
}

bool cl_manifest_name_files(struct cl_archived *a, size_t number, size_t n_files, bool sealed,
                            struct cl_err *err)
{
    char label[LABEL_BYTES];
    char which[24] = "";
    /* the number makes it unique, the rest is for readers */
    snprintf(label, sizeof label, "%s.%s", a->table.schema, a->table.name);
    for (char *p = label; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p)) {
            *p = '_';
        }
    }
    a->files = calloc(n_files, sizeof *a->files);
    if (!a->files) {
        return no_memory(err);
    }
    a->n_files = n_files;
    for (size_t i = 0; i < n_files; i++) {
        if (n_files > 1) {
            snprintf(which, sizeof which, ".%02zu", i);
        }
        if (sealed) {
            snprintf(a->files[i].file, sizeof a->files[i].file, CL_DATA_FOLDER "/%04zu%s.enc",
                     number, which);
        } else {
            snprintf(a->files[i].file, sizeof a->files[i].file, CL_DATA_FOLDER "/%04zu_%s%s.%s.zst",
                     number, label, which, a->table.format == CL_COPY_BINARY ? "bin" : "copy");
        }
    }
    return true;
}

bool cl_manifest_list_files(struct cl_manifest *m, struct cl_err *err)
{
    size_t n = m->objects.n_files;
    for (size_t i = 0; i < m->n_tables; i++) {
        n += m->tables[i].n_files;
    }
    m->files = calloc(n + 1, sizeof *m->files);
    if (!m->files) {
        return no_memory(err);
    }
    for (size_t i = 0; i < m->objects.n_files; i++) {
        m->files[m->n_files++] = (struct cl_filed){&m->objects, &m->objects.files[i]};
    }
    for (size_t i = 0; i < m->n_tables; i++) {
        for (size_t j = 0; j < m->tables[i].n_files; j++) {
            m->files[m->n_files++] = (struct cl_filed){&m->tables[i], &m->tables[i].files[j]};
        }
    }
    return true;
}

uint64_t cl_archived_rows(const struct cl_archived *archived)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < archived->n_files; i++) {
        rows += archived->files[i].rows;
    }
    return rows;
}

uint64_t cl_archived_raw_bytes(const struct cl_archived *archived)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < archived->n_files; i++) {
        bytes += archived->files[i].raw_bytes;
    }
    return bytes;
}

static void put_string(struct cl_buf *out, const char *before, const char *value)
{
    cl_buf_adds(out, before);
    cl_json_string(out, value);
}

static void put_file(struct cl_buf *out, const struct cl_data_file *file)
{
    put_string(out, "{\"file\": ", file->file);
    cl_buf_addf(out, ", \"rows\": %llu, \"bytes\": %llu, \"raw_bytes\": %llu",
                (unsigned long long)file->rows, (unsigned long long)file->bytes,
                (unsigned long long)file->raw_bytes);
    put_string(out, ", \"sha256\": ", file->sha256);
    cl_buf_adds(out, "}");
}

static void put_files(struct cl_buf *out, const char *before, const struct cl_archived *a)
{
    cl_buf_adds(out, before);
    for (size_t i = 0; i < a->n_files; i++) {
        cl_buf_adds(out, i > 0 ? ",\n               " : "");
        put_file(out, &a->files[i]);
    }
}

static void put_table(struct cl_buf *out, const struct cl_archived *a)
{
    put_string(out, "    {\"schema\": ", a->table.schema);
    put_string(out, ", \"name\": ", a->table.name);
    cl_buf_addf(out, ", \"oid\": %u", a->table.oid);
    if (a->table.root_schema) {
        put_string(out, ", \"root\": {\"schema\": ", a->table.root_schema);
        put_string(out, ", \"name\": ", a->table.root_name);
        cl_buf_adds(out, "}");
    }
    put_string(out, ", \"format\": ", a->table.format == CL_COPY_BINARY ? "binary" : "text");
    put_files(out, ",\n     \"files\": [", a);
    cl_buf_adds(out, "],\n     \"columns\": [");
    for (size_t i = 0; i < a->table.n_columns; i++) {
        put_string(out, i > 0 ? ", {\"name\": " : "{\"name\": ", a->table.columns[i].name);
        put_string(out, ", \"type\": ", a->table.columns[i].type);
        cl_buf_adds(out, "}");
    }
    cl_buf_adds(out, "]}");
}

static void put_names(struct cl_buf *out, const char *label, const char *const *pairs, size_t n)
{
    cl_buf_addf(out, "  \"%s\": [", label);
    for (size_t i = 0; i < n; i++) {
        put_string(out, i > 0 ? ",\n    {\"schema\": " : "\n    {\"schema\": ", pairs[2 * i]);
        put_string(out, ", \"name\": ", pairs[2 * i + 1]);
        cl_buf_adds(out, "}");
    }
    cl_buf_adds(out, "],\n");
}

static void put_after(struct cl_buf *out, const struct cl_after *after)
{
    cl_buf_adds(out, "  \"indexes\": [");
    for (size_t i = 0; i < after->n_indexes; i++) {
        const struct cl_index *index = &after->indexes[i];
        cl_buf_addf(out, "%s\n    {\"oid\": %u, \"constraint_oid\": %u", i > 0 ? "," : "",
                    index->oid, index->constraint_oid);
        put_string(out, ", \"schema\": ", index->schema);
        put_string(out, ", \"table\": ", index->table);
        put_string(out, ", \"name\": ", index->name);
        put_string(out, ",\n     \"create\": ", index->create);
        put_string(out, ",\n     \"after\": ", index->after);
        put_string(out, ", \"tablespace\": ", index->tablespace);
        cl_buf_adds(out, "}");
    }
    cl_buf_adds(out, "],\n  \"foreign_keys\": [");
    for (size_t i = 0; i < after->n_foreign_keys; i++) {
        const struct cl_foreign_key *key = &after->foreign_keys[i];
        cl_buf_addf(out, "%s\n    {\"oid\": %u, \"valid\": %s", i > 0 ? "," : "", key->oid,
                    key->valid ? "true" : "false");
        put_string(out, ", \"schema\": ", key->schema);
        put_string(out, ", \"table\": ", key->table);
        put_string(out, ", \"name\": ", key->name);
        put_string(out, ",\n     \"create\": ", key->create);
        cl_buf_adds(out, "}");
    }
    cl_buf_adds(out, "],\n");
}

static void put_roles(struct cl_buf *out, const struct cl_object_roles *roles)
{
    cl_buf_adds(out, "  \"large_object_roles\": [");
    for (size_t i = 0; i < roles->n; i++) {
        const struct cl_object_role *role = &roles->list[i];
        put_string(out, i > 0 ? ",\n    {\"name\": " : "\n    {\"name\": ", role->name);
        cl_buf_addf(out, ", \"owns\": %s, \"granted\": %s, \"grants\": %s}",
                    role->owns ? "true" : "false", role->granted ? "true" : "false",
                    role->grants ? "true" : "false");
    }
    cl_buf_adds(out, "],\n");
}

bool cl_manifest_write(struct cl_buf *out, const struct cl_manifest *m)
{
    cl_buf_addf(out, "{\n  \"format_version\": %d,\n", CL_ARCHIVE_VERSION);
    put_string(out, "  \"source\": {\"system_identifier\": ", m->source.system);
    cl_buf_addf(out, ", \"database_oid\": %u", m->source.oid);
    put_string(out, ", \"database\": ", m->source.database);
    put_string(out, ", \"server_version\": ", m->source.version);
    cl_buf_addf(out, ", \"server_version_num\": %d},\n", m->source.number);
    put_string(out, "  \"snapshot\": ", m->snapshot);
    put_string(out, ",\n  \"started\": ", m->started);
    put_string(out, ",\n  \"finished\": ", m->finished);
    cl_buf_addf(out, ",\n  \"large_objects\": %llu", (unsigned long long)m->large_objects);
    put_files(out, ",\n  \"large_object_files\": [", &m->objects);
    cl_buf_adds(out, "],\n");
    put_roles(out, &m->object_roles);
    cl_buf_addf(out, "  \"compression\": {\"method\": \"zstd\", \"level\": %d},\n", m->level);
    put_string(out, "  \"schema\": {\"file\": ", CL_SCHEMA_FILE);
    cl_buf_addf(out, ", \"bytes\": %llu", (unsigned long long)m->schema_bytes);
    put_string(out, ", \"sha256\": ", m->schema_sha256);
    cl_buf_addf(out, ", \"pg_dump\": %d},\n  \"tables\": [", m->pg_dump);
    for (size_t i = 0; i < m->n_tables; i++) {
        cl_buf_adds(out, i > 0 ? ",\n" : "\n");
        put_table(out, &m->tables[i]);
    }
    cl_buf_adds(out, "],\n  \"sequences\": [");
    for (size_t i = 0; i < m->n_sequences; i++) {
        put_string(out,
                   i > 0 ? ",\n    {\"schema\": " : "\n    {\"schema\": ", m->sequences[i].schema);
        put_string(out, ", \"name\": ", m->sequences[i].name);
        cl_buf_addf(out, ", \"last_value\": %lld, \"is_called\": %s}",
                    (long long)m->sequences[i].last_value,
                    m->sequences[i].is_called ? "true" : "false");
    }
    cl_buf_adds(out, "],\n");
    put_after(out, &m->after);
    put_names(out, "materialized_views", m->matviews, m->n_matviews);
    put_names(out, "excluded", m->excluded, m->n_excluded);
    return cl_buf_adds(out, "  \"producer\": \"cloner\"\n}\n");
}

void cl_manifest_fini(struct cl_manifest *m)
{
    for (size_t i = 0; i < m->n_tables; i++) {
        free(m->tables[i].files);
    }
    free(m->objects.files);
    free(m->tables);
    free(m->files);
    free(m->sequences);
    free(m->excluded);
    free(m->matviews);
    free(m->columns);
    cl_after_fini(&m->after);
    cl_object_roles_fini(&m->object_roles);
    cl_json_free(m->json);
    memset(m, 0, sizeof *m);
}
