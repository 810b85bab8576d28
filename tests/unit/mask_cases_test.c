/* mask: the tables of cases in tests/mask/cases (their form: tests/mask/README.md). */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lualib.h>

#include "base/buf.h"
#include "mask/mask.h"

#define CASES "tests/mask/cases"
#define KEY "0123456789abcdef"
#define SINK "mailinator.com"

enum { FILES_MAX = 200, CASES_LEAST = 170, VALUE_BYTES_MAX = 1 << 20, HASH_CHARS = 27 };

/* One file on its way. */
struct reader {
    const char *path;     /* for messages */
    FILE *file;           /* ours */
    char *line;           /* without its line feed; ours */
    size_t line_cap;      /* getline's */
    unsigned line_number; /* of `line`, from 1 */
};

/* One case, as it was written. */
struct mask_case {
    unsigned line_number; /* of its first line */
    enum cl_carrier carrier;
    bool crlf;         /* its lines end with CR LF */
    bool hash;         /* masked with hashes, each shown as HASH */
    size_t max_chars;  /* of the column; 0: no limit */
    bool stays;        /* nothing may change; out is not set */
    struct cl_buf in;  /* the value */
    struct cl_buf out; /* what must come out */
};

static struct cl_mask *mask, *hiding;
static lua_State *lua;
static unsigned seen, wrong;

static bool next_line(struct reader *r)
{
    ssize_t n = getline(&r->line, &r->line_cap, r->file);
    if (n < 0) {
        return false;
    }
    if (n > 0 && r->line[n - 1] == '\n') {
        r->line[n - 1] = '\0';
    }
    r->line_number++;
    return true;
}

static void malformed(const struct reader *r, const char *what)
{
    fail_msg("%s:%u: %s", r->path, r->line_number, what);
}

/* Appends a line's text; «0D 0A» becomes these bytes. */
static void add_text(const struct reader *r, struct cl_buf *out, const char *s)
{
    static const char opening[] = "\u00ab", closing[] = "\u00bb";
    for (const char *open = strstr(s, opening); open; open = strstr(s, opening)) {
        cl_buf_add(out, s, (size_t)(open - s));
        s = open + strlen(opening);
        while (strncmp(s, closing, strlen(closing)) != 0) {
            char *end;
            unsigned long byte = strtoul(s, &end, 16);
            if (end == s || byte > 0xFF) {
                malformed(r, "what stands between guillemets is no list of bytes");
            }
            cl_buf_addc(out, (char)byte);
            s = end;
        }
        s += strlen(closing);
    }
    cl_buf_adds(out, s);
}

/* "text/crlf: name", "text(35): name", "json/hash: name" */
static void read_head(const struct reader *r, struct mask_case *c)
{
    const char *s = r->line;
    c->carrier = strncmp(s, "json", 4) == 0 ? CL_CARRIER_JSON : CL_CARRIER_TEXT;
    if (c->carrier == CL_CARRIER_TEXT && strncmp(s, "text", 4) != 0) {
        malformed(r, "a case begins with its carrier, text or json");
    }
    s += 4;
    while (strncmp(s, "/crlf", 5) == 0 || strncmp(s, "/hash", 5) == 0) {
        c->crlf = c->crlf || s[1] == 'c';
        c->hash = c->hash || s[1] == 'h';
        s += 5;
    }
    if (*s == '(') {
        char *end;
        c->max_chars = strtoul(s + 1, &end, 10);
        s = *end == ')' ? end + 1 : "";
    }
    if (strncmp(s, ": ", 2) != 0) {
        malformed(r, "the carrier is not followed by ': ' and a name");
    }
}

/* The next case; false at the end of the file. Its buffers are empty, initialised ones. */
static bool read_case(struct reader *r, struct mask_case *c)
{
    bool any[2] = {false, false};
    do {
        if (!next_line(r)) {
            return false;
        }
    } while (r->line[0] == '\0' || r->line[0] == '#');
    *c = (struct mask_case){.line_number = r->line_number};
    cl_buf_init(&c->in, VALUE_BYTES_MAX);
    cl_buf_init(&c->out, VALUE_BYTES_MAX);
    read_head(r, c);
    while (next_line(r) && r->line[0] != '\0') {
        char mark = r->line[0];
        if (mark == '#') {
            continue;
        }
        if (!strchr("<>=", mark) || (r->line[1] != ' ' && r->line[1] != '\0')) {
            malformed(r, "a line of a case begins with '< ', '> ', '= ' or '#'");
        }
        struct cl_buf *to = mark == '>' ? &c->out : &c->in;
        if (any[mark == '>']) {
            cl_buf_adds(to, c->crlf ? "\r\n" : "\n");
        }
        any[mark == '>'] = true;
        c->stays = c->stays || mark == '=';
        add_text(r, to, r->line[1] ? r->line + 2 : "");
    }
    if (!any[0] || any[1] == c->stays) {
        malformed(r, "the case above has not '<' and '>' lines, or '=' lines alone");
    }
    return true;
}

/* ---------------------------------------------------------------- checking */

static struct cl_buf apply(const struct mask_case *c, const struct cl_buf *in,
                           struct cl_mask_tally *tally)
{
    struct cl_buf out;
    struct cl_err err;
    bool changed;
    cl_buf_init(&out, VALUE_BYTES_MAX);
    if (!cl_mask_apply(c->hash ? hiding : mask, NULL, c->carrier, cl_buf_str(in), in->len,
                       c->max_chars, &out, &changed, tally, &err)) {
        cl_buf_reset(&out);
        cl_buf_addf(&out, "%s", err.message);
    }
    return out;
}

static size_t count(const struct mask_case *c, const struct cl_buf *value)
{
    return cl_mask_find(c->hash ? hiding : mask, NULL, c->carrier, cl_buf_str(value), value->len,
                        NULL, NULL);
}

/* The value with HASH for each hash in it. */
static struct cl_buf shown(const struct cl_buf *value)
{
    struct cl_buf out;
    const char *s = cl_buf_str(value);
    cl_buf_init(&out, VALUE_BYTES_MAX);
    for (size_t p = 0, run; p < value->len; p += run) {
        run = strspn(s + p, "abcdefghijklmnopqrstuvwxyz234567");
        bool hash = run >= HASH_CHARS && s[p + run - HASH_CHARS] == 'h';
        run += run == 0;
        cl_buf_add(&out, s + p, hash ? run - HASH_CHARS : run);
        cl_buf_adds(&out, hash ? "HASH" : "");
    }
    return out;
}

static bool same(const struct cl_buf *a, const struct cl_buf *b)
{
    return a->len == b->len && memcmp(cl_buf_str(a), cl_buf_str(b), a->len) == 0;
}

static bool is_json(const struct cl_buf *value)
{
    lua_getglobal(lua, "cjson");
    lua_getfield(lua, -1, "decode");
    lua_pushlstring(lua, cl_buf_str(value), value->len);
    bool ok = lua_pcall(lua, 1, 1, 0) == LUA_OK;
    lua_settop(lua, 0);
    return ok;
}

static void print_value(const char *label, const struct cl_buf *value)
{
    struct cl_buf line;
    cl_buf_init(&line, 8 * VALUE_BYTES_MAX);
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->data[i];
        if (c == '\n') {
            cl_buf_addf(&line, "\n%14s", "");
        } else if (c < ' ' || c == 0x7F) {
            cl_buf_addf(&line, "\u00ab%02X\u00bb", c);
        } else {
            cl_buf_addc(&line, (char)c);
        }
    }
    print_error("    %-9s %s\n", label, cl_buf_str(&line));
    cl_buf_fini(&line);
}

static void check_case(const struct reader *r, const struct mask_case *c)
{
    struct cl_mask_tally tally = {0};
    struct cl_buf once = apply(c, &c->in, &tally), twice = apply(c, &once, &tally);
    struct cl_buf looks = shown(&once);
    const struct cl_buf *want = c->stays ? &c->in : &c->out;
    const char *complaint = NULL;
    if (!same(c->hash ? &looks : &once, want)) {
        complaint = "is not what is expected";
    } else if (count(c, &once) != 0) {
        complaint = "still holds an address";
    } else if (!same(&once, &twice)) {
        complaint = "changes when masked again";
    } else if ((count(c, &c->in) > 0) == c->stays) {
        complaint = c->stays ? "stays, yet an address was found" : "changes, yet nothing was found";
    } else if (cl_mask_search(c->in.data, c->in.len, 0) == c->in.len && !c->stays) {
        complaint = "would not be looked at: the fast search finds nothing in the input";
    } else if (c->carrier == CL_CARRIER_JSON && is_json(&c->in) && !is_json(&once)) {
        complaint = "is no JSON";
    }
    seen++;
    if (complaint) {
        wrong++;
        print_error("%s:%u: what came out %s\n", r->path, c->line_number, complaint);
        print_value("input", &c->in);
        print_value("expected", want);
        print_value("came out", &once);
    }
    cl_buf_fini(&looks);
    cl_buf_fini(&once);
    cl_buf_fini(&twice);
}

static void check_file(const char *path)
{
    struct reader r = {.path = path, .file = fopen(path, "r")};
    struct mask_case c;
    assert_non_null(r.file);
    while (read_case(&r, &c)) {
        assert_false(c.in.failed || c.out.failed);
        check_case(&r, &c);
        cl_buf_fini(&c.in);
        cl_buf_fini(&c.out);
    }
    free(r.line);
    fclose(r.file);
}

static int is_cases(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".cases") == 0;
}

static void every_case_of_the_tables(void **state)
{
    static const char *const allow[] = {"allowed.example", NULL};
    struct cl_mask_spec spec = {.sink_domain = SINK, .allow = allow, .key = KEY};
    struct cl_err err;
    struct dirent **entries;
    (void)state;
    spec.key_bytes = strlen(KEY);
    mask = cl_mask_new(&spec, &err);
    spec.mode = CL_MASK_HASH;
    hiding = cl_mask_new(&spec, &err);
    lua = luaL_newstate();
    assert_non_null(mask);
    assert_non_null(hiding);
    assert_non_null(lua);
    luaL_requiref(lua, "cjson", luaopen_cjson, 1);
    int n = scandir(CASES, &entries, is_cases, alphasort);
    assert_in_range(n, 1, FILES_MAX);
    for (int i = 0; i < n; i++) {
        char path[512];
        snprintf(path, sizeof path, CASES "/%s", entries[i]->d_name);
        check_file(path);
        free(entries[i]);
    }
    free((void *)entries);
    lua_close(lua);
    cl_mask_free(mask);
    cl_mask_free(hiding);
    print_message("# %u cases in %d files, %u wrong\n", seen, n, wrong);
    assert_int_equal(wrong, 0);
    assert_true(seen >= CASES_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_tables),
    };
    return cmocka_run_group_tests_name("mask_cases", tests, NULL, NULL);
}
