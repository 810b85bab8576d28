/* mask: what holds for every address, over generated ones: in each mode, in each carrier, in many
 * surroundings. The same values every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask_carriers.h"
#include "noise.h"

enum { VALUES = 1200, VALUE_BYTES_MAX = 1 << 20, TEXT_BYTES = 400, HASH_CHARS = 27 };

#define KEY "0123456789abcdef"
#define DIGEST "abcdefghijklmnopqrstuvwxyz234567" /* what hashes are made of */

/* ---------------------------------------------------------------- addresses and what is around
 * them */

enum kind {
    WORD,
    DOTTED,
    TAG,
    BANG,
    PERCENT,
    COMMENT,
    COMMENT_APART,
    QUOTED,
    QUOTED_AT,
    GUEST,
    APOSTROPHE,
    AMPERSAND,
    BOUNCE,
    UTF8,
    LOW_LINE,
    SLASH,
    KINDS
};

static const char *const shapes[KINDS] = {
    [WORD] = "*",
    [DOTTED] = "*.*.*",
    [TAG] = "*+*",
    [BANG] = "*!*!*",
    [PERCENT] = "*%*.no",
    [COMMENT] = "*(*)",
    [COMMENT_APART] = "* (* *)",
    [QUOTED] = "\"* *\"",
    [QUOTED_AT] = "\"*@*\"",
    [GUEST] = "*_*.no#EXT#",
    [APOSTROPHE] = "o'*",
    [AMPERSAND] = "*&*",
    [BOUNCE] = "bounce+*=*.no",
    [UTF8] = "*\u00e9*",
    [LOW_LINE] = "*_*-*",
    [SLASH] = "*/*",
};

static const char *const domains[] = {"*.no", "*.*.example", "*\u00f8*.no", "192.0.2.7",
                                      "*-*.co.uk"};

static const struct surroundings {
    const char *before, *after;
    bool parameter; /* where "&" and "=" mean something else */
    bool path;      /* where "/" does */
    bool wide;      /* with marks outside ASCII, which end no domain that is written byte by byte */
} surroundings[] = {
    {"", "", false, false, false},
    {"<", ">", false, false, false},
    {"Dr A <", ">, b", false, false, false},
    {"(Dr A) ", " (b)", false, false, false},
    {"mailto:", "?cc=x", false, false, false},
    {"to ", ". Or", false, false, false},
    {"'", "'", false, false, false},
    {"**", "**", false, false, false},
    {"\u00ab", "\u00bb", false, false, true},
    {"; ", ";", false, false, false},
    {"[", "]", false, false, false},
    {"user=", " ip=1", true, false, false},
    {"https://x.no/?a=b&to=", "&x=1", true, false, false},
    {"https://x.no/a/", "/b", false, true, false},
};

/* In lower case, in capitals or with one. No four of these letters stand in a row in what is around
 * an address. */
static void add_word(struct cl_buf *out, bool upper)
{
    static const char letters[] = "bcdfgjkqvwxyz";
    uint32_t n = 4 + noise(5), writing = upper ? 0 : noise(4);
    for (uint32_t i = 0; i < n; i++) {
        bool capital = writing == 0 || (writing == 1 && i == 0);
        cl_buf_addc(out, (char)(letters[noise(sizeof letters - 1)] - (capital ? 32 : 0)));
    }
}

static void add_shape(struct cl_buf *out, const char *shape, bool upper)
{
    for (; *shape; shape++) {
        if (*shape == '*') {
            add_word(out, upper);
        } else {
            cl_buf_addc(out, (char)(upper && is_ascii_letter((unsigned char)*shape) ? *shape & ~32
                                                                                    : *shape));
        }
    }
}

/* A value in parts. */
struct sample {
    struct cl_buf before, address, after;
};

/* In capitals it cannot be found in a hash by chance. */
static struct sample make_sample(const struct carrier *carrier, bool upper)
{
    struct sample sample;
    const struct surroundings *around;
    enum kind kind;
    do {
        around = &surroundings[noise(COUNT(surroundings))];
        kind = (enum kind)noise(KINDS);
    } while ((around->parameter && kind == AMPERSAND) || (around->path && kind == SLASH) ||
             (around->wide && carrier->by_byte) || (carrier->binary && kind == UTF8));
    cl_buf_init(&sample.before, TEXT_BYTES);
    cl_buf_init(&sample.address, TEXT_BYTES);
    cl_buf_init(&sample.after, TEXT_BYTES);
    /* In bytes a run of text; and what begins like a header would be a message. */
    for (uint32_t n = carrier->binary ? 4 : carrier->by_byte + noise(20); n > 0; n--) {
        cl_buf_adds(&sample.before, noise(2) ? "so it is " : "and ");
    }
    cl_buf_adds(&sample.before, carrier->binary ? "so it is and so " : "");
    cl_buf_adds(&sample.before, around->before);
    add_shape(&sample.address, shapes[kind], upper);
    cl_buf_addc(&sample.address, '@');
    add_shape(&sample.address, domains[noise(COUNT(domains))], upper);
    cl_buf_adds(&sample.after, around->after);
    return sample;
}

static void free_sample(struct sample *sample)
{
    cl_buf_fini(&sample->before);
    cl_buf_fini(&sample->address);
    cl_buf_fini(&sample->after);
}

static struct cl_buf whole(const struct sample *sample)
{
    struct cl_buf out;
    cl_buf_init(&out, 4 * TEXT_BYTES);
    cl_buf_adds(&out, cl_buf_str(&sample->before));
    cl_buf_adds(&out, cl_buf_str(&sample->address));
    cl_buf_adds(&out, cl_buf_str(&sample->after));
    return out;
}

/* ---------------------------------------------------------------- modes */

static const struct mode {
    const char *name;
    const char *sink;
    enum cl_mask_mode mode;
} modes[] = {
    {"domain", "mailinator.com", CL_MASK_DOMAIN},
    {"invalid", "crm.invalid", CL_MASK_DOMAIN},
    {"hash", "mailinator.com", CL_MASK_HASH},
};

static struct cl_mask *make_mask(const struct mode *mode)
{
    struct cl_mask_spec spec = {
        .sink_domain = mode->sink, .mode = mode->mode, .key = KEY, .key_bytes = strlen(KEY)};
    struct cl_err err;
    struct cl_mask *mask = cl_mask_new(&spec, &err);
    assert_non_null(mask);
    return mask;
}

/* ---------------------------------------------------------------- what is checked */

/* Do four letters in a row of the address stand in the text? */
static bool is_left(const char *address, const char *text)
{
    for (const char *s = address; *s; s++) {
        char four[5] = "";
        strncpy(four, s, 4);
        if (strspn(four, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == 4 &&
            strstr(text, four)) {
            return true;
        }
    }
    return false;
}

/* Nothing but a hash in the sink, in quotes or not? */
static bool is_hash(const char *s, const char *sink)
{
    bool quoted = *s == '"';
    s += quoted;
    if (*s != 'h' || strspn(s, DIGEST) != HASH_CHARS) {
        return false;
    }
    s += HASH_CHARS + (quoted && s[HASH_CHARS] == '"');
    return *s == '@' && strcmp(s + 1, sink) == 0;
}

static bool is_in_sink(const char *s, const char *sink)
{
    const char *at = strrchr(s, '@');
    return at && at > s && strcmp(at + 1, sink) == 0;
}

/* An address overwritten, but for its opening quote. Bytes above ASCII stay above: whether the
 * whole is text must not change. */
static bool is_overwritten(const char *s, size_t n)
{
    size_t done = *s == '"';
    while (s[done] && ((unsigned char)s[done] >= 0xF8 || strchr(DIGEST, s[done]))) {
        done++;
    }
    return done == n && s[n] == '\0';
}

/* What became of the address, when everything around it is as it was; NULL else. */
static char *between(const struct sample *sample, const struct cl_buf *text)
{
    size_t before = sample->before.len, after = sample->after.len;
    const char *s = cl_buf_str(text);
    if (text->len <= before + after || memcmp(s, cl_buf_str(&sample->before), before) != 0 ||
        memcmp(s + text->len - after, cl_buf_str(&sample->after), after) != 0) {
        return NULL;
    }
    return strndup(s + before, text->len - before - after);
}

static struct cl_buf apply(const struct cl_mask *mask, enum cl_carrier as, const struct cl_buf *in)
{
    struct cl_buf out;
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    cl_buf_init(&out, VALUE_BYTES_MAX);
    assert_true(
        cl_mask_apply(mask, NULL, as, cl_buf_str(in), in->len, 0, &out, &changed, &tally, &err));
    return out;
}

static bool same(const struct cl_buf *a, const struct cl_buf *b)
{
    return a->len == b->len && memcmp(cl_buf_str(a), cl_buf_str(b), a->len) == 0;
}

static size_t count(const struct cl_mask *mask, enum cl_carrier as, const struct cl_buf *value)
{
    return cl_mask_find(mask, NULL, as, cl_buf_str(value), value->len, NULL, NULL);
}

/* One carrier in one mode. */
struct run {
    const struct mode *mode;
    const struct carrier *carrier;
    const struct cl_mask *mask;
    const struct cl_mask *again; /* another one, made of the same rules */
};

/* What is wrong with the masked value; NULL: nothing. *became is what the address became, the
 * caller's, or NULL. */
static const char *judge(const struct run *r, const struct sample *sample, const struct cl_buf *in,
                         const struct cl_buf *out, char **became)
{
    const struct carrier *c = r->carrier;
    struct cl_buf twice = apply(r->mask, c->as, out), other = apply(r->again, c->as, in), text;
    bool stable = same(out, &twice), alike = same(out, &other);
    cl_buf_init(&text, VALUE_BYTES_MAX);
    bool valid = c->read(cl_buf_str(out), out->len, &text);
    *became = valid ? between(sample, &text) : NULL;
    cl_buf_fini(&text);
    cl_buf_fini(&twice);
    cl_buf_fini(&other);
    if (!valid) {
        return "is no longer valid in its carrier";
    }
    if (count(r->mask, c->as, in) != 1) {
        return "was not one address";
    }
    if (count(r->mask, c->as, out) != 0) {
        return "still holds an address";
    }
    if (!stable) {
        return "changes when masked again";
    }
    if (!alike) {
        return "is something else the next time";
    }
    if (!*became) {
        return "has lost something around the address";
    }
    if (c->binary) {
        return !is_overwritten(*became, sample->address.len) ? "is not overwritten whole"
               : is_left(sample->address.data, *became)      ? "shows some of the address"
                                                             : NULL;
    }
    if (r->mode->mode == CL_MASK_HASH) {
        return is_hash(*became, r->mode->sink) ? NULL : "is not a hash alone";
    }
    return is_in_sink(*became, r->mode->sink) ? NULL : "is not in the sink";
}

static void print_value(const char *label, const struct cl_buf *value)
{
    print_error("  %s: ", label);
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->data[i];
        print_error(c < ' ' || c == 0x7F ? "\\x%02x" : "%c", c);
    }
    print_error("\n");
}

/* An address and what it became. */
struct pair {
    char *address; /* ours */
    char *became;  /* ours */
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = strcmp(x->became, y->became);
    return order ? order : strcmp(x->address, y->address);
}

/* How many became what another became; frees them. */
static unsigned clashes(struct pair *pairs, size_t n)
{
    unsigned clashed = 0;
    qsort(pairs, n, sizeof *pairs, compare_pairs);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(pairs[i - 1].became, pairs[i].became) == 0 &&
            strcmp(pairs[i - 1].address, pairs[i].address) != 0) {
            print_error("%s and %s became %s\n", pairs[i - 1].address, pairs[i].address,
                        pairs[i].became);
            clashed++;
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(pairs[i].address);
        free(pairs[i].became);
    }
    return clashed;
}

static unsigned check_carrier(const struct run *r)
{
    static struct pair pairs[VALUES];
    unsigned wrong = 0;
    for (size_t i = 0; i < VALUES; i++) {
        struct sample sample = make_sample(r->carrier, r->carrier->binary);
        struct cl_buf text = whole(&sample), in;
        cl_buf_init(&in, VALUE_BYTES_MAX);
        r->carrier->write(&in, cl_buf_str(&text), text.len, noise(r->carrier->styles));
        struct cl_buf out = apply(r->mask, r->carrier->as, &in);
        const char *complaint = judge(r, &sample, &in, &out, &pairs[i].became);
        pairs[i].address = strdup(cl_buf_str(&sample.address));
        if (!pairs[i].became) {
            pairs[i].became = strdup(pairs[i].address);
        }
        if (complaint && wrong++ < 10) {
            print_error("%s, %s: what was masked %s\n", r->mode->name, r->carrier->name, complaint);
            print_value("text", &text);
            print_value("value", &in);
            print_value("masked", &out);
        }
        cl_buf_fini(&text);
        cl_buf_fini(&in);
        cl_buf_fini(&out);
        free_sample(&sample);
    }
    return wrong + clashes(pairs, VALUES);
}

static void every_mode_and_carrier(void **state)
{
    unsigned wrong = 0;
    (void)state;
    noise_state = 11;
    for (size_t m = 0; m < COUNT(modes); m++) {
        struct cl_mask *mask = make_mask(&modes[m]), *again = make_mask(&modes[m]);
        for (size_t c = 0; c < COUNT(carriers); c++) {
            struct run run = {&modes[m], &carriers[c], mask, again};
            wrong += check_carrier(&run);
        }
        cl_mask_free(mask);
        cl_mask_free(again);
    }
    assert_int_equal(wrong, 0);
}

/* ---------------------------------------------------------------- columns of a width */

static size_t chars_of(const struct cl_buf *value)
{
    size_t chars = 0;
    for (size_t i = 0; i < value->len; i++) {
        chars += ((unsigned char)value->data[i] & 0xC0) != 0x80;
    }
    return chars;
}

/* What is wrong with a value in a column of that width; NULL: nothing, or it is refused. */
static const char *judge_width(const struct mode *mode, const struct cl_mask *mask,
                               const struct cl_buf *in, size_t max_chars, struct cl_buf *out)
{
    struct cl_mask_tally tally = {0};
    struct cl_err err;
    bool changed;
    if (!cl_mask_apply(mask, NULL, CL_CARRIER_TEXT, cl_buf_str(in), in->len, max_chars, out,
                       &changed, &tally, &err)) {
        return strcmp(err.code, "E_MASK_WIDTH") == 0 ? NULL : "is refused for another reason";
    }
    size_t local = (size_t)(strrchr(cl_buf_str(out), '@') - cl_buf_str(out));
    bool cut = mode->mode == CL_MASK_HASH ? local < HASH_CHARS : local < in->len;
    if (chars_of(out) > max_chars) {
        return "is longer than its column";
    }
    if (count(mask, CL_CARRIER_TEXT, out) != 0) {
        return "still holds an address";
    }
    if (mode->mode == CL_MASK_HASH && is_left(cl_buf_str(in), cl_buf_str(out))) {
        return "shows some of the address";
    }
    return cut && tally.shortened != 1 ? "is shorter, and that is not told" : NULL;
}

static void columns_of_every_width(void **state)
{
    static struct pair pairs[VALUES];
    unsigned wrong = 0;
    (void)state;
    noise_state = 12;
    for (size_t m = 0; m < COUNT(modes); m++) {
        struct cl_mask *mask = make_mask(&modes[m]);
        size_t n = 0, fit = strlen(modes[m].sink) + sizeof "@h_12345678";
        for (size_t i = 0; i < VALUES; i++) {
            struct sample sample = make_sample(carrier_named("plain"), true);
            size_t max_chars = fit + noise(50);
            struct cl_buf out;
            cl_buf_init(&out, VALUE_BYTES_MAX);
            const char *complaint = judge_width(&modes[m], mask, &sample.address, max_chars, &out);
            if (complaint) {
                wrong++;
                print_error("%s, %zu characters: what was masked %s\n", modes[m].name, max_chars,
                            complaint);
                print_value("value", &sample.address);
                print_value("masked", &out);
            }
            if (out.len > 0) {
                pairs[n].address = strdup(cl_buf_str(&sample.address));
                pairs[n++].became = strdup(cl_buf_str(&out));
            }
            cl_buf_fini(&out);
            free_sample(&sample);
        }
        assert_true(n > VALUES / 2);
        wrong += clashes(pairs, n);
        cl_mask_free(mask);
    }
    assert_int_equal(wrong, 0);
}

/* ---------------------------------------------------------------- the checks themselves */

/* Each says no to what it is there for. */
static void the_checks_see_what_is_wrong(void **state)
{
    static const char hash[] = "habcdefghijklmnopqrstuvwxyz@mailinator.com";
    static const struct {
        const char *name, *value;
    } broken[] = {
        {"json", "{\"mail\": \"a\"b\"}"},
        {"json", "{\"mail\": \"\\\"}"},
        {"xml", "<m>a&b</m>"},
        {"xml", "<m>&#6</m>"},
        {"xml", "<m><b></m>"},
        {"url", "%4"},
        {"url", "a%%40b"},
        {"base64", "YWJ"
                   "j="},
        {"base64", "YWJjZ"},
        {"base64", "YW=Jj"},
        {"base64", "YWJj\r\nYWJj"},
        {"quoted-printable", "a=4"},
        {"quoted-printable", "a=hb"},
        {"quoted-printable",
         "so it is and so it is and so it is and so it is and so it is and so it is and so it is"},
        {"binary", "abc"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct cl_buf text;
        cl_buf_init(&text, VALUE_BYTES_MAX);
        if (carrier_named(broken[i].name)->read(broken[i].value, strlen(broken[i].value), &text)) {
            fail_msg("%s: '%s' passes", broken[i].name, broken[i].value);
        }
        cl_buf_fini(&text);
    }
    assert_true(is_hash(hash, "mailinator.com"));
    assert_false(is_hash(hash + 1, "mailinator.com"));
    assert_false(is_hash("mx!habcdefghijklmnopqrstuvwxyz@mailinator.com", "mailinator.com"));
    assert_false(is_hash(hash, "crm.invalid"));
    assert_false(is_in_sink("jo@mailinator.com.no", "mailinator.com"));
    assert_false(is_overwritten("abc@d", 5));
    assert_false(is_overwritten("abcd", 5));
    assert_true(is_left("mx!john@a.no", "mx!johnny"));
    assert_false(is_left("mx!joh@a.no", "mx!johnny"));
    struct pair *pairs = calloc(2, sizeof *pairs);
    pairs[0] = (struct pair){strdup("a@b.no"), strdup("x")};
    pairs[1] = (struct pair){strdup("b@b.no"), strdup("x")};
    assert_int_equal(clashes(pairs, 2), 1);
    free(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checks_see_what_is_wrong),
        cmocka_unit_test(every_mode_and_carrier),
        cmocka_unit_test(columns_of_every_width),
    };
    return cmocka_run_group_tests_name("mask_property", tests, NULL, NULL);
}
