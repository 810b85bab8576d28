/* backup: the width that a CHECK constraint gives a column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backup/width.h"

static void constraints_give_a_width_or_none(void **state)
{
    static const struct {
        const char *expr; /* as pg_get_expr() writes it */
        const char *column;
        size_t width;
    } rows[] = {
        {"(length(mail) <= 30)", "mail", 30},
        {"(length((mail)::text) <= 30)", "mail", 30},
        {"(char_length(mail) < 31)", "mail", 30},
        {"(character_length((mail)::text) < 31)", "mail", 30},
        {"(octet_length(mail) <= 30)", "mail", 30},
        {"(30 >= length(mail))", "mail", 30},
        {"(31 > length(mail))", "mail", 30},
        {"((length(mail) >= 5) AND (length(mail) <= 30))", "mail", 30},
        {"((length(mail) <= 40) AND (mail ~~ '%@%'::text) AND (length(mail) <= 30))", "mail", 30},
        {"((mail IS NULL) OR (length(mail) <= 30))", "mail", 30},
        {"((length(mail) <= 20) OR (length(mail) <= 30))", "mail", 30},
        {"((mail IS NULL) OR ((length(mail) > 5) AND (length(mail) < 31)))", "mail", 30},
        {"(length(VALUE) <= 30)", "VALUE", 30},
        {"(length((VALUE)::text) <= 30)", "VALUE", 30},
        {"(length(\"E Mail\") <= 30)", "E Mail", 30},
        {"(length((\"E\"\"Mail\")::text) <= 30)", "E\"Mail", 30},
        /* another column, another function, another thing */
        {"(length(name) <= 30)", "mail", 0},
        {"(length(\"Mail\") <= 30)", "mail", 0},
        {"(length(\"mai\") <= 30)", "mail", 0},
        {"(length(\"mails\") <= 30)", "mail", 0},
        {"(public.length(mail) <= 30)", "mail", 0},
        {"(bit_length(mail) <= 30)", "mail", 0},
        {"(length(btrim(mail)) <= 30)", "mail", 0},
        {"(length((mail || 'x'::text)) <= 30)", "mail", 0},
        {"((length(mail) + 1) <= 30)", "mail", 0},
        {"(length(mail) <= length(name))", "mail", 0},
        {"(length(mail) <= '30'::bigint)", "mail", 0},
        {"(length(mail) <= 12345678901)", "mail", 0},
        {"(length(mail) OPERATOR(public.<=) 30)", "mail", 0},
        {"(length(mail) >= 30)", "mail", 0},
        {"(30 <= length(mail))", "mail", 0},
        {"(length(mail) = 30)", "mail", 0},
        {"(length(mail) < 0)", "mail", 0},
        /* what does not always hold */
        {"((name IS NULL) OR (length(mail) <= 30))", "mail", 0},
        {"((mail ~~ '%@x'::text) OR (length(mail) <= 30))", "mail", 0},
        {"(NOT (length(mail) <= 30))", "mail", 0},
        {"((length(mail) <= 30) IS NOT TRUE)", "mail", 0},
        {"((length(mail) <= 30) = false)", "mail", 0},
        {"CASE WHEN (mail ~~ 'a%'::text) THEN (length(mail) <= 30) ELSE true END", "mail", 0},
        /* quotes and parentheses that hold something else */
        {"(mail <> ' OR (length(mail) <= 30)'::text)", "mail", 0},
        {"((mail <> ' AND (length(mail) <= 30)'::text) AND (length(mail) <= 40))", "mail", 40},
        {"((mail <> 'it''s ('::text) AND (length(mail) <= 40))", "mail", 40},
        {"((\" AND \" > 3) AND (length(mail) <= 40))", "mail", 40},
        {"(length(mail) <= ", "mail", 0},
        {"((((", "mail", 0},
        {"\"", "mail", 0},
        {"length(", "mail", 0},
        {"", "mail", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t width = cl_width_of_check(rows[i].expr, rows[i].column);
        if (width != rows[i].width) {
            print_error("%s: %zu, not %zu\n", rows[i].expr, width, rows[i].width);
            fail();
        }
    }
}

static void deep_conditions_end(void **state)
{
    enum { DEPTH = 2000 };
    static char expr[DEPTH * 12 + 64];
    char *at = expr;
    (void)state;
    for (size_t i = 0; i < DEPTH; i++) {
        at += snprintf(at, 12, "(x AND ");
    }
    at += snprintf(at, 64, "(length(mail) <= 30)");
    memset(at, ')', DEPTH);
    assert_int_equal(cl_width_of_check(expr, "mail"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constraints_give_a_width_or_none),
        cmocka_unit_test(deep_conditions_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
