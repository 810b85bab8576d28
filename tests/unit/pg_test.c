/* pg: SQLSTATE table, connection strings, refused connections. With TEST_DSN set (a PostgreSQL
 * the tests may log into) also what sessions promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/redact.h"
#include "pg/connect.h"
#include "pg/session.h"

static void sqlstate_to_class(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum cl_class class;
        bool retryable;
    } cases[] = {
        {"08006", CL_TRANSIENT, true},   {"40001", CL_TRANSIENT, true},
        {"40P01", CL_TRANSIENT, true},   {"40002", CL_CONFLICT, false},
        {"53300", CL_TRANSIENT, true},   {"53100", CL_TRANSIENT, true},
        {"57P01", CL_TRANSIENT, true},   {"57P03", CL_TRANSIENT, true},
        {"57P04", CL_NOT_FOUND, false},  {"55P03", CL_TRANSIENT, true},
        {"55006", CL_TRANSIENT, true},   {"55000", CL_CONFLICT, false},
        {"57014", CL_TIMEOUT, true},     {"28P01", CL_PERMISSION, false},
        {"28000", CL_PERMISSION, false}, {"42501", CL_PERMISSION, false},
        {"25006", CL_PERMISSION, false}, {"25P02", CL_BUG, false},
        {"3D000", CL_NOT_FOUND, false},  {"42P01", CL_NOT_FOUND, false},
        {"42704", CL_NOT_FOUND, false},  {"58P01", CL_NOT_FOUND, false},
        {"58030", CL_TRANSIENT, true},   {"23505", CL_CONFLICT, false},
        {"23503", CL_CONFLICT, false},   {"42P04", CL_CONFLICT, false},
        {"22P02", CL_INVALID, false},    {"42601", CL_INVALID, false},
        {"42703", CL_INVALID, false},    {"P0001", CL_CONFLICT, false},
        {"99999", CL_INVALID, false},    {"", CL_INVALID, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool retryable = !cases[i].retryable;
        assert_int_equal(cl_pg_class(cases[i].sqlstate, &retryable), cases[i].class);
        assert_int_equal(retryable, cases[i].retryable);
    }
}

static void assert_safe(const char *conninfo, const char *want)
{
    char *safe = cl_pg_safe_conninfo(conninfo);
    assert_non_null(safe);
    assert_string_equal(safe, want);
    free(safe);
}

static void conninfo_without_password(void **state)
{
    (void)state;
    assert_safe("host=a port=1 dbname=x user=u password=s3cret", "user=u dbname=x host=a port=1");
    assert_safe("postgresql://u:s3cret@h:5/x?sslmode=require",
                "user=u dbname=x host=h port=5 sslmode=require");
    assert_safe("dbname='a b' user='it\\'s' sslpassword=k", "user='it\\'s' dbname='a b'");
    assert_safe("", "");
    assert_safe("host=a password=two words", "(a connection string that cannot be read)");
}

static void conninfo_with_password(void **state)
{
    (void)state;
    struct cl_err err;
    char *text = cl_pg_conninfo("postgresql://u@h/x", "a 'b\\", &err);
    assert_string_equal(text, "user=u password='a \\'b\\\\' dbname=x host=h");
    char *again = cl_pg_conninfo(text, NULL, &err);
    assert_string_equal(again, text);
    free(again);
    free(text);
}

static void an_unreadable_conninfo_tells_no_secret(void **state)
{
    (void)state;
    struct cl_err err;
    assert_null(cl_pg_open("host=a password=one s3cret", NULL, &err));
    assert_int_equal(err.class, CL_INVALID);
    assert_null(strstr(err.message, "s3cret"));
    assert_null(cl_pg_open("hots=a", NULL, &err));
    assert_non_null(strstr(err.message, "hots"));
}

static void nobody_listens(void **state)
{
    (void)state;
    struct cl_err err;
    assert_null(cl_pg_open("host=127.0.0.1 port=1 dbname=x user=u password=s3cret", NULL, &err));
    assert_int_equal(err.class, CL_TRANSIENT);
    assert_true(err.retryable);
    assert_non_null(strstr(err.message, "host=127.0.0.1 port=1 dbname=x user=u"));
    assert_non_null(strstr(err.message, "Connection refused"));
    assert_null(strstr(err.message, "s3cret"));
    assert_string_equal(err.detail, "hint: check that the server runs there and can be reached");
}

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

/* A machine that takes connections and never says a word: a listening socket, to close(), and where
 * it is reached. */
static int silent_server(char *conninfo, size_t size, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    snprintf(conninfo, size, "host=127.0.0.1 port=%d dbname=x user=u", *port);
    return fd;
}

static void connecting_can_be_stopped(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_pg_options options = {.readonly = false};
    char text[128];
    int port;
    int fd = silent_server(text, sizeof text, &port);
    assert_null(cl_pg_connect(text, &options, 0, at_once, NULL, &err));
    assert_int_equal(err.class, CL_CANCELLED);
    close(fd);
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_pg_options options = {.readonly = false};
    char text[128];
    int port;
    int fd = silent_server(text, sizeof text, &port);
    assert_null(cl_pg_connect(text, &options, 150, NULL, NULL, &err));
    assert_int_equal(err.class, CL_TRANSIENT);
    assert_non_null(strstr(err.message, "no answer within 150 ms"));
    close(fd);
}

static void passwords_are_concealed(void **state)
{
    (void)state;
    char log[] = "it was hunter22 indeed, postgres";
    free(cl_pg_safe_conninfo("user=u password=hunter22"));
    free(cl_pg_safe_conninfo("user=postgres password=postgres"));
    log[cl_redact(log, strlen(log))] = '\0';
    assert_string_equal(log, "it was *** indeed, postgres");
}

/* ---------------------------------------------------------------- with a server */

static const char *dsn(void)
{
    const char *value = getenv("TEST_DSN");
    if (!value) {
        skip();
    }
    return value;
}

static void wrong_password(void **state)
{
    (void)state;
    struct cl_err err;
    char *bad = cl_pg_conninfo(dsn(), "not this one", &err);
    assert_null(cl_pg_open(bad, NULL, &err));
    assert_int_equal(err.class, CL_PERMISSION);
    assert_string_equal(err.code, "28P01");
    assert_non_null(strstr(err.message, "password authentication failed"));
    assert_null(strchr(err.message, '\n'));
    assert_null(strstr(err.message, "LOCATION"));
    assert_null(strstr(err.message, "not this one"));
    free(bad);
}

static void assert_value(PGconn *conn, const char *sql, const char *want)
{
    struct cl_err err;
    char *got = cl_pg_value(conn, sql, &err);
    assert_non_null(got);
    assert_string_equal(got, want);
    free(got);
}

static void known_settings(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_pg_options options = {.readonly = true, .application = "pg_test"};
    PGconn *conn = cl_pg_open(dsn(), &options, &err);
    assert_non_null(conn);
    assert_value(conn, "SHOW search_path", "pg_catalog");
    assert_value(conn, "SHOW statement_timeout", "0");
    assert_value(conn, "SHOW client_encoding", "UTF8");
    assert_value(conn, "SHOW default_transaction_read_only", "on");
    assert_value(conn, "SHOW application_name", "pg_test");
    assert_value(conn, "SHOW synchronous_commit", "on");
    assert_false(cl_pg_exec(conn, "CREATE TABLE public.never(a int)", &err));
    assert_int_equal(err.class, CL_PERMISSION);
    assert_string_equal(err.code, "25006");
    PQfinish(conn);
}

static void errors_of_a_session(void **state)
{
    (void)state;
    struct cl_err err;
    PGconn *conn = cl_pg_open(dsn(), NULL, &err);
    assert_non_null(conn);
    assert_false(cl_pg_exec(conn, "SELECT * FROM nowhere.nothing", &err));
    assert_string_equal(err.message, "relation \"nowhere.nothing\" does not exist");
    assert_int_equal(err.class, CL_NOT_FOUND);
    assert_false(cl_pg_exec(conn, "COPY (SELECT 1) TO STDOUT", &err));
    assert_int_equal(err.class, CL_BUG);
    assert_false(cl_pg_exec(conn, "CREATE TEMP TABLE t(a int); COPY t FROM STDIN", &err));
    assert_int_equal(err.class, CL_BUG);
    assert_null(cl_pg_value(conn, "SELECT 1 WHERE false", &err));
    assert_int_equal(err.class, CL_NOT_FOUND);
    const char *none = NULL;
    assert_null(cl_pg_query(conn, "SELECT $1, $2", 1, &none, &err));
    assert_int_equal(err.class, CL_INVALID);
    assert_value(conn, "SELECT 40 + 2", "42");
    PQfinish(conn);
}

/* The second host of a list is used when the first refuses, and when it never answers. */
static void hosts_are_tried_in_turn(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_pg_options options = {.readonly = false};
    PQconninfoOption *list = PQconninfoParse(dsn(), NULL);
    const char *host = "", *port = "";
    for (PQconninfoOption *o = list; o->keyword; o++) {
        host = strcmp(o->keyword, "host") == 0 && o->val ? o->val : host;
        port = strcmp(o->keyword, "port") == 0 && o->val ? o->val : port;
    }
    /* One that refuses, one that never answers, the real one. */
    char text[1024];
    int silent_port;
    int fd = silent_server(text, sizeof text, &silent_port);
    snprintf(text, sizeof text, "%s host=127.0.0.1,127.0.0.1,%s port=1,%d,%s", dsn(), host,
             silent_port, port);
    PGconn *conn = cl_pg_connect(text, &options, 1000, NULL, NULL, &err);
    PQconninfoFree(list);
    assert_non_null(conn);
    PQfinish(conn);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstate_to_class),
        cmocka_unit_test(conninfo_without_password),
        cmocka_unit_test(conninfo_with_password),
        cmocka_unit_test(an_unreadable_conninfo_tells_no_secret),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(connecting_can_be_stopped),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(passwords_are_concealed),
        cmocka_unit_test(wrong_password),
        cmocka_unit_test(known_settings),
        cmocka_unit_test(errors_of_a_session),
        cmocka_unit_test(hosts_are_tried_in_turn),
    };
    return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
