/* loop: jobs, timers, child processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/child.h"
#include "loop/job.h"
#include "loop/timer.h"

struct seen {
    int calls;         /* of done */
    bool ok;           /* what it said */
    struct cl_err err; /* same */
};

static void note_done(void *owner, bool ok, const struct cl_err *err)
{
    struct seen *seen = owner;
    seen->calls++;
    seen->ok = ok;
    seen->err = *err;
}

static bool count_to_three(struct cl_job *job, void *arg, struct cl_err *err)
{
    (void)arg;
    (void)err;
    for (int i = 0; i < 3; i++) {
        atomic_fetch_add(&cl_job_progress(job)->done, 1);
    }
    return true;
}

static bool wait_for_stop(struct cl_job *job, void *arg, struct cl_err *err)
{
    atomic_bool *started = arg;
    atomic_store(started, true);
    while (!cl_job_stopping(job)) {
        uv_sleep(1);
    }
    return cl_job_check(job, err);
}

static void a_job_reports_once(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct seen seen = {0};
    struct cl_err err;
    uv_loop_init(&loop);
    struct cl_job *job = cl_job_start(&loop, count_to_three, NULL, note_done, &seen, &err);
    assert_non_null(job);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.calls, 1);
    assert_true(seen.ok);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_stopped_job_ends_cancelled(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct seen seen = {0};
    struct cl_err err;
    atomic_bool started = false;
    uv_loop_init(&loop);
    struct cl_job *job = cl_job_start(&loop, wait_for_stop, &started, note_done, &seen, &err);
    cl_job_stop(job);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.calls, 1);
    assert_false(seen.ok);
    assert_int_equal(seen.err.class, CL_CANCELLED);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void an_abandoned_job_frees_its_argument(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct seen seen = {0};
    struct cl_err err;
    atomic_bool *started = calloc(1, sizeof *started);
    uv_loop_init(&loop);
    struct cl_job *job = cl_job_start(&loop, wait_for_stop, started, note_done, &seen, &err);
    cl_job_abandon(job, free); /* a leak checker sees it if nobody frees */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

static void timers_fire_once_or_never(void **state)
{
    (void)state;
    uv_loop_t loop;
    int fired = 0;
    int stopped = 0;
    uv_loop_init(&loop);
    assert_non_null(cl_timer_start(&loop, 1, count_call, &fired));
    cl_timer_stop(cl_timer_start(&loop, 1, count_call, &stopped));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 1);
    assert_int_equal(stopped, 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_child_gives_its_output(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_buf out;
    cl_buf_init(&out, 1000);
    const char *const argv[] = {"sh", "-c", "echo $WHO; cat", NULL};
    const char *const env[] = {"WHO=me", NULL};
    struct cl_child child = {.argv = argv, .env = env, .out = &out};
    assert_true(cl_child_run(&child, &err));
    assert_string_equal(cl_buf_str(&out), "me\n"); /* cat saw an empty standard input */
    cl_buf_fini(&out);
}

static void a_failed_child_says_why(void **state)
{
    (void)state;
    struct cl_err err;
    const char *const argv[] = {"sh", "-c", "echo no such thing >&2; exit 3", NULL};
    struct cl_child child = {.argv = argv};
    assert_false(cl_child_run(&child, &err));
    assert_string_equal(err.message, "sh ended with status 3: no such thing");
    const char *const missing[] = {"no-such-program-here", NULL};
    struct cl_child none = {.argv = missing};
    assert_false(cl_child_run(&none, &err));
    assert_int_equal(err.class, CL_NOT_FOUND);
}

struct sleeper {
    atomic_bool started; /* the job's thread runs */
};

static bool run_sleeper(struct cl_job *job, void *arg, struct cl_err *err)
{
    struct sleeper *s = arg;
    const char *const argv[] = {"sleep", "600", NULL};
    struct cl_child child = {.argv = argv, .job = job};
    atomic_store(&s->started, true);
    return cl_child_run(&child, err);
}

static void a_stopped_job_stops_its_child(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct seen seen = {0};
    struct cl_err err;
    struct sleeper s = {false};
    int64_t began = cl_clock_boot_ms();
    uv_loop_init(&loop);
    struct cl_job *job = cl_job_start(&loop, run_sleeper, &s, note_done, &seen, &err);
    while (!atomic_load(&s.started)) {
        uv_sleep(1);
    }
    cl_job_stop(job);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.err.class, CL_CANCELLED);
    assert_true(cl_clock_boot_ms() - began < 60 * 1000);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void work_shows_what_is_in_hand(void **state)
{
    (void)state;
    struct cl_work work;
    int tags[CL_WORK_SLOTS];
    char line[CL_WORK_LINE_BYTES];
    char phase[CL_WORK_PHASE_BYTES];
    char note[CL_WORK_NOTE_BYTES];
    cl_work_init(&work);
    assert_false(cl_work_line(&work, 0, line));
    int table = cl_work_begin(&work, "%s.%s (%d/%d)", "crm7", "person", 3, 8);
    int index = cl_work_begin(&work, "index crm7.person_email_idx");
    assert_true(table != index);
    cl_work_tag(&work, index, 4711);
    assert_int_equal(cl_work_tags(&work, tags), 1);
    assert_int_equal(tags[0], 4711);
    cl_work_state(&work, 4711, "%d %%", 45);
    cl_work_state(&work, 4712, "nobody's");
    assert_true(cl_work_line(&work, table, line));
    assert_string_equal(line, "crm7.person (3/8)");
    assert_true(cl_work_line(&work, index, line));
    assert_string_equal(line, "index crm7.person_email_idx 45 %");
    cl_work_end(&work, index);
    assert_false(cl_work_line(&work, index, line));
    assert_int_equal(cl_work_tags(&work, tags), 0);
    cl_work_phase(&work, "rows");
    cl_work_note(&work, "waits for %s", "a replica");
    cl_work_copy_phase(&work, phase);
    cl_work_copy_note(&work, note);
    assert_string_equal(phase, "rows");
    assert_string_equal(note, "waits for a replica");
    cl_work_fini(&work);
}

static void work_shows_only_what_can_be_shown(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"two\nlines \033[2J", "two?lines ?[2J"},
        {"gr\xc3\xb6\xc3\x9f e\xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xb6\xc3\x9f e\xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b \xff \xc0\xaf \xed\xa0\x80 \xe2\x82", "?? ? ?? ??? ??"},
    };
    struct cl_work work;
    char line[CL_WORK_LINE_BYTES];
    char wide[CL_WORK_LABEL_BYTES + 8];
    cl_work_init(&work);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int slot = cl_work_begin(&work, "%s", names[i][0]);
        assert_true(cl_work_line(&work, slot, line));
        assert_string_equal(line, names[i][1]);
        cl_work_end(&work, slot);
    }
    memset(wide, 'x', sizeof wide);
    memcpy(wide + CL_WORK_LABEL_BYTES - 2, "\xc3\xb6", 2); /* cut in its middle */
    wide[sizeof wide - 1] = '\0';
    int slot = cl_work_begin(&work, "%s", wide);
    assert_true(cl_work_line(&work, slot, line));
    assert_string_equal(line + CL_WORK_LABEL_BYTES - 3, "x?");
    for (int i = 1; i < CL_WORK_SLOTS; i++) {
        assert_true(cl_work_begin(&work, "%d", i) >= 0);
    }
    assert_int_equal(cl_work_begin(&work, "one too many"), -1);
    cl_work_end(&work, -1);
    cl_work_fini(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_reports_once),
        cmocka_unit_test(a_stopped_job_ends_cancelled),
        cmocka_unit_test(an_abandoned_job_frees_its_argument),
        cmocka_unit_test(timers_fire_once_or_never),
        cmocka_unit_test(a_child_gives_its_output),
        cmocka_unit_test(a_failed_child_says_why),
        cmocka_unit_test(a_stopped_job_stops_its_child),
        cmocka_unit_test(work_shows_what_is_in_hand),
        cmocka_unit_test(work_shows_only_what_can_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
