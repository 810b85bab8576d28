/* backup: constants in default and generated expressions, as pg_dump writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backup/defaults.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { OUT_MAX = 1 << 20 };

static const struct sample {
    const char *label;
    const char *in;
    const char *out; /* NULL: it stays */
} samples[] = {
    {"TABLE public t postgres",
     "CREATE TABLE public.t (\n    a text DEFAULT 'a@b.no'::text,\n    b text\n);\n",
     "CREATE TABLE public.t (\n    a text DEFAULT 'a_b.no@sink.test'::text,\n    b text\n);\n"},
    {"DOMAIN public d postgres",
     "CREATE DOMAIN public.d AS text DEFAULT 'a@b.no'::text\n\tCONSTRAINT c CHECK ((VALUE <> "
     "'c@b.no'::text));\n",
     "CREATE DOMAIN public.d AS text DEFAULT 'a_b.no@sink.test'::text\n\tCONSTRAINT c CHECK "
     "((VALUE <> "
     "'c@b.no'::text));\n"},
    {"FOREIGN TABLE public f postgres",
     "CREATE FOREIGN TABLE public.f (\n    a text DEFAULT 'a@b.no'::text OPTIONS (\n    o "
     "'o@b.no'\n)\n)\nSERVER s;\n",
     "CREATE FOREIGN TABLE public.f (\n    a text DEFAULT 'a_b.no@sink.test'::text OPTIONS (\n    "
     "o 'o@b.no'\n)\n)\n"
     "SERVER s;\n"},
    {"DEFAULT public c a postgres",
     "ALTER TABLE ONLY public.c ALTER COLUMN a SET DEFAULT 'a@b.no'::text;\n",
     "ALTER TABLE ONLY public.c ALTER COLUMN a SET DEFAULT 'a_b.no@sink.test'::text;\n"},
    /* its limit is not told */
    {"DEFAULT public c a postgres",
     "ALTER TABLE ONLY public.c ALTER COLUMN a SET DEFAULT 'a@b.no'::character varying;\n", NULL},
    {"VIEW public v postgres", "CREATE VIEW public.v AS\n SELECT 'a@b.no'::text AS \"DEFAULT\";\n",
     NULL},
    {"TABLE public t postgres",
     "CREATE TABLE public.t (\n    a text GENERATED ALWAYS AS ((('a@b.no '::text || id) || ', "
     "c@b.no'::text)) STORED,\n"
     "    b text DEFAULT 'd@b.no'::public.citext,\n    CONSTRAINT c CHECK ((b <> "
     "'e@b.no'::text))\n);\n",
     "CREATE TABLE public.t (\n    a text GENERATED ALWAYS AS ((('a_b.no@sink.test '::text || id) "
     "|| ', "
     "c_b.no@sink.test'::text)) STORED,\n    b text DEFAULT 'd_b.no@sink.test'::public.citext,\n   "
     " CONSTRAINT c CHECK "
     "((b <> 'e@b.no'::text))\n);\n"},
    /* quotes and backslashes */
    {"TABLE t",
     "(\n    a text DEFAULT 'it''s a@b.no'::text,\n    b text DEFAULT 'c:\\n a@b.no "
     "''x'''::text\n)",
     "(\n    a text DEFAULT 'it''s a_b.no@sink.test'::text,\n    b text DEFAULT 'c:\\n "
     "a_b.no@sink.test "
     "''x'''::text\n)"},
    {"TABLE t", "(\n    a jsonb DEFAULT '{\"m\": \"\\\"a@b.no\\\"\"}'::jsonb\n)",
     "(\n    a jsonb DEFAULT '{\"m\": \"\\\"a_b.no@sink.test\\\"\"}'::jsonb\n)"},
    {"TABLE t", "(\n    a bytea DEFAULT '\\x6140622e6e6f'::bytea\n)",
     "(\n    a bytea DEFAULT '\\x615f622e6e6f4073696e6b2e74657374'::bytea\n)"},
    /* limits */
    {"TABLE t", "(\n    a character varying(16) DEFAULT 'a@b.no'::character varying NOT NULL\n)",
     "(\n    a character varying(16) DEFAULT 'a_b.no@sink.test'::character varying NOT NULL\n)"},
    {"TABLE t",
     "(\n    a character varying(9) DEFAULT 'a@b.no'::character varying,\n    b text DEFAULT "
     "'a@b.no'::text\n)",
     "(\n    a character varying(9) DEFAULT 'a@b.no'::character varying,\n    b text DEFAULT "
     "'a_b.no@sink.test'::text\n)"},
    {"TABLE t", "(\n    a character varying(30)[] DEFAULT '{a@b.no}'::character varying[]\n)",
     NULL},
    {"TABLE t", "(\n    a text[] DEFAULT ARRAY['a@b.no'::text, 'x'::text]\n)",
     "(\n    a text[] DEFAULT ARRAY['a_b.no@sink.test'::text, 'x'::text]\n)"},
    /* what is no text, and what is no expression */
    {"TABLE t",
     "(\n    a public.who DEFAULT 'a@b.no'::public.who,\n    b name DEFAULT 'a@b.no'::name\n)",
     NULL},
    {"TABLE t", "(\n    a bigint DEFAULT nextval('public.\"a@b.no\"'::regclass)\n)", NULL},
    {"TABLE t",
     "\n-- Name: it's a@b.no; DEFAULT 'a@b.no'::text\n(\n    \"DEFAULT 'a@b.no'::text\" text\n)",
     NULL},
    {"TABLE t", "(\n    a text DEFAULT 'x'::text\n)\nPARTITION BY LIST (((a = 'a@b.no'::text)));",
     NULL},
    {"TABLE t", "(\n    a text DEFAULT 'a@b.no", NULL},
    {"TABLE t", "(\n    a text DEFAULT '", NULL},
    {"TABLE t", "", NULL},
};

static void constants_are_masked(void **state)
{
    (void)state;
    struct cl_mask_spec spec = {.sink_domain = "sink.test"};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    for (size_t i = 0; i < COUNT(samples); i++) {
        const struct sample *s = &samples[i];
        struct cl_mask_tally tally = {0};
        struct cl_buf out;
        bool changed;
        cl_buf_init(&out, OUT_MAX);
        assert_true(cl_defaults_mask(s->label, s->in, mask, &out, &changed, &tally, &err));
        assert_string_equal(changed ? cl_buf_str(&out) : s->in, s->out ? s->out : s->in);
        assert_int_equal(changed, s->out != NULL);
        assert_int_equal(tally.masked > 0, changed);
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(constants_are_masked)};
    return cmocka_run_group_tests_name("defaults", tests, NULL, NULL);
}
