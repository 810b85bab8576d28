#include "conninfo.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "backup.h"
#include "base/buf.h"

enum { CONNINFO_BYTES_MAX = 64 * 1024 };

/* keyword='value' with ' and \ escaped, as libpq reads it. */
static void add_setting(struct cl_buf *out, const char *keyword, const char *value)
{
    if (out->len > 0) {
        cl_buf_addc(out, ' ');
    }
    cl_buf_adds(out, keyword);
    cl_buf_adds(out, "='");
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\') {
            cl_buf_addc(out, '\\');
        }
        cl_buf_addc(out, *p);
    }
    cl_buf_addc(out, '\'');
}

static PQconninfoOption *parse(const char *dsn, struct cl_err *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &why);
    if (!options) {
        /* libpq's text may quote the string, and with it a password */
        cl_fail(err, CL_INVALID, "E_DSN", "this is not a connection string libpq understands");
        PQfreemem(why);
    }
    return options;
}

char *cl_backup_conninfo(const char *dsn, const char *password, struct cl_err *err)
{
    PQconninfoOption *options = parse(dsn, err);
    if (!options) {
        return NULL;
    }
    struct cl_buf out;
    cl_buf_init(&out, CONNINFO_BYTES_MAX);
    cl_buf_adds(&out, "");
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && !(password && strcmp(o->keyword, "password") == 0)) {
            add_setting(&out, o->keyword, o->val);
        }
    }
    if (password) {
        add_setting(&out, "password", password);
    }
    PQconninfoFree(options);
    if (out.failed) {
        cl_buf_fini(&out);
        cl_fail(err, CL_INVALID, "E_DSN", "the connection string is too long");
        return NULL;
    }
    return out.data;
}

bool cl_conninfo_split(const char *conninfo, struct cl_conninfo_parts *parts, struct cl_err *err)
{
    memset(parts, 0, sizeof *parts);
    PQconninfoOption *options = parse(conninfo, err);
    if (!options) {
        return false;
    }
    struct cl_buf out;
    struct cl_buf env;
    cl_buf_init(&out, CONNINFO_BYTES_MAX);
    cl_buf_init(&env, CONNINFO_BYTES_MAX);
    cl_buf_adds(&out, "");
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (!o->val) {
            continue;
        }
        if (strcmp(o->keyword, "password") == 0) {
            cl_buf_addf(&env, "PGPASSWORD=%s", o->val);
        } else {
            add_setting(&out, o->keyword, o->val);
        }
    }
    PQconninfoFree(options);
    parts->public_part = out.data;
    parts->password_env = env.data;
    if (out.failed || env.failed) {
        cl_conninfo_fini(parts);
        return cl_fail(err, CL_INVALID, "E_DSN", "the connection string is too long");
    }
    return true;
}

void cl_conninfo_fini(struct cl_conninfo_parts *parts)
{
    if (parts->password_env) {
        explicit_bzero(parts->password_env, strlen(parts->password_env));
    }
    free(parts->password_env);
    free(parts->public_part);
    memset(parts, 0, sizeof *parts);
}
