/* mask: what is an address, what stands in its place, and rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask_help.h"

struct sample {
    const char *name; /* printed when it fails */
    const char *in;   /* the value */
    const char *out;  /* what it becomes; NULL: it stays */
};

static void check_samples(const struct sample *samples, size_t n, enum cl_carrier carrier)
{
    struct cl_mask *mask = make_mask();
    unsigned wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        const char *want = s->out ? s->out : s->in;
        size_t found = cl_mask_find(mask, NULL, carrier, s->in, strlen(s->in), NULL, NULL);
        struct cl_buf out = apply(mask, carrier, s->in, strlen(s->in), NULL);
        if (strcmp(cl_buf_str(&out), want) != 0 || (found > 0) != (s->out != NULL)) {
            print_error("%s: '%s' became '%s' instead of '%s'; %zu found\n", s->name, s->in,
                        cl_buf_str(&out), want, found);
            wrong++;
        }
        if (cl_mask_find(mask, NULL, carrier, out.data, out.len, NULL, NULL) != 0) {
            print_error("%s: '%s' still holds an address\n", s->name, cl_buf_str(&out));
            wrong++;
        }
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
    assert_int_equal(wrong, 0);
}

static void addresses_in_text(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"the rule", "john.doe@company.com", "john.doe_company.com@" SINK},
        {"mixed case", "John.Doe@Company.COM", "John.Doe_Company.COM@" SINK},
        {"plus tag", "john+crm@company.com", "john+crm_company.com@" SINK},
        {"underscores in the name", "j_d@c.com", "j_d_c.com@" SINK},
        {"subdomain", "a@mail.eu.company.com", "a_mail.eu.company.com@" SINK},
        {"display name", "Jo <jo@a.no>, Al <al@b.no>",
         "Jo <jo_a.no@" SINK ">, Al <al_b.no@" SINK ">"},
        {"lists", "a@x.no;b@y.no,c@z.no", "a_x.no@" SINK ";b_y.no@" SINK ",c_z.no@" SINK},
        {"mailto", "<a href=\"mailto:jo@a.no?subject=x\">jo@a.no</a>",
         "<a href=\"mailto:jo_a.no@" SINK "?subject=x\">jo_a.no@" SINK "</a>"},
        {"end of a sentence", "Write to jo@a.no.", "Write to jo_a.no@" SINK "."},
        {"next sentence", "jo@a.no.2nd try", "jo_a.no@" SINK ".2nd try"},
        {"dash after it", "jo@a.no- or not", "jo_a.no@" SINK "- or not"},
        {"question", "is it (jo@a.no)?", "is it (jo_a.no@" SINK ")?"},
        {"single quotes", "'jo@a.no'", "'jo_a.no@" SINK "'"},
        {"possessive", "jo@a.no's", "jo_a.no@" SINK "'s"},
        {"apostrophe", "o'brien@a.ie", "o'brien_a.ie@" SINK},
        {"url parameter", "?to=jo@a.no&x=1", "?to=jo_a.no@" SINK "&x=1"},
        {"quoted", "\"john doe\"@company.com", "\"john doe_company.com\"@" SINK},
        {"quoted in an array", "{\"\\\"john doe\\\"@company.com\"}",
         "{\"\\\"john doe_company.com\\\"@" SINK "\"}"},
        {"array", "{jo@a.no,\"al@b.no\"}", "{jo_a.no@" SINK ",\"al_b.no@" SINK "\"}"},
        {"row", "(1,jo@a.no,\"x y\")", "(1,jo_a.no@" SINK ",\"x y\")"},
        {"hstore", "\"mail\"=>\"jo@a.no\"", "\"mail\"=>\"jo_a.no@" SINK "\""},
        {"utf-8", "j\u00f8rgen@bl\u00e5b\u00e6r.no", "j\u00f8rgen_bl\u00e5b\u00e6r.no@" SINK},
        {"punycode", "a@xn--blbr-roah.no", "a_xn--blbr-roah.no@" SINK},
        {"typographic quotes", "\u201cjo@a.no\u201d", "\u201cjo_a.no@" SINK "\u201d"},
        {"full-width at", "jo\uff20a.no", "jo_a.no\uff20" SINK},
        {"numeric address", "jo@192.0.2.1", "jo_192.0.2.1@" SINK},
        {"message id", "<1.2.JavaMail.x@mail.a.no>", "<1.2.JavaMail.x_mail.a.no@" SINK ">"},
        {"mastodon", "@jo@social.example", "@jo_social.example@" SINK},
        {"user in a url", "https://jo@a.no/x", "https://jo_a.no@" SINK "/x"},
        {"git with a dot", "git@github.com:x/y.git", "git_github.com@" SINK ":x/y.git"},
        {"percent", "?to=jo%40a.no&x", "?to=jo_a.no%40" SINK "&x"},
        {"percent twice", "jo%2540a.no", "jo_a.no%2540" SINK},
        {"percent dot", "jo%40a%2Eno", "jo_a%2Eno%40" SINK},
        {"decimal entity", "jo&#64;a.no", "jo_a.no&#64;" SINK},
        {"hexadecimal entity", "jo&#x40;a.no", "jo_a.no&#x40;" SINK},
        {"padded entity", "jo&#0064;a&#46;no", "jo_a&#46;no&#0064;" SINK},
        {"escaped entity", "jo&amp;#64;a.no", "jo_a.no&amp;#64;" SINK},
        {"named entity", "jo&commat;a.no", "jo_a.no&commat;" SINK},
        {"letters as entities", "jo@m&uuml;ller.de", "jo_m&uuml;ller.de@" SINK},
        {"script escape", "'jo\\u0040a.no'", "'jo_a.no\\u0040" SINK "'"},
        {"quoted-printable", "To: jo=40a.no", "To: jo_a.no=40" SINK},
        {"escape before it", "\\njo@a.no", "\\njo_a.no@" SINK},
        {"look-alike of the sink", "a@" SINK ".evil.org", "a_" SINK ".evil.org@" SINK},
        {"suffix of the sink", "a@notmailinator.com", "a_notmailinator.com@" SINK},
    };
    check_samples(samples, COUNT(samples), CL_CARRIER_TEXT);
}

static void what_stays_as_it_is(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"nothing", "", NULL},
        {"plain", "no address here", NULL},
        {"the sink", "a_b.com@" SINK, NULL},
        {"a subdomain of it", "a@x." SINK, NULL},
        {"case of the sink", "a@MAILINATOR.com", NULL},
        {"an allowed domain", "a@allowed.EXAMPLE, b@x.allowed.example", NULL},
        {"git without a dot", "git@host:x/y.git", NULL},
        {"ssh url", "ssh://git@host/x.git", NULL},
        {"mention", "thanks @anna and @bo.", NULL},
        {"image", "icon@2x.png icon@3x.jpg a@1.5x.webp", NULL},
        {"annotation", "@Override\n@javax.inject.Named(\"x\")", NULL},
        {"npm scope", "node_modules/@types/node.d.ts", NULL},
        {"npm version", "lodash@4.17.21 vue@3.2.1-beta.2", NULL},
        {"decorator", "@app.route('/')\ndef f(): pass", NULL},
        {"sql variables", "select @@version, @a.b", NULL},
        {"object in java", "java.lang.Object@1b6d3586", NULL},
        {"prices", "3 @ 4.50", NULL},
        {"css", "@media screen{} @import url(x.css)", NULL},
        {"ordinary equals", "width=40px; a=404", NULL},
        {"ordinary percent", "100%40 of them", NULL},
        {"local only", "john.doe@", NULL},
        {"domain only", "@company.com", NULL},
        {"bare host", "john@localhost", NULL},
    };
    check_samples(samples, COUNT(samples), CL_CARRIER_TEXT);
}

static void addresses_in_json(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"value", "{\"a\": \"jo@a.no\", \"n\": 1.50}",
         "{\"a\": \"jo_a.no@" SINK "\", \"n\": 1.50}"},
        {"key", "{\"jo@a.no\":[1,  2e3]}", "{\"jo_a.no@" SINK "\":[1,  2e3]}"},
        {"escaped at", "\"jo\\u0040a.no\"", "\"jo_a.no@" SINK "\""},
        {"escaped dot", "\"jo@a\\u002eno\"", "\"jo_a.no@" SINK "\""},
        {"new line before", "[\"x\\njo@a.no\\/\"]", "[\"x\\njo_a.no@" SINK "/\"]"},
        {"quotes kept", "\"\\\"jo\\\" <jo@a.no>\"", "\"\\\"jo\\\" <jo_a.no@" SINK ">\""},
        {"other halves kept", "\"\\ud800 \\u0000 \\ud83d\\ude00 jo@a.no\"",
         "\"\\ud800 \\u0000 \xf0\x9f\x98\x80 jo_a.no@" SINK "\""},
        {"json in json", "\"{\\\"a\\\":\\\"jo@a.no\\\"}\"",
         "\"{\\\"a\\\":\\\"jo_a.no@" SINK "\\\"}\""},
        {"untouched", "{\"b\" : \"\\u0041\\/\", \"x\":[ ]}", NULL},
        {"escaped and untouched", "[\"a@" SINK "\", \"\\u0041@x\"]", NULL},
        {"not json", "to: jo@a.no \"", "to: jo_a.no@" SINK " \""},
    };
    check_samples(samples, COUNT(samples), CL_CARRIER_JSON);
}

/* The hash is part of the promise "same input, same output, always": it is pinned here. */
static void what_cannot_be_taken_apart_gets_a_suffix(void **state)
{
    (void)state;
    static const char *const inputs[] = {"a@b_c.com",     "a_b@c_d.com",   "a@b@c.com",
                                         "a@b.com@c.com", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
                                         "a@b.com@" SINK};
    struct cl_mask *mask = make_mask();
    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct cl_mask_tally tally = {0};
        struct cl_buf out = apply(mask, CL_CARRIER_TEXT, inputs[i], strlen(inputs[i]), &tally);
        const char *at = strstr(cl_buf_str(&out), "@" SINK);
        assert_non_null(at);
        assert_string_equal(at, "@" SINK);
        assert_null(memchr(out.data, '@', (size_t)(at - out.data)));
        assert_int_equal(tally.masked, 1);
        assert_int_equal(tally.shortened, 1);
        cl_buf_fini(&out);
    }
    struct cl_buf out = apply(mask, CL_CARRIER_TEXT, "a@b_c.com", 9, NULL);
    assert_string_equal(cl_buf_str(&out), "a_nvbbc6rdptctb@" SINK);
    cl_buf_fini(&out);
    cl_mask_free(mask);
}

static void long_local_parts_are_shortened(void **state)
{
    (void)state;
    char in[400], local[81];
    memset(local, 'x', 80);
    local[80] = '\0';
    struct cl_mask *mask = make_mask();
    struct cl_mask_tally tally = {0};
    snprintf(in, sizeof in, "%s@company.com", local);
    struct cl_buf out = apply(mask, CL_CARRIER_TEXT, in, strlen(in), &tally);
    assert_int_equal(strchr(out.data, '@') - out.data, 64);
    assert_int_equal(tally.shortened, 1);
    local[79] = 'y';
    snprintf(in, sizeof in, "%s@company.com", local);
    struct cl_buf other = apply(mask, CL_CARRIER_TEXT, in, strlen(in), &tally);
    assert_string_not_equal(out.data, other.data);
    cl_buf_fini(&out);
    cl_buf_fini(&other);
    cl_mask_free(mask);
}

static void narrow_columns(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    static const struct {
        const char *in;
        size_t max_chars;
        bool fits;
    } cases[] = {
        {"john.doe@company.com", 100, true},
        {"john.doe@company.com", 35, true},
        {"john.doe@company.com", 30, true},
        {"john.doe@company.com", 25, true},
        {"john.doe@company.com", 24, false},
        {"a@b.no, c@d.no", 52, true},
        {"a@b.no, c@d.no", 41, false},
        {"call j\u00f8rgen@bl\u00e5b\u00e6r.no \u2713", 36, true},
        {"\"john doe\"@company.com", 35, true},
        {"\"john doe\"@company.com", 33, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cl_buf out;
        bool changed;
        struct cl_err err;
        struct cl_mask_tally tally = {0};
        cl_buf_init(&out, 10000);
        cl_buf_adds(&out, "before");
        bool ok = cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, cases[i].in, strlen(cases[i].in),
                                cases[i].max_chars, &out, &changed, &tally, &err);
        if (ok != cases[i].fits) {
            print_error("'%s' in %zu: '%s'\n", cases[i].in, cases[i].max_chars, cl_buf_str(&out));
        }
        assert_int_equal(ok, cases[i].fits);
        assert_memory_equal(out.data, "before", 6);
        size_t chars = 0;
        for (size_t p = 6; p < out.len; p++) {
            chars += ((unsigned char)out.data[p] & 0xC0) != 0x80;
        }
        assert_true(chars <= cases[i].max_chars);
        if (!ok) {
            assert_int_equal(err.class, CL_INVALID);
            assert_non_null(strstr(err.message, "limit"));
            assert_int_equal(out.len, 6);
            assert_int_equal(tally.masked, 0);
        } else {
            assert_int_equal(
                cl_mask_find(mask, NULL, CL_CARRIER_TEXT, out.data + 6, out.len - 6, NULL, NULL),
                0);
        }
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

static void kept_values(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    const struct cl_mask_column *column = cl_mask_column(mask, "crm7", "associate", "username");
    assert_non_null(column);
    assert_null(cl_mask_column(mask, "crm7", "associate", "name"));
    static const struct {
        const char *in;
        bool kept;
    } cases[] = {{"keep@real.com", true},
                 {"o'kept@real.com", true},
                 {"keep@real.co", false},
                 {"keep@real.com ", false},
                 {"Keep@real.com", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cl_buf out;
        bool changed;
        struct cl_err err;
        struct cl_mask_tally tally = {0};
        size_t n = strlen(cases[i].in);
        cl_buf_init(&out, 10000);
        assert_true(cl_mask_apply(mask, column, CL_CARRIER_TEXT, cases[i].in, n, 0, &out, &changed,
                                  &tally, &err));
        assert_int_equal(changed, !cases[i].kept);
        assert_int_equal(tally.kept, cases[i].kept);
        assert_int_equal(cl_mask_find(mask, column, CL_CARRIER_TEXT, cases[i].in, n, NULL, NULL),
                         !cases[i].kept);
        cl_buf_fini(&out);
    }
    cl_mask_free(mask);
}

static void collect(void *arg, const char *address, size_t len)
{
    struct cl_buf *all = arg;
    cl_buf_add(all, address, len);
    cl_buf_addc(all, '|');
}

static void found_addresses_are_decoded(void **state)
{
    (void)state;
    struct cl_mask *mask = make_mask();
    struct cl_buf all;
    cl_buf_init(&all, 10000);
    static const char text[] = "x <jo@a.no> al%40b%2Eno c@" SINK " &#100;@e.no";
    static const char json[] = "{\"k\":\"J\\u00f8\\u0040a.no\"}";
    assert_int_equal(
        cl_mask_find(mask, NULL, CL_CARRIER_TEXT, text, sizeof text - 1, collect, &all), 3);
    assert_int_equal(
        cl_mask_find(mask, NULL, CL_CARRIER_JSON, json, sizeof json - 1, collect, &all), 1);
    assert_string_equal(cl_buf_str(&all), "jo@a.no|al@b.no|d@e.no|J\u00f8@a.no|");
    cl_buf_fini(&all);
    cl_mask_free(mask);
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "x",    "a..b", ".a.b", "a.b.", "a b.c",
                                        "a@b.c", "-a.b", "a-.b", "a.1",  "a_b.c"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct cl_mask_spec spec = {.sink_domain = wrong[i]};
        struct cl_err err;
        assert_null(cl_mask_new(&spec, &err));
        assert_int_equal(err.class, CL_INVALID);
    }
}

static void the_hash_covers_the_rules(void **state)
{
    (void)state;
    static const char *const ab[] = {"a.example", "b.example", NULL};
    static const char *const ba[] = {"B.example", "a.example", NULL};
    struct cl_mask_spec one = {.sink_domain = SINK, .allow = ab};
    struct cl_mask_spec same = {.sink_domain = "Mailinator.com", .allow = ba};
    struct cl_mask_spec other = {.sink_domain = SINK};
    struct cl_err err;
    struct cl_mask *a = cl_mask_new(&one, &err), *b = cl_mask_new(&same, &err);
    struct cl_mask *c = cl_mask_new(&other, &err);
    assert_string_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(b));
    assert_string_not_equal(cl_mask_rules_hash(a), cl_mask_rules_hash(c));
    cl_mask_free(a);
    cl_mask_free(b);
    cl_mask_free(c);
}

/* Text that tempts a scanner to look back again and again: a quadratic one would take hours. */
static void long_values_take_linear_time(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "'",     "@",     "a@",    "\"@",     "a@b.no", "a@b.no'", "%25", "&#x0", "40", "=40a",
        "\\\"@", "[1.2@", "&amp;", "x@y.no ", "a.b.",   "\u00e5@", "%40", ".2",   "\"", "\\u0040"};
    enum { BYTES = 1 << 20 };
    char *value = malloc(BYTES);
    assert_non_null(value);
    struct cl_mask *mask = make_mask();
    for (size_t i = 0; i < COUNT(patterns); i++) {
        size_t len = strlen(patterns[i]);
        memcpy(value, "a@b.no", 6);
        for (size_t p = 6; p < BYTES; p++) {
            value[p] = patterns[i][p % len];
        }
        for (enum cl_carrier carrier = CL_CARRIER_TEXT; carrier <= CL_CARRIER_JSON; carrier++) {
            struct cl_buf out = apply(mask, carrier, value, BYTES, NULL);
            assert_int_equal(cl_mask_find(mask, NULL, carrier, out.data, out.len, NULL, NULL), 0);
            cl_buf_fini(&out);
        }
    }
    cl_mask_free(mask);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_in_text),
        cmocka_unit_test(what_stays_as_it_is),
        cmocka_unit_test(addresses_in_json),
        cmocka_unit_test(what_cannot_be_taken_apart_gets_a_suffix),
        cmocka_unit_test(long_local_parts_are_shortened),
        cmocka_unit_test(narrow_columns),
        cmocka_unit_test(kept_values),
        cmocka_unit_test(found_addresses_are_decoded),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(the_hash_covers_the_rules),
        cmocka_unit_test(long_values_take_linear_time),
    };
    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
