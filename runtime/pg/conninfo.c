/* Connection strings: read, merged with a password, and shown without one. */
#include "conninfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/redact.h"
#include "session.h"

enum { CONNINFO_BYTES_MAX = 64 * 1024 };

/* libpq quotes what it could not read, and that may be a part of the password. */
static void strip_quoted(char *text)
{
    char *open = strchr(text, '"');
    while (open) {
        char *close = strchr(open + 1, '"');
        if (!close) {
            open[1] = '\0';
            return;
        }
        memmove(open + 1, close, strlen(close) + 1);
        open = strchr(open + 2, '"');
    }
}

static const char *value_of(const PQconninfoOption *list, const char *keyword)
{
    for (; list->keyword; list++) {
        if (strcmp(list->keyword, keyword) == 0) {
            return list->val;
        }
    }
    return NULL;
}

/* Logs show *** for the password, unless it is a word they need: that of a throwaway server. */
static void conceal_password(const PQconninfoOption *list)
{
    const char *password = value_of(list, "password");
    const char *user = value_of(list, "user");
    const char *dbname = value_of(list, "dbname");
    if (password && !(user && strcmp(user, password) == 0) &&
        !(dbname && strcmp(dbname, password) == 0)) {
        cl_redact_add(password, strlen(password));
    }
}

PQconninfoOption *cl_pg_conninfo_parse(const char *conninfo, struct cl_err *err)
{
    char *why = NULL;
    PQconninfoOption *list = NULL;
    if (strlen(conninfo) > CONNINFO_BYTES_MAX) {
        cl_fail(err, CL_INVALID, "E_DSN", "the connection string is longer than %d bytes",
                (int)CONNINFO_BYTES_MAX);
        return NULL;
    }
    list = PQconninfoParse(conninfo, &why);
    if (!list) {
        if (why && (strstr(conninfo, "pass") || strchr(conninfo, '@'))) {
            strip_quoted(why);
        }
        cl_fail(err, CL_INVALID, "E_DSN", "cannot read the connection string: %s",
                why ? why : "out of memory");
    } else {
        conceal_password(list);
    }
    PQfreemem(why);
    return list;
}

static bool add_option(struct cl_buf *out, const char *keyword, const char *value)
{
    cl_buf_addf(out, "%s%s=", out->len ? " " : "", keyword);
    bool plain = *value && !strpbrk(value, " \t\n\r\f\v'\\");
    if (plain) {
        return cl_buf_adds(out, value);
    }
    cl_buf_addc(out, '\'');
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\') {
            cl_buf_addc(out, '\\');
        }
        cl_buf_addc(out, *p);
    }
    return cl_buf_addc(out, '\'');
}

/* Ends *out: the string, or NULL when it did not fit. */
static char *take(struct cl_buf *out)
{
    char *text = NULL;
    if (!out->failed && cl_buf_reserve(out, 0)) {
        text = out->data;
        out->data[out->len] = '\0';
        out->data = NULL;
    }
    cl_buf_fini(out);
    return text;
}

char *cl_pg_safe_conninfo(const char *conninfo)
{
    PQconninfoOption *list = cl_pg_conninfo_parse(conninfo, NULL);
    if (!list) {
        return strdup("(a connection string that cannot be read)");
    }
    struct cl_buf out;
    cl_buf_init(&out, 4 * CONNINFO_BYTES_MAX);
    for (PQconninfoOption *o = list; o->keyword; o++) {
        if (o->val && !strchr(o->dispchar, '*')) {
            add_option(&out, o->keyword, o->val);
        }
    }
    PQconninfoFree(list);
    return take(&out);
}

char *cl_pg_conninfo(const char *conninfo, const char *password, struct cl_err *err)
{
    PQconninfoOption *list = cl_pg_conninfo_parse(conninfo, err);
    if (!list) {
        return NULL;
    }
    struct cl_buf out;
    cl_buf_init(&out, 4 * CONNINFO_BYTES_MAX);
    for (PQconninfoOption *o = list; o->keyword; o++) {
        if (password && strcmp(o->keyword, "password") == 0) {
            add_option(&out, o->keyword, password);
        } else if (o->val) {
            add_option(&out, o->keyword, o->val);
        }
    }
    PQconninfoFree(list);
    char *text = take(&out);
    if (!text) {
        cl_fail(err, CL_INVALID, "E_DSN", "the connection string is too long");
    }
    return text;
}
