#include "tablespaces.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/embed.h"
#include "catalog.h"
#include "pg/session.h"

enum { SETTINGS_BYTES_MAX = 1024, NAMES_BYTES_MAX = 64 * 1024 };

void cl_tablespaces_fini(struct cl_tablespaces *tablespaces)
{
    for (size_t i = 0; i < tablespaces->n; i++) {
        free(tablespaces->names[i]);
    }
    memset(tablespaces, 0, sizeof *tablespaces);
}

bool cl_tablespaces_note(struct cl_tablespaces *tablespaces, const char *name)
{
    for (size_t i = 0; i < tablespaces->n; i++) {
        if (strcmp(tablespaces->names[i], name) == 0) {
            return true;
        }
    }
    if (!*name || tablespaces->n == CL_TABLESPACES_MAX) {
        return true; /* past the maximum the server has the last word */
    }
    tablespaces->names[tablespaces->n] = strdup(name);
    return tablespaces->names[tablespaces->n++] != NULL;
}

const char *cl_tablespace_of(const struct cl_backup_spec *spec, const char *name)
{
    if (spec->leave & CL_LEAVE_TABLESPACES) {
        return "";
    }
    for (size_t i = 0; i < spec->n_tablespaces; i++) {
        if (strcmp(spec->tablespaces[2 * i], name) == 0) {
            return spec->tablespaces[2 * i + 1];
        }
    }
    return name;
}

/* The last line of sql when it sets what; a pointer into it, else NULL. */
static char *last_setting(char *sql, const char *what)
{
    size_t n = strlen(sql);
    while (n > 0 && sql[n - 1] == '\n') {
        n--;
    }
    char *line = sql + n;
    while (line > sql && line[-1] != '\n') {
        line--;
    }
    return strncmp(line, what, strlen(what)) == 0 ? line : NULL;
}

/* A quoted or plain identifier, or the empty string in quotes, as pg_dump writes it. */
static void read_name(const char *from, struct cl_buf *name)
{
    char quote = *from == '"' || *from == '\'' ? *from++ : '\0';
    for (; *from && *from != '\n'; from++) {
        if (quote ? *from == quote && *++from != quote : *from == ';') {
            break;
        }
        cl_buf_addc(name, *from);
    }
}

char *cl_tablespaces_cut(struct cl_tablespaces *tablespaces, const struct cl_backup_spec *spec,
                         char *sql, struct cl_err *err)
{
    static const char tablespace[] = "SET default_tablespace = ";
    static const char method[] = "SET default_table_access_method = ";
    struct cl_buf settings;
    struct cl_buf name;
    cl_buf_init(&settings, SETTINGS_BYTES_MAX);
    cl_buf_init(&name, SETTINGS_BYTES_MAX);
    char *line = last_setting(sql, method);
    if (line) {
        cl_buf_adds(&settings, line);
        *line = '\0';
    }
    line = last_setting(sql, tablespace);
    bool ok = true;
    if (line) {
        read_name(line + sizeof tablespace - 1, &name);
        ok = cl_tablespaces_note(tablespaces, cl_buf_str(&name));
        const char *ours = cl_tablespace_of(spec, cl_buf_str(&name));
        cl_buf_adds(&settings, tablespace);
        ok = ok && (*ours ? cl_sql_ident(&settings, ours) : cl_buf_adds(&settings, "''")) &&
             cl_buf_adds(&settings, ";\n");
        *line = '\0';
    }
    char *out = ok && !settings.failed ? strdup(cl_buf_str(&settings)) : NULL;
    cl_buf_fini(&settings);
    cl_buf_fini(&name);
    if (!out) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    return out;
}

bool cl_tablespaces_check(const struct cl_tablespaces *tablespaces,
                          const struct cl_backup_spec *spec, PGconn *conn, struct cl_err *err)
{
    struct cl_buf names;
    bool ok = true;
    cl_buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; ok && i < tablespaces->n; i++) {
        const char *name = cl_tablespace_of(spec, tablespaces->names[i]);
        if (*name) {
            const char *params[] = {name};
            PGresult *r =
                cl_pg_query(conn, "SELECT FROM pg_tablespace WHERE spcname = $1", 1, params, err);
            ok = r != NULL;
            if (r && PQntuples(r) == 0) {
                cl_buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", name);
            }
            PQclear(r);
        }
    }
    if (ok && names.len > 0) {
        ok = cl_fail(err, CL_CONFLICT, "E_NO_TABLESPACE",
                     "the target's server has no tablespace %s: create it, map it to another "
                     "(tablespaces), or leave tablespaces behind",
                     cl_buf_str(&names));
    }
    cl_buf_fini(&names);
    return ok;
}
