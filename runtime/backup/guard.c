/*
 * Design notes. All members but `looks` belong to the poller's thread until that is joined.
 *
 * A primary tells each replica's lag as of its last answer, so a replica that has stopped answering
 * looks as well as it last did; a standby tells the age of what it replayed last, which may be
 * nothing yet.  Hence the mark: a place in the log and when it was the end of it; while a replica
 * has not replayed as far, it is at least that much behind.
 */
#include "guard.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/embed.h"
#include "poller.h"
#include "run.h"

enum { COL_STANDBY, COL_LAG, COL_REPLAYED, COL_WRITTEN, COL_PAUSED, COL_XMIN_AGE };

enum { LOOK_TICK_MS = 20 };

struct guard_view {   /* one answer of guard.sql; negative: NULL */
    bool standby;     /* the source is one */
    bool paused;      /* its replay, by an operator */
    int64_t lag_ms;   /* of the replica furthest behind, or of the standby we read */
    int64_t replayed; /* the same one's place in the log */
    int64_t written;  /* end of the log; on a standby: as much of it as has come */
    int64_t xmin_age; /* transactions */
};

struct cl_guard {
    struct cl_run *run;      /* borrowed */
    struct cl_poller poller; /* the thread */
    char pid[16];            /* $1 of guard.sql */
    atomic_int looks;        /* answers had or given up; any thread reads */
    int64_t mark_lsn;        /* a place in the log not replayed yet; 0: none */
    int64_t mark_ms;         /* when it was the end of the log */
    int64_t replayed;        /* standby: its place in the log when last seen moving */
    int64_t moved_ms;        /* when that was */
    int64_t blind_ms;        /* since when there is no answer; 0: there is */
    int64_t xmin_age;        /* the greatest seen */
    bool shut;               /* the gate, as we left it */
    bool resigned;           /* the standby stood still: open until it has caught up */
    bool told_unseen;        /* that warning was given */
    bool told_blind;         /* same */
    bool told_stuck;         /* same */
};

static void set_gate(struct cl_guard *guard, bool shut)
{
    if (guard->shut != shut) {
        guard->shut = shut;
        cl_limits_shut(&guard->run->limits, shut);
    }
}

static bool ask(void *arg, char param[CL_POLL_PARAM_BYTES])
{
    const struct cl_guard *guard = arg;
    snprintf(param, CL_POLL_PARAM_BYTES, "%s", guard->pid);
    return true;
}

static int64_t number(const PGresult *rows, int column)
{
    return PQgetisnull(rows, 0, column) ? -1 : strtoll(PQgetvalue(rows, 0, column), NULL, 10);
}

static bool truth(const PGresult *rows, int column)
{
    return PQgetvalue(rows, 0, column)[0] == 't';
}

/* The lag, corrected by the mark. */
static int64_t measure(struct cl_guard *guard, const struct guard_view *view, int64_t now)
{
    if (view->lag_ms < 0 || view->replayed < 0 || view->written < 0) {
        return view->lag_ms;
    }
    if (guard->mark_lsn == 0 || view->replayed >= guard->mark_lsn) {
        guard->mark_lsn = view->written;
        guard->mark_ms = now;
        return !view->standby && view->replayed >= view->written ? 0 : view->lag_ms;
    }
    int64_t behind = now - guard->mark_ms;
    return behind > view->lag_ms ? behind : view->lag_ms;
}

/* A standby that does not replay while we wait for it waits for us. (One that an operator paused
 * does not.) */
static bool stuck(struct cl_guard *guard, const struct guard_view *view, int64_t now)
{
    if (!view->standby || view->paused || !guard->shut || view->replayed != guard->replayed) {
        guard->replayed = view->replayed;
        guard->moved_ms = now;
        return false;
    }
    return now - guard->moved_ms >= CL_GUARD_STUCK_MS;
}

static void judge_lag(struct cl_guard *guard, const struct guard_view *view)
{
    struct cl_run *run = guard->run;
    int64_t limit = (int64_t)run->spec->max_replica_lag_ms;
    int64_t now = cl_clock_boot_ms();
    int64_t lag = measure(guard, view, now);
    if (lag < 0 && !guard->told_unseen) {
        guard->told_unseen = true;
        cl_run_warn(run,
                    "the lag of the source's replicas cannot be seen (grant "
                    "pg_read_all_stats): the limit of %" PRId64 " ms is not kept",
                    limit);
    }
    if (lag <= limit) {
        guard->resigned = false;
    } else if (stuck(guard, view, now)) {
        guard->resigned = true;
        if (!guard->told_stuck) {
            guard->told_stuck = true;
            cl_run_warn(run,
                        "the standby stood still, most likely waiting for this copy: it was "
                        "read on with %" PRId64 " ms of lag, limit %" PRId64 " ms",
                        lag, limit);
        }
    }
    bool wait = lag > limit && !guard->resigned;
    if (wait) {
        cl_work_note(run->work, "waits for a replica: %.1f s behind, limit %.1f s",
                     (double)lag / 1000, (double)limit / 1000);
    }
    set_gate(guard, wait);
}

static void judge_xmin(struct cl_guard *guard, const struct guard_view *view)
{
    struct cl_run *run = guard->run;
    guard->xmin_age = view->xmin_age > guard->xmin_age ? view->xmin_age : guard->xmin_age;
    if (guard->shut) {
        return; /* says why it waits */
    }
    if (run->spec->warn_xmin_age > 0 && view->xmin_age > (int64_t)run->spec->warn_xmin_age) {
        cl_work_note(run->work,
                     "the snapshot's xmin is %" PRId64 " transactions old, held for %.0f s",
                     view->xmin_age, cl_run_snapshot_seconds(run));
    } else {
        cl_work_note(run->work, "%s", "");
    }
}

static void answer(void *arg, const PGresult *rows)
{
    struct cl_guard *guard = arg;
    if (PQntuples(rows) == 1) {
        struct guard_view view = {.standby = truth(rows, COL_STANDBY),
                                  .paused = truth(rows, COL_PAUSED),
                                  .lag_ms = number(rows, COL_LAG),
                                  .replayed = number(rows, COL_REPLAYED),
                                  .written = number(rows, COL_WRITTEN),
                                  .xmin_age = number(rows, COL_XMIN_AGE)};
        guard->blind_ms = 0;
        if (guard->run->spec->max_replica_lag_ms > 0) {
            judge_lag(guard, &view);
        }
        judge_xmin(guard, &view);
    }
    atomic_fetch_add(&guard->looks, 1);
}

/* What cannot be seen may be too far behind: wait, but not for ever. */
static void lost(void *arg, const struct cl_err *err)
{
    struct cl_guard *guard = arg;
    struct cl_run *run = guard->run;
    int64_t now = cl_clock_boot_ms();
    bool limited = run->spec->max_replica_lag_ms > 0;
    guard->blind_ms = guard->blind_ms ? guard->blind_ms : now;
    bool wait = limited && err->retryable && now - guard->blind_ms < CL_GUARD_BLIND_MS;
    if (wait) {
        cl_work_note(run->work, "waits: cannot see how far replicas are behind (%s)", err->message);
    } else if (!guard->told_blind) {
        guard->told_blind = true;
        cl_run_warn(run, "the source was read on without its guard%s: %s",
                    limited ? ", whatever the lag of its replicas" : "", err->message);
    }
    set_gate(guard, wait);
    atomic_fetch_add(&guard->looks, 1);
}

struct cl_guard *cl_guard_start(struct cl_run *run, int pid, struct cl_err *err)
{
    struct cl_guard *guard = calloc(1, sizeof *guard);
    if (!guard) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    guard->run = run;
    snprintf(guard->pid, sizeof guard->pid, "%d", pid);
    struct cl_poll what = {
        .sql = cl_embedded("runtime/backup/guard.sql")->data,
        .options = {.readonly = true, .application = "cloner guard"},
        .ask = ask,
        .answer = answer,
        .lost = lost,
    };
    if (!cl_poller_start(&guard->poller, &what, run->spec->source, guard, err)) {
        free(guard);
        return NULL;
    }
    return guard;
}

void cl_guard_first_look(struct cl_guard *guard, int ms)
{
    int64_t until = cl_clock_boot_ms() + ms;
    struct cl_err unused;
    while (guard && atomic_load(&guard->looks) == 0 && cl_clock_boot_ms() < until &&
           cl_watch_check(guard->run->watch, &unused)) {
        uv_sleep(LOOK_TICK_MS);
    }
}

void cl_guard_end(struct cl_guard *guard)
{
    if (!guard) {
        return;
    }
    struct cl_run *run = guard->run;
    cl_poller_end(&guard->poller);
    set_gate(guard, false);
    cl_work_note(run->work, "%s", "");
    run->summary->xmin_age = (uint64_t)guard->xmin_age;
    if (run->spec->warn_xmin_age > 0 && run->summary->xmin_age > run->spec->warn_xmin_age) {
        cl_run_warn(run,
                    "the snapshot was held for %.0f s: its xmin was %" PRIu64
                    " transactions old (limit %" PRIu64 "), and the source could not clean up",
                    cl_run_snapshot_seconds(run), run->summary->xmin_age, run->spec->warn_xmin_age);
    }
    free(guard);
}
