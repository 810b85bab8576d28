/* mask: which methods keep distinct values distinct, which never do, and which leave it to the
 * data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mask/mask.h"

static const char KEY[] = "a key of the tests";

enum { OPTIONS_MAX = 2 };

static void every_kind_says_what_it_does_to_keys(void **state)
{
    static const struct {
        const char *kind;
        struct cl_mask_option options[OPTIONS_MAX];
        size_t n_options;
        bool injective;
        bool lossy;
    } rows[] = {
        {"hash", {{0}}, 0, true, false},
        {"hash", {{"length", "8"}}, 1, false, false},
        {"redact", {{0}}, 0, false, true},
        {"redact", {{"length", "30"}}, 1, false, true},
        {"constant", {{"value", "x"}}, 1, false, true},
        {"null", {{0}}, 0, false, false},
        {"partial", {{"first", "2"}}, 1, false, true},
        {"date_shift", {{"days", "3"}}, 1, false, false},
        {"noise", {{"percent", "3"}}, 1, false, false},
        {"fake", {{"of", "first_name"}}, 1, false, true},
        {"fake", {{"of", "full_name"}}, 1, false, true},
        {"fake", {{"of", "phone"}}, 1, false, false},
        {"generalise", {{"bucket", "10"}}, 1, false, true},
        {"generalise", {{"to", "month"}}, 1, false, true},
        {"dictionary", {{"default", "x"}}, 1, false, false},
    };
    static const struct cl_mask_option entry = {"a", "b"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cl_mask_method_spec method = {.schema = "s",
                                             .table = "t",
                                             .column = "c",
                                             .kind = rows[i].kind,
                                             .options = rows[i].options,
                                             .n_options = rows[i].n_options,
                                             .entries = &entry,
                                             .n_entries = strcmp(rows[i].kind, "dictionary") == 0};
        struct cl_mask_spec spec = {.sink_domain = "sink.test",
                                    .key = KEY,
                                    .key_bytes = sizeof KEY - 1,
                                    .methods = &method,
                                    .n_methods = 1};
        struct cl_err err;
        struct cl_mask *mask = cl_mask_new(&spec, &err);
        const struct cl_mask_method *made = mask ? cl_mask_method(mask, "s", "t", "c") : NULL;
        if (!made || cl_mask_method_injective(made, 0) != rows[i].injective ||
            cl_mask_method_lossy(made) != rows[i].lossy) {
            print_error("row %zu (%s)\n", i, rows[i].kind);
            fail();
        }
        cl_mask_free(mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_says_what_it_does_to_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
