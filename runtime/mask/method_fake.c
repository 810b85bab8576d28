/* Fakes: names, companies, streets, cities from word lists; telephone numbers of the same form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "method.h"

enum { FIRST_NAME, LAST_NAME, FULL_NAME, COMPANY, STREET, CITY, PHONE };

static const char *const forms[] = {"first_name", "last_name", "full_name", "company",
                                    "street",     "city",      "phone",     NULL};

/* What each form takes its first and its second word from; NULL: no word. */
static const char *const lists[][2] = {
    [FIRST_NAME] = {"runtime/mask/words_first_name.txt", NULL},
    [LAST_NAME] = {"runtime/mask/words_last_name.txt", NULL},
    [FULL_NAME] = {"runtime/mask/words_first_name.txt", "runtime/mask/words_last_name.txt"},
    [COMPANY] = {"runtime/mask/words_company.txt", "runtime/mask/words_trade.txt"},
    [STREET] = {"runtime/mask/words_street.txt", NULL},
    [CITY] = {"runtime/mask/words_city.txt", NULL},
    [PHONE] = {NULL, NULL},
};

enum {
    HOUSES = 199,
    SUFFIX_BYTES = 8,
    PHONE_DIGITS = 8, /* where the value has none */
    COUNTRY_DIGITS = 2,
};

static bool read_words(struct cl_mask_method *method, struct cl_method_words *words,
                       const char *path, struct cl_err *err)
{
    const struct cl_embedded *file = cl_embedded(path);
    size_t lines = 0;
    for (size_t i = 0; i < file->len; i++) {
        lines += file->data[i] == '\n';
    }
    words->word = calloc(lines, sizeof *words->word);
    if (!words->word) {
        return cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
    }
    const char *at = file->data;
    for (words->n = 0; words->n < lines; words->n++) {
        words->word[words->n] = at;
        at = strchr(at, '\n') + 1;
    }
    cl_method_depends(method, file->data, file->len);
    return true;
}

static bool make_fake(struct cl_mask_method *method, const struct cl_mask_method_spec *spec,
                      struct cl_err *err)
{
    if (!cl_method_option(spec, "of")) {
        return cl_fail(err, CL_INVALID, "E_METHOD", "method 'fake' needs 'of': what to make");
    }
    if (!cl_method_choice(spec, "of", forms, &method->form, err)) {
        return false;
    }
    method->purpose = forms[method->form];
    method->lossy = method->form != PHONE; /* a number has as many digits as the value */
    for (size_t i = 0; i < 2; i++) {
        const char *path = lists[method->form][i];
        if (path && !read_words(method, &method->words[i], path, err)) {
            return false;
        }
    }
    return true;
}

static size_t length(const char *word)
{
    return strcspn(word, "\n");
}

/* The words that follow a number, in a circle, until they fit; else the shortest there are, cut. */
static void put_words(const struct cl_mask_method *method, const uint8_t digest[CL_SHA256_BYTES],
                      const char *suffix, size_t room, struct cl_buf *out)
{
    const struct cl_method_words *a = &method->words[0];
    const struct cl_method_words *b = &method->words[1];
    uint64_t start = cl_method_below(digest, a->n);
    uint64_t other = b->n > 0 ? cl_method_below(digest + 8, b->n) : 0;
    size_t least = SIZE_MAX;
    const char *first = "\n";
    const char *second = "\n";
    for (uint64_t i = 0; i < a->n * (b->n > 0 ? 2 : 1); i++) {
        const char *word = a->word[(start + i) % a->n];
        const char *more = b->n > 0 ? b->word[(other + i) % b->n] : "\n";
        size_t chars = length(word) + (b->n > 0 ? 1 + length(more) : 0) + strlen(suffix);
        if (chars < least) {
            least = chars;
            first = word;
            second = more;
        }
        if (chars <= room) {
            break;
        }
    }
    struct cl_buf all;
    cl_buf_init(&all, 4096);
    cl_buf_add(&all, first, length(first));
    if (b->n > 0) {
        cl_buf_addc(&all, ' ');
        cl_buf_add(&all, second, length(second));
    }
    cl_buf_adds(&all, suffix);
    size_t n = all.len < room ? all.len : room;
    while (n > 0 && all.data[n - 1] == ' ') {
        n--;
    }
    cl_buf_add(out, cl_buf_str(&all), n);
    cl_buf_fini(&all);
}

static char digit_of(const uint8_t digest[CL_SHA256_BYTES], size_t i)
{
    return (char)('0' + digest[i % CL_SHA256_BYTES] % 10);
}

/* Digits become others, but for the country's and zeros in front; what no number holds goes. */
static void put_phone(const struct cl_mask_value *value, const uint8_t digest[CL_SHA256_BYTES],
                      size_t room, struct cl_buf *out)
{
    size_t start = out->len;
    size_t digits = 0;
    size_t keep = 0;     /* digits that stay */
    bool leading = true; /* zeros still stay */
    for (size_t i = 0; i < value->n && out->len - start < room; i++) {
        char c = value->in[i];
        if (c == '+' && digits == 0) {
            keep = COUNTRY_DIGITS;
        } else if (c < '0' || c > '9') {
            if (c == '\0' || !strchr("+-()./ ", c)) {
                continue;
            }
        } else if (keep > 0) {
            keep--;
            leading = false;
            digits++;
        } else if (c == '0' && leading) {
            digits++;
        } else {
            leading = false;
            c = digit_of(digest, digits++);
        }
        cl_buf_addc(out, c);
    }
    if (digits == 0) {
        out->len = start;
        for (size_t i = 0; i < PHONE_DIGITS && i < room; i++) {
            cl_buf_addc(out, digit_of(digest, i));
        }
    }
}

static bool run_fake(const struct cl_mask_method *method, const struct cl_mask_value *value,
                     struct cl_buf *out, bool *is_null, struct cl_err *err)
{
    uint8_t digest[CL_SHA256_BYTES];
    char suffix[SUFFIX_BYTES] = "";
    size_t room = value->max_chars > 0 ? value->max_chars : SIZE_MAX;
    (void)is_null;
    (void)err;
    cl_method_digest(method, value->in, value->n, digest);
    if (method->form == PHONE) {
        put_phone(value, digest, room, out);
        return true;
    }
    if (method->form == STREET) {
        snprintf(suffix, sizeof suffix, " %u", 1 + (unsigned)cl_method_below(digest + 8, HOUSES));
    }
    put_words(method, digest, suffix, room, out);
    return true;
}

const struct cl_method_kind cl_method_fake = {
    .name = "fake",
    .options = (const char *const[]){"of", NULL},
    .types = CL_METHOD_TEXT,
    .keyed = true,
    .clean = true,
    .lossy = true,
    .make = make_fake,
    .run = run_fake,
};
