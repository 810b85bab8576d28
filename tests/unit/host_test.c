/* host: tasks, waits, cancelling, budgets. The Lua of each test is the main function of a module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "host/private.h"

static const char prelude[] = "local task, time, errors = require 'task', require 'time', "
                              "require 'errors'\n"
                              "local function main(args) ";

/* Runs body as the main task; returns its exit code, or -1 with *err. */
static int run(const char *body, struct cl_err *err)
{
    static const char *const names[] = {"who", NULL};
    static const char *const values[] = {"me", NULL};
    struct cl_host *host = cl_host_new(err);
    assert_non_null(host);
    char chunk[4096];
    snprintf(chunk, sizeof chunk, "%s %s end\npackage.loaded.t = {main = main}", prelude, body);
    if (luaL_dostring(host->L, chunk) != LUA_OK) {
        fail_msg("%s", lua_tostring(host->L, -1));
    }
    int code = -1;
    if (!cl_host_run(host, "t", "main", names, values, &code, err)) {
        code = -1;
    }
    cl_host_free(host);
    return code;
}

static void main_returns_the_exit_code(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("return args.who == 'me' and 7 or 0", &err), 7);
}

static void an_error_ends_main_with_its_message(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("errors.raise('conflict', 'E_X', 'no way')", &err), -1);
    assert_string_equal(err.message, "no way");
}

static void tasks_interleave_at_waits(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(
        run("local seen = {}\n"
            "local a = task.spawn(function() time.sleep(20) seen[#seen + 1] = 'a' end)\n"
            "local b = task.spawn(function() seen[#seen + 1] = 'b' end)\n"
            "assert(b:join()) assert(a:join())\n"
            "assert(table.concat(seen) == 'ba')\n"
            "return 3",
            &err),
        3);
}

static void join_gives_results_errors_and_time_outs(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("local ok, a, b = task.spawn(function(x) return x, 2 end, 1):join()\n"
                         "assert(ok and a == 1 and b == 2)\n"
                         "local bad, e = task.spawn(function() local t; return t.x end):join()\n"
                         "assert(bad == false and e.class == 'bug' and e.traceback)\n"
                         "local slow = task.spawn(function() time.sleep(50) return 5 end)\n"
                         "assert(slow:join(1) == nil)\n"
                         "local _, five = slow:join()\n"
                         "return five",
                         &err),
                     5);
}

static void cancelling_raises_at_the_wait_and_at_every_later_one(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("local count = 0\n"
                         "local t = task.spawn(function()\n"
                         "  for _ = 1, 3 do\n"
                         "    local ok, e = pcall(time.sleep, 60000)\n"
                         "    if not ok and e.class == 'cancelled' then count = count + 1 end\n"
                         "  end\n"
                         "end)\n"
                         "time.sleep(5)\n"
                         "t:cancel(errors.new('cancelled', 'E_STOP', 'stop'))\n"
                         "t:join()\n"
                         "return count",
                         &err),
                     3);
}

static void a_task_cancelled_before_it_started_never_waits(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("local t = task.spawn(function() time.sleep(60000) end)\n"
                         "t:cancel(errors.new('cancelled', 'E_STOP', 'stop'))\n"
                         "local ok, e = t:join()\n"
                         "assert(not ok and e.code == 'E_STOP')\n"
                         "return 4",
                         &err),
                     4);
}

/* pcall in a loop must not keep an endless loop alive. */
static void an_endless_loop_is_ended(void **state)
{
    (void)state;
    struct cl_err err;
    setenv("CLONER_SLICE_MS", "50", 1);
    assert_int_equal(run("local t = task.spawn(function()\n"
                         "  while true do pcall(function() while true do end end) end\n"
                         "end)\n"
                         "local ok, e = t:join()\n"
                         "assert(not ok and e.message:find('endless loop'), e)\n"
                         "return 6",
                         &err),
                     6);
    unsetenv("CLONER_SLICE_MS");
}

static void a_task_left_behind_is_closed_with_the_host(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("task.spawn(function() time.sleep(3600 * 1000) end)\n"
                         "time.sleep(1)\n"
                         "return 8",
                         &err),
                     8);
}

static void to_be_closed_variables_run_when_a_task_fails(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(
        run("local closed = 0\n"
            "local t = task.spawn(function()\n"
            "  local r <close> = setmetatable({}, {__close = function() closed = 9 end})\n"
            "  time.sleep(60000)\n"
            "end)\n"
            "time.sleep(1)\n"
            "t:cancel(errors.new('cancelled', 'E_STOP', 'stop'))\n"
            "t:join()\n"
            "return closed",
            &err),
        9);
}

static void waiting_outside_a_task_body_is_an_error(void **state)
{
    (void)state;
    struct cl_err err;
    assert_int_equal(run("local co = coroutine.create(function() time.sleep(1) end)\n"
                         "local ok, e = coroutine.resume(co)\n"
                         "assert(not ok and tostring(e):find('not the body of a task'), e)\n"
                         "return 2",
                         &err),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_returns_the_exit_code),
        cmocka_unit_test(an_error_ends_main_with_its_message),
        cmocka_unit_test(tasks_interleave_at_waits),
        cmocka_unit_test(join_gives_results_errors_and_time_outs),
        cmocka_unit_test(cancelling_raises_at_the_wait_and_at_every_later_one),
        cmocka_unit_test(a_task_cancelled_before_it_started_never_waits),
        cmocka_unit_test(an_endless_loop_is_ended),
        cmocka_unit_test(a_task_left_behind_is_closed_with_the_host),
        cmocka_unit_test(to_be_closed_variables_run_when_a_task_fails),
        cmocka_unit_test(waiting_outside_a_task_body_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
