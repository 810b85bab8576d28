#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/embed.h"

enum { COL_PID, COL_PHASE, COL_PERCENT };

/* $1 of monitor.sql: "{4711,4712}". */
static bool ask(void *arg, char param[CL_POLL_PARAM_BYTES])
{
    struct cl_run *run = arg;
    int pids[CL_WORK_SLOTS];
    size_t n = cl_work_tags(run->work, pids);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        int more =
            snprintf(param + used, CL_POLL_PARAM_BYTES - used, "%c%d", i ? ',' : '{', pids[i]);
        used += more > 0 ? (size_t)more : 0;
    }
    snprintf(param + used, CL_POLL_PARAM_BYTES - used, "}");
    return n > 0;
}

static void answer(void *arg, const PGresult *rows)
{
    struct cl_run *run = arg;
    for (int i = 0; i < PQntuples(rows); i++) {
        bool known = !PQgetisnull(rows, i, COL_PERCENT);
        cl_work_state(run->work, (int)strtol(PQgetvalue(rows, i, COL_PID), NULL, 10), "%s%s%s%s",
                      PQgetvalue(rows, i, COL_PHASE), known ? " " : "",
                      known ? PQgetvalue(rows, i, COL_PERCENT) : "", known ? " %" : "");
    }
}

bool cl_monitor_start(struct cl_run *run, struct cl_err *err)
{
    struct cl_poll monitor = {
        .sql = cl_embedded("runtime/backup/monitor.sql")->data,
        .options = {.readonly = true, .application = "cloner monitor"},
        .ask = ask,
        .answer = answer,
    };
    return cl_poller_start(&run->monitor, &monitor, run->spec->target, run, err);
}
