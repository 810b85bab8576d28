#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fault.h"

enum {
    COPY_SQL_BYTES_MAX = 1024 * 1024, /* 1600 quoted columns fit */
    BATCH_BYTES_MAX = 0x40000000 + 2 * CL_BATCH_BYTES + 65536,
    MESSAGE_BYTES = 1024 * 1024,    /* of a row or batch, sent at once */
    BATCH_KEEP_BYTES = 1024 * 1024, /* a batch buffer wider than that is given back */
};

static const char TARGET[] = "target";
static const char PROGRAM_LIMIT_EXCEEDED[] = "54000"; /* a SQLSTATE */

static void add_columns(struct cl_buf *sql, const struct cl_table *table)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        cl_buf_adds(sql, i > 0 ? ", " : "");
        cl_sql_ident(sql, table->columns[i].name);
    }
}

static bool copy_out_sql(struct cl_buf *sql, const struct cl_table *table, const char *where,
                         enum cl_copy_format format)
{
    const char *condition = table->condition ? table->condition : "";
    if (*condition || where) {
        cl_buf_adds(sql, "COPY (SELECT ");
        add_columns(sql, table);
        cl_buf_adds(sql, " FROM ONLY ");
        cl_sql_name(sql, table->schema, table->name);
        cl_buf_addf(sql, " %s%s%s)", condition, where ? "WHERE " : "", where ? where : "");
    } else {
        cl_buf_adds(sql, "COPY ");
        cl_sql_name(sql, table->schema, table->name);
        if (table->n_columns > 0) {
            cl_buf_adds(sql, " (");
            add_columns(sql, table);
            cl_buf_addc(sql, ')');
        }
    }
    return cl_buf_addf(sql, " TO STDOUT (FORMAT %s)", format == CL_COPY_BINARY ? "binary" : "text");
}

/* One message for the transaction, the emptying and the COPY: small tables are many. */
static bool copy_in_sql(struct cl_buf *sql, const struct cl_table *table,
                        enum cl_copy_format format, bool fresh)
{
    cl_buf_adds(sql, "BEGIN; ");
    if (fresh) {
        cl_buf_adds(sql, "TRUNCATE TABLE ONLY ");
        cl_sql_name(sql, table->schema, table->name);
        cl_buf_adds(sql, "; ");
    }
    cl_buf_adds(sql, table->before ? table->before : "");
    cl_buf_adds(sql, "COPY ");
    cl_sql_name(sql, table->schema, table->name);
    if (table->n_columns > 0) {
        cl_buf_adds(sql, " (");
        add_columns(sql, table);
        cl_buf_addc(sql, ')');
    }
    return cl_buf_addf(sql, " FROM STDIN (FORMAT %s%s)",
                       format == CL_COPY_BINARY ? "binary" : "text", fresh ? ", FREEZE" : "");
}

static bool blame(const char *side, const struct cl_table *table, struct cl_err *err)
{
    return cl_err_context(err, "%s: %s.%s", side, table->schema, table->name);
}

/* Runs sql, which ends in a COPY, up to there. */
static bool start_copy(PGconn *conn, const struct cl_buf *sql, ExecStatusType expected,
                       struct cl_err *err)
{
    if (sql->failed) {
        return cl_fail(err, CL_INVALID, "E_TOO_LONG", "the COPY command is too long");
    }
    PGresult *r = PQexec(conn, cl_buf_str(sql));
    bool ok = PQresultStatus(r) == expected;
    if (!ok) {
        cl_pg_fail(err, conn, r);
    }
    PQclear(r);
    return ok;
}

/* Reads the results after a COPY: the row count of its command tag. */
static bool end_copy(PGconn *conn, int64_t *rows, struct cl_err *err)
{
    bool ok = true;
    PGresult *r;
    while ((r = PQgetResult(conn)) != NULL) {
        if (PQresultStatus(r) == PGRES_COMMAND_OK) {
            *rows = strtoll(PQcmdTuples(r), NULL, 10);
        } else if (ok) {
            ok = cl_pg_fail(err, conn, r);
        }
        PQclear(r);
    }
    return ok;
}

/* The server found a row it cannot put into one message: say so in words, and which. (When it
 * speaks another language its own message has to do.) */
static void name_wide_row(const struct cl_pg_source *source, struct cl_err *err)
{
    if (strstr(err->message, "invalid memory alloc request size") ||
        strcmp(err->code, PROGRAM_LIMIT_EXCEEDED) == 0) {
        cl_fail(err, CL_INVALID, "E_ROW_TOO_WIDE",
                "row %llu is wider than 1 GB, PostgreSQL's limit of a message",
                (unsigned long long)source->messages + 1);
    }
}

static bool pg_next(struct cl_source *base, const char **bytes, size_t *n, struct cl_err *err)
{
    struct cl_pg_source *source = (struct cl_pg_source *)base;
    PQfreemem(source->message);
    source->message = NULL;
    int got = PQgetCopyData(source->conn, &source->message, 0);
    if (got > 0) {
        source->messages++;
        source->widest = (size_t)got > source->widest ? (size_t)got : source->widest;
        *bytes = source->message;
        *n = (size_t)got;
        return true;
    }
    *n = 0;
    if (got == -2) {
        cl_pg_fail(err, source->conn, NULL);
        return blame(source->side, source->table, err);
    }
    if (!end_copy(source->conn, &base->rows, err)) {
        name_wide_row(source, err);
        return blame(source->side, source->table, err);
    }
    return true;
}

bool cl_pg_source_open(struct cl_pg_source *source, PGconn *conn, const char *side,
                       const struct cl_table *table, const char *where, enum cl_copy_format format,
                       struct cl_err *err)
{
    struct cl_buf sql;
    memset(source, 0, sizeof *source);
    source->base.next = pg_next;
    source->base.by_the_row = true;
    source->base.rows = CL_ROWS_UNKNOWN;
    source->conn = conn;
    source->side = side;
    source->table = table;
    cl_buf_init(&sql, COPY_SQL_BYTES_MAX);
    copy_out_sql(&sql, table, where, format);
    bool ok = start_copy(conn, &sql, PGRES_COPY_OUT, err);
    cl_buf_fini(&sql);
    return ok || blame(side, table, err);
}

void cl_pg_source_close(struct cl_pg_source *source)
{
    PQfreemem(source->message);
    source->message = NULL;
}

/* libpq looks at the server's answer only when COPY ends. A server that has failed in the middle
 * would be sent the rest of the table, so look for its error message ('E') ourselves. Not through
 * TLS, where the first byte says nothing. */
static bool server_complained(PGconn *conn)
{
    char first;
    return !PQsslInUse(conn) && recv(PQsocket(conn), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 &&
           first == 'E';
}

static bool pg_put(struct cl_sink *base, const char *bytes, size_t n, struct cl_err *err)
{
    struct cl_pg_sink *sink = (struct cl_pg_sink *)base;
    /* libpq would keep a buffer as wide as the widest message; where one ends means nothing */
    for (size_t at = 0; at < n; at += MESSAGE_BYTES) {
        size_t left = n - at;
        if (PQputCopyData(sink->conn, bytes + at,
                          (int)(left < MESSAGE_BYTES ? left : MESSAGE_BYTES)) != 1) {
            cl_pg_fail(err, sink->conn, NULL);
            return blame(TARGET, sink->table, err);
        }
    }
    if (server_complained(sink->conn)) {
        int64_t rows;
        PQputCopyEnd(sink->conn, NULL);
        end_copy(sink->conn, &rows, err);
        return blame(TARGET, sink->table, err);
    }
    return true;
}

static bool pg_finish(struct cl_sink *base, struct cl_err *err)
{
    struct cl_pg_sink *sink = (struct cl_pg_sink *)base;
    if (PQputCopyEnd(sink->conn, NULL) != 1) {
        cl_pg_fail(err, sink->conn, NULL);
        return blame(TARGET, sink->table, err);
    }
    return end_copy(sink->conn, &base->rows, err) || blame(TARGET, sink->table, err);
}

bool cl_pg_sink_open(struct cl_pg_sink *sink, PGconn *conn, const struct cl_table *table,
                     enum cl_copy_format format, bool fresh, struct cl_err *err)
{
    struct cl_buf sql;
    memset(sink, 0, sizeof *sink);
    sink->base.put = pg_put;
    sink->base.finish = pg_finish;
    sink->base.rows = CL_ROWS_UNKNOWN;
    sink->conn = conn;
    sink->table = table;
    cl_buf_init(&sql, COPY_SQL_BYTES_MAX);
    copy_in_sql(&sql, table, format, fresh);
    bool ok = start_copy(conn, &sql, PGRES_COPY_IN, err);
    cl_buf_fini(&sql);
    return ok || blame(TARGET, table, err);
}

/* Adds what has passed since the last time to the progress: not by the row, several threads write
 * there. */
static void report(struct cl_pipe *pipe)
{
    uint64_t before = pipe->reported < pipe->expect ? pipe->reported : pipe->expect;
    uint64_t after = pipe->bytes < pipe->expect ? pipe->bytes : pipe->expect;
    atomic_fetch_add(&pipe->progress->bytes, pipe->bytes - pipe->reported);
    pipe->reported = pipe->bytes;
    if (pipe->expect > 0) {
        double scale = (double)pipe->share / (double)pipe->expect;
        uint64_t step = (uint64_t)((double)after * scale) - (uint64_t)((double)before * scale);
        atomic_fetch_add(&pipe->progress->done, step);
    }
    if (pipe->transform || pipe->source->by_the_row) {
        atomic_fetch_add(&pipe->progress->rows, pipe->passed);
        pipe->guessed += pipe->transform ? 0 : pipe->passed;
        pipe->passed = 0;
    }
}

/* Whatever of the share the estimate has not handed out. */
static void count_rest(struct cl_pipe *pipe)
{
    uint64_t given = 0;
    if (pipe->expect > 0) {
        uint64_t seen = pipe->bytes < pipe->expect ? pipe->bytes : pipe->expect;
        given = (uint64_t)((double)seen * ((double)pipe->share / (double)pipe->expect));
    }
    if (given < pipe->share) {
        atomic_fetch_add(&pipe->progress->done, pipe->share - given);
    }
}

static bool flush(struct cl_pipe *pipe, struct cl_buf *batch, struct cl_err *err)
{
    report(pipe);
    if (batch->len == 0) {
        return true;
    }
    if (batch->len > INT32_MAX / 2 + 65536) {
        return cl_fail(err, CL_INVALID, "E_ROW_TOO_WIDE",
                       "a row is wider than 1 GB, PostgreSQL's limit of a message");
    }
    uint64_t unpaid = pipe->unpaid;
    pipe->unpaid = 0;
    if (!cl_watch_check(pipe->watch, err) || !cl_limits_pass(pipe->limits, unpaid, err) ||
        !pipe->sink->put(pipe->sink, cl_buf_str(batch), batch->len, err)) {
        return false;
    }
    if (cl_fault("copy_batch")) {
        return cl_fail(err, CL_TRANSIENT, "E_FAULT", "fault point copy_batch");
    }
    if (batch->cap > BATCH_KEEP_BYTES) {
        cl_buf_fini(batch);
    }
    cl_buf_reset(batch);
    return true;
}

/* One row, masked and added up. */
static bool transform_row(struct cl_pipe *pipe, struct cl_buf *batch, struct cl_err *err)
{
    struct cl_transform *t = pipe->transform;
    size_t start = batch->len;
    return cl_transform_row(t, batch, err) &&
           (!pipe->sum || cl_checksum_transformed(pipe->sum, t, pipe->by_field, batch->data + start,
                                                  batch->len - start, err));
}

static bool transform_chunk(struct cl_pipe *pipe, const char *bytes, size_t n, struct cl_buf *batch,
                            struct cl_err *err)
{
    struct cl_transform *t = pipe->transform;
    bool cut = pipe->sum && pipe->by_field;
    if (pipe->source->by_the_row && !cut && cl_transform_pass(t, bytes, n)) {
        pipe->passed++;
        cl_buf_add(batch, bytes, n);
        return !pipe->sum || cl_checksum_transformed(pipe->sum, t, false, bytes, n, err);
    }
    if (!cl_rows_feed(&t->rows, bytes, n, err)) {
        return cl_err_context(err, "%s.%s", t->schema, t->table);
    }
    for (;;) {
        switch (cl_rows_next(&t->rows)) {
        case CL_ROW_OK:
            if (!transform_row(pipe, batch, err)) {
                return false;
            }
            pipe->passed++;
            if (batch->len >= CL_BATCH_BYTES && !flush(pipe, batch, err)) {
                return false;
            }
            break;
        case CL_ROW_MORE:
            return true;
        case CL_ROW_END:
            break;
        case CL_ROW_BAD:
            return cl_transform_bad(t, err);
        }
    }
}

static bool pump(struct cl_pipe *pipe, struct cl_buf *batch, struct cl_err *err)
{
    bool binary = pipe->transform && pipe->transform->rows.format == CL_COPY_BINARY;
    if (binary) {
        cl_buf_add(batch, cl_copy_header, CL_COPY_HEADER_BYTES);
    }
    for (;;) {
        const char *bytes;
        size_t n;
        if (!pipe->source->next(pipe->source, &bytes, &n, err)) {
            return false;
        }
        if (n == 0) {
            break;
        }
        pipe->bytes += n;
        pipe->unpaid += n;
        pipe->passed += !pipe->transform;
        if (pipe->transform) {
            if (!transform_chunk(pipe, bytes, n, batch, err)) {
                return false;
            }
        } else {
            cl_buf_add(batch, bytes, n);
        }
        if (batch->len >= CL_BATCH_BYTES && !flush(pipe, batch, err)) {
            return false;
        }
    }
    if (pipe->transform && !cl_rows_complete(&pipe->transform->rows)) {
        return cl_transform_bad(pipe->transform, err);
    }
    if (binary) {
        cl_buf_add(batch, cl_copy_trailer, CL_COPY_TRAILER_BYTES);
    }
    if (batch->failed) {
        return cl_fail(err, CL_INVALID, "E_ROW_TOO_WIDE",
                       "a row is wider than 1 GB, PostgreSQL's limit of a message");
    }
    return flush(pipe, batch, err);
}

/* P6: whoever counted must have counted the same. */
static bool agree(const struct cl_pipe *pipe, struct cl_err *err)
{
    int64_t read = pipe->source->rows;
    int64_t passed = pipe->transform ? (int64_t)pipe->transform->rows.n : CL_ROWS_UNKNOWN;
    int64_t written = pipe->sink->rows;
    int64_t counts[] = {read, passed, written};
    int64_t known = CL_ROWS_UNKNOWN;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i] != CL_ROWS_UNKNOWN && known != CL_ROWS_UNKNOWN && counts[i] != known) {
            return cl_fail(err, CL_BUG, "E_ROWS", "%lld rows read, %lld passed, %lld written",
                           (long long)read, (long long)passed, (long long)written);
        }
        known = counts[i] != CL_ROWS_UNKNOWN ? counts[i] : known;
    }
    return true;
}

bool cl_pipe_run(struct cl_pipe *pipe, struct cl_err *err)
{
    struct cl_buf batch;
    cl_buf_init(&batch, BATCH_BYTES_MAX);
    bool ok = pump(pipe, &batch, err) && pipe->sink->finish(pipe->sink, err) && agree(pipe, err);
    cl_buf_fini(&batch);
    if (!ok) {
        return false;
    }
    int64_t rows = pipe->source->rows != CL_ROWS_UNKNOWN ? pipe->source->rows : pipe->sink->rows;
    if (rows == CL_ROWS_UNKNOWN && pipe->transform) {
        rows = (int64_t)pipe->transform->rows.n;
    }
    pipe->rows = (uint64_t)rows;
    if (!pipe->transform) {
        atomic_fetch_add(&pipe->progress->rows, pipe->rows - pipe->guessed);
    }
    count_rest(pipe);
    return true;
}
