/*
 * Connecting.
 *
 * PQconnectdb() cannot be stopped and PQconnectPoll() knows no time limit, so this polls by itself.
 * libpq walks through hosts and addresses on its own when one refuses; when one does not answer,
 * the attempt starts again with the hosts after it.
 */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conninfo.h"

enum { TICK_MS = 100, PARAMS_MAX = 80, SETTINGS_BYTES = 2048, CONNECT_TIMEOUT_S_MAX = 3600 };

/* What would change or hinder the copying of data; scripts keep what their role has. */
#define ENGINE_SETTINGS                                                                            \
    "SET search_path = pg_catalog; SET row_security = off; SET array_nulls = on;"                  \
    "SET xmloption = content; SET quote_all_identifiers = off;"                                    \
    "SET default_transaction_isolation = 'read committed';"                                        \
    "SET default_transaction_deferrable = off; SET default_transaction_read_only = off;"

enum outcome { CONNECTED, REFUSED, TIMED_OUT, STOPPED };

struct attempt {
    PQconninfoOption *given;             /* what the connection string says; owned */
    const struct cl_pg_options *options; /* borrowed */
    int timeout_ms;                      /* a host; 0: not decided yet */
    cl_pg_stopping stopping;             /* may be NULL */
    void *arg;                           /* for stopping */
    PQconninfoOption *used;              /* with environment and service file; owned */
    size_t skip;                         /* hosts that did not answer */
    char place[512];                     /* for messages */
};

static const char *option(const PQconninfoOption *list, const char *keyword)
{
    for (; list && list->keyword; list++) {
        if (strcmp(list->keyword, keyword) == 0) {
            return list->val && *list->val ? list->val : NULL;
        }
    }
    return NULL;
}

static bool stopped(const struct attempt *a)
{
    return a->stopping && a->stopping(a->arg);
}

static void log_notice(void *arg, const char *message)
{
    (void)arg;
    cl_log(CL_LOG_DEBUG, "postgresql: %.*s", (int)strcspn(message, "\n"), message);
}

/* ---------------------------------------------------------------- parameters */

struct params {
    const char *keys[PARAMS_MAX];   /* NULL-terminated */
    const char *values[PARAMS_MAX]; /* beside them */
    int n;                          /* how many */
};

static void put(struct params *p, const char *key, const char *value)
{
    if (p->n < PARAMS_MAX - 1) {
        p->keys[p->n] = key;
        p->values[p->n++] = value;
    }
}

/* The part of a comma-separated list after its first `skip` elements; a list of one stands for
 * all hosts. */
static const char *list_from(const char *list, size_t skip)
{
    if (!list || !strchr(list, ',')) {
        return list;
    }
    while (skip-- > 0) {
        const char *comma = strchr(list, ',');
        if (!comma) {
            return "";
        }
        list = comma + 1;
    }
    return list;
}

static size_t list_count(const char *list)
{
    size_t n = 1;
    for (; list && *list; list++) {
        n += *list == ',';
    }
    return n;
}

static size_t host_count(const struct attempt *a)
{
    const char *hosts = option(a->used, "hostaddr");
    return list_count(hosts ? hosts : option(a->used, "host"));
}

static PGconn *start(const struct attempt *a)
{
    struct params p = {.n = 0};
    put(&p, "fallback_application_name", "cloner");
    put(&p, "keepalives_idle", "30"); /* a dead peer is noticed after 30 + 3 x 10 s */
    put(&p, "keepalives_interval", "10");
    put(&p, "keepalives_count", "3");
    for (const PQconninfoOption *o = a->given; o->keyword; o++) {
        if (o->val) {
            put(&p, o->keyword, o->val);
        }
    }
    if (a->skip > 0) {
        put(&p, "host", list_from(option(a->used, "host"), a->skip));
        put(&p, "hostaddr", list_from(option(a->used, "hostaddr"), a->skip));
        put(&p, "port", list_from(option(a->used, "port"), a->skip));
    }
    put(&p, "client_encoding", "UTF8");
    if (a->options->application) {
        put(&p, "application_name", a->options->application);
    }
    PGconn *conn = PQconnectStartParams(p.keys, p.values, 0);
    if (conn) {
        PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* see find_sqlstate() */
        PQsetNoticeProcessor(conn, log_notice, NULL);
    }
    return conn;
}

static void describe(struct attempt *a)
{
    static const char *const shown[] = {"host", "hostaddr", "port", "dbname", "user"};
    size_t used = 0;
    a->place[0] = '\0';
    for (size_t i = 0; i < sizeof shown / sizeof *shown && used < sizeof a->place; i++) {
        const char *value = option(a->used, shown[i]);
        if (value) {
            int n = snprintf(a->place + used, sizeof a->place - used, "%s%s=%s", used ? " " : "",
                             shown[i], value);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (!a->place[0]) {
        snprintf(a->place, sizeof a->place, "the database");
    }
}

static void decide_timeout(struct attempt *a)
{
    if (a->timeout_ms > 0) {
        return;
    }
    const char *text = option(a->used, "connect_timeout");
    long seconds = text ? strtol(text, NULL, 10) : 0;
    bool sane = seconds > 0 && seconds <= CONNECT_TIMEOUT_S_MAX;
    a->timeout_ms = sane ? (int)seconds * 1000 : CL_PG_CONNECT_TIMEOUT_MS;
}

/* ---------------------------------------------------------------- waiting */

/* Waits one tick at most for the socket. */
static void wait_socket(PGconn *conn, short events, int64_t left_ms)
{
    struct pollfd fd = {.fd = PQsocket(conn), .events = events};
    if (fd.fd < 0) {
        return;
    }
    int ms = left_ms < TICK_MS ? (int)(left_ms > 0 ? left_ms : 0) : TICK_MS;
    if (poll(&fd, 1, ms) < 0 && errno != EINTR) {
        cl_log(CL_LOG_DEBUG, "poll on a database socket: %s", strerrordesc_np(errno));
    }
}

static bool ready(PGconn *conn, short events)
{
    struct pollfd fd = {.fd = PQsocket(conn), .events = events};
    return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

static void peer(PGconn *conn, char *out, size_t size)
{
    const char *host = PQhost(conn), *addr = PQhostaddr(conn), *port = PQport(conn);
    snprintf(out, size, "%s|%s|%s", host ? host : "", addr ? addr : "", port ? port : "");
}

/* How many hosts of the attempt libpq has left behind or is at, minus one. */
static size_t host_index(const struct attempt *a, PGconn *conn)
{
    const char *addrs = option(a->used, "hostaddr");
    const char *list = list_from(addrs ? addrs : option(a->used, "host"), a->skip);
    const char *ports = list_from(option(a->used, "port"), a->skip);
    const char *now = addrs ? PQhostaddr(conn) : PQhost(conn);
    const char *port = PQport(conn);
    for (size_t i = 0; list && now && port && i + a->skip < host_count(a); i++) {
        const char *at = list_from(list, i);
        const char *port_at = list_from(ports, i);
        size_t n = strcspn(at, ",");
        bool same = strlen(now) == n && strncmp(at, now, n) == 0;
        if (same && port_at) {
            n = strcspn(port_at, ",");
            same = strlen(port) == n && strncmp(port_at, port, n) == 0;
        }
        if (same) {
            return i;
        }
    }
    return host_count(a); /* not found: nothing to go on with */
}

static enum outcome advance(const struct attempt *a, PGconn *conn)
{
    char before[512], after[512];
    peer(conn, before, sizeof before);
    int64_t deadline_ms = cl_clock_boot_ms() + a->timeout_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        int64_t left_ms = deadline_ms - cl_clock_boot_ms();
        if (stopped(a)) {
            return STOPPED;
        }
        if (left_ms <= 0) {
            return TIMED_OUT;
        }
        wait_socket(conn, events, left_ms);
        if (ready(conn, events) || PQsocket(conn) < 0) {
            status = PQconnectPoll(conn);
            peer(conn, after, sizeof after);
            if (strcmp(before, after) != 0) { /* libpq went on to another address */
                memcpy(before, after, sizeof before);
                deadline_ms = cl_clock_boot_ms() + a->timeout_ms;
            }
        }
    }
    return status == PGRES_POLLING_OK ? CONNECTED : REFUSED;
}

/* ---------------------------------------------------------------- settings */

/* A blocking command with a deadline that can be stopped; the last result, or NULL. */
static PGresult *run(const struct attempt *a, PGconn *conn, const char *sql, struct cl_err *err)
{
    int64_t deadline_ms = cl_clock_boot_ms() + CL_PG_SETTINGS_TIMEOUT_MS;
    PGresult *last = NULL;
    if (!PQsendQuery(conn, sql)) {
        cl_pg_fail(err, conn, NULL);
        return NULL;
    }
    for (;;) {
        while (PQisBusy(conn)) {
            int64_t left_ms = deadline_ms - cl_clock_boot_ms();
            if (left_ms <= 0 || stopped(a)) {
                cl_fail(err, left_ms <= 0 ? CL_TIMEOUT : CL_CANCELLED, "E_CONNECT",
                        left_ms <= 0 ? "the server does not answer" : "stopped while connecting");
                goto failed;
            }
            wait_socket(conn, POLLIN, left_ms);
            if (!PQconsumeInput(conn)) {
                cl_pg_fail(err, conn, NULL);
                goto failed;
            }
        }
        PGresult *next = PQgetResult(conn);
        if (!next) {
            return last;
        }
        PQclear(last);
        last = next;
        ExecStatusType status = PQresultStatus(last);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            cl_pg_fail(err, conn, last);
            goto failed;
        }
    }
failed:
    PQclear(last);
    return NULL;
}

/* The server's end of the connection: it notices within a minute that we are gone, unless its
 * operator has set other times; but never gives us up because we let it wait: while the other side
 * is slow, or a limit keeps us, we read nothing. */
static const char *peers(const PGconn *conn)
{
    return PQserverVersion(conn) < 120000
               ? ""
               : "SET tcp_user_timeout = 0;"
                 "SELECT set_config(name, CASE name WHEN 'tcp_keepalives_idle' THEN '30' "
                 "WHEN 'tcp_keepalives_interval' THEN '10' ELSE '3' END, false) "
                 "FROM pg_catalog.pg_settings WHERE source = 'default' AND name IN "
                 "('tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count');";
}

static bool apply_settings(const struct attempt *a, PGconn *conn, struct cl_err *err)
{
    const struct cl_pg_options *o = a->options;
    char sql[SETTINGS_BYTES];
    snprintf(sql, sizeof sql,
             "SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = 'UTC';"
             "SET extra_float_digits = 3; SET bytea_output = hex; SET lc_monetary = 'C';"
             "SET standard_conforming_strings = on; SET statement_timeout = 0;"
             "SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;%s%s%s%s%s",
             PQserverVersion(conn) >= 140000 ? "SET idle_session_timeout = 0;" : "",
             o->for_scripts ? "" : peers(conn), o->for_scripts ? "" : ENGINE_SETTINGS,
             o->fast_commit ? "SET synchronous_commit = off;" : "",
             o->readonly ? "SET default_transaction_read_only = on;"
                           "SHOW default_transaction_read_only"
                         : "");
    PGresult *result = run(a, conn, sql, err);
    if (!result) {
        return cl_err_context(err, "setting up the session on %s", a->place);
    }
    bool ok =
        !o->readonly || (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "on") == 0);
    PQclear(result);
    return ok || cl_fail(err, CL_PERMISSION, "E_NOT_READONLY",
                         "the session on %s does not become read-only", a->place);
}

/* ---------------------------------------------------------------- all of it */

static bool fail_timed_out(const struct attempt *a, struct cl_err *err)
{
    return cl_fail(err, CL_TRANSIENT, "08001",
                   "cannot connect to %s: no answer within %d ms; check the address, and that no "
                   "firewall is between",
                   a->place, a->timeout_ms);
}

static PGconn *try_hosts(struct attempt *a, struct cl_err *err)
{
    for (;;) {
        PGconn *conn = start(a);
        if (!a->used) {
            a->used = PQconninfo(conn);
            decide_timeout(a);
            describe(a);
        }
        if (!conn || PQstatus(conn) == CONNECTION_BAD) {
            cl_pg_connect_fail(err, conn, a->place);
            PQfinish(conn);
            return NULL;
        }
        enum outcome outcome = advance(a, conn);
        if (outcome == CONNECTED) {
            return conn;
        }
        if (outcome == TIMED_OUT) {
            a->skip += host_index(a, conn) + 1;
        }
        if (outcome == TIMED_OUT && a->skip >= host_count(a)) {
            fail_timed_out(a, err);
        } else if (outcome == REFUSED) {
            cl_pg_connect_fail(err, conn, a->place);
        } else if (outcome == STOPPED) {
            cl_fail(err, CL_CANCELLED, "E_CONNECT", "stopped while connecting to %s", a->place);
        }
        PQfinish(conn);
        if (outcome != TIMED_OUT || a->skip >= host_count(a)) {
            return NULL;
        }
    }
}

PGconn *cl_pg_connect(const char *conninfo, const struct cl_pg_options *options, int timeout_ms,
                      cl_pg_stopping stopping, void *arg, struct cl_err *err)
{
    struct attempt a = {
        .options = options, .timeout_ms = timeout_ms, .stopping = stopping, .arg = arg};
    a.given = cl_pg_conninfo_parse(conninfo, err);
    if (!a.given) {
        return NULL;
    }
    PGconn *conn = try_hosts(&a, err);
    if (conn) {
        PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
        if (!apply_settings(&a, conn, err)) {
            PQfinish(conn);
            conn = NULL;
        }
    }
    PQconninfoFree(a.used);
    PQconninfoFree(a.given);
    return conn;
}
