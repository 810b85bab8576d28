/* blob: the folder driver's borders, and the copier against a store that fails on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob/copier.h"
#include "blob/sidecar.h"

/* ---------------------------------------------------------------- folders */

static struct cl_blob_store *open_folder(char dir[64])
{
    struct cl_err err;
    char url[100];
    snprintf(dir, 64, "/tmp/blob_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(url, sizeof url, "file://%s/root", dir);
    struct cl_blob_store *s = cl_blob_open(url, NULL, &err);
    assert_non_null(s);
    return s;
}

static void put(struct cl_blob_store *s, const char *name, const char *text)
{
    struct cl_err err = {0};
    struct cl_blob_item item = {.name = strdup(name)};
    if (!cl_blob_put_bytes(s, &item, text, strlen(text), &err)) {
        fail_msg("%s", err.message);
    }
    cl_blob_item_fini(&item);
}

static void expect_fail(struct cl_blob_store *s, const char *name, const char *code)
{
    struct cl_err err = {0};
    struct cl_blob_item item = {.name = strdup(name)};
    assert_false(cl_blob_put_bytes(s, &item, "x", 1, &err));
    assert_string_equal(err.code, code);
    assert_false(cl_blob_delete(s, name, &err));
    assert_string_equal(err.code, code);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_false(cl_blob_get(s, name, &out, &err));
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.message, s->url));
    cl_buf_fini(&out);
    cl_blob_item_fini(&item);
}

static void shell_path(char *out, const char *dir, const char *rest)
{
    snprintf(out, 200, "%s/%s", dir, rest);
}

static void clean(struct cl_blob_store *s, const char *dir)
{
    struct cl_err err;
    size_t count = 0;
    char path[200];
    assert_true(cl_blob_delete_all(s, "", &count, &err));
    shell_path(path, dir, "root");
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
    cl_blob_free(s);
}

static void symbolic_links_lead_nowhere(void **state)
{
    (void)state;
    char dir[64];
    char link[200];
    char secret[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "inside/a", "a");
    shell_path(secret, dir, "secret");
    FILE *f = fopen(secret, "w");
    assert_non_null(f);
    fputs("hush", f);
    fclose(f);
    shell_path(link, dir, "root/out");
    assert_int_equal(symlink(dir, link), 0);
    expect_fail(s, "out/secret", "E_BLOB_SYMLINK");
    struct cl_blob_items items = {0};
    assert_false(cl_blob_list(s, "", &items, &err));
    assert_string_equal(err.code, "E_BLOB_SYMLINK");
    cl_blob_items_fini(&items);
    assert_true(cl_blob_list(s, "inside/", &items, &err));
    assert_int_equal(items.count, 1);
    cl_blob_items_fini(&items);
    assert_int_equal(access(secret, F_OK), 0);
    unlink(link);
    assert_int_equal(symlink(secret, link), 0);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_false(cl_blob_get(s, "out", &out, &err));
    assert_string_equal(err.code, "E_BLOB_SYMLINK");
    cl_buf_fini(&out);
    unlink(link);
    unlink(secret);
    clean(s, dir);
}

static void names_that_leave_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",  "/etc/passwd", "../x",  "a/../../x", "a//b",        "a/",
                                      ".", "..",          "a/./b", ".cl-tmp.1", "a/.cl-meta.x"};
    char dir[64];
    struct cl_blob_store *s = open_folder(dir);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_fail(s, bad[i], "E_BLOB_NAME");
    }
    clean(s, dir);
}

/* A put that fails half-way leaves the old blob and no temporary file. */
static long break_off(void *arg, void *bytes, size_t n, struct cl_err *err)
{
    (void)n;
    int *calls = arg;
    if (++*calls > 1) {
        cl_fail(err, CL_TRANSIENT, "E_TEST", "the source broke off");
        return -1;
    }
    memcpy(bytes, "half", 4);
    return 4;
}

static void a_failed_put_changes_nothing(void **state)
{
    (void)state;
    char dir[64];
    char path[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "a", "old");
    int calls = 0;
    struct cl_blob_source source = {.read = break_off, .arg = &calls};
    struct cl_blob_item item = {.name = strdup("a"), .size = 8};
    assert_false(cl_blob_put(s, &item, &source, &err));
    assert_string_equal(err.code, "E_TEST");
    assert_true(cl_blob_item_header(&item, CL_BLOB_CONTENT_TYPE, "text/plain"));
    item.has_md5 = true; /* all zero: not that of any content */
    assert_false(cl_blob_put_bytes(s, &item, "new", 3, &err));
    assert_string_equal(err.code, "E_BLOB_DIGEST");
    cl_blob_item_fini(&item);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_true(cl_blob_get(s, "a", &out, &err));
    assert_string_equal(cl_buf_str(&out), "old");
    cl_buf_fini(&out);
    /* Nothing but "a" is there: without it the folder is empty and can go. */
    assert_true(cl_blob_delete(s, "a", &err));
    shell_path(path, dir, "root");
    assert_int_equal(rmdir(path), 0);
    clean(s, dir);
}

/* A put that was killed leaves its temporary file; the next put of that blob takes it over. While
 * somebody holds it, another writer gets by without. */
static void temporary_files_do_not_pile_up(void **state)
{
    (void)state;
    char dir[64];
    char hidden[CL_HIDDEN_NAME];
    char rest[CL_HIDDEN_NAME + 8];
    char path[200];
    struct cl_err err;
    struct cl_blob_store *s = open_folder(dir);
    put(s, "keep", "k");
    cl_hidden_name("a", "temp", hidden);
    snprintf(rest, sizeof rest, "root/%s", hidden);
    shell_path(path, dir, rest);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("much longer than what comes", f);
    fflush(f);
    put(s, "a", "new");
    assert_int_equal(access(path, F_OK), -1);
    fclose(f);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(flock(fileno(f), LOCK_EX), 0);
    put(s, "a", "newer");
    assert_int_equal(access(path, F_OK), 0);
    fclose(f);
    put(s, "a", "newest");
    assert_int_equal(access(path, F_OK), -1);
    struct cl_buf out;
    cl_buf_init(&out, CL_BLOB_MEMORY_MAX);
    assert_true(cl_blob_get(s, "a", &out, &err));
    assert_string_equal(cl_buf_str(&out), "newest");
    cl_buf_fini(&out);
    clean(s, dir);
}

/* ---------------------------------------------------------------- copies that go wrong */

/* A folder behind a driver that misbehaves as told. */
struct faulty {
    struct cl_blob_store base;   /* first */
    struct cl_blob_store *inner; /* owned */
};

static struct {
    atomic_int fail_puts; /* so many puts fail, retryable */
    atomic_int puts;      /* made */
    const char *lose;     /* a put of this name does nothing */
    const char *garble;   /* a put of this name keeps other bytes of the same number */
    enum cl_class class;  /* of the failing puts */
    int retry_after_ms;   /* they ask for */
} plan;

static const struct cl_blob_driver faulty_driver;

static struct cl_blob_store *inner_of(const struct cl_blob_store *s)
{
    return ((const struct faulty *)s)->inner;
}

static struct cl_blob_store *faulty_new(struct cl_blob_store *inner)
{
    struct faulty *f = calloc(1, sizeof *f);
    f->base = *inner;
    f->base.driver = &faulty_driver;
    f->inner = inner;
    return &f->base;
}

static struct cl_blob_store *faulty_clone(const struct cl_blob_store *s, struct cl_err *err)
{
    return faulty_new(cl_blob_clone(inner_of(s), NULL, err));
}

static void faulty_free(struct cl_blob_store *s)
{
    cl_blob_free(inner_of(s));
    free(s);
}

static bool faulty_check(const struct cl_blob_store *s, const char *name, struct cl_err *err)
{
    return inner_of(s)->driver->check_name(inner_of(s), name, err);
}

static bool faulty_list(struct cl_blob_store *s, const char *prefix, struct cl_blob_items *items,
                        struct cl_err *err)
{
    return cl_blob_list(inner_of(s), prefix, items, err);
}

static bool faulty_digest(struct cl_blob_store *s, struct cl_blob_item *item, struct cl_err *err)
{
    return cl_blob_digest(inner_of(s), item, err);
}

static bool faulty_put(struct cl_blob_store *s, struct cl_blob_item *item,
                       const struct cl_blob_source *source, struct cl_err *err)
{
    atomic_fetch_add(&plan.puts, 1);
    if (atomic_fetch_sub(&plan.fail_puts, 1) > 0) {
        cl_fail(err, plan.class, "E_TEST", "told to fail");
        err->retry_after_ms = plan.retry_after_ms;
        return false;
    }
    if (plan.lose && strcmp(plan.lose, item->name) == 0) {
        return true;
    }
    if (!cl_blob_put(inner_of(s), item, source, err)) {
        return false;
    }
    if (plan.garble && strcmp(plan.garble, item->name) == 0) {
        struct cl_blob_item other = {.name = strdup(item->name)};
        bool ok = cl_blob_put_bytes(inner_of(s), &other, "#########", item->size, err);
        cl_blob_item_fini(&other);
        return ok;
    }
    return true;
}

static const struct cl_blob_driver faulty_driver = {.scheme = "faulty",
                                                    .clone = faulty_clone,
                                                    .free = faulty_free,
                                                    .check_name = faulty_check,
                                                    .list = faulty_list,
                                                    .digest = faulty_digest,
                                                    .put = faulty_put};

/* Copies two blobs through the plan; what came of it. */
static bool copy_two(struct cl_err *err)
{
    char from_dir[64];
    char to_dir[64];
    struct cl_blob_store *from = open_folder(from_dir);
    struct cl_blob_store *to = open_folder(to_dir);
    put(from, "one", "111");
    put(from, "two", "222");
    struct cl_blob_copy c = {.concurrency = 2, .verify = true};
    c.from = cl_blob_clone(from, NULL, err);
    c.to = faulty_new(cl_blob_clone(to, NULL, err));
    assert_true(cl_blob_list(from, "", &c.items, err));
    bool ok = cl_blob_copy_run(NULL, &c, err);
    cl_blob_copy_fini(&c);
    clean(from, from_dir);
    clean(to, to_dir);
    return ok;
}

static int forget_plan(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof plan);
    return 0;
}

static void a_lost_blob_is_noticed(void **state)
{
    (void)state;
    struct cl_err err;
    plan.lose = "two";
    assert_false(copy_two(&err));
    assert_int_equal(err.class, CL_CONFLICT);
    assert_string_equal(err.code, "E_BLOB_VERIFY");
    assert_non_null(strstr(err.message, "'two'"));
}

static void other_bytes_of_the_same_length_are_noticed(void **state)
{
    (void)state;
    struct cl_err err;
    plan.garble = "one";
    assert_false(copy_two(&err));
    assert_string_equal(err.code, "E_BLOB_VERIFY");
    assert_non_null(strstr(err.message, "'one'"));
}

static void a_passing_failure_is_tried_again(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1);
    plan.class = CL_THROTTLED;
    plan.retry_after_ms = 100;
    assert_true(copy_two(&err));
    assert_int_equal(atomic_load(&plan.puts), 3);
}

static void tries_are_bounded(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1000);
    plan.class = CL_TRANSIENT;
    assert_false(copy_two(&err));
    assert_string_equal(err.code, "E_TEST");
    assert_true(atomic_load(&plan.puts) <= 2 * CL_BLOB_OBJECT_ATTEMPTS);
}

static void a_refusal_is_not_tried_again(void **state)
{
    (void)state;
    struct cl_err err;
    atomic_store(&plan.fail_puts, 1000);
    plan.class = CL_PERMISSION;
    assert_false(copy_two(&err));
    assert_int_equal(err.class, CL_PERMISSION);
    assert_true(atomic_load(&plan.puts) <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbolic_links_lead_nowhere),
        cmocka_unit_test(names_that_leave_are_refused),
        cmocka_unit_test(a_failed_put_changes_nothing),
        cmocka_unit_test(temporary_files_do_not_pile_up),
        cmocka_unit_test_setup(a_lost_blob_is_noticed, forget_plan),
        cmocka_unit_test_setup(other_bytes_of_the_same_length_are_noticed, forget_plan),
        cmocka_unit_test_setup(a_passing_failure_is_tried_again, forget_plan),
        cmocka_unit_test_setup(tries_are_bounded, forget_plan),
        cmocka_unit_test_setup(a_refusal_is_not_tried_again, forget_plan),
    };
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
