/* How PostgreSQL's errors become ours: the one table, and the texts. */
#include <stdio.h>
#include <string.h>

#include "connect.h"
#include "session.h"

/* First match wins; a prefix of two characters is a whole SQLSTATE class. */
static const struct {
    const char *prefix;
    enum cl_class class;
} table[] = {
    {"08", CL_TRANSIENT},     /* connection exceptions */
    {"40002", CL_CONFLICT},   /* deferred constraint at commit */
    {"40", CL_TRANSIENT},     /* serialization failure, deadlock, completion unknown */
    {"53", CL_TRANSIENT},     /* disk full, out of memory, too many connections */
    {"55P03", CL_TRANSIENT},  /* lock not available */
    {"55006", CL_TRANSIENT},  /* object in use: a database with sessions */
    {"55", CL_CONFLICT},      /* not in the state this needs */
    {"57014", CL_TIMEOUT},    /* statement timeout, or an administrator cancelled the query */
    {"57P04", CL_NOT_FOUND},  /* database dropped under us */
    {"57P", CL_TRANSIENT},    /* shutdown, crash, cannot connect now, idle session */
    {"58P01", CL_NOT_FOUND},  /* file on the server */
    {"58", CL_TRANSIENT},     /* I/O error of the server */
    {"72", CL_TRANSIENT},     /* snapshot too old */
    {"XX000", CL_TRANSIENT},  /* internal, such as "tuple concurrently updated" */
    {"25P03", CL_TRANSIENT},  /* idle in transaction for too long */
    {"25006", CL_PERMISSION}, /* a write on a read-only session */
    {"25P02", CL_BUG},        /* went on in a transaction that had failed */
    {"28", CL_PERMISSION},    /* login refused */
    {"42501", CL_PERMISSION}, /* grant missing */
    {"3D000", CL_NOT_FOUND},  /* database */
    {"3F000", CL_NOT_FOUND},  /* schema */
    {"42P01", CL_NOT_FOUND},  /* table */
    {"42704", CL_NOT_FOUND},  /* role, type, … */
    {"P0002", CL_NOT_FOUND},  /* STRICT query without a row */
    {"23", CL_CONFLICT},      /* constraints */
    {"44", CL_CONFLICT},      /* WITH CHECK OPTION */
    {"27", CL_CONFLICT},      /* triggered data change */
    {"42P04", CL_CONFLICT},   /* the database exists already */
    {"42P06", CL_CONFLICT},   /* schema */
    {"42P07", CL_CONFLICT},   /* table */
    {"42710", CL_CONFLICT},   /* role, extension, … */
    {"42701", CL_CONFLICT},   /* column */
    {"42723", CL_CONFLICT},   /* function */
    {"P0001", CL_CONFLICT},   /* RAISE EXCEPTION */
    {"P0003", CL_CONFLICT},   /* STRICT query with many rows */
    {"P0004", CL_BUG},        /* ASSERT */
};

enum cl_class cl_pg_class(const char *sqlstate, bool *retryable)
{
    enum cl_class class = CL_INVALID;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0) {
            class = table[i].class;
            break;
        }
    }
    struct cl_err by_class;
    cl_fail(&by_class, class, "", "%s", "");
    if (retryable) {
        *retryable = by_class.retryable;
    }
    return class;
}

static void append(struct cl_err *err, const char *label, const char *text)
{
    size_t used = strlen(err->detail);
    if (text && *text && used < sizeof err->detail) {
        snprintf(err->detail + used, sizeof err->detail - used, "%s%s%s", used ? "; " : "", label,
                 text);
    }
    for (char *p = err->detail; *p; p++) {
        if ((unsigned char)*p < ' ') {
            *p = ' ';
        }
    }
}

/* Where in a COPY: "COPY person, line 5, column email", without the value that follows. */
static void append_copy_context(struct cl_err *err, const char *context)
{
    char place[256];
    if (!context || strncmp(context, "COPY ", 5) != 0) {
        return;
    }
    snprintf(place, sizeof place, "%s", context);
    char *end = strstr(place, ": \"");
    if (!end) {
        end = strchr(place, '\n');
    }
    if (end) {
        *end = '\0';
    }
    append(err, "in ", place);
}

/* "Failing row contains (…)": whole rows, passwords and tokens among the values, have no place in
 * error texts, which go to logs and the journal. By code: servers speak many languages. */
static bool detail_is_a_row(const char *state)
{
    static const char *const codes[] = {
        "23502", /* not null */
        "23514", /* check, partition bound */
        "44000", /* WITH CHECK OPTION */
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(state, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool fail_of_connection(struct cl_err *err, const PGconn *conn)
{
    const char *text = conn ? PQerrorMessage(conn) : "";
    if (conn && PQstatus(conn) == CONNECTION_OK && *text) {
        return cl_fail(err, CL_BUG, "E_LIBPQ", "%s", text); /* libpq refused to even try */
    }
    return cl_fail(err, CL_TRANSIENT, "08006", "the connection to the database was lost%s%s",
                   *text ? ": " : "", text);
}

bool cl_pg_fail(struct cl_err *err, const PGconn *conn, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!err) {
        return false;
    }
    if (!state) {
        const char *text = result ? PQresultErrorMessage(result) : "";
        if (*text && conn && PQstatus(conn) == CONNECTION_OK) {
            return cl_fail(err, CL_BUG, "E_LIBPQ", "%s", text);
        }
        return fail_of_connection(err, conn);
    }
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool retryable;
    enum cl_class class = cl_pg_class(state, &retryable);
    if (strcmp(state, "08P01") == 0 && severity && strcmp(severity, "ERROR") == 0) {
        /* Wrong number of parameters and the like. Poolers use the same code, but then FATAL. */
        class = CL_INVALID;
        retryable = false;
    }
    cl_fail(err, class, state, "%s", text ? text : "the server gave no reason");
    err->retryable = retryable;
    if (!detail_is_a_row(state)) {
        append(err, "", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    }
    append(err, "hint: ", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
    append_copy_context(err, PQresultErrorField(result, PG_DIAG_CONTEXT));
    return false;
}

/* ---------------------------------------------------------------- while connecting */

/* What libpq says itself, before or instead of a server's answer. */
static enum cl_class class_of_client_text(const char *text, const char **code)
{
    static const struct {
        const char *part;
        enum cl_class class;
        const char *code;
    } texts[] = {
        {"no password supplied", CL_PERMISSION, "28P01"},
        {"certificate", CL_PERMISSION, "E_TLS"},
        {"does not support SSL", CL_PERMISSION, "E_TLS"},
        {"password retrieved from file", CL_PERMISSION, "28P01"},
        {"invalid sslmode", CL_INVALID, "E_DSN"},
        {"invalid port number", CL_INVALID, "E_DSN"},
        {"could not match", CL_INVALID, "E_DSN"},
        {"definition of service", CL_INVALID, "E_DSN"},
        {"service file", CL_INVALID, "E_DSN"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strstr(text, texts[i].part)) {
            *code = texts[i].code;
            return texts[i].class;
        }
    }
    *code = "08001";
    return CL_TRANSIENT;
}

/* The server's answer looks like `FATAL:  28P01: password authentication failed …` because we
 * connect with PQERRORS_VERBOSE: the only way libpq shows the SQLSTATE of a refused login. */
static const char *find_sqlstate(const char *text, char state[6])
{
    static const char *const severities[] = {"FATAL:  ", "ERROR:  ", "PANIC:  "};
    const char *last = NULL;
    for (size_t i = 0; i < sizeof severities / sizeof *severities; i++) {
        for (const char *p = strstr(text, severities[i]); p; p = strstr(p + 1, severities[i])) {
            const char *code = p + strlen(severities[i]);
            if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
                strncmp(code + 5, ": ", 2) == 0 && (!last || code > last)) {
                last = code;
            }
        }
    }
    if (!last) {
        return NULL;
    }
    memcpy(state, last, 5);
    state[5] = '\0';
    return last + 7;
}

static const char *way_out(const char *code, enum cl_class class)
{
    if (strncmp(code, "28", 2) == 0) {
        return "check the user and the password, and pg_hba.conf of the server";
    }
    if (strcmp(code, "3D000") == 0) {
        return "check the database's name";
    }
    if (strcmp(code, "53300") == 0) {
        return "the server has no connection left: close some, or raise max_connections";
    }
    if (strcmp(code, "08001") == 0) {
        return "check that the server runs there and can be reached";
    }
    return class == CL_TRANSIENT ? "try again later" : NULL;
}

bool cl_pg_connect_fail(struct cl_err *err, const PGconn *conn, const char *place)
{
    char text[768];
    char state[6];
    const char *message = conn ? PQerrorMessage(conn) : "out of memory";
    const char *code = state;
    const char *after = find_sqlstate(message, state);
    enum cl_class class = after ? cl_pg_class(state, NULL) : class_of_client_text(message, &code);
    snprintf(text, sizeof text, "%s", after ? after : message);
    char *end = strstr(text, "\nLOCATION:");
    if (end) {
        *end = '\0';
    }
    for (char *tab = strstr(text, "\n\t"); tab; tab = strstr(text, "\n\t")) {
        memmove(tab + 1, tab + 2, strlen(tab + 2) + 1);
    }
    cl_fail(err, class, code, "cannot connect to %s: %s", place, text);
    if (err) {
        const char *advice = way_out(code, class);
        append(err, "hint: ", advice);
    }
    return false;
}
